"""Bounding boxes of imported pictures: ``.birds/bounding_boxes.csv``, for whoever wants to crop by them.

No command of birds reads it. Columns: label, file (in images/, as it was imported), left, top, width and height in
pixels of that file, and the picture's name in its dataset.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from .. import files
from ..files import Project
from ..record import PictureFile
from ..tables import as_csv
from .dataset import Box

_COLUMNS = ("label", "file", "x", "y", "width", "height", "original")


def boxes_path(project: Project) -> Path:
    """Where the table lies."""
    return project.hidden / "bounding_boxes.csv"


def keep_boxes(project: Project, imported: list[PictureFile], boxes: Mapping[str, Box]) -> None:
    """Write the boxes of the files `imported`; those of files that the table has already, and these not, stay."""
    path = boxes_path(project)
    rows: dict[tuple[str, str], tuple[object, ...]] = {}
    if path.is_file():
        table = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        rows = {(row[0], row[1]): tuple(row) for row in list(table)[1:] if len(row) == len(_COLUMNS)}
    for file in imported:
        title = file.provenance.title or ""
        if box := boxes.get(title):
            numbers = (f"{side:g}" for side in (box.x, box.y, box.width, box.height))
            rows[file.label, file.name] = (file.label, file.name, *numbers, title)
    text = as_csv(_COLUMNS, (rows[key] for key in sorted(rows))).encode()
    if not path.is_file() or path.read_bytes() != text:
        files.write_bytes(path, text)
