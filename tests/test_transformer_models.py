"""Models of torchvision, timm and transformers under by_hand: every gradient hand-written, and the same training.

The models train narrower than they come, of the same classes and with the same layers; as they come, they are audited.
"""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.testing import assert_close
from torchvision.models import convnext, swin_transformer, vision_transformer
from whole_models import VIEWS, by_hand_throughout, collecting, steps

from manualgrad import by_hand, swap, unswap
from manualgrad.functions.linear.addmm import AddmmFunction

timm = pytest.importorskip("timm")
transformers = pytest.importorskip("transformers")

DOUBLE = torch.float64
WORDS = {
    "vocab_size": 50,
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**WORDS, "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 16}


@pytest.fixture(autouse=True)
def _one_thread():
    """Many short calls in float64, in which two threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def vit():
    return vision_transformer.VisionTransformer(32, 16, num_layers=12, num_heads=3, hidden_dim=48, mlp_dim=96)


def swin():
    return swin_transformer.SwinTransformer([4, 4], 24, [2, 2, 2, 2], [1, 2, 2, 4], [7, 7], stochastic_depth_prob=0.2)


def convnext_narrow():
    blocks = [convnext.CNBlockConfig(d, after, 2) for d, after in ((24, 32), (32, 48), (48, 64), (64, None))]
    return convnext.ConvNeXt(blocks, stochastic_depth_prob=0.1)


def gpt2():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**WORDS, n_positions=16))


def bert():
    config = transformers.BertConfig(**WORDS, intermediate_size=48, max_position_embeddings=16)
    return transformers.BertForMaskedLM(config)


IMAGES = {  # the model, and the side of its images
    "vit": (vit, 32),
    "swin": (swin, 64),
    "convnext": (convnext_narrow, 64),
    "mixer": (lambda: timm.models.mlp_mixer.MlpMixer(img_size=64, patch_size=32, num_blocks=2, embed_dim=32), 64),
    "deit": (lambda: timm.create_model("deit_tiny_patch16_224", img_size=32, embed_dim=48, depth=3), 32),
    "levit": (lambda: timm.create_model("levit_128s", img_size=128, embed_dim=(32, 48, 64)), 128),
    "convmixer": (lambda: timm.models.convmixer.ConvMixer(dim=24, depth=3, kernel_size=7, patch_size=7), 64),
}
LANGUAGE = {
    "GPT-2": gpt2,
    "BERT": bert,
    "Llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**GROUPED)),
    "Qwen2": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**GROUPED)),
}
COMPUTE_IN_FLOAT32 = ("Llama", "Qwen2")  # their RMS norm, whatever the model's dtype
NAMES = [*IMAGES, *LANGUAGE, "nn.Transformer"]
AS_THEY_COME = {
    "vit_b_16": (lambda: torchvision.models.vit_b_16(image_size=32), 32),
    "swin_t": (torchvision.models.swin_t, 64),
    "convnext_tiny": (torchvision.models.convnext_tiny, 64),
    "mixer_s32_224": (lambda: timm.create_model("mixer_s32_224"), 224),
    "deit_tiny_patch16_224": (lambda: timm.create_model("deit_tiny_patch16_224"), 224),
    "levit_128s": (lambda: timm.create_model("levit_128s"), 224),
    "convmixer_768_32": (lambda: timm.create_model("convmixer_768_32"), 32),
}


class Translation(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer, self.out = nn.Transformer(16, 4, 2, 2, 32, batch_first=True), nn.Linear(16, 5)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1], dtype=target.dtype)
        return self.out(self.transformer(source, target, tgt_mask=mask))


def made(name):
    """A model, and its loss as a function of the model."""
    torch.manual_seed(0)
    if name in LANGUAGE:
        words = torch.randint(50, (2, 12))
        return LANGUAGE[name](), lambda model: loss_of_words(model, words)
    if name == "nn.Transformer":
        source, target, y = torch.rand(2, 6, 16), torch.rand(2, 5, 16), torch.arange(10) % 5
        return Translation(), lambda model: F.cross_entropy(model(of(model, source), of(model, target)).flatten(0, 1), y)
    make, side = {**IMAGES, **AS_THEY_COME}[name]
    x, y = torch.rand(2, 3, side, side), torch.tensor([1, 2])
    return make(), lambda model: F.cross_entropy(model(of(model, x)), y)


def loss_of_words(model, words):
    """Their own loss would be in float32."""
    return F.cross_entropy(model(input_ids=words).logits[:, :-1].flatten(0, 1), words[:, 1:].flatten())


def of(model, x):
    return x.to(next(model.parameters()).dtype)


@pytest.mark.few(8)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_of_a_model_is_by_hand_and_the_model_trains_as_ever(name, training):
    model, loss_of = made(name)
    model.double().train(training)
    expected = steps(copy.deepcopy(model), loss_of, lambda forward: forward(), lr=1e-2)
    classes = [type(module) for module in model.modules()]
    found = steps(swap(model), loss_of, by_hand_throughout, lr=1e-2)
    eps = 1e-6 if name in COMPUTE_IN_FLOAT32 else 1e-8
    assert_close(found, expected, rtol=eps, atol=eps)
    assert [type(module) for module in unswap(model).modules()] == classes


@pytest.mark.few(4)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", AS_THEY_COME)
def test_a_model_as_it_comes_is_by_hand_throughout(name, training):
    model, loss_of = made(name)
    by_hand_throughout(lambda: loss_of(swap(model).train(training)))


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_language_models_own_loss_is_by_hand(name):
    model, _ = made(name)
    words = torch.randint(50, (2, 12))
    by_hand_throughout(lambda: swap(model)(input_ids=words, labels=words).loss)


def gradients(model):
    return [p.grad for p in model.parameters()]


CHECKPOINTING = {  # gradient_checkpointing_kwargs, and the block around the forward
    "as it comes": (None, by_hand),
    "reentrant": ({"use_reentrant": True}, by_hand),
    "by context_fn": ({"use_reentrant": False, "context_fn": lambda: (by_hand(), by_hand())}, nullcontext),
}


@pytest.mark.parametrize("how", CHECKPOINTING)
def test_a_checkpointed_language_model_is_recomputed_by_hand(how, monkeypatch):
    model, loss_of = made("GPT-2")
    model.double().eval()
    loss_of(model).backward()
    expected = gradients(model)
    arguments, around_forward = CHECKPOINTING[how]
    model.zero_grad()
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.config.use_cache = False
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=arguments)
    with around_forward():
        loss = loss_of(model)
    calls, eager = [], AddmmFunction._eager.forward
    monkeypatch.setattr(AddmmFunction._eager, "forward", staticmethod(lambda ctx, *args: calls.append(0) or eager(ctx, *args)))
    loss.backward()
    assert len(calls) == 8  # the products of both blocks, once more
    assert_close(gradients(model), expected)


@pytest.mark.few(3)
@pytest.mark.parametrize("name", NAMES)
def test_in_float32_the_gradients_are_as_close_to_the_exact_ones_as_torchs(name):
    model, loss_of = made(name)

    def gradients(model, block):
        torch.manual_seed(0)
        with block():
            loss = loss_of(model)
        return [g.double() for g in torch.autograd.grad(loss, list(model.parameters()), allow_unused=True) if g is not None]

    exact = gradients(copy.deepcopy(model).double(), nullcontext)
    theirs, ours = gradients(model, nullcontext), gradients(swap(model), by_hand)
    largest = max(g.abs().max() for g in exact)
    for g, t, e in zip(ours, theirs, exact, strict=True):
        assert (g - e).abs().max() <= max(2 * (t - e).abs().max(), 1e-5 * largest)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["vit", "GPT-2"])
def test_a_model_is_compiled_whole_inside_by_hand(name):
    """No backward kernel of torch's is left in the graph, but for those of views."""
    kernels = set()
    model, loss_of = made(name)
    model.double().eval()  # without dropout
    expected = torch.autograd.grad(loss_of(model), list(model.parameters()))
    swap(model)
    compiled = torch.compile(model, fullgraph=True, backend=collecting(kernels))
    with by_hand():
        loss = loss_of(compiled)
    assert_close(torch.autograd.grad(loss, list(model.parameters())), expected, rtol=1e-8, atol=1e-8)
    assert kernels <= VIEWS
