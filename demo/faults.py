"""What can go wrong, on purpose: the faults a gallery can be started with, and what a faulty picture host answers.

Which pictures a fault hits depends on their keys alone, so a second run meets the same ones.
"""

import io
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256

from PIL import Image

_SHARE = 30  # per cent of the pictures that FAILING and LYING hit
_SLOW_S = 3.0  # before the first byte; then it drips


class Fault(StrEnum):
    """One thing that a gallery does wrong."""

    CAPTCHA = "captcha"  # every search ends on the 'unusual traffic' page
    CAPTCHA_LATER = "captcha_later"  # the first search is answered, the next ones are blocked
    CONSENT = "consent"  # a consent page whose buttons lead back to it
    JAVASCRIPT_SHELL = "javascript_shell"
    OUTDATED_BROWSER = "outdated_browser"
    NO_RESULTS = "no_results"
    NO_RECORDS = "no_records"  # cards without records: the mouse brings their links, a click the side panel
    ONLY_PANEL = "only_panel"  # nor do their links name a picture: only the side panel shows it
    ONLY_THUMBNAILS = "only_thumbnails"  # cards, but no address of any full-size picture
    UNKNOWN_LAYOUT = "unknown_layout"  # a person sees pictures, a parser finds neither record, link nor <img>
    QUOTA = "quota"  # every search is answered with HTTP 429, without a captcha
    SERVER_ERROR = "server_error"  # every search is answered with HTTP 503
    SLOW = "slow"  # picture hosts wait, then drip
    FAILING = "failing"  # a share of the pictures: 404, 500, 503, reset connection
    LYING = "lying"  # a share of the pictures: not what their headers or records say


WITHOUT_RECORDS = frozenset({Fault.NO_RECORDS, Fault.ONLY_PANEL, Fault.ONLY_THUMBNAILS})
REFUSALS = {Fault.QUOTA: 429, Fault.SERVER_ERROR: 503}  # the HTTP status of each


@dataclass(frozen=True)
class Answer:
    """What a picture host sends.

    Attributes
    ----------
    declared_bytes : the Content-Length, where it is not the body's own.
    wait_s : seconds before the first byte.
    pieces, pause_s : the body comes in so many pieces, with so many seconds between them.
    is_reset : the connection is reset instead of any answer.
    """

    body: bytes
    media_type: str
    status: int = 200
    declared_bytes: int | None = None
    wait_s: float = 0.0
    pieces: int = 1
    pause_s: float = 0.0
    is_reset: bool = False


def answer(fault: Fault | None, key: str, body: bytes, media_type: str, latency_s: float = 0.0) -> Answer:
    """The answer for the picture `key`, whose honest one is `body` as `media_type` after `latency_s` seconds.

    With ``Fault.SLOW``, `latency_s` is the wait before the first byte if it is not 0, else that is 3 s.
    """
    honest = Answer(body, media_type, wait_s=latency_s)
    if fault is Fault.SLOW:
        return replace(honest, wait_s=latency_s or _SLOW_S, pieces=8, pause_s=(latency_s or _SLOW_S) / 12)
    share, kind = divmod(int.from_bytes(sha256(key.encode()).digest()[:4]), 60)
    if fault not in {Fault.FAILING, Fault.LYING} or share % 100 >= _SHARE:
        return honest
    page = b"<!doctype html><title>Sorry</title><p>This picture is not shown on other sites.</p>"
    if fault is Fault.FAILING:
        failures = (
            Answer(page, "text/html", status=404, wait_s=latency_s),
            Answer(page, "text/html", status=500, wait_s=latency_s),
            Answer(page, "text/html", status=503, wait_s=latency_s),
            replace(honest, is_reset=True),
        )
        return failures[kind % len(failures)]
    lies = (
        replace(honest, body=page),
        replace(honest, body=body[: len(body) // 2]),
        replace(honest, body=_pixel(), media_type="image/png"),
        replace(honest, body=body[: len(body) // 2], declared_bytes=len(body)),
        replace(honest, media_type="text/plain"),
    )
    return lies[kind % len(lies)]


@cache
def _pixel() -> bytes:
    """A picture of 1x1, as hosts send in place of one they no longer have."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(buffer, "PNG")
    return buffer.getvalue()
