"""From a dataset's pictures to files in images/ and rows in the record, some hundred at a time.

Order of writing, as everywhere: rows ``pending`` with their final names and parts, then the files, then ``stored``. A
batch is two transactions, and its files are encoded and written on all cores.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from .. import files, images
from ..errors import ImageError
from ..files import Project
from ..net import MAX_BYTES
from ..progress import Bar
from ..reasons import Reason
from ..record import Provenance, Record, State
from .dataset import Item

if TYPE_CHECKING:
    import numpy as np

    from .dataset import Picture

AT_A_TIME = 256
_LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF"})  # formats whose pictures would only lose by becoming a JPEG

Known = Collection[tuple[str, str, str]]  # label, key and SHA-256 of what was imported before


@dataclass(frozen=True)
class _Ready:
    """What is to be stored of one picture, or why it is not: `reason`, or None for what is there already."""

    item: Item
    content: images.Content | None = None
    data: bytes = b""
    suffix: str = ""
    reason: Reason | None = None


def store(
    project: Project,
    record: Record,
    pictures: "Iterable[tuple[Item, Picture]]",
    *,
    known: Known,
    provenance: Provenance,
    pool: Executor,
    bar: Bar,
) -> tuple[int, Counter[str]]:
    """Store `pictures` under their labels, in their order; what is `known` is passed over.

    Parameters
    ----------
    provenance : what is the same for all; title and position are of each.

    Returns
    -------
    How many are new, and how many were refused by reason.
    """
    imported, refused = 0, Counter[str]()
    staging = project.staging("import")
    waiting = iter(pictures)
    while some := list(islice(waiting, AT_A_TIME)):
        ready = list(pool.map(lambda pair: _ready(pair[0], pair[1], known), some))
        new = list(_enter(record, ready, provenance, refused))
        paths = [project.images / one.item.label / name for one, name, _ in new]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        for _ in pool.map(lambda pair: _write(staging, pair[0][0], pair[1]), zip(new, paths, strict=True)):
            pass
        with record.transaction():
            for (*_, id_), path in zip(new, paths, strict=True):
                record.update_file(id_, state=State.STORED, mtime_ns=path.stat().st_mtime_ns)
        imported += len(new)
        bar.advance(len(some))
    return imported, refused


def _ready(item: Item, picture: "Picture", known: Known) -> _Ready:
    try:
        return _of_file(item, picture, known) if isinstance(picture, Path) else _of_pixels(item, picture, known)
    except ImageError as error:
        return _Ready(item, reason=error.reason)


def _of_file(item: Item, path: Path, known: Known) -> _Ready:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return _Ready(item, reason=Reason.UNREADABLE)
    if len(data) > MAX_BYTES:
        return _Ready(item, reason=Reason.TOO_LARGE)
    if (item.label, item.key, images.sha256(data)) in known:
        return _Ready(item)
    decoded = images.decode(data, least_side=images.HASHED_SIDE)
    content = images.describe(data, decoded)
    if decoded.format in _LOSSLESS:
        return _Ready(item, content, images.as_png(_gray_if_gray(decoded.image)), ".png")
    return _Ready(item, content, images.as_jpeg(decoded, data), ".jpg")


def _gray_if_gray(image: Image.Image) -> Image.Image:
    """One channel of an RGB picture whose three are the same: a third of the file."""
    first, *others = image.split()
    return first if all(first.tobytes() == other.tobytes() for other in others) else image


def _of_pixels(item: Item, pixels: "np.ndarray[Any, Any]", known: Known) -> _Ready:
    import numpy as np

    pixels = np.ascontiguousarray(pixels)
    # what makes it the same picture is its pixels: the bytes of a PNG depend on who writes it
    original = repr(pixels.shape).encode() + pixels.tobytes()
    if (item.label, item.key, images.sha256(original)) in known:
        return _Ready(item)
    image = Image.fromarray(pixels)
    data = images.as_png(image)
    decoded = images.Decoded(image, "PNG", image.width, image.height, is_plain_jpeg=False)
    return _Ready(item, images.describe(original, decoded), data, ".png")


def _enter(
    record: Record, ready: Iterable[_Ready], provenance: Provenance, refused: Counter[str]
) -> Iterator[tuple[_Ready, str, int]]:
    """Write the rows of what is new; gives each with its name and id. Counts the others in `refused`."""
    new = []
    with record.transaction():
        for one in ready:
            item, content = one.item, one.content
            if content is None:
                refused.update([one.reason] if one.reason else [])
                continue
            if record.knows(item.label, content.sha256):
                refused[Reason.EXACT_COPY] += 1
                continue
            name = f"{content.sha256[:16]}{one.suffix}"
            if record.has_name(item.label, name):  # a person edited that file in place
                continue
            id_ = record.add_file(
                item.label,
                name,
                sha256=images.sha256(one.data),
                picture=record.picture(content),
                provenance=replace(provenance, title=item.key, position=item.number + 1),
                state=State.PENDING,
            )
            if item.part:
                record.add_to_split([(id_, item.part)])
            new.append((one, name, id_))
    yield from new


def _write(staging: Path, one: _Ready, path: Path) -> None:
    staged = staging / f"{one.item.number}{one.suffix}"
    files.write_durably(staged, one.data)
    files.put_in_place(staged, path)
