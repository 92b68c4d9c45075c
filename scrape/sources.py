"""Every source by its name: how it is made, and how a saved page of it is read.

A source is given as ``NAME``, or as ``urls:FILE`` and ``folder:DIR`` for pictures a person has listed or has.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files import Project
from ..progress import SILENT, Progress
from . import bing, commons, duckduckgo, gbif, google, google_page, inaturalist, openverse
from .candidates import Page, Source
from .picture_folder import PictureFolder
from .saved_pages import SavedPages
from .url_list import UrlList

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True)
class Surroundings:
    """What sources are made with.

    Attributes
    ----------
    base_urls : other addresses for sources, by name.
    apis : those opened so far. All threads share one of each, whose pace is kept for all of them.
    """

    project: Project
    session: "requests.Session"
    base_urls: Mapping[str, str] = field(default_factory=dict)
    licence: str = "any"
    thumbnails: bool = False
    headed: bool = False
    grid_url: str | None = None
    saved: SavedPages | None = None
    progress: Progress = SILENT
    apis: dict[str, Source] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)  # of `apis`


_API: dict[str, Callable[..., Source]] = {
    "inaturalist": inaturalist.INaturalist,
    "gbif": gbif.Gbif,
    "commons": commons.Commons,
    "openverse": openverse.Openverse,
}
_OWN: dict[str, Callable[[Path], UrlList | PictureFolder]] = {"urls": UrlList, "folder": PictureFolder}
SOURCES = ("google", "bing", *_API, "urls:FILE", "folder:DIR")
_PARSERS: dict[str, Callable[[str], Page]] = {
    "google": google_page.parse,
    "bing": bing.parse,
    "duckduckgo": duckduckgo.parse,
    "inaturalist": inaturalist.parse,
    "gbif": gbif.parse,
    "commons": commons.parse,
    "openverse": openverse.parse,
}


def name_of(source: str) -> str:
    """The name in ``NAME`` or ``NAME:ARGUMENT``.

    Raises
    ------
    UsageError : there is no such source, or its argument is missing or too much.
    """
    name, colon, argument = source.partition(":")
    if name == "duckduckgo":
        raise UsageError("duckduckgo cannot be searched.", duckduckgo.WHY_NOT_LIVE)
    if name not in {one.partition(":")[0] for one in SOURCES}:
        raise UsageError(f"There is no source {source!r}.", f"Sources: {', '.join(SOURCES)}.")
    if (name in _OWN) != bool(colon and argument):
        form = next(one for one in SOURCES if one.partition(":")[0] == name)
        raise UsageError(f"{source!r} is not how this source is given.", f"Write --source {form}.")
    return name


def is_own(source: str) -> bool:
    """Whether it is a person's own list or folder."""
    return source.partition(":")[0] in _OWN


def own_labels(source: str) -> list[str]:
    """The labels that a person's list or folder has; none for the others, which must be told what to search for."""
    name, _, argument = source.partition(":")
    return _OWN[name](Path(argument)).labels() if name in _OWN else []


def open_source(source: str, around: Surroundings) -> Source:
    """The source given as ``NAME`` or ``NAME:ARGUMENT``."""
    name, _, argument = source.partition(":")
    if name in _OWN:
        return _OWN[name](Path(argument))
    where = {"base_url": around.base_urls[name]} if name in around.base_urls else {}
    if name in _API:
        with around.lock:
            if name not in around.apis:
                api = _API[name](around.session, licence=around.licence, saved=around.saved, **where)
                around.apis[name] = api
            return around.apis[name]
    browser: dict[str, Any] = {
        "headed": around.headed,
        "grid_url": around.grid_url,
        "saved": around.saved,
        "progress": around.progress,
        **where,
    }
    if name == "bing":
        return bing.Bing(around.project, **browser)
    return google.GoogleImages(around.project, thumbnails=around.thumbnails, **browser)


def read_saved_page(path: Path, source: str) -> Page:
    """What the source's parser makes of a saved page. Nothing is fetched.

    Raises
    ------
    UsageError : no such file, or a source without pages.
    """
    if source not in _PARSERS:
        raise UsageError(f"{source!r} has no pages to read.", f"Sources with pages: {', '.join(_PARSERS)}.")
    try:
        text = path.expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a page saved from a browser.") from error
    return _PARSERS[source](text)
