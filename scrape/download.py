"""Downloading candidates in parallel and checking each by really decoding it; results in rank order.

One set of threads serves all species at once and is polite to each host: so many connections, a gap between two
requests, Retry-After. No thread sleeps for a slow or resting host while another could be asked. A picture's failure is
a value with a reason, never an exception that stops the batch.
"""

import os
import random
import threading
import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from .. import files, images, net
from ..errors import BirdsError, FetchError, ImageError
from ..net import Fetched
from ..reasons import Reason
from .candidates import Candidate

WORKERS = 64
PER_HOST = 4  # connections to one host at a time
GAP_S = 0.05  # between the beginnings of two requests to one host
_TRIES = {Reason.HTTP_ERROR: 3, Reason.NETWORK: 3, Reason.TIMEOUT: 2}  # of passing failures; others get one
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0  # a host that asks for a longer rest gets it: it is left alone until the next run
# More would only keep the thread that stores from its turn: on 2 processors, 67 to 92 pictures/s with 14 of them, 163
# to 182 with 3 (benchmarks/scrape.py).
_DECODERS = (os.cpu_count() or 1) + 1
_PIXELS_AT_ONCE = 24_000_000  # decoded at the same time, so that memory stays flat; a larger picture is decoded alone
_LARGE_BYTES, _LARGE_PIXELS = 1_000_000, 10_000_000  # from here on it leaves holes in memory

Fetch = Callable[[str, ExitStack], Fetched]  # of a URL; the stack is closed once its content is used


@dataclass(frozen=True)
class Download:
    """What became of one candidate: a file to store, or a ``reason``.

    Attributes
    ----------
    staged : the JPEG to store, in the staging folder.
    sha256 : of that file.
    content : of the original bytes.
    is_passing : whether another run may fare better.
    """

    candidate: Candidate
    staged: Path | None = None
    sha256: str = ""
    content: images.Content | None = None
    reason: Reason | None = None
    is_passing: bool = False


@dataclass(order=True)
class _Job:
    number: int  # the order in which jobs were handed in: the sort key
    candidate: Candidate = field(compare=False)
    host: str = field(compare=False)
    tries: int = field(default=0, compare=False)
    not_before: float = field(default=0.0, compare=False)  # time.monotonic
    outcome: Download | Exception | None = field(default=None, compare=False)


@dataclass
class _Host:
    active: int = 0
    not_before: float = 0.0  # time.monotonic


