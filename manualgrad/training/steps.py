"""A step of gradient descent on a cost: by autograd and torch.optim, or by backpropagation alone."""

from __future__ import annotations

import contextlib
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from manualgrad import nn
from manualgrad.network.algorithm import sgd_step
from manualgrad.training import costs
from manualgrad.training.processes import ALONE, Processes

__all__ = ["AMP", "OPTIMIZERS", "AutogradStep", "BackpropStep", "Step"]

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


class Step(Protocol):
    """Takes one step of gradient descent."""

    def __call__(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        """Move the parameters.

        Args:
            x: the inputs of this process's share of the mini-batch; y: the desired outputs.
            rate: the learning rate.
            n: the examples in the whole mini-batch.

        Returns:
            What the share adds to the mini-batch's cost, as it was before the step: all of it where there is one process.
        """

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on, but for the parameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class AutogradStep:
    """Autograd, running the backward methods of the layers, and an optimizer of torch.optim.

    Args:
        model: the network; its parameters are on one device.
        cost: "quadratic" or "cross-entropy".
        optimizer: "sgd", "momentum" (SGD with momentum 0.9), "adam" or "adamw".
        weight_decay: as the optimizer understands it.
        clip_grad_norm: the gradient of all parameters is scaled down to this norm where it is longer; None leaves it.
        amp: "bf16" or "fp16", the precision of torch.autocast; fp16 brings a torch.amp.GradScaler. None: none.
        processes: with several of them, DistributedDataParallel adds up their gradients.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        cost: str = "quadratic",
        optimizer: str = "sgd",
        weight_decay: float = 0.0,
        clip_grad_norm: float | None = None,
        amp: Literal["bf16", "fp16"] | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.parameters = list(model.parameters())
        device = self.parameters[0].device
        # One kernel for all parameters on a GPU; on a CPU, a loop over so few of them is quicker than gathering them, but
        # Adam's loop goes through each several times where its fused kernel does so once.
        fused = device.type != "cpu" or optimizer in ("adam", "adamw")
        how: dict[str, Any] = {"weight_decay": weight_decay, "fused": fused, "foreach": False}
        self.optimizer: torch.optim.Optimizer
        if optimizer in ("adam", "adamw"):
            kind = torch.optim.Adam if optimizer == "adam" else torch.optim.AdamW
            # capturable: torch lets no other be part of a CUDA graph; of the fused kernel it changes nothing.
            self.optimizer = kind(self.parameters, capturable=device.type == "cuda", **how)
        else:
            self.optimizer = torch.optim.SGD(self.parameters, momentum=0.9 if optimizer == "momentum" else 0.0, **how)
        self.cost = cost
        self.clip_grad_norm = clip_grad_norm
        self.autocast = torch.autocast(device.type, AMP[amp]) if amp else contextlib.nullcontext()
        self.scaler = torch.amp.GradScaler(device.type, enabled=amp == "fp16")
        self.processes = processes
        self.F: Any = nn.functional if any(isinstance(layer, nn.Linear) for layer in model.modules()) else torch.nn.functional
        self.model = model
        if processes.size > 1:
            self.model = DistributedDataParallel(model, [device.index] if device.type == "cuda" else None)

    def __call__(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        try:
            return self._update(x, y, rate, n)
        except RuntimeError:
            # What the scaler knows of the step that failed would be taken for the next one's.
            self.scaler._per_optimizer_states.clear()
            vars(self.optimizer).pop("grad_scale", None)
            vars(self.optimizer).pop("found_inf", None)
            raise

    def _update(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        self.optimizer.param_groups[0]["lr"] = rate
        with self.autocast:
            C = costs.total(self.cost, self.model(x), y, self.F) / n
        for parameter in self.parameters:
            parameter.grad = None  # what optimizer.zero_grad() does, without the time it takes around that
        # DistributedDataParallel averages over the processes what is to be added up.
        self.scaler.scale(C * self.processes.size if self.processes.size > 1 else C).backward()
        if self.clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return C.detach()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        capturable = self.optimizer.param_groups[0].get("capturable")
        self.optimizer.load_state_dict(state["optimizer"])
        if capturable is not None:  # of the device, and not of the run
            self.optimizer.param_groups[0]["capturable"] = capturable
        self.scaler.load_state_dict(state["scaler"])


class BackpropStep:
    """`manualgrad.sgd_step`: the same step by backpropagation alone, for a Sequential of Linear, Sigmoid, ReLU and Tanh.

    It makes no optimizer: the first of torch.optim's imports torch._dynamo, which takes seconds.
    """

    def __init__(self, model: torch.nn.Module, cost: str = "quadratic") -> None:
        self.model, self.cost = model, costs.as_module(cost)

    def __call__(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        return sgd_step(self.model, x, y, rate, self.cost)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
