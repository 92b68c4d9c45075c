"""How long, and how many bytes, a server may take to answer: limits on what comes in over a socket, TLS or not.

A timeout alone would not do: it begins again with each byte of a server that sends one every few seconds. Here every
wait ends with the deadline of the whole fetch, and what comes in is counted before anything is unpacked.
"""

import http.client
import io
import math
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import FetchError
from .reasons import Reason

if TYPE_CHECKING:
    import urllib3

MAX_HEADERS = 262_144  # bytes; Chromium's limit
_TIMEOUT_S = 20.0
_CHUNK = 131_072
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(frozen=True)
class Limits:
    """Of one fetch: when it has to be over (time.monotonic), and the bytes that may come after the headers."""

    deadline: float = math.inf
    body_bytes: int = 50_000_000

    def seconds_left(self, timeout: object) -> float:
        """Until the deadline, at most `timeout`. Raises TimeoutError once it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return min(left, timeout if isinstance(timeout, int | float) else _TIMEOUT_S)


_NO_FETCH = Limits()
_limits = ContextVar("_limits", default=_NO_FETCH)  # each thread has its own


def present_limits() -> Limits:
    """Of the fetch that this thread is at."""
    return _limits.get()


@contextmanager
def within(limits: Limits) -> Iterator[None]:
    """Make `limits` those of what this thread reads meanwhile."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


class _Wire(io.RawIOBase):
    """Reads from `sock` within the limits of the fetch that this thread is at."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self.bytes_left = MAX_HEADERS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_limits.get().seconds_left(self._sock.gettimeout()))
        n = self._file.readinto(buffer)
        self.bytes_left -= n or 0
        if self.bytes_left < 0:
            raise FetchError("The server sends too much.", reason=Reason.TOO_LARGE)
        return n

    def close(self) -> None:
        self._file.close()
        super().close()


class Answer(http.client.HTTPResponse):
    """An HTTP answer within the limits: status line, headers (also of the 1xx answers before it) and body."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self._wire = _Wire(sock)
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        try:
            super().begin()
        except http.client.HTTPException as error:
            if isinstance(error, http.client.LineTooLong) or "more than" in str(error):  # too many have no class
                raise FetchError("Its headers are too large.", reason=Reason.TOO_LARGE) from error
            raise
        self._wire.bytes_left = _limits.get().body_bytes


def chunks(raw: "urllib3.BaseHTTPResponse", coding: str) -> Iterator[bytes]:
    """The body that `raw` has still to read, unpacked from gzip or deflate. Other codings, never asked for, stay.

    urllib3 can unpack too, but keeps the whole of a stream that unpacks to nothing. What follows a stream's end is not
    read. Raises zlib.error.
    """
    packed = raw.read(_CHUNK, decode_content=False)
    if coding not in _CODINGS:
        while packed:
            yield packed
            packed = raw.read(_CHUNK, decode_content=False)
        return
    is_bare = coding == "deflate" and packed[:1] and packed[0] & 15 != 8  # without zlib's header, as some send it
    unpacker = zlib.decompressobj(-15 if is_bare else 15 if coding == "deflate" else 31)
    while packed and not unpacker.eof:
        yield unpacker.decompress(packed, _CHUNK)
        packed = unpacker.unconsumed_tail or raw.read(_CHUNK, decode_content=False)
    if not unpacker.eof:
        raise zlib.error("the packed stream breaks off")
