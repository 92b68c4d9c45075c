"""What a sweep is to try: a grid, a list of settings, or both, from a TOML file or from flags.

    [all]                       # what every training shares
    arch = "emoji_cnn"
    epochs = 20

    [vary]                      # every combination of these
    lr = [0.5, 0.1, 0.07, 0.05, 0.001]
    batch-size = [5, 10, 20]

    [[setting]]                 # or these, each with every combination
    optimizer = "sgd"

Names are those of the flags of ``birds train``; here they are not looked at yet.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from ..errors import UsageError

_PARTS = ("all", "vary", "setting")


@dataclass(frozen=True)
class Plan:
    """``shared`` of all trainings; ``vary``: name -> values, every combination; ``settings``: a list of some more."""

    shared: dict[str, Any] = field(default_factory=dict)
    vary: dict[str, list[Any]] = field(default_factory=dict)
    settings: list[dict[str, Any]] = field(default_factory=list)

    def combinations(self) -> list[dict[str, Any]]:
        """One table of settings for each training, in order: the last name of ``vary`` changes fastest.

        Raises
        ------
        UsageError : a name stands in ``vary`` and in one of ``settings``.
        """
        if twice := sorted(self.vary.keys() & {name for one in self.settings for name in one}):
            raise UsageError(f"{twice[0]} is varied and stands in a setting too.", "Leave one of the two out.")
        grid = [dict(zip(self.vary, values, strict=True)) for values in product(*self.vary.values())]
        return [{**self.shared, **one, **point} for one in self.settings or [{}] for point in grid]


def read_plan(path: Path) -> Plan:
    """The plan in a TOML file. Raises UsageError: it cannot be read, or is not of the form above."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a TOML file.") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it; docs/sweep.md has an example.") from error
    shared, vary, settings = found.get("all", {}), found.get("vary", {}), found.get("setting", [])
    is_well_formed = (
        isinstance(shared, dict)
        and isinstance(vary, dict)
        and isinstance(settings, list)
        and all(isinstance(one, dict) for one in settings)
    )
    if not found.keys() <= {*_PARTS} or not is_well_formed:
        wrong = next((name for name in found if name not in _PARTS), "one of its tables")
        raise UsageError(
            f"{path}: {wrong} cannot stand there.", "It may hold the tables [all], [vary] and, repeated, [[setting]]."
        )
    lists = {_plain(name): values if isinstance(values, list) else [values] for name, values in vary.items()}
    if empty := [name for name, values in lists.items() if not values]:
        raise UsageError(f"{path}: there is no value to try for {empty[0]}.", "Give a list of values.")
    return Plan(
        {_plain(name): value for name, value in shared.items()},
        lists,
        [{_plain(name): value for name, value in one.items()} for one in settings],
    )


def pairs_of(flag: str, texts: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts, given by `flag`, as a table. Raises UsageError: one is of another form, or twice there."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = _plain(name.strip().removeprefix("--"))
        if not name or not equals or not value.strip():
            raise UsageError(f"{flag} {text!r} is no NAME=VALUE.", f"Example: {flag} lr=0.01")
        if name in found:
            raise UsageError(f"{flag} names {name} twice.", "Give all its values at once, separated by commas.")
        found[name] = value.strip()
    return found


def values_of(text: str) -> list[str]:
    """The values of ``--vary NAME=VALUE,VALUE``. A network may have options: ``bird_cnn:kernel=3,convs=2`` is one."""
    values: list[str] = []
    for part in text.split(","):
        if values and ":" in values[-1] and "=" in part and ":" not in part:
            values[-1] += f",{part.strip()}"
        else:
            values.append(part.strip())
    return values


def _plain(name: str) -> str:
    return name.replace("-", "_")
