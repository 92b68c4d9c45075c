"""``birds.toml`` in the project folder: what a person wants by default, so that commands stay short.

    species = ["cigüeña", "garza"]

    [scrape]
    limit = 80
    [split]
    seed = 5
    [train]
    arch = "resnet18"

Flags win over it. Only the command line and the pipeline read it; below them, values are passed.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UsageError

FILE_NAME = "birds.toml"
_KEYS = {
    "scrape": {"limit", "source", "google_url", "allow_host", "headed"},
    "split": {"ratio", "seed", "plain"},
    "train": {
        "arch", "weights", "epochs", "lr", "batch_size", "size", "resize", "seed",
        "patience", "plateau_min_delta", "plateau_factor",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What ``birds.toml`` says. Tables hold the names of flags, underscores for hyphens."""

    species: tuple[str, ...] = ()
    scrape: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)


def load(project: Path) -> Config:
    """Read ``birds.toml`` of the folder `project`; all empty if there is none.

    Raises
    ------
    UsageError : it is no TOML, or holds a key that no command has.
    """
    path = project / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
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
        tables[name] = {key.replace("-", "_"): value for key, value in table.items()}
        if unknown := tables[name].keys() - _KEYS[name]:
            raise UsageError(
                f"{path}: [{name}] has no {min(unknown)!r}.", f"It may hold {', '.join(sorted(_KEYS[name]))}."
            )
    return Config(species=tuple(species), **tables)
