"""What one training example wants from a network: nudges to its activations, weights and biases.

A wish is a negative derivative of this example's cost, −∂C₀/∂q: the nudge to the quantity q that lowers the cost fastest. Its
size says how much it matters compared with the others. All wishes come from `trace`.

An output neuron has three avenues to come closer to its target: its bias, its weights (in proportion to the activations they
come from) and the activations of the previous layer (in proportion to its weights). The wishes of all outputs for that layer
are added up, and the same argument starts again one layer back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Sequential

from manualgrad.network import stack
from manualgrad.network.algorithm import LayerTrace, Trace, trace
from manualgrad.training import costs

__all__ = ["STEP", "Explanation", "Step", "explain", "most_to_see"]

STEP = 0.01  # factor on a wish, small enough for a first-order prediction
_SHOWN = 16  # neurons per layer, at most


@dataclass(frozen=True)
class Step:
    """A step of `STEP` times some of the wishes; all other quantities stay unchanged.

    Attributes:
        along: which wishes, in words.
        predicted: the first-order change of this example's cost, ∇C · step.
        measured: the actual change.
    """

    along: str
    predicted: float
    measured: float


@dataclass(frozen=True)
class Explanation:
    """The wishes of one example.

    Attributes:
        x: [pixels], the image; y: [outputs], its desired outputs.
        neuron: the output neuron j to examine in detail.
        trace: the trace of this example alone, without the batch dimension.
        steps: steps along the wishes and their effect on the cost, from a single bias to all weights and biases.
    """

    x: Tensor
    y: Tensor
    neuron: int
    trace: Trace
    steps: list[Step]

    @property
    def outputs(self) -> LayerTrace:
        return self.trace.layers[-1]

    @property
    def output_wishes(self) -> Tensor:
        """Return [outputs], −∂C/∂a_j = 2 (y_j − a_j): up or down, in proportion to the distance from the target.

        For the cross entropy, return −∂C/∂z_j = y_j − a_j: the a of a softmax add up to 1, so none of them moves alone.
        """
        return -self.outputs.delta if self.outputs.activation == "softmax" else -self.outputs.dC_da

    @property
    def bias_wish(self) -> float:
        """Return −∂C/∂b_j = −delta_j of the neuron j."""
        return -self.outputs.delta[self.neuron].item()

    @property
    def weight_wishes(self) -> Tensor:
        """Return [previous neurons], −∂C/∂W_jk = −delta_j a_k: neurons that fire together wire together."""
        return _weight_wishes(self.outputs)[self.neuron]

    def first_weight_wishes(self) -> Tensor:
        """Return [neurons, pixels], −∂C/∂W of the first layer."""
        return _weight_wishes(self.trace.layers[0])

    def wishes_before(self, l: int) -> Tensor:
        """Return [neurons, previous neurons], −delta_j W_jk: what each neuron j of layer l wants from each previous activation.

        Their sum over j is the wish of the previous layer, −∂C/∂a_prev.
        """
        layer = self.trace.layers[l]
        assert layer.W is not None
        return -layer.delta[:, None] * layer.W.detach()

    def shown(self, l: int) -> list[int]:
        """Return the neurons of layer l to draw, in order: all outputs; in other layers, the 16 with the strongest wishes.

        The strength of a wish is |delta|, which propagates to the previous layer.
        """
        layer = self.trace.layers[l]
        if layer is self.outputs:
            return list(range(len(layer.a)))
        return layer.delta.abs().argsort(descending=True, stable=True)[:_SHOWN].sort().values.tolist()


def explain(model: Sequential, x: Tensor, y: Tensor, neuron: int, cost: str = "quadratic") -> Explanation:
    """Compute what the example x, with the desired outputs y, wants from the model.

    Args:
        model: Linear layers with biases, each followed by its activation; in float64, to measure small differences.
        x: [pixels]; y: [outputs].
        neuron: the output neuron to examine in detail.
        cost: "quadratic", or "cross-entropy" for a model whose last layer has no activation.
    """
    explanation = Explanation(x, y, neuron, trace(model, x[None], y[None], costs.as_module(cost)).average(), [])
    explanation.steps.extend(_steps(explanation, model, cost))
    return explanation


def most_to_see(model: Sequential, x: Tensor, y: Tensor, cost: str = "quadratic") -> tuple[int, float]:
    """Find the example whose outputs have the strongest wishes, Σ_j |delta_j|.

    The network is wrong about such an example, but not so sure that the sigmoids are flat.

    Args:
        x: [n, pixels]; y: [n, outputs].
        cost: "quadratic" or "cross-entropy".

    Returns:
        the row of the example, and that sum.
    """
    module = costs.as_module(cost)
    sums = [trace(model, x[k : k + 1], y[k : k + 1], module).layers[-1].delta.abs().sum().item() for k in range(len(x))]
    return max(enumerate(sums), key=lambda pair: pair[1])


def _steps(e: Explanation, model: Sequential, cost: str) -> list[Step]:
    wishes: dict[str, Tensor] = {}
    for layer in e.trace.layers:
        wishes |= {f"{layer.name}.weight": _weight_wishes(layer), f"{layer.name}.bias": -layer.delta}
    chosen = torch.zeros_like(e.y)
    chosen[e.neuron] = 1
    W, b = f"{e.outputs.name}.weight", f"{e.outputs.name}.bias"
    of_neuron = {W: wishes[W] * chosen[:, None], b: wishes[b] * chosen}

    def parameters(along: str, moved: dict[str, Tensor]) -> Step:
        """Step along these wishes: they are negative derivatives, so the cost falls by their product with the step."""
        predicted = -sum((wishes[name] * STEP * wish).sum().item() for name, wish in moved.items())
        state = {name: p.detach() + STEP * moved.get(name, torch.zeros(())) for name, p in model.named_parameters()}
        return Step(along, predicted, change(torch.func.functional_call(model, state, (e.x[None],))[0]))

    def activations(along: str, wish: Tensor) -> Step:
        predicted = (e.outputs.dC_da_prev * STEP * wish).sum().item()
        last = e.outputs
        activation = "identity" if last.activation == "softmax" else last.activation  # the cost applies the softmax itself
        return Step(along, predicted, change(stack.forward(last.a_prev + STEP * wish, [last.W], [last.b], [activation])[-1]))

    def change(output: Tensor) -> float:
        """Compute the change of this example's cost if the model returned this output."""
        return (costs.total(cost, output.detach()[None], e.y[None]) - e.trace.cost).item()

    return [
        parameters(f"the bias of output {e.neuron}", {b: of_neuron[b]}),
        parameters(f"the weights of output {e.neuron}", {W: of_neuron[W]}),
        activations(f"the previous activations, as output {e.neuron} wants", e.wishes_before(-1)[e.neuron]),
        activations("the previous activations, as all outputs want", -e.outputs.dC_da_prev),
        *(
            parameters(f"all weights and biases of layer {l}", {name: wishes[name] for name in (f"{n}.weight", f"{n}.bias")})
            for l, n in enumerate((layer.name for layer in e.trace.layers), 1)
        ),
        parameters("all weights and biases", wishes),
    ]


def _weight_wishes(layer: LayerTrace) -> Tensor:
    assert layer.dC_dW is not None
    return -layer.dC_dW
