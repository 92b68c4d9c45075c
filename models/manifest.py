"""What an exported model says of itself: ``model.json``, and the same JSON inside the ONNX and safetensors files.

A lone file therefore suffices: classes, how pictures are prepared, when to say 'unsure', and how good it is. Whoever
hands over a model may have written this, so every field is checked before it is used.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import ModelError
from ..images import RESIZES

FORMAT_VERSION = 1
NAME = "model.json"
METADATA_KEY = "birds"  # under which ONNX and safetensors files hold the JSON
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 20_000_000  # of JSON: 10,000 classes with all their figures stay below
_SIDES = (16, 4096)  # pixels
_LONGEST_LABEL = 200  # characters
_HINT = "Export the model again with `birds export`, or get the file anew."


@dataclass(frozen=True)
class ModelClass:
    """One output of the network: its label, and the species' scientific name where it is known."""

    label: str
    scientific_name: str | None = None


@dataclass(frozen=True)
class Preprocess:
    """How `images.prepare` makes a picture ready, and what is then taken off and divided by.

    Attributes
    ----------
    resize : see `images.prepare`.
    size : pixels of each side.
    shorter_side : pixels that ``crop`` scales the shorter side to before it takes the middle; None without it.
    resample : Pillow's filter.
    mean, std : of red, green and blue, from 0 to 1. The ONNX graph has them in it.
    """

    resize: str
    size: int
    shorter_side: int | None = None
    resample: str = "bilinear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Manifest:
    """All that has to be known of an exported model.

    Attributes
    ----------
    classes : in the order of the outputs.
    architecture, recipe, mirror : what the network is built from, see `learner.make_learner`.
    temperature : of its calibration, which is folded into the last layer already.
    abstain_threshold : below this confidence the answer is 'unsure'.
    test : figures of the network on ``dataset/test``: n, loss, accuracy, accuracy_interval, per_class {label: n,
        precision, recall, recall_interval, f1}, reviewed_share. None where there was no test set.
    training : run, seed, weights, split, validation figures, licences, sources, reviewed_share.
    versions : package -> version that exported it.
    files : name -> SHA-256 of the bundle's other files; empty in the copies inside these.
    """

    classes: tuple[ModelClass, ...]
    preprocess: Preprocess
    architecture: str
    recipe: str
    mirror: bool
    temperature: float
    abstain_threshold: float
    test: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    created_at: str = ""
    format_version: int = FORMAT_VERSION

    @property
    def labels(self) -> list[str]:
        """In the order of the outputs."""
        return [one.label for one in self.classes]

    def to_json(self) -> str:
        """Indented, the format's version first."""
        values = asdict(self)
        return json.dumps({"format_version": values.pop("format_version"), **values}, ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str | bytes, where: object) -> "Manifest":
        """Read what `to_json` wrote. Fields that a later birds of the same format added are left out.

        Parameters
        ----------
        where : what the text was found in, for the message.

        Raises
        ------
        ModelError : no such JSON, a field is missing or cannot be, or a newer birds wrote it.
        """
        if len(text) > _MOST_BYTES:
            raise ModelError(f"{where} describes its model in {len(text)} bytes, which is too much.", _HINT)
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{where} is damaged: its description is no JSON.", _HINT) from error
        version = values.get("format_version") if isinstance(values, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ModelError(f"{where} does not describe a model of birds.", _HINT)
        if version > FORMAT_VERSION:
            raise ModelError(
                f"{where} was made by a newer birds (format {version}; this one reads up to {FORMAT_VERSION}).",
                "Run: pip install --upgrade birds",
            )
        try:
            return _manifest(values)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            raise ModelError(f"{where} describes its model wrongly: {what}.", _HINT) from error


def _manifest(values: Mapping[str, Any]) -> Manifest:
    classes = tuple(_model_class(one) for one in _of_type(values, "classes", list))
    labels = [one.label for one in classes]
    if not classes or len(set(labels)) != len(labels):
        raise ValueError("its classes are none, or not distinct")
    temperature = _number(values, "temperature", lambda one: one > 0)
    threshold = _number(values, "abstain_threshold", lambda one: 0 <= one <= 1)
    test = values.get("test")
    files = _of_type(values, "files", dict) if "files" in values else {}
    if not all(isinstance(digest, str) and _SHA256.fullmatch(digest) for digest in files.values()):
        raise ValueError("files has what is no SHA-256")
    return Manifest(
        classes=classes,
        preprocess=_preprocess(_of_type(values, "preprocess", dict)),
        architecture=_of_type(values, "architecture", str),
        recipe=_of_type(values, "recipe", str),
        mirror=_of_type(values, "mirror", bool),
        temperature=temperature,
        abstain_threshold=threshold,
        test=None if test is None else _of_type(values, "test", dict),
        training=_of_type(values, "training", dict) if "training" in values else {},
        versions={str(name): str(one) for name, one in _of_type(values, "versions", dict).items()},
        files=files,
        created_at=str(values.get("created_at", "")),
        format_version=values["format_version"],
    )


def _model_class(value: Any) -> ModelClass:
    label = _of_type(value, "label", str)
    name = value.get("scientific_name")
    if not label or len(label) > _LONGEST_LABEL or not isinstance(name, str | None):
        raise ValueError("one of its classes has no proper name")
    return ModelClass(label, name)


def _preprocess(value: Mapping[str, Any]) -> Preprocess:
    resize, size = _of_type(value, "resize", str), _of_type(value, "size", int)
    if resize not in RESIZES or not _SIDES[0] <= size <= _SIDES[1]:
        raise ValueError(f"pictures of {size} pixels by {resize!r} cannot be made")
    if value.get("resample", "bilinear") != "bilinear":
        raise ValueError("pictures are resampled by 'bilinear' alone")
    shorter_side = value.get("shorter_side")
    given: dict[str, Any] = {}
    for name in ("mean", "std"):
        if name in value:
            red, green, blue = (float(one) for one in _of_type(value, name, list))
            if not all(math.isfinite(one) and (one > 0 or name == "mean") for one in (red, green, blue)):
                raise ValueError(f"{name} cannot be what it is")
            given[name] = (red, green, blue)
    return Preprocess(resize, size, None if shorter_side is None else _of_type(value, "shorter_side", int), **given)


def _of_type(values: Any, name: str, kind: type) -> Any:
    """The value called `name`, which has to be of that type."""
    if not isinstance(values, dict):
        raise TypeError(f"{name} stands in no object")
    value = values[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name} is no {kind.__name__}")
    return value


def _number(values: Mapping[str, Any], name: str, is_possible: Callable[[float], bool]) -> float:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} is no number")
    if not is_possible(value):
        raise ValueError(f"{name} cannot be {value}")
    return float(value)
