"""What the tests of whole models say of their gradients."""

from torch._dynamo.backends.common import aot_autograd

from manualgrad import audit, by_hand

VIEWS = {"aten.slice_backward.default", "aten.select_backward.default"}  # kernels of views, which may stand in a graph


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
