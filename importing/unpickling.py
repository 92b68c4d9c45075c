"""Pickles from strangers: numpy arrays and plain values come out, and nothing of a pickle is ever run.

An ordinary unpickler calls whatever a pickle names. This one knows five names, all to do with numpy's arrays and with
bytes, and not even for those does it call numpy's own functions, which trust what they are told about memory: it puts
stand-ins there and makes each array from its bytes, its type and its shape. Everything else is refused by name.

It is Python's own unpickler written in Python (`pickle._Unpickler`): the one in C lets a few bytes ask for gigabytes.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError

_KINDS = frozenset("biufSU")  # numbers, truth values and texts: nothing that holds addresses of objects


class _RefusedError(Exception):
    """What a pickle wanted that is not for it."""


class _Name:
    """What stands for a name of a pickle: it can be called by REDUCE, and nothing else can be done with it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("to change a function")


class _Type:
    """A numpy dtype: its code from the call, its byte order from the state that follows."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = _text(code), "="

    def __setstate__(self, state: Any) -> None:
        _, order, *rest = state
        self.order = _text(order)
        if any(part is not None for part in rest[:3]):  # sub-arrays, names of fields, fields
            raise _RefusedError("arrays of records")

    def dtype(self) -> "np.dtype[Any]":
        found = np.dtype(self.code)
        if found.kind not in _KINDS or found.hasobject:
            raise _RefusedError(f"arrays of {self.code!r}")
        return found.newbyteorder(">" if self.order == ">" else "<") if self.order in "<>" else found


class _Array:
    """A numpy array on its way: `value` is there once the state was given."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, type_, is_fortran, data = state
        if isinstance(type_, _Type) and type_.code in ("O", "O8", "object") and isinstance(data, list):
            self.value = _shaped(data, shape)  # an array of texts, say: a list does as well
        else:
            self.value = _array(data, type_, shape, "F" if is_fortran else "C")


def _array(data: Any, type_: Any, shape: Any, order: Any, axes: Any = None) -> Any:
    if not isinstance(type_, _Type):
        raise _RefusedError("an array without a type")
    raw = data.encode("latin1") if isinstance(data, str) else data
    array = np.frombuffer(raw, type_.dtype()).reshape(tuple(shape), order="F" if _text(order) == "F" else "C")
    return array if axes is None else array.transpose(tuple(axes))


def _shaped(values: list[Any], shape: Any) -> list[Any]:
    if len(shape) != 1 or shape[0] != len(values):
        raise _RefusedError("arrays of objects in more than one dimension")
    return values


def _scalar(type_: Any, data: Any = b"") -> Any:
    return _array(data, type_, (), "C").item()


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """``_codecs.encode``, by which old pickles write bytes. No other encoding: some are programs of their own."""
    if _text(encoding) not in ("latin1", "latin-1", "utf-8") or not isinstance(text, str):
        raise _RefusedError(f"_codecs.encode with {encoding!r}")
    return text.encode(_text(encoding))


def _bytes(content: Any = b"", *rest: Any) -> bytes:
    if rest or not isinstance(content, bytes):
        raise _RefusedError("bytes of a number")  # bytes(10**12) would be a terabyte
    return content


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


_OLD, _NEW = "numpy.core", "numpy._core"
_NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): lambda *_: _Array(),
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encoded,
    **{(module, "bytes"): _bytes for module in ("builtins", "__builtin__")},
    **{(f"{core}.multiarray", "_reconstruct"): lambda *_: _Array() for core in (_OLD, _NEW)},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in (_OLD, _NEW)},
    **{(f"{core}.numeric", "_frombuffer"): _array for core in (_OLD, _NEW)},
}


class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        make = _NAMES.get((module, name))
        if make is None:
            raise _RefusedError(f"{module}.{name}")
        return _Name(make)

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError(f"an object kept elsewhere ({pid!r})")


def unpickle(path: Path) -> Any:
    """What the pickle `path` holds: numpy arrays, texts, bytes, numbers, lists, tuples and dictionaries of these.

    Texts of Python 2 come as bytes. Arrays of objects in one dimension come as lists.

    Raises
    ------
    UsageError : it asks for anything else, is cut short, or is no pickle. Nothing of it was run.
    """
    try:
        with path.open("rb") as file:
            return _finished(_Unpickler(file, encoding="bytes").load(), {})
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give a file that can be opened.") from error
    except _RefusedError as error:
        raise UsageError(
            f"{path.name} is refused: it asks for {error}, and only numpy arrays and plain values are let in. "
            "Nothing of it was run.",
            "Save the arrays alone, as a dictionary.",
        ) from error
    except EOFError as error:
        raise UsageError(f"{path.name} is cut short.", "Get the file again.") from error
    except Exception as error:  # bytes of strangers: whatever they lead to, it is no pickle for us
        raise UsageError(f"{path.name} is no pickle, or is damaged: {_one_line(error)}.", "Get it again.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _finished(value: Any, seen: dict[int, Any]) -> Any:
    """`value` with the stand-ins for arrays replaced by arrays; what it holds twice, or itself, is visited once."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, _Name | _Type):
        raise _RefusedError("a function or type as a value")
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, tuple):
        seen[id(value)] = finished = tuple(_finished(one, seen) for one in value)
        return finished
    if isinstance(value, list):
        seen[id(value)] = value
        value[:] = [_finished(one, seen) for one in value]
    elif isinstance(value, dict):
        seen[id(value)] = value
        items = [(_finished(key, seen), _finished(one, seen)) for key, one in value.items()]
        value.clear()
        value.update(items)
    return value
