"""What a split is made with, and what the split that is there was made with: ``dataset/split.json`` says so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import ProjectError, UsageError
from ..files import Project
from .grouping import check_group_by

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """What a split is a function of, beside the pictures and the splits before it. Others take a fresh one.

    See `split.split`. `kept` names the imported dataset whose own division this is, None where there was none.
    """

    ratio: str = "70/15/15"
    seed: int = 5
    plain: bool = False
    group_by: str | None = None
    kept: str | None = None


def parse_ratio(text: str) -> tuple[int, ...]:
    """``70/15/15`` as (70, 15, 15), and ``80/20``, without a test part, as (80, 20, 0).

    Raises
    ------
    UsageError : it is not two or three positive numbers that add up to 100.
    """
    try:
        ratio = tuple(int(part) for part in text.split("/"))
    except ValueError:
        ratio = ()
    if len(ratio) not in (2, 3) or min(ratio) <= 0 or sum(ratio) != 100:
        raise UsageError(
            f"{text!r} is no ratio.", "Give train/val/test as per cent, for example 70/15/15, or train/val: 80/20."
        )
    return (*ratio, 0)[:3]


def current_split(project: Project) -> dict[str, Any]:
    """What ``split.json`` says; nothing where there is none of this version that can be read."""
    try:
        document = json.loads((project.dataset / "split.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and document.get("format_version") == FORMAT_VERSION else {}


def settings_of(current: Mapping[str, Any], given: Mapping[str, Any], kept: str | None = None) -> Settings:
    """What is given, else what the current split was made with, else the defaults.

    Parameters
    ----------
    current : its ``split.json``, see `current_split`.
    given : setting -> value, None where it was not said.
    kept : an imported dataset, where that asks: what it says counts for the first split, and no later one.

    Raises
    ------
    UsageError : a value that cannot be.
    ProjectError : another one than that of the current split, whose pictures would have to move.
    """
    given = {name: value for name, value in given.items() if value is not None and not (kept and current)}
    there = {field.name: current.get(field.name, field.default) for field in fields(Settings)}
    settings = Settings(**{**there, **given, **({"kept": kept} if kept and not current else {})})
    parse_ratio(settings.ratio)
    check_group_by(settings.group_by)
    if settings.plain and settings.group_by:
        raise UsageError("A plain split groups nothing, so --plain and --group-by cannot both be.")
    if settings.plain and not there["plain"]:
        return replace(settings, kept=None)  # made anew each time, so nothing has to stay
    if there["kept"] and given:
        raise ProjectError(
            f"dataset/ is divided as {there['kept']} brought it, and settings would move what is in a part.",
            "Leave them out, or split all pictures anew with `birds split --fresh`.",
        )
    if current and (other := [name for name, value in given.items() if value != there[name]]):
        was, wanted = (" and ".join(_in_words(name, values[name]) for name in other) for values in (there, given))
        raise ProjectError(
            f"dataset/ was split {was}, and what is in a part stays there; a split {wanted} would move it.",
            "Split all pictures anew with `birds split --fresh`, or leave the setting as it was.",
        )
    return settings


def _in_words(name: str, value: Any) -> str:
    flag = f"--{name.replace('_', '-')}"
    return f"without {flag}" if value in (None, False) else f"with {flag}" if value is True else f"with {flag} {value}"


def number_of_folds(current: Mapping[str, Any], given: int | None) -> int:
    """How many folds are asked for, 0 for none; they may change, since train, val and test stay as they are."""
    k = int(current.get("folds", 0)) if given is None else given
    if k == 1 or k < 0:
        raise UsageError(f"--kfold cannot be {k}.", "Give 2 or more folds, 0 for none.")
    return k
