"""What a run is made of, in a line."""

import pytest

from manualgrad.training.summary import summary

PLAIN = {"optimizer": "sgd", "batch_size": 100, "epochs": 20, "schedule": "cosine", "cost": "quadratic", "seed": 0}
PLAIN |= {"weight_decay": 0.0, "clip_grad_norm": None, "distort": 0.0, "amp": None, "compile": False, "fused": False}
PLAIN |= {"engine": "autograd", "layers": "manualgrad"}


def test_it_has_the_optimizer_the_length_the_schedule_the_cost_and_the_seed():
    assert summary(PLAIN) == "SGD in mini-batches of 100, 20 epochs, cosine schedule, quadratic cost, seed 0"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"optimizer": "adamw", "weight_decay": 0.01},
            "AdamW in mini-batches of 100, 20 epochs, cosine schedule, quadratic cost, weight decay 0.01",
        ),
        ({"clip_grad_norm": 1.0}, "gradients clipped to a norm of 1"),
        ({"distort": 0.5}, "images distorted by 0.5"),
        ({"amp": "bf16", "compile": True}, "mixed precision bf16, compiled"),
        ({"fused": True}, "fused formulas"),
        ({"engine": "backprop"}, "backprop without autograd"),
        ({"layers": "torch"}, "torch.nn's layers"),
        ({"cost": "cross-entropy", "epochs": 1}, "1 epoch, cosine schedule, cross-entropy cost"),
    ],
)
def test_it_has_what_else_was_asked_for(settings, said):
    assert said in summary(PLAIN | settings)
