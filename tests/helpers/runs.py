"""What training runs leave."""

import json

import torch


def outcome(folder):
    """The network, and the metrics but for the time."""
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return torch.load(folder / "model.pt", weights_only=True), [
        (m["epoch"], m["cost"], m["accuracy"], m["lr"]) for m in metrics
    ]
