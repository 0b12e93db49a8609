"""The processes of a training: one alone, or several that torchrun started, each of which takes its share of every mini-batch.

torchrun tells a process through its environment which it is: https://docs.pytorch.org/docs/stable/elastic/run.html.
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
    """This process among those of the training.

    Attributes:
        rank: counted from 0; process 0 prints and writes.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a tensor's rows: contiguous, and the processes' parts differ by a row at most."""
        return batch if self.size == 1 else batch.tensor_split(self.size)[self.rank]

    def add_up(self, tensor: Tensor) -> Tensor:
        """Replace the tensor by its sum over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def ask_first(self, question: Callable[[], T]) -> T:
        """What `question` returns in process 0, in every process."""
        if self.size == 1:
            return question()
        answer = [question() if self.first else None]
        torch.distributed.broadcast_object_list(answer)
        return answer[0]  # type: ignore[return-value]


ALONE = Processes()


def join() -> Processes:
    """This process's place, among those that torchrun started, or alone."""
    processes = Processes(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
    if processes.size > 1:
        from torch.distributed.distributed_c10d import PrefixStore  # not in every build of torch
        from torch.distributed.rendezvous import rendezvous

        store, rank, size = next(rendezvous("env://"))
        if local_processes() == size:
            # Otherwise processes started anew read in torchrun's store where those before them could be reached (pytorch
            # issue 135712). On several machines the agents may not have counted the same restarts.
            store = PrefixStore(f"start {restarts()}", store)
        # Which device a training is on is not known yet: the checkpoint may have to tell, which process 0 reads for all.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    return processes


def leave() -> None:
    """Take leave of the others, where there are any, and all together: gloo may abort one that leaves early; NCCL warns."""
    if torch.distributed.is_initialized():
        with contextlib.suppress(RuntimeError):  # another one is lost: what was trained is whole all the same
            torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an operation failed since another process is gone: gloo has no class of error of its own."""
    return isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error)


def local_rank() -> int:
    """Counted among the processes on this machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def local_processes() -> int:
    """How many there are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def restarts() -> int:
    """How often torchrun has started the processes anew, after one of them failed."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def shares_stale_store() -> bool:
    """Whether processes started anew would look for those before them: see `join`."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    return local_processes() < size and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def restarts_allowed() -> int:
    return int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))
