"""audit counts the nodes behind a tensor by who wrote their derivative."""

import pytest
import torch

from manualgrad import Function, audit, by_hand, nn, swap


def mlp(module=nn):
    return module.Sequential(module.Linear(4, 5), module.Sigmoid(), module.Linear(5, 3), module.ReLU(inplace=True))


def test_a_network_of_these_layers_is_hand_written_throughout():
    result = audit(nn.MSELoss()(mlp()(torch.rand(2, 4)), torch.rand(2, 3)))
    assert result.coverage == 1.0
    assert result.manual == {"LinearFunction": 2, "SigmoidFunction": 1, "ReLUFunction": 1, "MSELossFunction": 1}
    assert not result.native
    assert result.other == {"AccumulateGrad": 4}


def test_a_network_of_torchs_layers_is_not_hand_written_at_all():
    result = audit(torch.nn.MSELoss()(mlp(torch.nn)(torch.rand(2, 4)), torch.rand(2, 3)))
    assert result.coverage == 0.0
    assert result.native == {"AddmmBackward0": 2, "SigmoidBackward0": 1, "ReluBackward0": 1, "MseLossBackward0": 1}


def test_the_share_counts_arithmetic_alone():
    x = torch.rand(2, 6, requires_grad=True)
    z = x.view(3, 4).t()[1:].unsqueeze(0).reshape(3, 3).to(torch.float64).clone().unbind()[0]
    result = audit(nn.functional.sigmoid(z).sum())
    assert result.manual == {"SigmoidFunction": 1}
    assert result.native == {"SumBackward0": 1}
    assert result.coverage == 0.5


def test_autocasts_casts_are_no_arithmetic():
    with torch.autocast("cpu", torch.bfloat16):
        result = audit(mlp()(torch.rand(2, 4)))
    assert result.coverage == 1.0
    assert "ToCopyBackward0" in result.other


def test_a_node_reached_by_two_paths_counts_once():
    a = nn.functional.sigmoid(torch.rand(2, requires_grad=True))
    assert audit(a * a).manual == {"SigmoidFunction": 1}


def test_another_functions_derivative_is_hand_written_too():
    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    class Own(Function):
        @staticmethod
        def forward(x):
            return 2 * x

        @staticmethod
        def setup_context(ctx, inputs, output): ...

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    assert audit(Own.apply(Plain.apply(torch.rand(2, requires_grad=True)))).manual == {"Plain": 1, "Own": 1}


def test_under_vmap_the_functions_keep_their_names():
    result = audit(torch.vmap(mlp())(torch.rand(5, 4)))
    assert result.manual == {"LinearFunction": 2, "SigmoidFunction": 1, "ReLUFunction": 1}
    assert result.coverage == 1.0


def test_a_checkpoint_and_a_compiled_region_are_pytorchs():
    x = torch.rand(2, 4, requires_grad=True)
    torch._dynamo.reset()
    compiled = torch.compile(mlp(), backend="aot_eager")(x)
    assert audit(compiled).native == {"CompiledFunctionBackward": 1}
    checkpointed = torch.utils.checkpoint.checkpoint(mlp(), x, use_reentrant=True)
    assert audit(checkpointed).native == {"CheckpointFunctionBackward": 1}


def test_a_swapped_model_is_partly_hand_written():
    result = audit(swap(torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.RNN(5, 3)))(torch.rand(2, 4))[0])
    assert result.manual == {"LinearFunction": 1, "ReLUFunction": 1}
    assert 0 < result.coverage < 1


def test_it_prints_as_a_table():
    cost = nn.MSELoss()(mlp()(torch.rand(2, 4)), torch.rand(2, 3)) + torch.nn.Parameter(torch.zeros(()))
    assert str(audit(cost)).splitlines() == [
        "hand-written   LinearFunction   2",
        "               MSELossFunction  1",
        "               ReLUFunction     1",
        "               SigmoidFunction  1",
        "PyTorch's own  AddBackward0     1",
        "no arithmetic  AccumulateGrad   5",
        "5 of 6 arithmetic nodes are hand-written: 83.3%",
    ]


def test_what_has_no_graph_is_refused():
    with pytest.raises(TypeError, match=r"audit: tensor must be a Tensor \(an output or a loss\), got a tuple"):
        audit((torch.rand(2),))
    for leaf in (torch.rand(2), torch.rand(2, requires_grad=True)):
        with pytest.raises(RuntimeError, match="audit: tensor has no grad_fn"):
            audit(leaf)


def test_it_tells_where_what_is_left_was_called():
    x = torch.rand(3, requires_grad=True)

    def spread(x):
        return x.cosh() + x.cosh()

    with by_hand(trace=True):
        y = (spread(x) * 2).cosh()
        z = torch.cosine_similarity(x, x * 2, 0)  # of several nodes
    with by_hand():
        y = y.cosh()
    first = audit(y)
    assert first.native == {"CoshBackward0": 4}
    lines = {place.rpartition(", ")[2]: n for place, n in first.where["CoshBackward0"].items()}
    assert lines == {"spread": 2, "test_it_tells_where_what_is_left_was_called": 1}
    assert all(place.startswith("test_audit.py:") for place in first.where["CoshBackward0"])
    assert any(line.strip().endswith("spread  (2)") for line in str(first).splitlines())
    second = audit(z)
    assert set(second.where) == set(second.native)
