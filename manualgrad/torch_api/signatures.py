"""Bind a call to PyTorch's signatures, and express it in the parameters of the hand-written function.

PyTorch's functions accept NumPy's names (`axis`), the names of ATen's schemas (`mat2`), deprecated orders
(`torch.add(input, alpha, other)`) and NumPy scalars. A hand-written function has one signature. A call that does not match it
is bound to the signatures of PyTorch's parser, which are ATen's schemas, and translated to the hand-written one.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Signature", "is_numpys", "rebound", "signatures"]

# numpy_compatibility_arg_names of torch/csrc/utils/python_arg_parser.cpp.
_NUMPYS_NAMES = {"dim": ("axis",), "keepdim": ("keepdims",), "input": ("x", "a", "x1"), "other": ("x2",)}

# The parameter orders in tools/autograd/deprecated.yaml; the in-place operators have them too.
_DEPRECATED = {
    "add": ("self alpha other",),
    "sub": ("self alpha other",),
    "addcmul": ("self value tensor1 tensor2",),
    "addcdiv": ("self value tensor1 tensor2",),
    "addmm": ("beta self alpha mat1 mat2", "beta self mat1 mat2"),
    "addmv": ("beta self alpha mat vec", "beta self mat vec"),
    "baddbmm": ("beta self alpha batch1 batch2", "beta self batch1 batch2"),
}

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor


class _Parameter(NamedTuple):
    names: tuple[str, ...]  # all that PyTorch accepts
    kind: str  # a type of ATen's schemas, or "any"
    is_required: bool
    ours: int | str  # position or name in the hand-written function
    is_at_its_place: bool = False  # whether the position is the same there


class Signature(NamedTuple):
    """One signature of a PyTorch function."""

    positional: tuple[_Parameter, ...]
    by_name: tuple[_Parameter, ...]
    takes_sizes: bool  # as separate arguments: `x.expand(3, 4)`


def rebound(
    known: tuple[Signature, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """Translate a call to the names and types of the hand-written function; None if nothing changes or no signature matches.

    A second translation of the result changes nothing.
    """
    for freely in (False, True):
        for signature in known:
            found = _bound(signature, args, kwargs, freely)
            if found is not None and not _is_same(found, args, kwargs):
                return found
    return None


def _bound(
    signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any], freely: bool
) -> tuple[list[Any], dict[str, Any]] | None:
    positional = signature.positional
    if signature.takes_sizes and len(args) > len(positional):
        args = (*args[: len(positional) - 1], args[len(positional) - 1 :])
    if len(args) > len(positional):
        return None
    waiting = {name: value for name, value in kwargs.items() if name != "out" or value is not None}
    by_place: dict[int, Any] = {}
    by_name: dict[str, Any] = {}
    for i, parameter in enumerate((*positional, *signature.by_name)):
        if i < len(args):
            value = args[i]
        else:
            name = next((name for name in parameter.names if name in waiting), None)
            if name is None:
                if parameter.is_required:
                    return None
                continue
            value = waiting.pop(name)
        value = _converted(value, parameter.kind, freely)
        if value is NotImplemented:
            return None
        if isinstance(parameter.ours, int):
            by_place[parameter.ours] = value
        elif i < len(args) and parameter.is_at_its_place and len(by_place) == i:
            by_place[i] = value
        else:
            by_name[parameter.ours] = value
    if waiting or any(i not in by_place for i in range(len(by_place))):
        return None
    return [by_place[i] for i in range(len(by_place))], by_name


def _is_same(found: tuple[list[Any], dict[str, Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    by_place, by_name = found
    if len(by_place) != len(args) or by_name.keys() != kwargs.keys():
        return False
    return all(a is b for a, b in zip(by_place, args, strict=True)) and all(by_name[name] is kwargs[name] for name in kwargs)


# Values.

_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int, torch.SymInt),
    "float": (int, float, torch.SymInt, torch.SymFloat),
    "number": (int, float, complex, torch.SymInt, torch.SymFloat),
    "bool": (bool, torch.SymBool),
    "str": (str,),
    "ScalarType": (torch.dtype,),
    "Generator": (torch.Generator,),
    "Tensor": (Tensor,),
}


def _converted(value: Any, kind: str, freely: bool) -> Any:
    """Convert a value to this kind; return NotImplemented if it does not match.

    Args:
        freely: also accept a tensor for a number and a number for a tensor, as PyTorch's parser does.
    """
    if kind.startswith("Optional["):
        return value if value is None else _converted(value, kind[9:-1], freely)
    if kind.startswith("List["):
        return _list_of(value, kind[5:-1], freely)
    if is_numpys(value):
        value = _number(value, kind)
    if freely and kind in ("any", "int", "float", "number") and isinstance(value, Tensor) and _has_a_number(value):
        value = value.item()
    if kind == "any":
        return _list_of(value, kind, freely) if isinstance(value, (list, tuple)) else value
    if isinstance(value, _KINDS[kind]) or (freely and kind == "Tensor" and isinstance(value, _KINDS["number"])):
        return value
    return NotImplemented


def _list_of(value: Any, kind: str, freely: bool) -> Any:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _converted(value, kind, freely) if kind == "int" else NotImplemented
    found = [_converted(part, kind, freely) for part in value]
    if any(part is NotImplemented for part in found):
        return NotImplemented
    return value if all(a is b for a, b in zip(found, value, strict=True)) else tuple(found)


def is_numpys(value: Any) -> bool:
    return type(value).__module__ == "numpy"


def _number(value: Any, kind: str) -> Any:
    """Convert a NumPy scalar as PyTorch does, which takes the real part of a complex64."""
    if type(value).__name__ == "ndarray":
        return value
    number = float(value) if type(value).__name__ == "complex64" else value.item()
    return int(number) if isinstance(number, bool) and kind != "bool" else number


def _has_a_number(t: Tensor) -> bool:
    return not _dynamo_is_tracing() and not t.dim() and not t.requires_grad and not _is_wrapped(t)


# Signatures.


def signatures(torchs: Callable[..., Any], ours: Callable[..., Any]) -> tuple[Signature, ...]:
    """Return the signatures of a PyTorch function, each mapped to the parameters of the hand-written one."""
    own = _Own(ours)
    if isinstance(torchs, types.FunctionType) or torchs.__name__.startswith("__"):
        return _of_python(torchs, ours, own)
    is_method = isinstance(torchs, types.MethodDescriptorType)
    schemas = [s for s in torch._C._jit_get_schemas_for_operator(f"aten::{torchs.__name__}") if _is_pythons(s)]
    return tuple(
        found
        for schema in schemas
        for found in (_of_schema(schema, is_method, own), *_deprecated(torchs.__name__, schema, is_method, own))
    )


class _Own:
    """The parameters of a hand-written function."""

    def __init__(self, ours: Callable[..., Any]) -> None:
        parameters = inspect.signature(ours).parameters.values()
        self.names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        self.places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    def place(self, name: str, i: int | None) -> int | str:
        """Return the position or the name of the i-th parameter, which has this name in PyTorch."""
        if i == 0:
            return 0
        if name in self.names or i is None:
            return name
        return self.places[i] if i < len(self.places) else i


def _of_python(torchs: Callable[..., Any], hand_written: Callable[..., Any], own: _Own) -> tuple[Signature, ...]:
    """Return the signature of a Python function; if it has none, as an operator, return the hand-written function's."""
    parameters = _parameters(torchs) or _parameters(hand_written)
    positional: list[_Parameter] = []
    by_name: list[_Parameter] = []
    for i, p in enumerate(parameters):
        place = None if p.kind is p.KEYWORD_ONLY else i
        ours = own.place(p.name, place)
        parameter = _Parameter((p.name,), "any", p.default is p.empty, ours, ours in own.places[i : i + 1])
        (by_name if place is None else positional).append(parameter)
    return (Signature(tuple(positional), tuple(by_name), False),) if parameters else ()


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the function's parameters; none if it has no signature, or has *args or **kwargs."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return []
    return [] if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters) else parameters


