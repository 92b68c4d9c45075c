"""The one place that opens, checks, hashes and prepares pictures.

Files come from strangers: what a file is, is decided by its content and by fully decoding it, never by its name or
by what a server said. Pillow raises many kinds of errors on hostile files (``OSError``, ``ValueError``,
``SyntaxError``, ``struct.error``, ...): each becomes an `ImageError` with a `Reason`.
"""

import ctypes
import hashlib
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from .errors import ImageError
from .fingerprints import perceptual_hashes
from .reasons import Reason

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 50_000_000  # 150 MB once decoded; cameras of 2024 stay below
MAX_SIDE = 65_500  # pixels; libjpeg, which writes what we store, takes no longer one
MIN_SIDE = 64  # pixels; below it the shorter side shows no bird
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs heif mif1 mif2 msf1".split())
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_LONGEST = 8  # times the shorter side: beyond that nothing of the rest is in a middle square
RESIZES = ("squish", "trim", "crop")
DEFAULT_RESIZE = "squish"
_TRIMMED = 4 / 3  # times the shorter side
HASHED_SIDE = 256  # pixels; the shorter side of what hashes are made of, where the picture is larger
MAKE, MODEL, TAKEN, SUBSECOND, SERIAL = 0x010F, 0x0110, 0x9003, 0x9291, 0xA431  # EXIF: camera, DateTimeOriginal, ...
_EXIF_DETAILS = 0x8769
_BRANDS_BYTES = 256
_STRIP_PIXELS = 2_000_000
_MAX_SCANS = 100  # of a progressive JPEG; encoders make about ten
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # others are inside the coded pixels
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_UPRIGHT = {  # EXIF orientation -> what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """A picture that was fully decoded.

    Attributes
    ----------
    image : mode RGB, upright (EXIF orientation applied), first frame; transparent parts on white. Reduced in size where
        that was asked for.
    format : what the file really is, one of `FORMATS`, or HEIF where the extra of that name is installed.
    width, height : pixels of the upright picture.
    is_plain_jpeg : the file is an upright RGB JPEG already and can be stored byte for byte.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    is_plain_jpeg: bool


@dataclass(frozen=True, slots=True)  # there may be 100,000 of it
class Content:
    """What is known of a picture's bytes: digest and size at once, the rest (None until then) by decoding.

    Hashes are 64-bit pHashes of the picture and of its mirror image, see `fingerprints.perceptual_hashes`.
    """

    sha256: str
    bytes: int
    format: str | None = None
    width: int | None = None
    height: int | None = None
    phash: int | None = None
    mirror_phash: int | None = None
    unreadable: Reason | None = None


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, least_side: int | None = None) -> Decoded:
    """Decode `data` completely.

    Parameters
    ----------
    least_side : pixels. A plain JPEG may then come at a half, a quarter or an eighth of its size, no side shorter than
        this. Its whole stream is decoded all the same, only the cosine transform is cut short: a 1600x1067 picture
        takes 2.0 ms instead of 3.8, and an eighth of the memory or less.

    Raises
    ------
    ImageError : NOT_AN_IMAGE (nothing known), NEEDS_HEIF (HEIC, without what reads it), TOO_MANY_PIXELS, or UNREADABLE
        (truncated, damaged, hostile).
    """
    try:
        opened = _open(data)
        if opened.width * opened.height > max_pixels or max(opened.size) > MAX_SIDE:
            raise ImageError(f"{opened.width}x{opened.height} pixels are too many.", reason=Reason.TOO_MANY_PIXELS)
        if opened.format in ("JPEG", "MPO") and _has_too_many_scans(data):
            raise ImageError(f"It has more than {_MAX_SCANS} scans.", reason=Reason.UNREADABLE)
        width, height = opened.size
        is_plain = opened.format == "JPEG" and opened.mode == "RGB" and _orientation(opened) == 1
        if is_plain and least_side:
            opened.draft("RGB", (least_side, least_side))
        opened.load()
        image_format = "JPEG" if opened.format == "MPO" else str(opened.format)  # MPO: a JPEG with more behind it
        orientation = _orientation(opened)  # now: Pillow turns TIFF upright by itself while it loads
        image = _rgb(opened)
        del opened  # of 50 million pixels, one copy is enough
        if orientation != 1:
            image = image.transpose(_UPRIGHT[orientation])
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("It is no picture of a known format.", reason=Reason.NOT_AN_IMAGE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("It would decode to too many pixels.", reason=Reason.TOO_MANY_PIXELS) from error
    except Exception as error:  # the edge of one image; see the module's docstring
        raise ImageError(f"It cannot be decoded: {error}.", reason=Reason.UNREADABLE) from error
    if not is_plain:
        width, height = image.size
    return Decoded(image, image_format, width, height, is_plain)


def _open(source: bytes | Path) -> Image.Image:
    """The picture in `source` by its header: its pixels are not decoded yet."""
    given: io.BytesIO | Path
    if isinstance(source, bytes):
        given, head = io.BytesIO(source), source[:_BRANDS_BYTES]
    else:
        with source.open("rb") as file:
            given, head = source, file.read(_BRANDS_BYTES)
    if not _is_heif(head):
        return Image.open(given, formats=FORMATS)
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        message = 'It is a HEIC picture, which birds reads after pip install "birds[heif]".'
        raise ImageError(message, reason=Reason.NEEDS_HEIF) from error
    return HeifImageFile(given)  # type: ignore[no-untyped-call]


def _has_too_many_scans(data: bytes) -> bool:
    """Whether a JPEG would be decoded over and over."""
    # 75 bytes say "go through all pixels once more", which takes 33 ms for 50 million: 16 MB of it would take two hours
    at = scans = 0
    while marker := _JPEG_MARKER.search(data, at):
        kind, at = marker[1][0], marker.end()
        if kind == _EOI:  # what may follow is no part of the picture: a phone's video, say
            return False
        scans += kind == _SOS
        if scans > _MAX_SCANS:
            return True
        if kind != _SOI:
            at += int.from_bytes(data[at : at + 2])  # its parameters, which may look like markers
    return False


def _is_heif(data: bytes) -> bool:
    """Whether the brands in its first box (ISO/IEC 23008-12) say HEIF, as a phone's HEIC does, and not AVIF."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4]), _BRANDS_BYTES)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where the tag is missing or the EXIF block is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rgb(image: Image.Image) -> Image.Image:
    """`image` in mode RGB, a strip at a time, so that a large one is never there three times over."""
    if image.mode == "RGB":
        return image
    rows = max(1, _STRIP_PIXELS // image.width)
    strips = [(0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)]
    is_deep = image.mode in ("I", "F") or image.mode.startswith("I;16")  # 16 bits a channel: Pillow would clip at 255
    white = 255.0
    if is_deep and any(_values(image.crop(strip)).max(initial=0) > white for strip in strips):
        white = 65535.0
    result = Image.new("RGB", image.size)
    for strip in strips:
        part = image.crop(strip)
        result.paste(_from_deep(part, white) if is_deep else _flattened(part), strip[:2])
    return result


def _values(image: Image.Image) -> "np.ndarray":
    import numpy as np

    return np.asarray(image, dtype=np.float64)


def _from_deep(image: Image.Image, white: float) -> Image.Image:
    values = _values(image).clip(0, white) * (255 / white)
    return Image.fromarray(values.astype("uint8")).convert("RGB")


def _flattened(image: Image.Image) -> Image.Image:
    """8 bits a channel as RGB, transparent parts on white."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def pixels(data: bytes) -> int:
    """Pixels that `data` claims to have, by its header alone; 0 where that says nothing."""
    try:
        with _open(data) as opened:
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
    exif = _capture_exif(data)
    decoded.image.save(buffer, "JPEG", quality=95, subsampling=0, comment=b"", exif=exif)
    return buffer.getvalue()


def as_png(image: Image.Image) -> bytes:
    """`image` as it is, without loss and without anything but its pixels."""
    bare = image.copy()
    bare.info.clear()  # profiles and texts of the file it came from
    buffer = io.BytesIO()
    bare.save(buffer, "PNG")
    return buffer.getvalue()


def exif_of(source: Path | bytes) -> tuple[Image.Exif, dict[int, object]]:
    """The EXIF of a picture by its header alone, and its details (the IFD "Exif"). Raises whatever bytes lead to."""
    with _open(source) as opened:
        exif = opened.getexif()
        return exif, exif.get_ifd(_EXIF_DETAILS)


def _capture_exif(data: bytes) -> Image.Exif:
    """Camera and time, by which `split/capture.py` finds series; no position, no orientation, nothing else."""
    kept = Image.Exif()
    try:
        exif, details = exif_of(data)
        kept.update({tag: str(exif[tag]) for tag in (MAKE, MODEL) if tag in exif})
        kept[_EXIF_DETAILS] = {tag: str(details[tag]) for tag in (TAKEN, SUBSECOND, SERIAL) if tag in details}
        kept.tobytes()  # strangers wrote it: better none than an error while saving
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing about the pixels
        return Image.Exif()
    return kept


def scaled_down(data: bytes, side: int) -> bytes:
    """A JPEG of at most `side` by `side` pixels without EXIF or comment. Raises `ImageError` like `decode`."""
    image = decode(data, least_side=side).image
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85, comment=b"")
    return buffer.getvalue()


