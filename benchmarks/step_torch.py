"""Training steps in torch, with manualgrad and with torch.nn: each function returns a step that returns the cost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import bare
import torch
from problem import LR, examples, parameters
from torch import Tensor

import manualgrad.nn

Step = Callable[[], Tensor]


def torch_nn(sizes: list[int], batch: int) -> Step:
    return _usual_loop(sequential(torch.nn, sizes), torch.nn.MSELoss(), *tensors(sizes, batch))


def torch_nn_on_onednn(sizes: list[int], batch: int) -> Step:
    """Use oneDNN's products. torch's only switch for them allows bfloat16, but a CPU without AMX still computes in float32."""
    if torch.cpu.get_capabilities().get("amx_tile"):
        raise RuntimeError("torch_nn_on_onednn: this CPU has AMX, so oneDNN would multiply in bfloat16")
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    return torch_nn(sizes, batch)


def torch_compile(sizes: list[int], batch: int) -> Step:
    torch.compiler.reset()
    return _usual_loop(sequential(torch.nn, sizes), torch.nn.MSELoss(), *tensors(sizes, batch), torch.compile)


def layers(sizes: list[int], batch: int) -> Step:
    return _usual_loop(sequential(manualgrad.nn, sizes), manualgrad.nn.MSELoss(), *tensors(sizes, batch))


def bare_layers(sizes: list[int], batch: int) -> Step:
    return _usual_loop(sequential(bare, sizes), bare.MSELoss(), *tensors(sizes, batch))


def mlp(sizes: list[int], batch: int) -> Step:
    return _usual_loop(mlp_model(sizes), manualgrad.nn.MSELoss(), *tensors(sizes, batch))


def sgd_step(sizes: list[int], batch: int) -> Step:
    model, cost, (x, y) = mlp_model(sizes), manualgrad.nn.MSELoss(), tensors(sizes, batch)
    return lambda: manualgrad.sgd_step(model, x, y, LR, cost)


def layers_fused(sizes: list[int], batch: int) -> Step:
    return manualgrad.fused()(layers(sizes, batch))


def sgd_step_fused(sizes: list[int], batch: int) -> Step:
    return manualgrad.fused()(sgd_step(sizes, batch))


def _usual_loop(
    model: torch.nn.Module,
    cost: torch.nn.Module,
    x: Tensor,
    y: Tensor,
    compiled: Callable[[Any], Any] = lambda function: function,
) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, fused=True)
    cost_of = compiled(lambda x, y: cost(model(x), y))

    def step() -> Tensor:
        optimizer.zero_grad()
        C: Tensor = cost_of(x, y)
        C.backward()
        optimizer.step()
        return C

    return step


def sequential(nn: ModuleType, sizes: list[int]) -> torch.nn.Sequential:
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.Sigmoid())]
    return _with_the_parameters(torch.nn.Sequential(*layers), sizes)


def mlp_model(sizes: list[int]) -> torch.nn.Sequential:
    return _with_the_parameters(manualgrad.MLP(sizes), sizes)


def _with_the_parameters(model: torch.nn.Sequential, sizes: list[int]) -> torch.nn.Sequential:
    with torch.no_grad():
        for linear, W, b in zip(model[::2], *parameters(sizes), strict=True):
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
    return model


def tensors(sizes: list[int], batch: int) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in examples(sizes, batch))