def _is_pythons(schema: Any) -> bool:
    """Return whether the schema belongs to an operator on tensors without `out`, not to TorchScript's on numbers or lists."""
    kinds = [str(a.type) for a in schema.arguments]
    return any("Tensor" in kind for kind in kinds) and "List[t]" not in kinds and not any(a.is_out for a in schema.arguments)


def _of_schema(schema: Any, is_method: bool, own: _Own) -> Signature:
    return _signature([(a, a.kwarg_only) for a in schema.arguments], schema, is_method, own)


def _deprecated(name: str, schema: Any, is_method: bool, own: _Own) -> list[Signature]:
    arguments = {a.name: a for a in schema.arguments}
    return [
        _signature([(arguments[a], False) for a in order.split()], schema, is_method, own, is_required=True)
        for order in _DEPRECATED.get(name.rstrip("_"), ())
        if arguments.keys() >= set(order.split()) and "Tensor" in str(arguments[order.split()[-1]].type)
    ]


def _signature(order: Any, schema: Any, is_method: bool, own: _Own, is_required: bool = False) -> Signature:
    """Build the signature with the arguments in this order; each comes with a flag that says whether it is keyword-only."""
    places = [a.name for a in schema.arguments if not a.kwarg_only]
    if is_method:  # the tensor comes first
        order = sorted(order, key=lambda pair: pair[0].name != "self")
        places.sort(key=lambda name: name != "self")
    positional: list[_Parameter] = []
    by_name: list[_Parameter] = []
    for a, is_by_name in order:
        name = "input" if a.name == "self" and "Tensor" in str(a.type) else a.name
        names = () if is_method and a.name == "self" else (name, *_NUMPYS_NAMES.get(name, ()))
        place = own.place(name, places.index(a.name) if a.name in places else None)
        i = len(positional)
        parameter = _Parameter(
            names, str(a.real_type), is_required or not a.has_default_value(), place, place in own.places[i : i + 1]
        )
        (by_name if is_by_name else positional).append(parameter)
    takes_sizes = is_method and len(positional) == 2 and positional[1].kind == "List[int]"
    return Signature(tuple(positional), tuple(by_name), takes_sizes)
