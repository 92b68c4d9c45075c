"""Picture files whose folder's name is their label. Without fastai: evaluating an exported model needs none."""

import unicodedata
from pathlib import Path


def label_of(path: Path) -> str:
    """The label of a file: its folder's name, in Unicode NFC."""
    return unicodedata.normalize("NFC", path.parent.name)


def picture_files(folder: Path) -> list[Path]:
    """Every file of ``folder/<label>/``, whatever its extension, sorted; dotted ones are not pictures."""
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.glob("*/*")
        if p.is_file() and not p.name.startswith(".") and not p.parent.name.startswith(".")
    )
