"""A folder of pictures, ``<class>/<file>`` or ``<part>/<class>/<file>``: what torchvision calls an ImageFolder."""

import os
from pathlib import Path

from ..errors import UsageError
from ..split.foreign import part_called
from .dataset import Dataset, as_labels, of_files

_HINT = "Give a folder that holds a folder of pictures for each class, or train, val and test with these."


def read_folder(source: Path) -> Dataset:
    """The pictures of the folder `source`; hidden files, and links that lead out of it, are left alone.

    Raises
    ------
    UsageError : there is no such folder, no class in it, or a class whose name no folder of ours may have.
    """
    if not source.is_dir():
        raise UsageError(f"There is no folder {source}.", _HINT)
    root = source.resolve()
    folders = _shown(root, root)
    parts: dict[str | None, Path] = {
        part: folder for folder in folders if folder.is_dir() and (part := part_called(folder.name))
    }
    if "train" not in parts or len(parts) < 2:
        parts = {None: root}
    found = [(part, folder) for part, above in parts.items() for folder in _shown(above, root) if folder.is_dir()]
    names = sorted({folder.name for _, folder in found})
    labels = dict(zip(names, as_labels(names, str(source)), strict=True))
    rows = [
        (labels[folder.name], path.relative_to(root).as_posix(), part, path)
        for part, folder in found
        for path in _shown(folder, root)
        if path.is_file()
    ]
    if not rows:
        raise UsageError(f"{source} holds no pictures in folders of classes.", _HINT)
    has_some = {label for label, *_ in rows}
    classes = [label for label in labels.values() if label in has_some]
    return of_files(classes, [(label, _written(key), part, path) for label, key, part, path in rows])


def _written(name: str) -> str:
    """A name that may be no UTF-8, for the record, which is."""
    return os.fsencode(name).decode(errors="replace")


def _shown(folder: Path, root: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and (not path.is_symlink() or path.resolve().is_relative_to(root))
    )
