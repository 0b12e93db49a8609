"""Train score matching with attention, whose cost contains a forward-mode derivative that torch.nn does not support.

    python examples/score_matching.py         # a few minutes on two CPU cores; after 400 steps the error is 24%

Six points in the plane keep their distance from each other and stay near the origin. From samples alone, a network s(x) learns
the score of their density, s = ∇ log p, which can generate new samples. It is trained with the cost of sliced score matching
(Song et al., 2019), with a random direction v,

    C = E[ vᵀ (∂s/∂x) v + |s|²/2 ]

(∂s/∂x) v is the derivative of s along v, computed in one forward-mode pass. C is then differentiated by the weights: reverse
mode over forward mode, through attention and layer norm. torch.nn's attention does not support forward mode (PyTorch issues
98164, 117629 and 165530); the script prints its error at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp

import manualgrad
from manualgrad import nn

F = torch.nn.functional
POINTS, WIDTH, HEADS = 6, 32, 4


def true_score(x: Tensor) -> Tensor:
    """Compute ∇ log p for p ~ exp(−|x|²/2 − 2 Σ exp(−|x_i − x_j|²)), with the sum over all pairs."""
    apart = x.unsqueeze(-2) - x.unsqueeze(-3)
    return 4 * (apart * torch.exp(-apart.square().sum(-1, keepdim=True))).sum(-2) - x


@torch.no_grad()
def draw(score: Any, n: int, steps: int = 300, step: float = 0.02) -> Tensor:
    """Draw samples by Langevin dynamics: each step follows the score and adds noise."""
    x = torch.randn(n, POINTS, 2)
    for _ in range(steps):
        x = x + step * score(x) + (2 * step) ** 0.5 * torch.randn_like(x)
    return x


class Score(torch.nn.Module):
    """Maps points [n, POINTS, 2] to a vector for each, by attention between the points."""

    def __init__(self, nn: Any = nn) -> None:
        super().__init__()
        self.embed, self.norm = nn.Linear(2, WIDTH), nn.LayerNorm(WIDTH)
        self.queries_keys_values, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.Tanh(), nn.Linear(64, 2))

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        a = self.embed(x)
        q, k, v = self.queries_keys_values(self.norm(a)).view(n, POINTS, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        a = a + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, POINTS, WIDTH))
        return self.mlp(a)


def cost(model: Score, x: Tensor) -> Tensor:
    v = torch.randint_like(x, 2) * 2 - 1
    s, along_v = jvp(model, (x,), (v,))[:2]
    return (v * along_v).sum((1, 2)).mean() + s.square().sum((1, 2)).mean() / 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=800, help="training steps (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    torch.manual_seed(0)
    samples = draw(true_score, 4000)
    training, test = samples[1000:], samples[:1000]
    model = Score()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    start = time.perf_counter()
    for step in range(options.steps):
        with manualgrad.by_hand():
            C = cost(model, training[torch.randint(len(training), (256,))])
        optimizer.zero_grad()
        C.backward()
        optimizer.step()
        if step % max(options.steps // 8, 1) == 0 or step == options.steps - 1:
            with torch.no_grad():
                far = (model(test) - true_score(test)).square().mean() / true_score(test).square().mean()
            seconds = time.perf_counter() - start
            print(f"step {step + 1:4}   cost {C.item():7.3f}   error of the score {far:6.1%}   {seconds:3.0f} s")
    print("\nThe same cost with torch.nn's layers and attention:")
    try:
        cost(Score(torch.nn), training[:8]).backward()
        print("it has a gradient now")
    except (RuntimeError, NotImplementedError) as error:
        print(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
