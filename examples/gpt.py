"""Train a small character-level GPT, all of whose gradients are derived by hand, on a text file.

    python examples/gpt.py                    # on README.md and docs/learn, 2 minutes on two CPU cores
    python examples/gpt.py mine.txt           # on another text
    python examples/gpt.py --check            # compare its gradients with torch.nn's, in float64

The model follows GPT-2 (Radford et al., 2019): token and position embeddings, residual blocks of causal attention and of an MLP
with two linear layers, and a linear layer that predicts the next character.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import manualgrad
from manualgrad import nn

F = torch.nn.functional
ROOT = Path(__file__).parent.parent
LONGEST, WIDTH, HEADS, BLOCKS = 64, 128, 4, 3


class Block(torch.nn.Module):
    def __init__(self, nn: Any) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries_keys_values, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        all_three = self.queries_keys_values(self.before_attention(x))
        q, k, v = all_three.view(n, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # a character does not see later ones
        x = x + self.out(seen.transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.mlp(self.before_mlp(x))


class GPT(torch.nn.Module):
    """Maps characters [n, length], as indices, to the logits of the character after each: [n, length, characters]."""

    def __init__(self, characters: int, nn: Any = nn) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.blocks = nn.Sequential(*[Block(nn) for _ in range(BLOCKS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters)
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.02)

    def forward(self, text: Tensor) -> Tensor:
        x = self.tokens(text) + self.places(torch.arange(text.shape[1]))
        return self.head(self.norm(self.blocks(x)))

    def cost(self, text: Tensor) -> Tensor:
        """Compute the cross entropy of predicting each character of text [n, length + 1] from the previous ones."""
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


def train(model: GPT, text: Tensor, steps: int, batch_size: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    start = time.perf_counter()
    for step in range(steps):
        places = torch.randint(len(text) - LONGEST, (batch_size, 1)) + torch.arange(LONGEST + 1)
        with manualgrad.by_hand():
            cost = model.cost(text[places])
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step == 0:
            print(f"{manualgrad.audit(cost).coverage:.1%} of the gradients are by hand")
        if step % max(steps // 10, 1) == 0 or step == steps - 1:
            print(f"step {step + 1:5}   cost {cost.item():.3f}   {time.perf_counter() - start:4.0f} s", flush=True)


@torch.no_grad()
def sample(model: GPT, characters: list[str], start: str, length: int) -> str:
    known = [characters.index(c) for c in start]
    for _ in range(length):
        likely = model(torch.tensor([known[-LONGEST:]]))[0, -1].div(0.7).softmax(0)
        known.append(int(torch.multinomial(likely, 1)))
    return "".join(characters[i] for i in known)


def check(characters: int) -> float:
    """Return the largest difference from torch.nn's gradients in the first step, relative to the largest gradient."""
    text = torch.randint(characters, (2, LONGEST + 1))
    found = []
    for layers, block in ((nn, manualgrad.by_hand), (torch.nn, nullcontext)):
        torch.manual_seed(0)
        model = GPT(characters, layers).double()
        with block():
            cost = model.cost(text)
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(cost, list(model.parameters()))]))
    return float((found[0] - found[1]).abs().max() / found[1].abs().max())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path, nargs="*", help="text files (default: README.md and docs/learn)")
    parser.add_argument("--steps", type=int, default=900, help="training steps (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="text chunks per step (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare the gradients with torch.nn's, without training")
    options = parser.parse_args(arguments)
    if options.check:
        far = check(characters=50)
        print(f"The gradients differ from torch.nn's by at most {far:.0e} of the largest.")
        return 0 if far < 1e-10 else 1
    try:
        files = options.text or [ROOT / "README.md", *sorted((ROOT / "docs" / "learn").glob("*.md"))]
        text = "".join(file.read_text(encoding="utf-8") for file in files)
    except (OSError, ValueError) as error:
        parser.error(f"cannot read the text ({error})")
    if len(text) <= LONGEST or options.steps < 1 or options.batch_size < 1:
        parser.error(f"the text must have more than {LONGEST} characters, and --steps and --batch-size must be at least 1")
    torch.manual_seed(0)
    characters = sorted(set(text))
    model = GPT(len(characters))
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{len(text):,} characters, {len(characters)} of them distinct; {parameters:,} parameters")
    train(model, torch.tensor([characters.index(c) for c in text]), options.steps, options.batch_size)
    print(f"\nIt writes:\n{sample(model, characters, text[:1], 400)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
