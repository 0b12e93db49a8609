"""What one training example wants of a network: the desired nudges of activations, weights and biases.

A wish is a negative derivative of this example's cost, −∂C₀/∂q: the nudge to the quantity q that lowers the cost fastest, its
size saying how much it matters beside the others. All of them are numbers of `trace`.

An output neuron has three avenues by which to come closer to its target: its bias, its weights (in proportion to the
activations they come from) and the activations of the layer before (in proportion to its weights). What all the outputs wish
of that layer is added up, and so the wishes of the next layer back begin.
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

STEP = 0.01  # times a wish: short enough for the first order to foretell what it does
_SHOWN = 16  # neurons of a layer, at most


@dataclass(frozen=True)
class Step:
    """A step of `STEP` times some wishes, all other quantities staying as they are.

    Attributes:
        along: whose wishes.
        predicted: the change of this example's cost to first order, ∇C · step.
        measured: the change itself.
    """

    along: str
    predicted: float
    measured: float


@dataclass(frozen=True)
class Explanation:
    """What one example wants.

    Attributes:
        x: [pixels], the image; y: [outputs], its desired outputs.
        neuron: the output neuron j that is looked at closely.
        trace: of this example alone, every quantity without the first dimension.
        steps: what a step along the wishes does to the cost, from those of a single bias to all weights and biases.
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
        """[outputs], −∂C/∂a_j = 2 (y_j − a_j): up or down, in proportion to the distance from the target.

        Under the cross entropy −∂C/∂z_j = y_j − a_j, of the z: the a of a softmax add up to 1, and none moves alone.
        """
        return -self.outputs.delta if self.outputs.activation == "softmax" else -self.outputs.dC_da

    @property
    def bias_wish(self) -> float:
        """−∂C/∂b_j = −delta_j of the neuron looked at."""
        return -self.outputs.delta[self.neuron].item()

    @property
    def weight_wishes(self) -> Tensor:
        """[neurons before], −∂C/∂W_jk = −delta_j a_k: neurons that fire together wire together."""
        return _weight_wishes(self.outputs)[self.neuron]

    def first_weight_wishes(self) -> Tensor:
        """[neurons, pixels], −∂C/∂W of the first layer."""
        return _weight_wishes(self.trace.layers[0])

    def wishes_before(self, l: int) -> Tensor:
        """[neurons, neurons before], −delta_j W_jk: what each neuron j of layer l wishes of each activation before it.

        Their sum over j is the wish of the layer before, −∂C/∂a_prev.
        """
        layer = self.trace.layers[l]
        assert layer.W is not None
        return -layer.delta[:, None] * layer.W.detach()

    def shown(self, l: int) -> list[int]:
        """The neurons of layer l that a picture has room for, in order: every output; of other layers the 16 with the
        strongest wishes, |delta|, which are those that go on to the layer before.
        """
        layer = self.trace.layers[l]
        if layer is self.outputs:
            return list(range(len(layer.a)))
        return layer.delta.abs().argsort(descending=True, stable=True)[:_SHOWN].sort().values.tolist()


def explain(model: Sequential, x: Tensor, y: Tensor, neuron: int, cost: str = "quadratic") -> Explanation:
    """What the example x, with the desired outputs y, wants of the model.

    Args:
        model: Linear layers with biases, each followed by its activation; in float64, that differences can be measured.
        x: [pixels]; y: [outputs].
        neuron: the output neuron to look at closely.
        cost: "quadratic", or "cross-entropy", for a model whose last layer has no activation.
    """
    explanation = Explanation(x, y, neuron, trace(model, x[None], y[None], costs.as_module(cost)).average(), [])
    explanation.steps.extend(_steps(explanation, model, cost))
    return explanation


def most_to_see(model: Sequential, x: Tensor, y: Tensor, cost: str = "quadratic") -> tuple[int, float]:
    """The example whose outputs have the strongest wishes, Σ_j |delta_j|: not right yet, nor so sure that sigmoid is flat.

    Args:
        x: [n, pixels]; y: [n, outputs].
        cost: "quadratic" or "cross-entropy".

    Returns:
        its row, and that sum.
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
        """A step along these wishes, which are negative derivatives: the cost falls by their products with the step."""
        predicted = -sum((wishes[name] * STEP * wish).sum().item() for name, wish in moved.items())
        state = {name: p.detach() + STEP * moved.get(name, torch.zeros(())) for name, p in model.named_parameters()}
        return Step(along, predicted, change(torch.func.functional_call(model, state, (e.x[None],))[0]))

    def activations(along: str, wish: Tensor) -> Step:
        predicted = (e.outputs.dC_da_prev * STEP * wish).sum().item()
        last = e.outputs
        activation = "identity" if last.activation == "softmax" else last.activation  # which the cost takes itself
        return Step(along, predicted, change(stack.forward(last.a_prev + STEP * wish, [last.W], [last.b], [activation])[-1]))

    def change(output: Tensor) -> float:
        """Of this example's cost, when the model's output becomes this one."""
        return (costs.total(cost, output.detach()[None], e.y[None]) - e.trace.cost).item()

    return [
        parameters(f"the bias of output {e.neuron}", {b: of_neuron[b]}),
        parameters(f"the weights of output {e.neuron}", {W: of_neuron[W]}),
        activations(f"the activations before, as output {e.neuron} wishes", e.wishes_before(-1)[e.neuron]),
        activations("the activations before, as all outputs wish", -e.outputs.dC_da_prev),
        *(
            parameters(f"all weights and biases of layer {l}", {name: wishes[name] for name in (f"{n}.weight", f"{n}.bias")})
            for l, n in enumerate((layer.name for layer in e.trace.layers), 1)
        ),
        parameters("all weights and biases", wishes),
    ]


def _weight_wishes(layer: LayerTrace) -> Tensor:
    assert layer.dC_dW is not None
    return -layer.dC_dW
