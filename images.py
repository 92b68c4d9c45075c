"""The one place that opens, checks, hashes and prepares pictures.

Files come from strangers: what a file is, is decided by its content and by fully decoding it, never by its name or
by what a server said. Pillow raises many kinds of errors on hostile files (``OSError``, ``ValueError``,
``SyntaxError``, ``struct.error``, ...): each becomes an `ImageError` with a `Reason`.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError
from .reasons import Reason

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 50_000_000  # 150 MB once decoded; cameras of 2024 stay below
MAX_SIDE = 65_500  # pixels; libjpeg, which writes what we store, takes no longer one
MIN_SIDE = 64  # pixels; below it the shorter side shows no bird
RESIZES = ("squish", "crop")


@dataclass(frozen=True)
class Decoded:
    """A picture that was fully decoded.

    Attributes
    ----------
    image : mode RGB, upright (EXIF orientation applied), first frame; transparent parts on white.
    format : what the file really is, one of `FORMATS`.
    width, height : pixels of the upright picture.
    is_plain_jpeg : the file is an upright RGB JPEG already and can be stored byte for byte.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    is_plain_jpeg: bool


@dataclass(frozen=True)
class Content:
    """What is known of a picture's bytes: digest and size at once, the rest (None until then) by decoding.

    Hashes are 64-bit pHashes of the picture and of its mirror image, see `perceptual_hashes`.
    """

    sha256: str
    bytes: int
    format: str | None = None
    width: int | None = None
    height: int | None = None
    phash: int | None = None
    mirror_phash: int | None = None
    unreadable: Reason | None = None


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode `data` completely.

    Raises
    ------
    ImageError : NOT_AN_IMAGE (nothing known), TOO_MANY_PIXELS, or UNREADABLE (truncated, damaged, hostile).
    """
    try:
        opened = Image.open(io.BytesIO(data), formats=FORMATS)
        if opened.width * opened.height > max_pixels or max(opened.size) > MAX_SIDE:
            raise ImageError(f"{opened.width}x{opened.height} pixels are too many.", reason=Reason.TOO_MANY_PIXELS)
        opened.load()
        image_format = "JPEG" if opened.format == "MPO" else str(opened.format)  # MPO: a JPEG with more behind it
        orientation = _orientation(opened)
        is_plain = opened.format == "JPEG" and opened.mode == "RGB" and orientation == 1
        image = ImageOps.exif_transpose(opened) if orientation != 1 else opened
        image = _rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("It is no picture of a known format.", reason=Reason.NOT_AN_IMAGE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("It would decode to too many pixels.", reason=Reason.TOO_MANY_PIXELS) from error
    except Exception as error:  # the edge of one image; see the module's docstring
        raise ImageError(f"It cannot be decoded: {error}.", reason=Reason.UNREADABLE) from error
    return Decoded(image, image_format, image.width, image.height, is_plain)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where the tag is missing or the EXIF block is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # 16 bits a channel: Pillow would clip at 255
        import numpy as np

        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        return Image.fromarray((values.clip(0, top) * (255 / top)).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def pixels(data: bytes) -> int:
    """Pixels that `data` claims to have, by its header alone; 0 where that says nothing."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            return opened.width * opened.height
    except Exception:  # noqa: BLE001 - `decode` says what is wrong with it
        return 0


def open_rgb(path: Path) -> Image.Image:
    """The picture in `path`, RGB and upright. Raises `ImageError` naming the file."""
    try:
        return decode(path.read_bytes()).image
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.", reason=Reason.UNREADABLE) from error
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", reason=error.reason) from error


def as_jpeg(decoded: Decoded, data: bytes) -> bytes:
    """The bytes to store: `data` itself where it is a plain JPEG, else encoded once at quality 95."""
    if decoded.is_plain_jpeg:
        return data
    buffer = io.BytesIO()
    # without its comment: a GIF's may be longer than a JPEG can hold, and Pillow would take it over
    decoded.image.save(buffer, "JPEG", quality=95, subsampling=0, comment=b"")
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def describe(data: bytes, decoded: Decoded) -> Content:
    """What the record keeps of a picture: `data` as it came, `decoded` from it."""
    phash, mirror_phash = perceptual_hashes(decoded.image)
    return Content(
        sha256(data), len(data), decoded.format, decoded.width, decoded.height, phash=phash, mirror_phash=mirror_phash
    )


def inspect(data: bytes) -> Content:
    """Decode `data` and describe it; a picture that cannot be decoded has its reason in ``unreadable``."""
    try:
        return describe(data, decode(data))
    except ImageError as error:
        return Content(sha256(data), len(data), unreadable=error.reason)


def perceptual_hashes(image: Image.Image) -> tuple[int, int]:
    """64-bit pHash of `image` and of its mirror image, as unsigned integers.

    The DCT hash of Zauner (2010), as the library ``imagehash`` computes it: close pictures differ in few bits.
    """
    import imagehash

    small = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)  # what phash does first; once for both
    return int(str(imagehash.phash(small)), 16), int(str(imagehash.phash(ImageOps.mirror(small))), 16)


def prepare(image: Image.Image, size: int, resize: str = "squish") -> "np.ndarray":
    """The one transform that validation, evaluation, prediction and export share.

    Parameters
    ----------
    image : RGB.
    size : pixels of each side of the result.
    resize : ``squish`` scales both sides to `size`; ``crop`` scales the shorter side to 8/7 of `size` (256 for 224)
        and takes the middle.

    Returns
    -------
    uint8 array [size, size, 3], bilinear with antialiasing (Pillow's).
    """
    import numpy as np

    if resize == "crop":
        scale = size * 8 / 7 / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    elif resize == "squish":
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    else:
        raise ValueError(f"resize is one of {RESIZES}, not {resize!r}")
    return np.asarray(image)
