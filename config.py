"""``birds.toml`` in the project folder: what a person wants by default, so that commands stay short.

    species = ["cigüeña", "garza"]

    [scrape]
    limit = 80
    [clean]
    threshold = ["blurred=0.3"]
    [split]
    seed = 5
    [train]
    arch = "resnet18"
    epochs = "5,10"

Its tables hold the flags of the commands of the same name, with what those flags take. Flags win over it. Only the
command line and the pipeline read it; below them, values are passed.
"""

import contextlib
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UsageError

FILE_NAME = "birds.toml"
_BY_PHASE = (
    "epochs", "patience", "lr", "plateau_min_delta", "plateau_patience", "plateau_factor", "weight_decay",
    "label_smoothing", "mixup",
)  # fmt: skip
_WHOLE = ("epochs", "patience", "plateau_patience")
AUTO = "auto"  # a learning rate that is searched for
_LISTS = {  # a flag, and its argument
    "source": "sources",
    "source_url": "source_urls",
    "allow_host": "allow_hosts",
    "threshold": "thresholds",
}
_SWITCHES = (
    "class_weights", "averaging", "feature_cache", "mirror", "calibrate", "augment", "flip", "crop", "colour", "rotate",
    "compile",
)  # fmt: skip
_KEYS: dict[str, dict[str, type]] = {
    "scrape": {
        "limit": int, "source": list, "licence": str, "thumbnails": bool, "google_url": str, "source_url": list,
        "allow_host": list, "proxy": str, "browsers": int, "grid_url": str, "headed": bool,
    },
    "clean": {"weights": str, "arch": str, "threshold": list},
    "split": {"ratio": str, "seed": int, "plain": bool, "group_by": str, "kfold": int},
    "train": {
        "arch": str, "weights": str, "batch_size": int, "size": int, "resize": str, "seed": int, "recipe": str,
        "schedule": str, "cutmix": float, "views": int, "precision": str, "workers": int, "optimizer": str,
        "momentum": float, "loss": str, "dropout": float, "activation": str, "normalise": str,
        **dict.fromkeys(_BY_PHASE, str), **dict.fromkeys(_SWITCHES, bool),
    },
}  # fmt: skip
_IN_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    bool: "true or false",
    list: "a list of texts",
}


@dataclass(frozen=True)
class Config:
    """What ``birds.toml`` says: table -> flag (underscores for hyphens) -> value."""

    species: tuple[str, ...] = ()
    scrape: Mapping[str, Any] = field(default_factory=dict)
    clean: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)


def load(project: Path) -> Config:
    """Read ``birds.toml`` of the folder `project`; all empty if there is none.

    Raises
    ------
    UsageError : it is no TOML, or holds a key that no command has or a value of the wrong kind.
    """
    path = Path(project) / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it, or move it away.") from error
    species = values.pop("species", [])
    if not isinstance(species, list) or not all(isinstance(name, str) for name in species):
        raise UsageError(f"{path}: species is a list of names.", 'Example: species = ["cigüeña", "garza"]')
    tables: dict[str, dict[str, Any]] = {}
    for name, table in values.items():
        if name not in _KEYS or not isinstance(table, dict):
            raise UsageError(f"{path}: {name!r} is unknown.", f"It may hold species and the tables {', '.join(_KEYS)}.")
        tables[name] = _checked(name, table, f"{path}: [{name}]")
        if isinstance(sources := tables[name].get("source"), list):
            tables[name]["source"] = [_from_project(source, Path(project)) for source in sources]
    return Config(species=tuple(species), **tables)


