"""The ctx of a Function, as its methods see it where it is not PyTorch's own: each view passes on what it does not change."""

from __future__ import annotations

from typing import Any

__all__ = ["SavedContext", "SavingContext", "TracedContext"]


class ContextView:
    """A ctx as a subclass of Function sees it: it reads and writes the attributes of the real one."""

    def __init__(self, ctx: Any, **attributes: Any) -> None:
        vars(self).update(attributes, ctx=ctx)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.ctx, name, value)


class SavedContext(ContextView):
    """With other saved tensors than the real one's."""

    def __init__(self, ctx: Any, saved_tensors: tuple[Any, ...]) -> None:
        super().__init__(ctx, saved_tensors=saved_tensors)


class SavingContext(ContextView):
    """Notes what is saved and marked, for somebody else to do it."""

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx, for_backward=(), for_forward=(), marks=[])

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_is_pure_view":  # autograd allows it of one input and one output alone, and somebody else has more
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
    """A ctx as Dynamo can trace it: of its methods it knows the marks and `save_for_backward`, and refuses the others.

    They can be left out: torch.compile has no forward mode, and always gives `backward` tensors, never None.
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
