"""What a person named to be looked at -> pictures, and their bytes.

A picture may be a file, a folder (searched to the bottom), a pattern (``photos/**/*.jpg``), a web address, or ``-`` for
standard input. What the files in a folder are is decided by their content, not by their names.
"""

import glob
import os
import stat
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import net
from ..errors import ImageError
from ..reasons import Reason
from ..robots import Robots

if TYPE_CHECKING:
    import requests

STANDARD_INPUT = "-"
_MOST_BYTES = 200_000_000  # of a file; 50 million pixels without compression are 150
_GAP_S = 0.05  # between two requests to one host, of which there is one at a time


def expand(asked: Iterable[str | Path]) -> list[str]:
    """The pictures that are meant, each once, in the order given; those of a folder or a pattern sorted.

    Hidden files and folders within a folder are left out, and links to folders aren't followed. What isn't there stays
    in the list: `Reader.read` says why it cannot be read.
    """
    names: dict[str, None] = {}
    for one in asked:
        names.update(dict.fromkeys(_meant_by(str(one))))
    return list(names)


def is_url(name: str) -> bool:
    """Whether `name` is a web address."""
    return name.lower().startswith(("http://", "https://"))


def as_shown(name: str) -> str:
    """`name` as text that can be printed anywhere: file names need not be UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _meant_by(name: str) -> Iterator[str]:
    if name == STANDARD_INPUT or is_url(name):
        yield name
        return
    path = os.path.expanduser(name)  # noqa: PTH111 - Path's raises where there is no such home
    if os.path.lexists(path):
        yield from _files_at(path)
    elif glob.has_magic(path):
        found = sorted(glob.iglob(path, recursive=True))  # noqa: PTH207 - Path's cannot start at the root
        for one in found:
            yield from _files_at(one)
        if not found:
            yield path
    else:
        yield path


def _files_at(path: str) -> Iterator[str]:
    """`path`, or all files below it; a folder that holds none, or cannot be listed, itself."""
    if not os.path.isdir(path):  # noqa: PTH112 - 20,000 Path objects would take ten times the memory
        yield path
        return
    unlisted: list[str] = []
    is_empty = True
    for folder, inside, files in os.walk(path, onerror=lambda error: unlisted.append(str(error.filename))):
        inside[:] = sorted(one for one in inside if not one.startswith("."))
        for file in sorted(files):
            if not file.startswith("."):
                is_empty = False
                yield os.path.join(folder, file)  # noqa: PTH118
    yield from unlisted or ([path] if is_empty else [])


@dataclass
class _Host:
    lock: threading.Lock = field(default_factory=threading.Lock)
    not_before: float = 0.0  # time.monotonic


class Reader:
    """Gives the bytes of pictures, from however many threads.

    Web addresses pass the guard that scraping has: no private address, robots.txt and opt-outs respected, one request
    to a host at a time.

    Parameters
    ----------
    allow_hosts : ``HOST:PORT`` patterns the guard lets through, see `net.parse_allowed_hosts`.
    """

    def __init__(self, allow_hosts: Iterable[str] = ()) -> None:
        self._allowed = net.parse_allowed_hosts(allow_hosts)
        self._lock = threading.Lock()
        self._web: tuple[requests.Session, Robots] | None = None
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)

    def read(self, name: str) -> bytes:
        """The content of a file, a web address or standard input.

        Raises
        ------
        ImageError, FetchError : it cannot be had.
        """
        if name == STANDARD_INPUT:
            return _standard_input()
        return self._fetched(name) if is_url(name) else _content(name)

    def _fetched(self, url: str) -> bytes:
        try:
            place = urlsplit(url).netloc.lower()
        except ValueError as error:
            raise ImageError(f"The address is malformed: {error}.", reason=Reason.FORBIDDEN_ADDRESS) from error
        with self._lock:
            if self._web is None:
                session = net.make_session(self._allowed)
                self._web = session, Robots(session)
            session, robots = self._web
            host = self._hosts[place]
        with host.lock:
            time.sleep(max(0.0, host.not_before - time.monotonic()))
            try:
                return net.fetch(session, url, check=robots.check).data
            finally:
                host.not_before = time.monotonic() + max(_GAP_S, robots.delay_s(url) or 0.0)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if not data:
        raise ImageError("Nothing came on standard input.", reason=Reason.UNREADABLE)
    return _bounded(data)


def _content(path: str) -> bytes:
    try:
        about = Path(path).stat()
        if stat.S_ISDIR(about.st_mode):
            os.scandir(path).close()  # says why, where the folder cannot be listed
            raise ImageError("The folder holds no files.", reason=Reason.UNREADABLE)
        if not stat.S_ISREG(about.st_mode):  # a device or a pipe may never end
            raise ImageError("It is no plain file.", reason=Reason.UNREADABLE)
        with Path(path).open("rb") as file:
            return _bounded(file.read(_MOST_BYTES + 1))
    except FileNotFoundError as error:
        what = "No file matches the pattern." if glob.has_magic(path) else "There is no such file."
        raise ImageError(what, reason=Reason.UNREADABLE) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        detail = getattr(error, "strerror", None) or error
        raise ImageError(f"It cannot be read: {detail}.", reason=Reason.UNREADABLE) from error


def _bounded(data: bytes) -> bytes:
    if len(data) > _MOST_BYTES:
        raise ImageError(f"It is larger than {_MOST_BYTES // 1_000_000} MB.", reason=Reason.TOO_LARGE)
    return data
