"""A pickled dictionary of arrays, as coursework hands them round: pictures, labels, perhaps names and parts.

{"data": [n, 32, 32, 3], "labels": [n], "classes": ["smile", "frown", ...]}
{"X_train": ..., "y_train": ..., "X_test": ..., "y_test": ...}    or {"train": {...}, "test": {...}}
{"smile": [n, 32, 32, 3], "frown": [m, 32, 32, 3]}
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..split.foreign import part_called
from .arrays import AT_A_TIME, Rows, as_pictures, checked_labels, of_rows
from .dataset import Dataset, as_labels
from .unpickling import unpickle

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_PICTURES = ("data", "images", "image", "pictures", "pixels", "features", "x")
_LABELS = ("labels", "label", "targets", "target", "fine_labels", "y")
_NAMES = ("classes", "class_names", "label_names", "fine_label_names", "target_names", "names")
_HINT = 'Example: {"data": pictures, "labels": numbers, "classes": names}; see docs/importing.md.'


def read_pickle(source: Path) -> Dataset:
    """The dictionary in the pickle `source`.

    Raises
    ------
    UsageError : it asks for more than arrays and plain values, is no dictionary of pictures, or its shapes or labels do
        not go together.
    """
    if not source.is_file():
        raise UsageError(f"There is no file {source}.", "Give the pickle itself.")
    document = unpickle(source)
    if not isinstance(document, dict) or not document:
        raise UsageError(f"{source.name} holds no dictionary.", _HINT)
    values = {_text(key): value for key, value in document.items()}
    names = next((values[key] for key in values if key.casefold() in _NAMES), None)
    parts = _parts(values)
    if not any(_pick(of_part, _PICTURES) is not None for of_part in parts.values()):
        return _by_class(values, source.name)
    given = [(part, *_checked(of_part, part, source.name)) for part, of_part in parts.items()]
    classes = _classes(names, [labels for *_, labels in given], source.name)
    files = []
    for part, array, labels in given:
        where = f"{source.name} {part or ''}".strip()
        files.append(_rows(where, part, array, _as_numbers(labels, classes, where, is_named=names is not None)))
    return of_rows(classes, files)


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _parts(values: Mapping[str, Any]) -> dict[str | None, dict[str, Any]]:
    """Part -> role -> value, of ``{"train": {"x": ...}}`` and of ``{"x_train": ...}``; one part None where none is."""
    found: dict[str | None, dict[str, Any]] = {}
    for key, value in values.items():
        words = [word for word in re.split(r"[\s_.-]+", key) if word]
        part = next((named for word in words if (named := part_called(word))), None)
        role = "_".join(word for word in words if not part_called(word)).casefold()
        if part and not role and isinstance(value, dict):
            found.setdefault(part, {}).update({_text(name).casefold(): one for name, one in value.items()})
        else:
            found.setdefault(part, {})[role] = value
    if any(found) and _pick(found.get(None, {}), _PICTURES) is None:
        found.pop(None, None)  # names of classes, a description
    return found


def _pick(of_part: Mapping[str, Any], roles: tuple[str, ...]) -> Any:
    return next((of_part[role] for role in roles if role in of_part), None)


def _checked(of_part: Mapping[str, Any], part: str | None, where: str) -> "tuple[Array, list[Any]]":
    """Pictures and labels of one part, of the same number."""
    where = f"{where} {part or ''}".strip()
    pictures, labels = _pick(of_part, _PICTURES), _pick(of_part, _LABELS)
    if pictures is None or labels is None:
        raise UsageError(f"{where} has no {'pictures' if pictures is None else 'labels'} among its keys.", _HINT)
    array = _stacked(pictures, where)
    if isinstance(labels, np.ndarray):
        if labels.ndim != 1:
            raise UsageError(f"{where}: labels have the shape {labels.shape}.", "One for each picture is needed: [n].")
        labels = labels.tolist()
    if not isinstance(labels, list | tuple) or len(labels) != len(array):
        n = len(labels) if isinstance(labels, list | tuple) else 0
        raise UsageError(f"{where} has {len(array)} pictures and {n} labels.", "One for each picture is needed.")
    return array, list(labels)


def _stacked(pictures: Any, where: str) -> "Array":
    """One array, of one or of a list of equal ones."""
    if isinstance(pictures, list | tuple) and pictures and all(isinstance(one, np.ndarray) for one in pictures):
        if len({one.shape for one in pictures}) > 1:
            raise UsageError(f"{where}: the pictures differ in shape.", "Save them as files, or all in one size.")
        pictures = np.stack(pictures)
    if not isinstance(pictures, np.ndarray):
        raise UsageError(f"{where}: the pictures are no numpy array.", _HINT)
    as_pictures(pictures[:1], where, pictures)  # their shape is told now, not after half of them is imported
    return pictures


def _classes(names: Any, given: list[list[Any]], where: str) -> list[str]:
    """Labels by the numbers that stand for them; without names, what the labels themselves say, sorted."""
    if names is not None:
        values = names.tolist() if isinstance(names, np.ndarray) else names
        if isinstance(values, dict):  # {0: "smile"} or {"smile": 0}
            pairs = [(_text(a), b) if type(b) is int else (_text(b), a) for a, b in values.items()]
            values = [name for name, _ in sorted(pairs, key=lambda pair: pair[1])]
        if not isinstance(values, list | tuple) or not values:
            raise UsageError(f"{where}: the names of the classes are no list.", _HINT)
        return as_labels([_text(name) for name in values], where)
    said = {label for labels in given for label in labels}
    if all(type(label) is int for label in said):
        return as_labels([str(label) for label in sorted(said)], where)
    if all(isinstance(label, str | bytes) for label in said):
        return as_labels(sorted({_text(label) for label in said}), where)
    raise UsageError(f"{where}: the labels are neither whole numbers nor texts.", _HINT)


def _as_numbers(labels: list[Any], classes: list[str], where: str, *, is_named: bool) -> list[int]:
    if is_named and all(type(label) is int and abs(label) < 1 << 31 for label in labels):
        return checked_labels(np.array(labels, np.int64), len(classes), where)
    index = {label: number for number, label in enumerate(classes)}
    texts = [" ".join(_text(label).split()) for label in labels]
    if unknown := [text for text in texts if text not in index]:
        raise UsageError(f"{where}: the label {unknown[0]!r} is none of the classes.", "Nothing was imported.")
    return [index[text] for text in texts]


def _rows(where: str, part: str | None, array: "Array", labels: list[int]) -> Rows:
    def blocks() -> "Iterator[Array]":
        for start in range(0, len(array), AT_A_TIME):
            yield as_pictures(array[start : start + AT_A_TIME], where, array)

    return Rows(where, part, labels, blocks)


def _by_class(values: Mapping[str, Any], where: str) -> Dataset:
    """Of ``{"smile": pictures, "frown": pictures}``."""
    if len(values) < 2 or not all(isinstance(value, np.ndarray | list | tuple) for value in values.values()):
        raise UsageError(f"{where} holds neither pictures with labels nor pictures by class.", _HINT)
    classes = as_labels(values, where)
    arrays = [_stacked(value, f"{where} {label}") for label, value in zip(classes, values.values(), strict=True)]
    files = [
        _rows(f"{where} {label}", None, array, [number] * len(array))
        for number, (label, array) in enumerate(zip(classes, arrays, strict=True))
    ]
    return of_rows(classes, files)
