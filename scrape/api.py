"""A polite fetcher of documented JSON APIs.

Such an API is used by its own terms and rate limits; robots.txt, which is about crawling pages, is not asked (that of
Wikimedia disallows the path its own API lives at).
"""

import random
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .. import net
from ..errors import FetchError, SourceError
from ..reasons import Cause

if TYPE_CHECKING:
    import requests

Params = Mapping[str, str | int]

TRIES = 4
PAUSE_S = 1.0  # before the second try; doubled before each one after it
MAX_WAIT_S = 60.0
MAX_BYTES = 20_000_000
TIMEOUT_S = 30.0
DEADLINE_S = 120.0  # for one answer, its body included
_MAX_REDIRECTS = 3
_CHUNK = 65_536
CHANGED = "Its API may have changed."
TRY_LATER = "What was got is kept; run it again later."


class _PassingError(Exception):
    """One try failed and another may do better."""

    def __init__(self, message: str, cause: Cause, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after_s = retry_after_s


class JsonApi:
    """One API, asked at most once in `gap_s`, by however many threads.

    Parameters
    ----------
    session : a guarded one, of `net.make_session`.
    base_url : what every path is appended to.
    gap_s : seconds from one request to the next.
    tries : how often a request is made before its failure counts.
    pause_s : seconds before the second try; each further pause is twice the last, with jitter.
    max_wait_s : the longest ``Retry-After`` that is waited for.
    max_bytes : the largest answer, decompressed.
    """

    def __init__(
        self,
        session: "requests.Session",
        base_url: str,
        *,
        gap_s: float,
        tries: int = TRIES,
        pause_s: float = PAUSE_S,
        max_wait_s: float = MAX_WAIT_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._host = base_url.rpartition("//")[2].partition("/")[0]
        self._gap_s = gap_s
        self._tries = tries
        self._pause_s = pause_s
        self._max_wait_s = max_wait_s
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._free_at = 0.0  # time.monotonic before which nothing is asked

    def get(self, path: str, params: Params) -> str:
        """The body that answers ``base_url + path?params``, as text.

        Raises
        ------
        SourceError : with the cause ``network``, ``quota`` (429, refused, or a longer pause asked for than is waited)
            or ``unknown_layout`` (any other 4xx, a body too large).
        """
        pause_s = self._pause_s
        for left in reversed(range(self._tries)):
            self._await_turn()
            try:
                return self._ask(self._base_url + path, params)
            except _PassingError as error:
                if error.retry_after_s > self._max_wait_s:
                    message = f"{self._host} asks for a pause of {error.retry_after_s:.0f} seconds."
                    raise SourceError(message, TRY_LATER, cause=Cause.QUOTA) from error
                if not left:
                    raise SourceError(f"{self._host}: {error}", TRY_LATER, cause=error.cause) from error
                self._rest(max(error.retry_after_s, pause_s * random.uniform(1.0, 1.5)))
                pause_s *= 2
        raise AssertionError("no try is left over")

    def _await_turn(self) -> None:
        """Sleep until nobody has to be left alone, and take that moment."""
        while True:
            with self._lock:
                now = time.monotonic()
                wait_s = self._free_at - now
                if wait_s <= 0:
                    self._free_at = now + self._gap_s
                    return
            time.sleep(wait_s)  # and look again: another thread may have been told to wait meanwhile

    def _rest(self, wait_s: float) -> None:
        """Nobody asks before `wait_s` is over: the server's wish concerns every thread."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + wait_s)

    def _ask(self, url: str, params: Params) -> str:
        """One try."""
        import requests
        from urllib3.exceptions import HTTPError  # what reading a body raises

        deadline = time.monotonic() + DEADLINE_S
        asked: Params | None = params
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                with self._session.get(
                    url,
                    params=asked,
                    headers={"Accept": "application/json"},
                    stream=True,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                ) as answer:
                    if location := self._session.get_redirect_target(answer):
                        url, asked = self._same_host(url, location), None
                        continue
                    self._check_status(answer)
                    return self._body(answer, deadline).decode("utf-8", "replace")
        except FetchError as error:  # of the connection itself: more came than any answer needs
            raise self._strange(f"{error}") from error
        except net.ForbiddenAddressError as error:
            hint = "--allow-host HOST:PORT lets a server of your own through."
            raise self._unreachable(f"{error} is not on the public internet", hint) from error
        except ValueError as error:  # requests' words for a malformed address
            raise self._unreachable(f"the address is malformed ({error})") from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _PassingError(f"the connection failed ({error}).", Cause.NETWORK) from error
        raise self._unreachable(f"more than {_MAX_REDIRECTS} redirects")

    def _same_host(self, url: str, location: str) -> str:
        """Where a redirect leads, if that is the same host: an API has no reason to send anybody elsewhere."""
        target = urljoin(url, location)
        if urlsplit(target).hostname != urlsplit(url).hostname:
            raise self._unreachable(f"it redirects to {urlsplit(target).hostname}")
        return target

    def _unreachable(self, why: str, hint: str = "Check the connection.") -> SourceError:
        return SourceError(f"{self._host} cannot be asked: {why}.", hint, cause=Cause.NETWORK)

    def _strange(self, what: str) -> SourceError:
        return SourceError(f"{self._host}: {what}", CHANGED, cause=Cause.UNKNOWN_LAYOUT)

    def _check_status(self, answer: "requests.Response") -> None:
        status = answer.status_code
        if status == 200:
            return
        said = f"it answered HTTP {status}."
        wait_s = net.retry_after_s(answer.headers.get("Retry-After", "")) or 0.0
        if status == 429:
            raise _PassingError(said, Cause.QUOTA, wait_s)
        if status in {408, 425} or status >= 500:
            raise _PassingError(said, Cause.NETWORK, wait_s)
        if status in {401, 403}:  # how an API turns away whom it has blocked
            raise SourceError(f"{self._host} refuses: {said}", TRY_LATER, cause=Cause.QUOTA)
        raise self._strange(said)

    def _body(self, answer: "requests.Response", deadline: float) -> bytes:
        body = bytearray()
        while chunk := answer.raw.read1(_CHUNK, decode_content=True):  # what has come, not a whole chunk
            body += chunk
            if len(body) > self._max_bytes:
                raise self._strange(f"it answered with more than {self._max_bytes} bytes.")
            if time.monotonic() > deadline:
                raise _PassingError("it took too long.", Cause.NETWORK)
        return bytes(body)
