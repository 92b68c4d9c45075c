"""What one decode finds in a picture: its content, the scores of the checks, and its fingerprint."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ImageError
from .fingerprints import Fingerprint, fingerprint
from .images import HASHED_SIDE, Content, decode, describe, sha256
from .quality import quality, scores


@dataclass(frozen=True)
class Looks:
    """Of one picture, the score of each check of `quality.scores`, 0 (bad) to 1, and its fingerprint."""

    scores: Mapping[str, float]
    fingerprint: Fingerprint


def look_at(data: bytes) -> tuple[Content, Looks | None]:
    """Decode `data` once; one that cannot be decoded has its reason in ``unreadable``, and no looks."""
    try:
        decoded = decode(data, least_side=HASHED_SIDE)
    except ImageError as error:
        return Content(sha256(data), len(data), unreadable=error.reason), None
    found = Looks(scores(quality(decoded.image), decoded.width, decoded.height), fingerprint(decoded.image))
    return describe(data, decoded, found.fingerprint.whole), found
