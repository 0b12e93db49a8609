"""The settings of a run in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["summary"]

_OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD with momentum 0.9", "adam": "Adam", "adamw": "AdamW"}


def summary(settings: Mapping[str, Any]) -> str:
    """Return "SGD in mini-batches of 100, 20 epochs, constant schedule, quadratic cost, seed 0", plus any optional settings.

    Args:
        settings: the run's settings, as in its config.json.
    """
    epochs, optimizer = settings["epochs"], settings["optimizer"]
    parts = [
        f"{_OPTIMIZERS.get(optimizer, optimizer)} in mini-batches of {settings['batch_size']}",
        f"{epochs} epoch{'s' * (epochs != 1)}",
        f"{settings['schedule']} schedule",
        f"{settings['cost']} cost",
    ]
    asked_for = {
        "weight_decay": "weight decay {:g}",
        "clip_grad_norm": "gradients clipped to a norm of {:g}",
        "distort": "images distorted by {:g}",
        "amp": "mixed precision {}",
    }
    parts += [text.format(settings[name]) for name, text in asked_for.items() if settings[name]]
    if settings["compile"]:
        parts.append("compiled")
    if settings["fused"]:
        parts.append("fused formulas")
    if settings["engine"] == "backprop":
        parts.append("backprop without autograd")
    if settings["layers"] == "torch":
        parts.append("torch.nn's layers")
    return ", ".join([*parts, f"seed {settings['seed']}"])
