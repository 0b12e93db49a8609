"""A step of training on a GPU as one CUDA graph: recorded once, and launched as one from then on.

A step of a small network is some fifty kernels of a few microseconds, and waits for Python to launch each. A CUDA graph has
them all, with the memory that they read and write, and one call launches them
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). What changes from step to step is in tensors, whose memory
stays: the rows of the mini-batch, the parameters, the optimizer's state, the random numbers' state. The learning rate is a
number in the graph; it changes with the epoch, for which the step is recorded anew.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["GraphedStep"]

_BEFORE = 3  # steps taken one kernel after the other, as PyTorch's notes have it: they make what is made once


class GraphedStep:
    """`step` of the mini-batch's rows and the learning rate, the same to the last bit, recorded after its first calls.

    A mini-batch of another size, and every one where CUDA refuses to record the step, is left to `step` itself.

    Args:
        step: nothing in it may wait for the GPU, and it returns a tensor, which the next call writes over.
        batch_size: the rows of the mini-batch that is recorded.
        generator: of the random numbers that `step` draws.
        warn: is told, in a sentence, that the step cannot be recorded.
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
        self.rate: float | None = None  # that of the graph
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
        """The step on another stream than the default one, which cannot be recorded: PyTorch's notes have it so."""
        stream, current = torch.cuda.Stream(rows.device), torch.cuda.current_stream(rows.device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = self.step(rows, rate)
        current.wait_stream(stream)
        return result

    def _record(self, rows: Tensor, rate: float) -> bool:
        """Whether the step could be recorded; it is not taken."""
        current, random = torch.cuda.current_stream(rows.device), self.generator.clone_state()
        self.rows, self.graph = rows.clone(), torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        try:
            # The device is the rows', which need not be the current one; torch.cuda.graph's own stream is the first device's.
            with torch.cuda.device(rows.device), torch.cuda.graph(self.graph, stream=torch.cuda.Stream(rows.device)):
                self.result = self.step(self.rows, rate)
        except RuntimeError as error:
            self.refused = True
            torch.cuda.set_stream(current)  # torch.cuda.graph leaves its own where the recording cannot be ended
            self.generator.graphsafe_set_state(random)  # the old one still counts as being recorded (pytorch issue 171263)
            reason = str(error).strip().splitlines()[0]
            self.warn(f"a step cannot be recorded as a CUDA graph ({reason}): each of its kernels is launched by itself")
            return False
        self.rate = rate
        return True
