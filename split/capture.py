"""When, and by which camera, a photograph was taken: from its EXIF, of which only the header is read.

Series of a person's own photographs are found by it: seconds apart, they show the same bird on the same branch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..images import MAKE, MODEL, SERIAL, SUBSECOND, TAKEN, exif_of

SERIES_S = 60.0  # seconds from one photograph of a series to the next


@dataclass(frozen=True)
class Capture:
    """``taken_s`` is in seconds, by the clock of the camera."""

    camera: str
    taken_s: float


def capture_of(path: Path) -> Capture | None:
    """What the EXIF of the picture in `path` says; None where it says nothing of use, or cannot be read."""
    try:
        exif, details = exif_of(path)
        tags = (exif.get(MAKE), exif.get(MODEL), details.get(SERIAL))
        camera = " ".join(text for tag in tags if (text := str(tag or "").strip("\0 ")))
        taken = datetime.strptime(str(details[TAKEN]).strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
        fraction = float("0." + "".join(filter(str.isdecimal, str(details.get(SUBSECOND, "")))) + "0")
    except Exception:  # noqa: BLE001 - files of strangers; without a time it is in no series
        return None
    return Capture(camera, taken.timestamp() + fraction) if camera else None


def series(captures: Iterable[tuple[int, Capture]]) -> list[list[int]]:
    """Pictures, given as (picture, its capture), taken by one camera each within `SERIES_S` of the one before."""
    found: list[list[int]] = []
    last: Capture | None = None
    for picture, capture in sorted(captures, key=lambda pair: (pair[1].camera, pair[1].taken_s, pair[0])):
        if last and capture.camera == last.camera and capture.taken_s - last.taken_s <= SERIES_S:
            found[-1].append(picture)
        else:
            found.append([picture])
        last = capture
    return [pictures for pictures in found if len(pictures) > 1]
