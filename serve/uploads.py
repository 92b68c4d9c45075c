"""The picture in a request: a raw body, or the one file of a form. In memory only, never on disk.

Starlette's own form parser puts what is larger than a megabyte into a temporary file; here `python-multipart` is fed
directly. What the sender calls the content decides how the body is read, never what the picture is.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .limits import Budget
from .refusals import Refusal, busy, too_large

FIELD = "picture"
_MAX_PARTS = 16  # each costs a few calls: without a limit, ten megabytes of empty ones would take seconds
_HINT = "Send curl -F picture=@photo.jpg, or the picture as the body with Content-Type: image/jpeg."


class _Body(Protocol):
    def write(self, chunk: bytes) -> None: ...
    def finish(self) -> bytes: ...


async def picture_in(
    content_type: str, chunks: AsyncIterator[bytes], *, max_bytes: int, budget: Budget
) -> tuple[bytes, int]:
    """The bytes of the picture, and how much of `budget` they hold: the caller gives that back.

    Raises
    ------
    Refusal : another type, no picture or several, too large, or no memory left for it.
    """
    body = _body_of(content_type)
    total = 0
    try:
        async for chunk in chunks:
            if total + len(chunk) > max_bytes:
                raise too_large(max_bytes)
            if not budget.take(len(chunk)):
                raise busy("Too many pictures are arriving.")
            total += len(chunk)
            body.write(chunk)
        return body.finish(), total
    except BaseException:
        budget.give(total)
        raise


def _body_of(content_type: str) -> _Body:
    kind, options = parse_options_header(content_type)
    if kind.startswith(b"image/") or kind == b"application/octet-stream":
        return _RawBody()
    if kind == b"multipart/form-data" and options.get(b"boundary"):
        return _FormBody(options[b"boundary"])
    raise Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong_type", "The request is neither a picture nor a form.", _HINT
    )


class _RawBody:
    """The body is the picture."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, chunk: bytes) -> None:
        self._data += chunk

    def finish(self) -> bytes:
        if not self._data:
            raise _no_picture("The request is empty.")
        return bytes(self._data)


class _FormBody:
    """The picture is the field `FIELD` of a form (RFC 7578). Other fields are read past."""

    def __init__(self, boundary: bytes) -> None:
        self._data = bytearray()
        self._parts = self._pictures = 0
        self._is_picture = self._is_whole = False
        self._name, self._value = bytearray(), bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_part_data": self._take,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _bad_form() from error

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _bad_form() from error

    def finish(self) -> bytes:
        if not self._is_whole:
            raise _bad_form()
        if not self._data:
            raise _no_picture(f"The form has no file in its field {FIELD!r}.")
        return bytes(self._data)

    def _begin(self) -> None:
        self._parts += 1
        self._is_picture = False
        if self._parts > _MAX_PARTS:
            raise Refusal(HTTPStatus.BAD_REQUEST, "bad_form", f"The form has more than {_MAX_PARTS} fields.", _HINT)

    def _end_header(self) -> None:
        name, value = bytes(self._name).lower(), bytes(self._value)
        self._name.clear()
        self._value.clear()
        if name == b"content-disposition" and parse_options_header(value)[1].get(b"name") == FIELD.encode():
            self._is_picture = True
            self._pictures += 1
            if self._pictures > 1:
                raise Refusal(
                    HTTPStatus.BAD_REQUEST, "bad_form", "The form has several pictures.", "Send one at a time."
                )

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._is_picture:
            self._data += memoryview(data)[start:end]

    def _end(self) -> None:
        self._is_whole = True


def _bad_form() -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "bad_form", "The form is damaged.", _HINT)


def _no_picture(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "no_picture", message, _HINT)
