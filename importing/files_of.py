"""Paths that a dataset's own lists give: files of the dataset, and no others."""

from pathlib import Path

from ..errors import UsageError


def lines_of(path: Path) -> list[str]:
    """Lines of a list, without empty ones. Raises UsageError: it is missing, or no text."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise UsageError(
            f"{path.parent} has no {path.name}.", "Give the folder that the archive unpacks to."
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Get the file again; nothing was imported.") from error


def within(root: Path, name: str, where: str) -> Path:
    """The file called `name` below `root`. Raises UsageError: it would lie elsewhere."""
    path = root / name
    if "\0" in name or not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{where} names {name!r}, which lies outside {root}.", "Nothing was imported.")
    return path
