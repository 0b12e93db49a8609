"""A step of gradient descent: with autograd and torch.optim, or with backpropagation alone."""

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
        """Update the parameters.

        Args:
            x: the inputs of this process's share of the mini-batch; y: the desired outputs.
            rate: the learning rate.
            n: the number of examples in the whole mini-batch.

        Returns:
            the share's contribution to the mini-batch's cost before the step: all of it if there is one process.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the next step, without the parameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class AutogradStep:
    """Takes a step with autograd, which runs the layers' backward methods, and an optimizer of torch.optim.

    Args:
        model: the network; its parameters must be on one device.
        cost: "quadratic" or "cross-entropy".
        optimizer: "sgd", "momentum" (SGD with momentum 0.9), "adam" or "adamw".
        weight_decay: the optimizer's weight decay.
        clip_grad_norm: the maximum norm of the gradient of all parameters; None does not clip.
        amp: the precision of torch.autocast, "bf16" or "fp16", which uses a torch.amp.GradScaler; None disables autocast.
        processes: with several processes, DistributedDataParallel sums their gradients.
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
        # Fused: one kernel for all parameters on a GPU. On a CPU a loop over a few parameters is faster, except for Adam,
        # whose loop passes over each parameter several times.
        fused = device.type != "cpu" or optimizer in ("adam", "adamw")
        how: dict[str, Any] = {"weight_decay": weight_decay, "fused": fused, "foreach": False}
        self.optimizer: torch.optim.Optimizer
        if optimizer in ("adam", "adamw"):
            kind = torch.optim.Adam if optimizer == "adam" else torch.optim.AdamW
            # torch requires capturable=True in a CUDA graph; it does not change the fused kernel.
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
            # Otherwise the next step would use the scaler's state of the failed step.
            self.scaler._per_optimizer_states.clear()
            vars(self.optimizer).pop("grad_scale", None)
            vars(self.optimizer).pop("found_inf", None)
            raise

    def _update(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        self.optimizer.param_groups[0]["lr"] = rate
        with self.autocast:
            C = costs.total(self.cost, self.model(x), y, self.F) / n
        for parameter in self.parameters:
            parameter.grad = None  # same as optimizer.zero_grad(), without its overhead
        # DistributedDataParallel averages over the processes, but the gradients must be summed.
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
        if capturable is not None:  # depends on the device, not on the run
            self.optimizer.param_groups[0]["capturable"] = capturable
        self.scaler.load_state_dict(state["scaler"])


class BackpropStep:
    """Takes the same step with `manualgrad.sgd_step`, without autograd, for a Sequential of Linear, Sigmoid, ReLU and Tanh.

    It does not create an optimizer: the first optimizer of torch.optim imports torch._dynamo, which takes seconds.
    """

    def __init__(self, model: torch.nn.Module, cost: str = "quadratic") -> None:
        self.model, self.cost = model, costs.as_module(cost)

    def __call__(self, x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        return sgd_step(self.model, x, y, rate, self.cost)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
