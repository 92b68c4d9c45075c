"""CUB-200-2011 (Wah et al., 2011) in its own layout: 11,788 photographs of 200 North American birds.

images.txt                "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
image_class_labels.txt    "1 1"
classes.txt               "1 001.Black_footed_Albatross"
train_test_split.txt      "1 0", 1 for train
bounding_boxes.txt        "1 60.0 27.0 325.0 304.0": left, top, width and height in pixels
images/<class>/<file>.jpg
"""

import re
from pathlib import Path

from ..errors import UsageError
from .dataset import Box, Dataset, as_labels, of_files
from .files_of import lines_of, within

_HOME = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
_FOLDER = "CUB_200_2011"  # as the archive unpacks
_HINT = "Unpack the archive again; nothing was imported."


def read_cub200(source: Path) -> Dataset:
    """CUB-200-2011 in the folder `source`, or in the one above it.

    Labels are the names of the classes without their numbers: ``Black_footed_Albatross``.

    Raises
    ------
    UsageError : one of its lists is missing or does not go with the others.
    """
    root = source / _FOLDER if (source / _FOLDER).is_dir() else source
    classes = _table(root / "classes.txt", 1)
    labels = as_labels((re.sub(r"^\d+\.", "", name) for (name,) in classes.values()), "classes.txt")
    label_of = dict(zip(classes, labels, strict=True))
    images = _table(root / "images.txt", 1)
    of_image = _matching(root / "image_class_labels.txt", 1, images)
    is_train = _matching(root / "train_test_split.txt", 1, images)
    boxes = _matching(root / "bounding_boxes.txt", 4, images)
    rows, by_key = [], {}
    for number, (name,) in images.items():
        (wanted,), (flag,) = of_image[number], is_train[number]
        if wanted not in label_of:
            raise UsageError(f"image_class_labels.txt: image {number} is of class {wanted}, which is none.", _HINT)
        if flag not in ("0", "1"):
            raise UsageError(f"train_test_split.txt: image {number} has {flag!r}, neither 0 nor 1.", _HINT)
        path = within(root / "images", name, "images.txt")
        rows.append((label_of[wanted], f"images/{name}", "train" if flag == "1" else "test", path))
        by_key[f"images/{name}"] = _box(number, boxes[number])
    return of_files(labels, rows, boxes=by_key, page_url=_HOME, listed_in="images.txt")


def _table(path: Path, columns: int) -> dict[str, list[str]]:
    """Number -> the columns behind it."""
    found: dict[str, list[str]] = {}
    for line in lines_of(path):
        number, *values = line.split(" ", columns) if columns == 1 else line.split()
        values = [value.strip() for value in values]
        if len(values) != columns or not number.isdecimal() or number in found:
            raise UsageError(f"{path.name}: the line {line!r} is not understood.", _HINT)
        found[number] = values
    if not found:
        raise UsageError(f"{path.name} is empty.", _HINT)
    return found


def _matching(path: Path, columns: int, images: dict[str, list[str]]) -> dict[str, list[str]]:
    table = _table(path, columns)
    if missing := images.keys() - table.keys():
        raise UsageError(f"{path.name} has no line for image {min(missing, key=int)}.", _HINT)
    return table


def _box(number: str, values: list[str]) -> Box:
    try:
        return Box(*map(float, values))
    except ValueError as error:
        raise UsageError(f"bounding_boxes.txt: image {number} has {' '.join(values)!r}.", _HINT) from error
