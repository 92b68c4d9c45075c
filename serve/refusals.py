"""Why a request gets no answer: one JSON object, whoever finds the fault. Statuses are those of RFC 9110 and 6585."""

import json
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images import FORMATS
from ..reasons import Reason

if TYPE_CHECKING:
    from starlette.responses import Response

_OF_REASON = {
    Reason.NOT_AN_IMAGE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send one of {', '.join(FORMATS)}."),
    Reason.NEEDS_HEIF: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send it as a JPEG."),
    Reason.TOO_MANY_PIXELS: (HTTPStatus.UNPROCESSABLE_ENTITY, "Scale it down first."),
    Reason.TOO_SMALL: (HTTPStatus.UNPROCESSABLE_ENTITY, "Send the picture in its full size."),
}
_UNREADABLE = (HTTPStatus.UNPROCESSABLE_ENTITY, "Send the file as the camera wrote it.")


@dataclass(eq=False)  # not frozen: Python writes the traceback into an exception
class Refusal(Exception):  # noqa: N818 - said by the server, not met by the user
    """One refusal.

    Attributes
    ----------
    reason : a word for programs: of `reasons.Reason` where the picture is at fault.
    message, hint : what happened and what to do, for people.
    retry_after_s : when another try may fare better; None for never.
    """

    status: HTTPStatus
    reason: str
    message: str
    hint: str = ""
    retry_after_s: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Those that only a refusal has."""
        return {} if self.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}

    @property
    def body(self) -> bytes:
        """The JSON object, in UTF-8."""
        said = {"reason": self.reason, "message": self.message, "hint": self.hint}
        return json.dumps({"error": said}, ensure_ascii=False).encode()

    def response(self) -> "Response":
        """As an answer of the app."""
        from starlette.responses import Response

        return Response(self.body, self.status, self.headers, media_type="application/json")


@dataclass
class Tally:
    """How many pictures were identified and how many requests refused, by reason. No more is kept of anybody."""

    identified: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def count(self, refusal: Refusal) -> None:
        """One more was refused."""
        self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + 1


def of_image(error: ImageError) -> Refusal:
    """What is said of a picture that `images.decode` refused."""
    status, hint = _OF_REASON.get(error.reason, _UNREADABLE)
    return Refusal(status, error.reason.value, error.message, hint)


def busy(message: str = "Too many pictures are being looked at.") -> Refusal:
    """Everything is fine but full."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", message, "Try again in a moment.", retry_after_s=2)


def too_slow(what: str, seconds: float) -> Refusal:
    """The sender took longer than anybody has to."""
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        Reason.TIMEOUT.value,
        f"The {what} did not come within {seconds:g} seconds.",
        "Send it over a faster connection, or make the picture smaller.",
    )


def too_large(max_bytes: int) -> Refusal:
    """The upload has too many bytes."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Reason.TOO_LARGE.value,
        f"The upload is larger than {max_bytes / 1e6:g} MB.",
        "Make the picture smaller.",
    )
