"""Wrappers of a Function's ctx: each passes on to the real ctx what it does not override."""

from __future__ import annotations

from typing import Any

__all__ = ["SavedContext", "SavingContext", "TracedContext"]


class ContextView:
    """Wrapper that reads and writes the attributes of the real ctx."""

    def __init__(self, ctx: Any, **attributes: Any) -> None:
        vars(self).update(attributes, ctx=ctx)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.ctx, name, value)


class SavedContext(ContextView):
    """Wrapper with saved tensors other than those of the real ctx."""

    def __init__(self, ctx: Any, saved_tensors: tuple[Any, ...]) -> None:
        super().__init__(ctx, saved_tensors=saved_tensors)


class SavingContext(ContextView):
    """Wrapper that records what is saved and marked, for the caller to apply."""

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx, for_backward=(), for_forward=(), marks=[])

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_is_pure_view":  # autograd allows it only with one input and one output; the real ctx has more
            super().__setattr__(name, value)

    def save_for_backward(self, *tensors: Any) -> None:
        vars(self)["for_backward"] = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        vars(self)["for_forward"] = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        self.marks.append(("mark_dirty", tensors))

    def mark_non_differentiable(self, *tensors: Any) -> None:
        self.marks.append(("mark_non_differentiable", tensors))


class TracedContext:
    """Wrapper that Dynamo can trace: it supports only the marks and `save_for_backward`.

    The other methods do nothing: torch.compile has no forward mode, and passes `backward` tensors, never None.
    """

    ctx: Any

    def __init__(self, ctx: Any) -> None:
        object.__setattr__(self, "ctx", ctx)

    def save_for_backward(self, *tensors: Any) -> None:
        self.ctx.save_for_backward(*tensors)

    def save_for_forward(self, *tensors: Any) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass

    def mark_dirty(self, *tensors: Any) -> None:
        self.ctx.mark_dirty(*tensors)

    def mark_non_differentiable(self, *tensors: Any) -> None:
        self.ctx.mark_non_differentiable(*tensors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.ctx, name, value)