def read_plain(path: Path) -> bytes:
    """The bytes of a file of ``images/``: no symbolic link below that folder is followed, which itself may be one.

    Raises
    ------
    ImageError : UNREADABLE, gone or no plain file.
    """
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise ImageError(f"{path} is gone or is no plain file.", reason=Reason.UNREADABLE)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.", reason=Reason.UNREADABLE) from error


def give_back_memory() -> None:
    """Let glibc return to the system what large pictures left free; does nothing where there is no glibc.

    It keeps that for each thread otherwise: gigabytes, after a few pictures of 50 million pixels.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def describe(data: bytes, decoded: Decoded, hashes: tuple[int, int] | None = None) -> Content:
    """What the record keeps of a picture: `data` as it came, `decoded` from it; its perceptual `hashes`, if known."""
    phash, mirror_phash = hashes or perceptual_hashes(decoded.image)
    return Content(
        sha256(data), len(data), decoded.format, decoded.width, decoded.height, phash=phash, mirror_phash=mirror_phash
    )


def _no_longer_than(image: Image.Image, times: float) -> Image.Image:
    """The middle of `image` where it is longer than so many times its width: one pixel by 65,000 would grow huge."""
    most = round(times * min(image.size))
    width, height = (min(side, most) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image if (width, height) == image.size else image.crop((left, top, left + width, top + height))


def trim(image: Image.Image) -> Image.Image:
    """`image` without the ends of its longer side, as far as that is more than 4/3 of the shorter one."""
    return _no_longer_than(image, _TRIMMED)


def prepare(image: Image.Image, size: int, resize: str = DEFAULT_RESIZE) -> "np.ndarray":
    """The one transform that validation, evaluation, prediction and export share.

    Parameters
    ----------
    image : RGB.
    size : pixels of each side of the result.
    resize : ``squish`` scales both sides to `size`; ``trim`` cuts the ends of the longer side off first, where it is
        more than 4/3 of the shorter one; ``crop`` scales the shorter side to 8/7 of `size` (256 for 224) and takes the
        middle.

    Returns
    -------
    uint8 array [size, size, 3], bilinear with antialiasing (Pillow's).
    """
    import numpy as np

    if resize == "crop":
        image = _no_longer_than(image, _LONGEST)
        scale = size * 8 / 7 / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    elif resize in ("trim", "squish"):
        image = (trim(image) if resize == "trim" else image).resize((size, size), Image.Resampling.BILINEAR)
    else:
        raise ValueError(f"resize is one of {RESIZES}, not {resize!r}")
    return np.asarray(image)
