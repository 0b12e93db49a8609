"""A training step on a GPU as one CUDA graph, which is captured once and then replayed.

A step of a small network launches some fifty kernels of a few microseconds each, and Python's launch overhead dominates. A CUDA
graph holds all of them, with the memory that they read and write, and one call launches the whole graph
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). Everything that changes from step to step lives in tensors
with fixed memory: the rows of the mini-batch, the parameters, the optimizer's state and the random state. The learning rate is
a constant in the graph, so the step is captured again when the rate changes with the epoch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["GraphedStep"]

_BEFORE = 3  # eager warm-up steps, as PyTorch's notes advise: they allocate what is allocated once


class GraphedStep:
    """`step(rows, rate)` as a CUDA graph, captured after the first calls; the results are bit-identical.

    `step` itself runs for a mini-batch of another size, and whenever CUDA cannot capture the step.

    Args:
        step: must not synchronize with the GPU; returns a tensor, which the next call overwrites.
        batch_size: the size of the mini-batches that are captured.
        generator: generates the random numbers of `step`.
        warn: called with a sentence when the step cannot be captured.
    """

    def __init__(
        self,
        step: Callable[[Tensor, float], Tensor],
        batch_size: int,
        generator: torch.Generator,
        warn: Callable[[str], None],
    ) -> None:
        self.step, self.batch_size, self.generator, self.warn = step, batch_size, generator, warn
        self.taken = 0
        self.rate: float | None = None  # the graph's learning rate
        self.refused = False

    def __call__(self, rows: Tensor, rate: float) -> Tensor:
        self.taken += 1
        if self.taken <= _BEFORE:
            return self._beside(rows, rate)
        if self.refused or len(rows) != self.batch_size or (rate != self.rate and not self._record(rows, rate)):
            return self.step(rows, rate)
        self.rows.copy_(rows)
        self.graph.replay()
        return self.result

    def _beside(self, rows: Tensor, rate: float) -> Tensor:
        """Run the step on a side stream, since the default stream cannot be captured (see PyTorch's notes)."""
        stream, current = torch.cuda.Stream(rows.device), torch.cuda.current_stream(rows.device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = self.step(rows, rate)
        current.wait_stream(stream)
        return result

    def _record(self, rows: Tensor, rate: float) -> bool:
        """Capture the step without taking it; return whether this succeeded."""
        current, random = torch.cuda.current_stream(rows.device), self.generator.clone_state()
        self.rows, self.graph = rows.clone(), torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        try:
            # The rows may be on another device than the current one; torch.cuda.graph's own stream is on the first device.
            with torch.cuda.device(rows.device), torch.cuda.graph(self.graph, stream=torch.cuda.Stream(rows.device)):
                self.result = self.step(self.rows, rate)
        except RuntimeError as error:
            self.refused = True
            torch.cuda.set_stream(current)  # torch.cuda.graph leaves its own stream when the capture cannot end
            self.generator.graphsafe_set_state(random)  # the old state still counts as being captured (pytorch issue 171263)
            reason = str(error).strip().splitlines()[0]
            self.warn(f"the training step cannot be captured as a CUDA graph ({reason}); it runs kernel by kernel instead")
            return False
        self.rate = rate
        return True
