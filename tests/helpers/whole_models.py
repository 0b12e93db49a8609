"""What the tests of whole models say of their gradients."""

import torch
from torch._dynamo.backends.common import aot_autograd

from manualgrad import audit, by_hand

VIEWS = {"aten.slice_backward.default", "aten.select_backward.default"}  # kernels of views, which may stand in a graph


def steps(model, loss_of, call, lr, count=5):
    """The losses of some steps of SGD, the parameters after them, and the gradients of the first."""
    optimizer = torch.optim.SGD(model.parameters(), lr)
    losses, gradients, training = [], {}, model.training
    for step in range(count):
        model.train().train(training)  # in evaluation, levit keeps what the step before computed, until it is trained
        torch.manual_seed(step)  # dropout's
        loss = call(lambda: loss_of(model))
        optimizer.zero_grad()
        loss.backward()
        gradients = gradients or {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        optimizer.step()
        losses.append(loss.detach())
    return losses, {name: p.detach() for name, p in model.state_dict().items()}, gradients


def by_hand_throughout(forward):
    """The loss, made inside by_hand, whose every derivative is hand-written."""
    with by_hand():
        loss = forward()
    result = audit(loss)
    assert result.coverage == 1, str(result)
    return loss


def collecting(kernels):
    """A compiler's backend that adds the backward kernels of its graphs to this set."""

    def backend(graph, inputs):
        kernels.update(str(node.target) for node in graph.graph.nodes if "_backward" in str(node.target))
        return graph.forward

    return aot_autograd(fw_compiler=backend, bw_compiler=backend)
