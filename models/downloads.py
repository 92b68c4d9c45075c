"""Weights from a URL that says what they have to be: ``https://host/file.pth#sha256=HEX``.

The digest makes it safe to fetch from anywhere, and the same weights for everybody who gives the same address. The host
that a person names may be a private one, such as a classroom's server; one that it redirects to may not.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

import torch

from .. import files
from ..errors import FetchError, UsageError, WeightsError
from ..net import MAX_REDIRECTS, TIMEOUT_S, ForbiddenAddressError, make_session
from ..progress import SILENT, Progress
from ..wire import Limits, within

if TYPE_CHECKING:
    import urllib3

MAX_BYTES = 4_000_000_000  # the largest of torchvision's files has 2.6 GB
_MB = 1_000_000


def is_url(weights: str) -> bool:
    """Whether `weights` is a web address and no name or file."""
    return weights.startswith(("http://", "https://"))


def checkpoints() -> Path:
    """The folder of torch hub's cache that weights are kept in."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch_weights(weights: str, *, max_bytes: int = MAX_BYTES, progress: Progress = SILENT) -> Path:
    """The file that the URL `weights` stands for: from torch hub's cache, else downloaded into it, atomically.

    Raises
    ------
    UsageError : the URL lacks the SHA-256 of its file.
    WeightsError : it cannot be had, or another file came; then nothing is kept.
    """
    url, fragment = urldefrag(weights)
    match = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if not match:
        raise UsageError(
            f"The address {url} does not say which file has to come, so a changed one would not be noticed.",
            f"Add the SHA-256 that `sha256sum FILE` prints for a copy you trust: {url}#sha256=HEX",
        )
    digest = match[1].lower()
    suffix = ".safetensors" if urlsplit(url).path.endswith(".safetensors") else ".pth"
    path = checkpoints() / f"{digest}{suffix}"
    if path.is_file() and files.sha256_of(path) == digest:
        return path
    try:
        with files.replacing(path) as temporary:
            came = _download(url, temporary, max_bytes, progress)
            if came != digest:
                raise WeightsError(
                    f"{url} is not the file that was asked for: its SHA-256 is {came}.",
                    "It was changed, or the #sha256= of the address is another file's.",
                )
    except OSError as error:
        raise WeightsError(
            f"{path.parent} cannot be written: {error.strerror}.", "Let TORCH_HOME name another folder."
        ) from error
    return path


def _download(url: str, path: Path, max_bytes: int, progress: Progress) -> str:
    """Write what `url` answers to `path`, at most so many bytes; returns its SHA-256."""
    import requests
    from urllib3.exceptions import HTTPError

    digest = hashlib.sha256()
    try:
        with _answer(url, max_bytes) as body, path.open("wb") as file:
            total = -(-body.length_remaining // _MB) if body.length_remaining else None
            with progress.bar(f"downloading {urlsplit(url).path.rpartition('/')[2]} (MB)", total) as bar:
                while chunk := body.read(_MB, decode_content=False):
                    file.write(chunk)
                    digest.update(chunk)
                    bar.advance()
        return digest.hexdigest()
    except ForbiddenAddressError as error:
        reason = f"it leads to {error}, which is not on the public internet"
    except FetchError as error:
        reason = error.message.rstrip(".")
    except requests.ConnectionError:
        reason = f"{urlsplit(url).netloc} cannot be reached"
    except (requests.RequestException, HTTPError, ValueError) as error:  # ValueError: of an impossible port
        reason = str(error)
    raise WeightsError(f"{url} could not be downloaded: {reason}.", "Try again, or give a file with --weights FILE.")


@contextmanager
def _answer(url: str, max_bytes: int) -> "Iterator[urllib3.BaseHTTPResponse]":
    """The body that `url` answers with in the end, unread."""
    named = urlsplit(url)
    allowed = (named.hostname or "", named.port or (443 if named.scheme == "https" else 80))
    plain = {"Accept": "*/*", "Accept-Encoding": "identity"}  # the digest is of the file as it is
    with make_session(frozenset({allowed})) as session, within(Limits(body_bytes=max_bytes)):
        for _ in range(MAX_REDIRECTS + 1):
            with session.get(url, stream=True, timeout=TIMEOUT_S, allow_redirects=False, headers=plain) as answer:
                if location := session.get_redirect_target(answer):
                    url = urljoin(url, location)
                    continue
                if answer.status_code != 200:
                    raise ValueError(f"HTTP {answer.status_code}")
                yield answer.raw
                return
    raise ValueError(f"more than {MAX_REDIRECTS} redirects")
