"""Bing's image search, through the browser: a pure parser and a thin fetcher.

Bing is steadier than Google: for years each result has been a link ``a.iusc`` whose attribute ``m`` is JSON (``murl``
the picture, ``turl`` its thumbnail, ``purl`` its page, ``t`` the title), and ``/images/async`` gives page after page
of them. The pixels stand beside it as text, "1600 x 1067", and in the link's address.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from ..files import Project
from ..progress import SILENT, Progress
from ..reasons import Cause
from .browsing import Browsing, press_first, refusal
from .candidates import AsksBy, Candidate, Page
from .json_fields import json_object, link_at, text_at
from .saved_pages import SavedPages

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

BING_URL = "https://www.bing.com"
_PER_PAGE = 35
_CONSENT_BUTTONS = ("bnp_btn_reject", "bnp_btn_accept")  # 'reject' first: no more cookies than needed

# Possessive (++, *+), and no "<" outside quotes: a damaged page is read in one pass, whatever it holds.
_LINK = re.compile(r"""<a\s(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_PIXELS = re.compile(r"\bnowrap\b[^<>]*>\s*(\d{1,6})\s*(?:x|×|&times;|&#215;)\s*(\d{1,6})")
_WIDTH_IN_LINK, _HEIGHT_IN_LINK = re.compile(r"[?&]expw=(\d{1,6})\b"), re.compile(r"[?&]exph=(\d{1,6})\b")
_THUMBNAIL = re.compile(r"""<img[^<>]*?\ssrc=["']?https?://[^"'<>\s]*\bbing\.(?:net|com)/th\b""", re.IGNORECASE)
_MATCH_MARKS = dict.fromkeys((0xE000, 0xE001))  # private-use characters around the words that matched

_BLOCK_MARKS = (
    (Cause.NETWORK, re.compile(r'id="main-frame-error"|class="neterror"')),  # Chromium's own error page
    (
        Cause.CAPTCHA,
        re.compile(
            r"""class=["'][^"'<>]*\bcaptcha\b|/turing/captcha|challenges\.cloudflare\.com/turnstile"""
            r"|>\s*One last step\s*<|Please solve the challenge below",
            re.IGNORECASE,
        ),
    ),
    (Cause.CONSENT, re.compile(r"""id=["']?bnp_(?:container|btn_reject|btn_accept)\b""", re.IGNORECASE)),
    (Cause.OUTDATED_BROWSER, re.compile(r"update your browser|browser is(?: no longer|n.t) supported", re.IGNORECASE)),
    (Cause.NO_RESULTS, re.compile(r"There are no results for|No results found for", re.IGNORECASE)),
)
_RESULTS_END_WITH = {Cause.NO_RESULTS, Cause.ONLY_THUMBNAILS, Cause.UNKNOWN_LAYOUT}


def parse(html: str, url: str = "") -> Page:
    """The results of a page of Bing's in rank order, each picture once, or the cause why there are none.

    `url` is the one that the browser ended at. A damaged result costs no other.
    """
    links = [(link, attributes) for link in _LINK.finditer(html) if _is_result(attributes := _attributes(link[0]))]
    found: dict[str, Candidate] = {}
    has_thumbnails = bool(_THUMBNAIL.search(html))
    for index, (link, attributes) in enumerate(links):
        fields = json_object(attributes.get("m", "")) or {}
        picture, thumbnail = link_at(fields, "murl"), link_at(fields, "turl")
        has_thumbnails = has_thumbnails or thumbnail is not None
        if picture is None or _is_thumbnail(picture):
            continue
        end = links[index + 1][0].start() if index + 1 < len(links) else len(html)
        width, height = _pixels(html, link.end(), end, attributes.get("href", ""))
        found.setdefault(
            picture,
            Candidate(
                url=picture,
                strategy="iusc",
                thumbnail=thumbnail,
                page_url=link_at(fields, "purl"),
                title=_title(text_at(fields, "t")),
                width=width,
                height=height,
            ),
        )
    if found:
        return Page(tuple(found.values()))
    cause = _block_cause(html, url) or (Cause.ONLY_THUMBNAILS if has_thumbnails else Cause.UNKNOWN_LAYOUT)
    return Page(cause=cause)


def _block_cause(html: str, url: str) -> Cause | None:
    if "/turing/captcha" in url:
        return Cause.CAPTCHA
    return next((cause for cause, mark in _BLOCK_MARKS if mark.search(html)), None)


def _attributes(tag: str) -> dict[str, str]:
    return {name.lower(): unescape(double or single) for name, double, single in _ATTRIBUTE.findall(tag)}


def _is_result(attributes: dict[str, str]) -> bool:
    return "iusc" in attributes.get("class", "").split()


def _is_thumbnail(url: str) -> bool:
    """Whether `url` is one of Bing's own small copies and not the picture itself."""
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return (address.hostname or "").endswith((".bing.net", ".bing.com")) and address.path.startswith("/th")


def _pixels(html: str, start: int, end: int, address: str) -> tuple[int | None, int | None]:
    """Width and height as shown between `start` and `end`, else as the link's `address` has them."""
    if shown := _PIXELS.search(html, start, end):
        return int(shown[1]), int(shown[2])
    width, height = _WIDTH_IN_LINK.search(address), _HEIGHT_IN_LINK.search(address)
    return (int(width[1]), int(height[1])) if width and height else (None, None)


def _title(text: str | None) -> str | None:
    """`text` without Bing's marks; its entities are escaped once more inside the JSON."""
    return " ".join(unescape(text or "").translate(_MATCH_MARKS).split()) or None


class Bing:
    """Bing's image search, or what behaves like it at `base_url`.

    Parameters
    ----------
    project : its ``.birds/tmp`` holds the browser's profile, its ``.birds/logs`` a page that could not be read.
    headed : show the browser.
    grid_url : of a Selenium Grid that has the browser.
    """

    name = "bing"
    asks_by = AsksBy.TERM
    shows_licences = False

    def __init__(
        self,
        project: Project,
        *,
        base_url: str = BING_URL,
        headed: bool = False,
        grid_url: str | None = None,
        saved: SavedPages | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._saved = saved or SavedPages(None, project.logs)
        self._browsing = Browsing(
            self.name, self._base_url, project, headed=headed, grid_url=grid_url, saved=self._saved, progress=progress
        )

    def close(self) -> None:
        """Close the browser."""
        self._browsing.close()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. Asks for another page only when the caller has read the last, until none is new."""
        del limit  # pages have their own size
        seen: set[str] = set()
        first = 1
        with self._browsing.searching() as driver:
            while True:
                page, html = self._page(driver, query, first)
                if page.cause and not (seen and page.cause in _RESULTS_END_WITH):
                    raise self._browsing.stopped(page.cause, html)
                fresh = [candidate for candidate in page.candidates if candidate.url not in seen]
                if not fresh:
                    return
                for candidate in fresh:
                    seen.add(candidate.url)
                    yield candidate
                first += len(page.candidates)

    def _page(self, driver: "WebDriver", query: str, first: int) -> tuple[Page, str]:
        """The page whose first result is number `first`, from 1, and its text."""
        parameters = {"q": query, "first": str(first), "count": str(_PER_PAGE), "setlang": "en"}
        address = f"{self._base_url}/images/async?{urlencode(parameters)}"
        page, html = self._load(driver, query, address)
        if page.cause is Cause.CONSENT and press_first(driver, *_CONSENT_BUTTONS):
            page, html = self._load(driver, query, address)
        if page.cause not in (None, Cause.CAPTCHA, Cause.CONSENT) and (cause := refusal(driver)):
            page = Page(cause=cause)
        return page, html

    def _load(self, driver: "WebDriver", query: str, address: str) -> tuple[Page, str]:
        driver.get(address)
        html = driver.page_source
        self._saved.keep(self.name, query, html)
        return parse(html, driver.current_url), html
