"""Reading saved answers of DuckDuckGo's image search (``i.js``): text in, candidates or a cause out. Nothing is asked.

It is not searched live: see `WHY_NOT_LIVE`. An answer has the picture, its thumbnail, its
page, title and pixels. It has no licence and no author: `licence` is None throughout.
"""

from html import unescape
from urllib.parse import urlsplit

from ..reasons import Cause
from .candidates import Candidate, Page
from .json_fields import JsonObject, json_object, link_at, number_at, objects, text_at

WHY_NOT_LIVE = (
    "The one client that is kept up, ddgs, always passes itself off as a browser that it is not and cannot be told to "
    "be open about it, which birds does not do; use --source bing, whose index DuckDuckGo shows, or read a saved "
    "answer with --from-page."
)
_BLOCK_MARKS = ("anomalyDetectionBlock", "anomaly-modal", "bots use DuckDuckGo too")


def parse(text: str) -> Page:
    """The results of an ``i.js`` answer in rank order, each picture once, or the cause why there are none."""
    answer = json_object(text)
    if answer is None:
        is_blocked = any(mark in text for mark in _BLOCK_MARKS)
        return Page(cause=Cause.CAPTCHA if is_blocked else Cause.UNKNOWN_LAYOUT)
    if answer.get("results") == []:
        return Page(cause=Cause.NO_RESULTS)
    found: dict[str, Candidate] = {}
    for result in objects(answer.get("results")):
        if picture := link_at(result, "image"):
            found.setdefault(picture, _candidate(picture, result))
    if not found:
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    return Page(tuple(found.values()), following=text_at(answer, "next"))


def _candidate(picture: str, result: JsonObject) -> Candidate:
    page = link_at(result, "url")
    title = unescape(text_at(result, "title") or "") or None
    return Candidate(
        url=picture,
        strategy="i.js",
        thumbnail=link_at(result, "thumbnail"),
        page_url=page,
        title=title,
        attribution=", ".join(filter(None, (title, _host(page)))) or None,  # where it was found: all that is known
        width=number_at(result, "width"),
        height=number_at(result, "height"),
    )


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError:
        return None