def _checked(name: str, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Flags of the command `name`, their names and kinds known to be right. Raises UsageError beginning by `where`."""
    flags = {key.replace("-", "_"): _as_flag(key.replace("-", "_"), value) for key, value in table.items()}
    if unknown := flags.keys() - _KEYS[name]:
        near = difflib.get_close_matches(min(unknown), _KEYS[name], n=2)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        hint += f"It may hold {', '.join(sorted(_KEYS[name]))}."
        raise UsageError(f"{where} has no {min(unknown)!r}.", hint)
    for key, value in flags.items():
        if not _is_a(_KEYS[name][key], value):
            raise UsageError(f"{where} {key} cannot be {value!r}.", f"It is {_IN_WORDS[_KEYS[name][key]]}.")
    return flags


def _as_flag(key: str, value: Any) -> Any:
    """A value as its flag takes it: ``[10, 5]`` and ``10`` for a setting by phase are ``"10,5"`` and ``"10"``."""
    if key in _BY_PHASE:
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)
    if key in _LISTS and isinstance(value, str):
        return [value]
    return value


def _from_project(source: Any, project: Path) -> Any:
    """``urls:FILE`` and ``folder:DIR``: what is not absolute lies in the project, wherever the command is given."""
    if not isinstance(source, str) or not source.startswith(("urls:", "folder:")):
        return source
    name, _, path = source.partition(":")
    return f"{name}:{project / Path(path).expanduser()}"


def _is_a(kind: type, value: Any) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind  # True is an int for isinstance


def by_phase(values: Mapping[str, str | None]) -> dict[str, tuple[float, ...] | str]:
    """Settings by phase as numbers: ``{"lr": "3e-3,3e-4"}`` as ``{"lr": (0.003, 0.0003)}``; None falls away.

    A learning rate may also be `AUTO`.

    Raises
    ------
    UsageError : one is no number, or epochs or patience are not whole.
    """
    numbers: dict[str, tuple[float, ...] | str] = {}
    for name, text in values.items():
        flag = f"--{name.replace('_', '-')}"
        if text is None:
            continue
        if name == "lr" and text == AUTO:
            numbers[name] = AUTO
            continue
        try:
            parse = int if name in _WHOLE else float
            numbers[name] = tuple(parse(part) for part in text.split(","))
        except ValueError as error:
            kind = "whole numbers" if name in _WHOLE else "numbers"
            hint = f"It takes {kind}: {flag} 3 for both phases, {flag} 3,5 for each."
            raise UsageError(f"{flag} is {text!r}.", hint) from error
    return numbers


def scrape_arguments(table: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of ``birds scrape`` as keyword arguments of its stage.

    Raises
    ------
    UsageError : a ``source_url`` is not of the form NAME=URL.
    """
    arguments = {_LISTS.get(key, key): value for key, value in table.items()}
    if "source_urls" in arguments:
        pairs = [pair.partition("=") for pair in arguments["source_urls"]]
        if wrong := [name for name, equals, url in pairs if not (name and equals and url)]:
            raise UsageError(
                f"--source-url {wrong[0]!r} is no NAME=URL.", "Example: --source-url bing=http://localhost:8000"
            )
        arguments["source_urls"] = {name: url for name, _, url in pairs}
    return arguments


def train_settings(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings of `birds train` as in its table of birds.toml, read from elsewhere.

    Raises
    ------
    UsageError : one has no such name, or is of the wrong kind; begins by `where`.
    """
    return _checked("train", table, where)


def train_value(name: str, text: str, where: str) -> Any:
    """A setting of `birds train` written as text: ``true``, ``16``, ``0.1``; ``0.1/0.01`` is one value for each phase.

    Raises
    ------
    UsageError : there is no setting of that name, or it cannot be that; begins by `where`.
    """
    kind = _KEYS["train"].get(name, str)
    value: Any = text
    if name in _BY_PHASE:
        value = text.replace("/", ",")
    elif kind is bool:
        value = {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    elif kind in (int, float):
        with contextlib.suppress(ValueError):
            value = kind(text)
    return _checked("train", {name: value}, where)[name]


def train_arguments(table: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of ``birds train`` as keyword arguments of its stage; None falls away."""
    texts = {key: value for key, value in table.items() if key in _BY_PHASE}
    plain = {key: value for key, value in table.items() if key not in texts and value is not None}
    return plain | by_phase(texts)
