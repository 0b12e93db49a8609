"""Small trainings, each with its own random numbers."""

import torch

from manualgrad.training.data import Examples
from manualgrad.training.loop import Training, make_network
from manualgrad.training.steps import AutogradStep, BackpropStep

HOW = {
    "sgd": {},
    "momentum": {"optimizer": "momentum", "weight_decay": 0.01, "clip_grad_norm": 0.5},
    "adamw": {"optimizer": "adamw"},
    "adam on the cross entropy": {"optimizer": "adam", "cost": "cross-entropy"},
    "fp16": {"amp": "fp16"},
}


def examples(n, pixels=6, classes=3):
    x, labels = torch.rand(n, pixels), torch.arange(n) % classes
    x[torch.arange(n), labels] += 1
    return Examples(x, torch.nn.functional.one_hot(labels, classes).float(), labels)


def under_way(how, distort=0.0, device="cpu", **options):
    """A training of 3 epochs of 4 steps, by an AutogradStep with the options `how`, or where that is None by a BackpropStep."""
    torch.manual_seed(0)
    device = torch.device(device)
    training, test = examples(34, pixels=9).to(device), examples(7, pixels=9).to(device)
    model = make_network([9, 4, 3]).to(device)
    take_step = BackpropStep(model) if how is None else AutogradStep(model, **how)
    random = torch.Generator(device).manual_seed(5)
    options |= {"epochs": 3, "batch_size": 10, "lr": 0.1, "generator": random, "take_step": take_step, "distort": distort}
    return Training(model, training, test, **options)


def outcome(training):
    results = [(result.epoch, result.cost, result.accuracy, result.lr) for result in training.results]
    return results, [parameter.clone() for parameter in training.model.parameters()]
