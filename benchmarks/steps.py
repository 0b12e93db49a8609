"""Time a training step (forward, cost, backward, SGD) of manualgrad.nn, MLP and sgd_step, compared with torch, NumPy and JAX.

    python benchmarks/steps.py

manualgrad.nn, MLP and torch's contestants run the usual loop with torch.optim.SGD(fused=True). `bare` is a lower bound for
hand-written layers: see bare.py. `fused` is the same inside `manualgrad.fused()`.
"""

from __future__ import annotations

import torch
from measure import Bound, Case, compare, jax_python

CASES = [
    Case("784-16-16-10, batch 100", ([784, 16, 16, 10], 100)),
    Case("784-30-10, batch 10", ([784, 30, 10], 10)),
    Case("784-512-512-10, batch 256", ([784, 512, 512, 10], 256)),
    Case("784-2048-2048-10, batch 1024", ([784, 2048, 2048, 10], 1024)),
]
PEERS = {
    "torch.nn": ("step_torch", "torch_nn"),
    "torch.nn on oneDNN": ("step_torch", "torch_nn_on_onednn"),
    "torch.compile": ("step_torch", "torch_compile"),
    "NumPy by hand": ("step_numpy", "numpy_by_hand"),
    "NumPy, one thread": ("step_numpy_one_thread", "numpy_by_hand"),
}
if torch.cpu.get_capabilities().get("amx_tile"):
    del PEERS["torch.nn on oneDNN"]  # its switch would lower the precision: see step_torch.py
OURS = {
    "manualgrad.nn": ("step_torch", "layers"),
    "bare": ("step_torch", "bare_layers"),
    "MLP": ("step_torch", "mlp"),
    "sgd_step": ("step_torch", "sgd_step"),
    "manualgrad.nn, fused": ("step_torch", "layers_fused"),
    "sgd_step, fused": ("step_torch", "sgd_step_fused"),
}


def main() -> None:
    jax = jax_python()
    contestants = {**PEERS, **({"JAX jit": ("step_jax", "jax_jit", jax)} if jax else {}), **OURS}
    compare(
        "A training step",
        CASES,
        contestants,
        [
            Bound("manualgrad.nn", ["torch.nn"], [1.10, 1.10, 0.70, 0.70]),
            Bound("MLP", ["torch.nn"], [0.90, 0.90, 0.65, 0.65]),
            Bound("sgd_step", [name for name in contestants if name not in OURS], [0.90] * 4),
            Bound("manualgrad.nn, fused", ["bare"], [1.05, 1.05, None, None]),
            *([Bound("sgd_step, fused", ["JAX jit"], [0.70, 0.70, None, None])] if jax else []),
            Bound("sgd_step, fused", ["NumPy by hand", "NumPy, one thread"], [1.00, 1.00, None, None]),
        ],
    )


if __name__ == "__main__":
    main()
