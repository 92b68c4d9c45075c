"""The pictures a gallery has to show: drawn by code, or those of a folder of labelled folders.

Pictures are drawn and files are opened only when somebody asks, so that a gallery starts at once.
"""

import io
import re
import threading
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path

from PIL import Image

from ..errors import UsageError
from ..species import find, fold

_UNREADABLE_SIZE = (640, 480)  # what a record says of a file that Pillow cannot open
_THUMBNAIL_WIDTH = 220
_MAX_THUMBNAIL_PIXELS = 60_000_000  # larger pictures are bombs, or as good as


@dataclass(frozen=True)
class Item:
    """One picture, at place `number` (from 0) among those of its label."""

    key: str
    label: str
    number: int
    name: str
    source: Path | bytes

    def read(self) -> bytes:
        """The file as it is, broken or not."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the header alone."""
        try:
            with Image.open(io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source) as image:
                return image.size
        except Exception:  # noqa: BLE001  # Pillow raises nearly anything on hostile files; they are served all the same
            return _UNREADABLE_SIZE

    @property
    def thumbnail_size(self) -> tuple[int, int]:
        """Width and height of its thumbnail."""
        width, height = self.size
        return _THUMBNAIL_WIDTH, min(max(round(height * _THUMBNAIL_WIDTH / width), 60), 440)


class Shelf:
    """Labels, and the pictures of each in rank order.

    Parameters
    ----------
    images : folder of labelled folders, all of whose files are shown; None for drawn pictures.
    per_label : how many are drawn for each label.
    seed : of the drawing; keys depend on it too.

    Raises
    ------
    UsageError : `images` is no folder, or has no sub-folder with a file in it.
    """

    def __init__(self, images: Path | None = None, per_label: int = 90, seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._shown: dict[str, list[Item]] = {}
        self._rest = _drawn(per_label, seed) if images is None else _from_folders(images)
        self.labels = tuple(self._rest)
        self.thumbnail = lru_cache(maxsize=1000)(_thumbnail)  # about 8 kB each

    @cached_property
    def _by_name(self) -> dict[str, str]:
        known = [(label, find(label)) for label in self.labels]
        index = {fold(species.label): label for label, species in known if species}
        return index | {fold(label): label for label in self.labels}

    def find(self, query: str) -> str | None:
        """The label that `query` means: a folder's name, or any name of its species in any spelling."""
        species = find(query)
        return self._by_name.get(fold(query)) or (self._by_name.get(fold(species.label)) if species else None)

    def pictures(self, label: str, start: int, stop: int) -> list[Item]:
        """Those of `label` from rank `start` to before `stop`; fewer or none where it has no more."""
        with self._lock:
            shown = self._shown.setdefault(label, [])
            for name, source in islice(self._rest[label], max(stop - len(shown), 0)):
                number = len(shown)
                shown.append(Item(self._key(label, number, name), label, number, name, source))
            return shown[start:stop]

    def item(self, key: str) -> Item | None:
        """The picture that `key` names, whether it was shown before or not."""
        try:
            label = self.labels[int(key[:2], 16)]
        except (ValueError, IndexError):
            return None
        shown = next((item for item in self._shown.get(label, ()) if item.key == key), None)
        return shown or next((item for item in self.pictures(label, 0, 1_000_000) if item.key == key), None)

    def _key(self, label: str, number: int, name: str) -> str:
        digest = sha256(f"{self._seed}/{label}/{number}/{name}".encode("utf-8", "surrogateescape")).digest()
        return f"{self.labels.index(label):02x}" + urlsafe_b64encode(digest)[:12].decode()


_Named = tuple[str, Path | bytes]


def _drawn(per_label: int, seed: int) -> dict[str, Iterator[_Named]]:
    from .collection import collection
    from .draw import LABELS

    def drawn(label: str) -> Iterator[_Named]:
        for picture in collection(label, count=per_label, seed=seed):
            yield picture.name, picture.data

    return {label: drawn(label) for label in LABELS}


def _from_folders(images: Path) -> dict[str, Iterator[_Named]]:
    hint = "Give a folder that holds one folder of pictures for each label."
    if not images.is_dir():
        raise UsageError(f"There is no folder {str(images)!r}.", hint)
    found: dict[str, Iterator[_Named]] = {}
    for folder in sorted(images.iterdir(), key=_natural):
        files = [path for path in folder.iterdir() if _is_shown(path)] if folder.is_dir() else []
        if files and not folder.name.startswith("."):
            pictures = [(unicodedata.normalize("NFC", path.name), path) for path in sorted(files, key=_natural)]
            found[unicodedata.normalize("NFC", folder.name)] = iter(pictures)
    if not found:
        raise UsageError(f"No folder in {str(images)!r} has a file in it.", hint)
    return found


def _is_shown(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts ``stork2`` before ``stork10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", fold(path.name))]


def _thumbnail(item: Item) -> bytes:
    """A small JPEG of `item`; plain grey where it cannot be read."""
    size = item.thumbnail_size
    small = Image.new("RGB", size, "#c4c7c5")
    if item.size[0] * item.size[1] <= _MAX_THUMBNAIL_PIXELS:
        try:
            with Image.open(io.BytesIO(item.read())) as image:
                image.draft("RGB", size)
                small.paste(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
        except Exception:  # noqa: BLE001  # as in Item.size
            small = Image.new("RGB", size, "#c4c7c5")
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()
