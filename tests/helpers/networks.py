"""Networks that `backprop` and its like take, and their costs."""

import torch

from manualgrad import MLP, nn

COSTS = {f"quadratic, {reduction}": nn.MSELoss(reduction=reduction) for reduction in ("batchmean", "mean", "sum")}
COSTS |= {f"cross entropy, {reduction}": nn.CrossEntropyLoss(reduction=reduction) for reduction in ("mean", "sum")}
COSTS["torch's cross entropy, smoothed"] = torch.nn.CrossEntropyLoss(label_smoothing=0.2)


def two_towers():
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Sequential(torch.nn.Linear(6, 5), nn.ReLU()),
        nn.Linear(5, 5, bias=False),
        torch.nn.Linear(5, 4),
        torch.nn.Identity(),
        torch.nn.Sigmoid(),
        torch.nn.ReLU(),
        nn.Linear(4, 3),
    )


MODELS = {
    "sigmoid": lambda: MLP([6, 5, 4, 3]),
    "relu": lambda: MLP([6, 5, 3], "relu"),
    "tanh": lambda: MLP([6, 5, 3], "tanh"),
    "each its own": lambda: MLP([6, 5, 4, 3], ["relu", "identity", "sigmoid"]),
    "logits": lambda: MLP([6, 5, 4, 3], ["tanh", "relu", "identity"]),
    "one neuron a layer": lambda: MLP([1, 1, 1, 1]),
    "no biases": lambda: MLP([6, 5, 3], bias=False),
    "torch's layers": lambda: torch.nn.Sequential(
        torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3), torch.nn.Tanh()
    ),
    "a Sequential of all": two_towers,
    "an activation first": lambda: torch.nn.Sequential(torch.nn.Sigmoid(), torch.nn.Linear(6, 3), torch.nn.ReLU()),
    "one Linear": lambda: torch.nn.Linear(6, 3),
    "no parameters": lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Sigmoid()),
}


def examples(model, n=7):
    """Inputs and desired outputs of the model's own shape, dtype and device."""
    first = next(iter(model.parameters()), torch.zeros(3, 6, dtype=torch.float64))
    x = torch.randn(n, first.shape[1]).to(first)
    return x, torch.rand(model(x).shape).to(first)
