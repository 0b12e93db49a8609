"""Compute all gradients of torchvision's ResNet-18 by hand: swap its layers, audit, train a few steps and compile it.

    python examples/resnet_by_hand.py

This takes 20 seconds on two CPU cores and prints

    torch.nn:                 0.0% of the gradients are by hand
    swapped:                 85.5%
    swapped, in by_hand:    100.0%
    cost of 3 steps: ...
    the compiled model's gradients differ from the eager ones by at most ... of the largest
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
import torchvision

import manualgrad


def main(size: int = 64) -> None:
    torch.manual_seed(0)
    x, y = torch.rand(4, 3, size, size), torch.randint(1000, (4,))
    model = torchvision.models.resnet18()
    print(f"torch.nn:              {manualgrad.audit(F.cross_entropy(model(x), y)).coverage:6.1%} of the gradients are by hand")

    manualgrad.swap(model)  # its layers; manualgrad.unswap(model) undoes this
    print(f"swapped:               {manualgrad.audit(F.cross_entropy(model(x), y)).coverage:6.1%}")

    with manualgrad.by_hand():  # includes the residuals, x + y, and the cost
        cost = F.cross_entropy(model(x), y)
    print(f"swapped, in by_hand:   {manualgrad.audit(cost).coverage:6.1%}")

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    costs = []
    for _ in range(3):
        with manualgrad.by_hand():
            cost = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    print(f"cost of 3 steps: {', '.join(f'{c:.3f}' for c in costs)}")

    model.eval()  # so that both calls compute the same
    gradients = []
    for forward in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        with manualgrad.by_hand():
            cost = F.cross_entropy(forward(x), y)
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(cost, list(model.parameters()))]))
    far = (gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max()
    print(f"the compiled model's gradients differ from the eager ones by at most {far:.0e} of the largest")


if __name__ == "__main__":
    main()
