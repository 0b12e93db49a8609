"""The processes of a training: a single one, or several started by torchrun, which share every mini-batch.

torchrun sets environment variables such as RANK and WORLD_SIZE: https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor

__all__ = [
    "ALONE",
    "Processes",
    "is_lost_connection",
    "join",
    "leave",
    "local_processes",
    "local_rank",
    "restarts",
    "restarts_allowed",
    "shares_stale_store",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The rank of this process and the number of processes.

    Attributes:
        rank: counted from 0; process 0 prints and writes files.
        size: the number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's part of a tensor's rows: contiguous, with sizes that differ by at most one row."""
        return batch if self.size == 1 else batch.tensor_split(self.size)[self.rank]

    def add_up(self, tensor: Tensor) -> Tensor:
        """Replace the tensor by its sum over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def ask_first(self, question: Callable[[], T]) -> T:
        """Return in every process the result of `question()` in process 0."""
        if self.size == 1:
            return question()
        answer = [question() if self.first else None]
        torch.distributed.broadcast_object_list(answer)
        return answer[0]  # type: ignore[return-value]


ALONE = Processes()


def join() -> Processes:
    """Join the process group of torchrun, if there is one, and return this process's place in it."""
    processes = Processes(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
    if processes.size > 1:
        from torch.distributed.distributed_c10d import PrefixStore  # not in every build of torch
        from torch.distributed.rendezvous import rendezvous

        store, rank, size = next(rendezvous("env://"))
        if local_processes() == size:
            # Without a prefix, restarted processes would read the old addresses from torchrun's store (pytorch issue 135712).
            # On several machines the agents may disagree about the number of restarts.
            store = PrefixStore(f"start {restarts()}", store)
        # The device is not known yet: it may come from the checkpoint, which process 0 reads for all.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    return processes


def leave() -> None:
    """Leave the process group, all processes together: if one leaves early, gloo may abort and NCCL warns."""
    if torch.distributed.is_initialized():
        with contextlib.suppress(RuntimeError):  # another process is gone, but this one's result is complete
            torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def is_lost_connection(error: RuntimeError) -> bool:
    """Return whether an operation failed because another process is gone; gloo raises a plain RuntimeError."""
    return isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error)


def local_rank() -> int:
    """Return the rank among the processes on this machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def local_processes() -> int:
    """Return the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def restarts() -> int:
    """Return how often torchrun has restarted the processes after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def shares_stale_store() -> bool:
    """Return whether restarted processes would read the addresses of their predecessors: see `join`."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    return local_processes() < size and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def restarts_allowed() -> int:
    return int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))
