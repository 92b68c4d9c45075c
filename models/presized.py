"""Pictures decoded once: of large photographs, copies in the size that training needs, kept on disk.

A photograph of 4000x3000 pixels takes 24 ms to become a random view and 90 to become a validation picture, its copies
2 and 0.3. Copies lie in a folder named after the label, as the originals do, so that they simply take their place.
"""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from .. import files, images
from ..errors import ImageError
from ..progress import SILENT, Progress

_ROOM = 1.5  # shorter side of a copy, in sides of the square in training, where a view may be of half the area
_WORTH_IT = 4  # times the pixels of the copy's square
_FORMAT = 1
_WORKERS, _AT_ONCE = 2, 64

Pictures = Sequence[tuple[str, Path]]  # SHA-256 of the file in hexadecimal, path


def presize(pictures: Pictures, cache: Path, *, size: int, progress: Progress = SILENT) -> list[Path]:
    """Files to train from in the place of `pictures`: a smaller copy of each large one, the others themselves.

    A copy is a JPEG (quality 95, colours not subsampled) whose shorter side is 1.5 times `size`. Where it cannot be
    written the originals are used, and a note says so; a picture that cannot be read is left to whoever opens it.

    Parameters
    ----------
    cache : folder that keeps the copies; made where it is missing.
    size : pixels of a side of the random views that training shows.
    """
    least = round(_ROOM * size)

    def copy(data: bytes) -> bytes:
        image = images.decode(data, least_side=least).image
        scale = least / min(image.size)
        if scale < 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        return _encoded(image, "JPEG", quality=95, subsampling=0, comment=b"")

    return _copies(pictures, cache / f"presized-{least}-{_FORMAT}", least, copy, suffix=".jpg", progress=progress)


def prepare_once(
    pictures: Pictures, cache: Path, *, evaluation_size: int, resize: str, progress: Progress = SILENT
) -> list[Path]:
    """Like `presize` for validation: copies are bitmaps of exactly what `images.prepare` makes of each.

    Preparing such a copy again changes nothing, unless `resize` is ``crop``: a network sees the pixels that it will see
    in prediction.
    """

    def copy(data: bytes) -> bytes:
        return _encoded(Image.fromarray(images.prepare(images.decode(data).image, evaluation_size, resize)), "BMP")

    folder = cache / f"prepared-{evaluation_size}-{resize}-{_FORMAT}"
    return _copies(pictures, folder, evaluation_size, copy, suffix=".bmp", progress=progress)


def _copies(
    pictures: Pictures, folder: Path, side: int, copy: Callable[[bytes], bytes], *, suffix: str, progress: Progress
) -> list[Path]:
    def place_of(picture: tuple[str, Path]) -> Path | OSError:
        digest, path = picture
        target = folder / path.parent.name / f"{digest}{suffix}"
        if target.is_file():
            return target
        try:
            data = path.read_bytes()
            if images.pixels(data) < _WORTH_IT * side**2 or images.sha256(data) != digest:
                return path
            made = copy(data)
        except (OSError, ImageError):
            return path
        try:
            files.write_bytes(target, made)
        except OSError as error:
            return error
        return target

    result: list[Path] = []
    with progress.bar("pre-sizing", total=len(pictures)) as bar, ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(0, len(pictures), _AT_ONCE):  # not all at once: there may be 100,000
            for place in pool.map(place_of, pictures[start : start + _AT_ONCE]):
                if isinstance(place, OSError):
                    progress.note(f"Large pictures are decoded in every epoch: {folder}: {place.strerror}.")
                    return [*result, *(path for _, path in pictures[len(result) :])]
                result.append(place)
                bar.advance()
    return result


def _encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
