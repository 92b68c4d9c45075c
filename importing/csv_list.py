"""A table of pictures, CSV with a column for the file and one for the label, perhaps one for the part."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..split.foreign import part_called
from .dataset import Dataset, as_labels, of_files
from .files_of import within

_FILE = ("file", "filename", "file_name", "path", "filepath", "image", "picture")
_LABEL = ("label", "class", "species", "category", "target")
_PART = ("part", "split", "set", "subset", "partition")
_HINT = "It needs a first line with the columns file and label, and may have part: train, val or test."


def read_csv(source: Path) -> Dataset:
    """The pictures that the table `source` names; their files lie in its folder or below.

    Comma, semicolon or tab between columns. Further columns are passed over.

    Raises
    ------
    UsageError : a column or file is missing, or a name leads elsewhere.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it is no UTF-8"
        raise UsageError(f"{source} cannot be read: {what}.", _HINT) from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UsageError(f"{source.name} is no table: {error}.", _HINT) from error
    columns = [name.strip().casefold() for name in table[0]] if table else []
    file_at, label_at, part_at = (_column(columns, names) for names in (_FILE, _LABEL, _PART))
    if file_at is None or label_at is None:
        raise UsageError(f"{source.name} has no column {'file' if file_at is None else 'label'}.", _HINT)
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cells):
            continue
        if len(cells) != len(columns):
            raise UsageError(f"{source.name}, line {number}: {len(cells)} cells for {len(columns)} columns.", _HINT)
        part = _part(cells[part_at], source.name, number) if part_at is not None else None
        rows.append((cells[label_at].strip(), cells[file_at].strip(), part))
    if not rows:
        raise UsageError(f"{source.name} names no pictures.", _HINT)
    names = sorted({label for label, *_ in rows})
    labels = dict(zip(names, as_labels(names, source.name), strict=True))
    found = [
        (labels[label], file, part, within(source.parent, file, source.name))
        for label, file, part in dict.fromkeys(rows)
    ]
    return of_files(list(labels.values()), found, listed_in=source.name)


def _column(columns: Sequence[str], names: Sequence[str]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _part(cell: str, where: str, number: int) -> str | None:
    if not cell.strip():
        return None
    part = part_called(cell.strip())
    if part is None:
        raise UsageError(f"{where}, line {number}: {cell!r} is no part.", "Write train, val or test.")
    return part