class Downloader:
    """Threads that fetch and check pictures until the ``with`` block ends.

    Parameters
    ----------
    fetch : gives a URL's content or raises FetchError.
    staging : an empty folder for the files to store.
    workers, per_host : fetches at the same time, in all and from one host.
    gap_s : seconds between the beginnings of two requests to the host of a URL.
    """

    def __init__(
        self,
        fetch: Fetch,
        staging: Path,
        *,
        workers: int = WORKERS,
        per_host: int = PER_HOST,
        gap_s: Callable[[str], float] = lambda _: GAP_S,
    ) -> None:
        self._fetch, self._staging, self._gap_s = fetch, staging, gap_s
        self._workers, self._per_host = workers, per_host
        self._numbers = count()
        self._waiting: list[_Job] = []
        self._hosts: dict[str, _Host] = {}
        lock = threading.RLock()  # guards the three above and every job
        self._changed, self._done = threading.Condition(lock), threading.Condition(lock)
        self._is_closed = False
        self._decoders, self._decoding = threading.Semaphore(_DECODERS), _Room(_PIXELS_AT_ONCE)

    def __enter__(self) -> Self:
        for number in range(self._workers):  # daemons: the end of the program does not wait for a slow host
            threading.Thread(target=self._work, name=f"birds-download-{number}", daemon=True).start()
        return self

    def stop(self) -> None:
        """Begin nothing more and let nobody wait: what `download` gave so far is all."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._done.notify_all()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        with self._decoding.taken(_PIXELS_AT_ONCE):  # nobody writes into the staging folder any more
            pass

    def download(self, candidates: Iterable[Candidate], wanted: Callable[[], int]) -> Iterator[Download]:
        """Download `candidates`, yielding in their order; may be called from several threads at once.

        Reads ahead by no more than twice the number of workers, and little further than `wanted` tells are still
        needed. When the caller stops, what has not begun is dropped.
        """
        window: deque[_Job] = deque()
        stopped: BirdsError | None = None
        try:
            try:
                for candidate in candidates:
                    window.append(self._begin(candidate))
                    ahead = min(2 * self._workers, wanted() * 5 // 4 + 4)
                    while window and (window[0].outcome or len(window) >= ahead):
                        if not (outcome := self._outcome(window.popleft())):
                            return
                        yield outcome
            except BirdsError as error:  # the source stopped: what is under way still counts
                stopped = error
            while window and (outcome := self._outcome(window.popleft())):
                yield outcome
            if stopped:
                raise stopped
        finally:
            with self._changed:
                for job in window:
                    if job in self._waiting:
                        self._waiting.remove(job)

    def _begin(self, candidate: Candidate) -> _Job:
        number = next(self._numbers)
        job = _Job(number, candidate, f"file {number}" if candidate.path else "")
        with self._changed:
            try:
                job.host = job.host or urlsplit(candidate.url).netloc.lower()
            except ValueError:  # strangers' addresses may be anything
                job.outcome = Download(candidate, reason=Reason.FORBIDDEN_ADDRESS)
                return job
            self._waiting.append(job)
            self._changed.notify()
        return job

    def _outcome(self, job: _Job) -> Download | None:
        """What became of `job`, waiting for it; None where the end came first."""
        with self._changed:
            while job.outcome is None and not self._is_closed:
                self._done.wait()
        if isinstance(job.outcome, Exception):  # not the picture's fault: a full disk, say
            raise job.outcome
        return job.outcome

    # -- what each thread does

    def _work(self) -> None:
        while job := self._take():
            try:
                outcome = self._download(job.candidate, job.number)
            except FetchError as error:
                self._give_back(job, error)
            except Exception as error:  # noqa: BLE001 - raised again in the thread that waits for this picture
                self._finish(job, error)
            else:
                self._finish(job, outcome)

    def _take(self) -> _Job | None:
        """The first waiting job whose host may be asked now, waiting for one; None once all is over."""
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                soonest = None
                for job in list(self._waiting):
                    host = self._hosts.setdefault(job.host, _Host())
                    start = max(job.not_before, host.not_before)
                    if start - now > _LONGEST_WAIT_S:
                        self._waiting.remove(job)
                        job.outcome = Download(job.candidate, reason=Reason.HTTP_ERROR, is_passing=True)
                        self._done.notify_all()
                    elif start <= now and host.active < self._per_host:
                        self._waiting.remove(job)
                        host.active += 1
                        host.not_before = now + self._gap_s(job.candidate.url)
                        return job
                    elif host.active < self._per_host:
                        soonest = min(soonest or start, start)
                self._changed.wait(None if soonest is None else soonest - now)
        return None

    def _give_back(self, job: _Job, error: FetchError) -> None:
        """Queue a job again after a passing failure, with growing, jittered waits; or let it be."""
        now = time.monotonic()
        wait_s = error.retry_after_s or _FIRST_WAIT_S * 2**job.tries * random.uniform(0.5, 1.5)
        job.tries += 1
        with self._changed:
            if error.retry_after_s:  # the host rests, not only this picture
                host = self._hosts[job.host]
                host.not_before = max(host.not_before, now + wait_s)
            if error.is_passing and job.tries < _TRIES.get(error.reason, 1) and wait_s <= _LONGEST_WAIT_S:
                job.not_before = now + wait_s
                self._hosts[job.host].active -= 1
                insort(self._waiting, job)
                self._changed.notify()
                return
        self._finish(job, Download(job.candidate, reason=error.reason, is_passing=error.is_passing))

    def _finish(self, job: _Job, outcome: Download | Exception) -> None:
        with self._changed:
            job.outcome = outcome
            self._hosts[job.host].active -= 1
            self._done.notify_all()

    def _download(self, candidate: Candidate, number: int) -> Download:
        with ExitStack() as holding:
            data = _read(candidate.path) if candidate.path else self._fetch(candidate.url, holding).data
            pixels = images.pixels(data)
            with self._decoders, self._decoding.taken(pixels):
                try:
                    return self._check(candidate, data, number)
                except ImageError as error:
                    return Download(candidate, reason=error.reason, is_passing=error.reason is Reason.NEEDS_HEIF)
                finally:
                    if len(data) > _LARGE_BYTES or pixels > _LARGE_PIXELS:
                        images.give_back_memory()

    def _check(self, candidate: Candidate, data: bytes, number: int) -> Download:
        """Decode what came, and stage what is to be stored of it."""
        decoded = images.decode(data, least_side=images.HASHED_SIDE)
        if min(decoded.width, decoded.height) < images.MIN_SIDE:
            return Download(candidate, reason=Reason.TOO_SMALL)
        content = images.describe(data, decoded)
        jpeg = images.as_jpeg(decoded, data)
        if self._is_closed:
            return Download(candidate, reason=Reason.NETWORK, is_passing=True)
        staged = self._staging / f"{number}.jpg"
        files.write_durably(staged, jpeg)
        sha256 = content.sha256 if decoded.is_plain_jpeg else images.sha256(jpeg)
        return Download(candidate, staged=staged, sha256=sha256, content=content)


def _read(path: Path) -> bytes:
    """A picture that is on this computer already. Raises FetchError as a download would."""
    try:
        with path.open("rb") as file:
            data = file.read(net.MAX_BYTES + 1)
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}.", reason=Reason.UNREADABLE) from error
    if len(data) > net.MAX_BYTES:
        raise FetchError(f"{path} is larger than {net.MAX_BYTES} bytes.", reason=Reason.TOO_LARGE)
    return data


class _Room:
    """A semaphore with weights. A weight above the whole is let in alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, weight: int) -> Iterator[None]:
        """Wait until `weight` is free, and hold it."""
        weight = min(weight, self._size)
        with self._freed:
            while weight > self._free:
                self._freed.wait()
            self._free -= weight
        try:
            yield
        finally:
            with self._freed:
                self._free += weight
                self._freed.notify_all()
