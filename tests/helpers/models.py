"""Models as people have them, on torch.nn's layers, each with a cost: what the tests swap, and run in every mode."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class Costed(nn.Module):
    """A network and its quadratic cost: (x, y) to (output, cost)."""

    def __init__(self, network):
        super().__init__()
        self.network, self.cost = network, nn.MSELoss()

    def forward(self, x, y):
        output = self.network(x)
        return output, self.cost(output, y)


class LSTMClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.head(states[:, -1])


class TiedAutoencoder(nn.Module):
    """Two layers with one weight between them, and a decoder that is the transposed encoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.activation = nn.Linear(12, 5), nn.Sigmoid()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
        self.second.weight = self.first.weight

    def forward(self, x):
        a = self.activation(self.encoder(x))
        a = self.activation(self.second(self.activation(self.first(a))))
        return F.linear(a, self.encoder.weight.t())


class LinearTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.activation = nn.Linear(6, 6), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.linear(self.activation(self.linear(x)))


def mlp():
    layers = [nn.Linear(7, 6), nn.Sigmoid(), nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 3), nn.Sigmoid()]
    return nn.Sequential(*layers)


def transformer():
    layer = nn.TransformerEncoderLayer(16, 4, dim_feedforward=24, activation=nn.ReLU(), batch_first=True)
    return nn.TransformerEncoder(layer, 2)


MODELS = {
    "mlp": (mlp, (4, 7), (4, 3)),
    "vit_b_16": (lambda: torchvision.models.vit_b_16(image_size=32), (2, 3, 32, 32), (2, 1000)),
    "resnet18": (torchvision.models.resnet18, (2, 3, 64, 64), (2, 1000)),
    "transformer": (transformer, (4, 5, 16), (4, 5, 16)),
    "lstm": (LSTMClassifier, (4, 5, 6), (4, 3)),
    "tied": (TiedAutoencoder, (4, 12), (4, 12)),
    "twice": (LinearTwice, (4, 6), (4, 6)),
}
SMALL = [name for name in MODELS if name not in ("vit_b_16", "resnet18")]


def build(name, device="cpu", dtype=torch.float32):
    """The model `name`, on torch.nn's layers, always with the same parameters."""
    torch.manual_seed(1)
    model = Costed(MODELS[name][0]()).to(device, dtype)
    for layer in model.modules():
        if isinstance(layer, nn.MultiheadAttention) and torch.device(device).type == "cuda":
            layer.dropout = 0.0  # which torch's kernel there draws in an order of its own: docs/in-a-model.md
    return model


def batch(name, size=None, device="cpu", dtype=torch.float32):
    """Inputs and desired outputs for it, always the same; `size` examples of them."""
    _, x_shape, y_shape = MODELS[name]
    generator = torch.Generator().manual_seed(2)
    size = size or x_shape[0]
    x, y = (torch.rand(size, *shape[1:], generator=generator) for shape in (x_shape, y_shape))
    return x.to(device, dtype), y.to(device, dtype)
