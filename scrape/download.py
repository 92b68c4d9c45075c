"""Downloading candidates in parallel and checking each by really decoding it; results in rank order.

A picture's failure is a value with a reason, never an exception that stops the batch.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from .. import images
from ..errors import BirdsError, FetchError, ImageError
from ..net import Fetched
from ..reasons import Reason
from .candidates import Candidate

WORKERS = 16
PER_HOST = 4  # connections to one host at a time
_TRIES = 3
_FIRST_WAIT_S = 0.5

Fetch = Callable[[str], Fetched]


@dataclass(frozen=True)
class Download:
    """What became of one candidate: ``jpeg`` and ``content``, or a ``reason``.

    Attributes
    ----------
    jpeg : the bytes to store.
    content : of the original bytes.
    is_passing : whether another run may fare better.
    """

    candidate: Candidate
    jpeg: bytes = b""
    content: images.Content | None = None
    reason: Reason | None = None
    is_passing: bool = False


def download(
    candidates: Iterable[Candidate], fetch: Fetch, *, workers: int = WORKERS, per_host: int = PER_HOST
) -> Iterator[Download]:
    """Download `candidates`, at most `per_host` at a time from one host, yielding in their order.

    Reads ahead by twice the number of workers; when the caller stops, what has not begun is dropped.
    """
    gates: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(per_host))

    def job(candidate: Candidate, gate: threading.Semaphore) -> Download:
        with gate:
            return _download_one(candidate, fetch)

    under_way: deque[Future[Download]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="birds-download")
    stopped: BirdsError | None = None
    try:
        try:
            for candidate in candidates:
                under_way.append(pool.submit(job, candidate, gates[urlsplit(candidate.url).netloc]))
                if len(under_way) >= 2 * workers:
                    yield under_way.popleft().result()
        except BirdsError as error:  # the source stopped: what is under way still counts
            stopped = error
        while under_way:
            yield under_way.popleft().result()
        if stopped:
            raise stopped
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _download_one(candidate: Candidate, fetch: Fetch) -> Download:
    try:
        data = _fetch_with_retries(candidate.url, fetch).data
        decoded = images.decode(data)
        if min(decoded.width, decoded.height) < images.MIN_SIDE:
            return Download(candidate, reason=Reason.TOO_SMALL)
        content = images.describe(data, decoded)
        return Download(candidate, jpeg=images.as_jpeg(decoded, data), content=content)
    except FetchError as error:
        return Download(candidate, reason=error.reason, is_passing=error.is_passing)
    except ImageError as error:
        return Download(candidate, reason=error.reason)


def _fetch_with_retries(url: str, fetch: Fetch) -> Fetched:
    """Fetch, trying again after a passing failure with growing, jittered waits."""
    for attempt in range(1, _TRIES + 1):
        try:
            return fetch(url)
        except FetchError as error:
            if not error.is_passing or attempt == _TRIES:
                raise
            time.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")
