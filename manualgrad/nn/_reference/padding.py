"""Padding."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry, places

__all__ = ["CLASSES", "FUNCTIONS"]

_PAGE = "arithmetic.movement"

FUNCTIONS = {
    "pad": Entry(
        "The input with numbers around it: `value`, its reflection, its last numbers, or its other side.",
        _PAGE,
        "input [..., h, w], say, and `pad` (left, right, top, bottom); result [..., top + h + bottom, left + w + right].\n"
        "`pad` names the last dimension first; below 0 it takes away.",
        (
            "RuntimeError: when `pad` is not made of pairs: `nn.functional.pad(torch.rand(1, 3), (1,))`.",
            "RuntimeError: when there is less to reflect: `nn.functional.pad(torch.rand(1, 3), (4, 4), mode='reflect')`.",
            "NotImplementedError: when there is no such mode: `nn.functional.pad(torch.rand(1, 3), (1, 1), mode='wrap')`.",
        ),
        """>>> nn.functional.pad(torch.tensor([[1.0, 2.0, 3.0]]), (1, 2))
tensor([[0., 1., 2., 3., 0., 0.]])
>>> nn.functional.pad(torch.tensor([[1.0, 2.0, 3.0]]), (1, 2), mode='reflect')
tensor([[2., 1., 2., 3., 2., 1.]])""",
    )
}
CLASSES: dict[str, Entry] = {}
for _n, _sides, _to in (
    (1, "l", "left + l + right"),
    (2, "h, w", "top + h + bottom, left + w + right"),
    (3, "d, h, w", "front + d + back, top + h + bottom, left + w + right"),
):
    for _kind, _call, _padded, _too_much in (
        ("Zero", "(2)", "0., 0., 1., 2., 3., 0., 0.", "(-2)"),
        ("Constant", "(2, 9.0)", "9., 9., 1., 2., 3., 9., 9.", "(-2, 9.0)"),
        ("Reflection", "(2)", "3., 2., 1., 2., 3., 2., 1.", "(3)"),
        ("Replication", "(2)", "1., 1., 1., 2., 3., 3., 3.", "(-2)"),
        ("Circular", "(2)", "2., 3., 1., 2., 3., 1., 2.", "(4)"),
    ):
        _name = f"{_kind}Pad{_n}d"
        _why = {"Reflection": "there is less to reflect", "Circular": "it would go round twice"}.get(
            _kind, "more is taken away than there is"
        )
        _x = f"torch.rand(1, {places(_n, 3)})"
        _index = "[0" + ", 2" * (_n - 1) + "]"
        CLASSES[_name] = Entry(
            "",
            _PAGE,
            f"[n, channels, {_sides}] or [channels, {_sides}], to [n, channels, {_to}].",
            (f"RuntimeError: when {_why}: `nn.{_name}{_too_much}({_x})`.",),
            f">>> x = torch.tensor([1.0, 2.0, 3.0]).expand(1, {places(_n, 3)})\n>>> nn.{_name}{_call}(x){_index}\n"
            f"tensor([{_padded}])",
        )
