"""Reading a Google Images page or one of its XHR answers: text in, candidates or the cause of a block out. No I/O.

Class names change every few months; what has lasted is the record of each result inside the page's scripts:

    ["https://encrypted-tbn0...",183,275] , ["https://host/full.jpg",1067,1600] ... "2003":[null,"id","page url","title"

height before width, ``=`` and ``&`` written as ``\\u003d`` and ``\\u0026``, newlines anywhere between. In the answers
of 2020's ``batchexecute`` the whole record is a JSON string once more, its quotes escaped. Where there are no records,
links ``/imgres?imgurl=&imgrefurl=&w=&h=`` say the same.
"""

import html as html_entities
import json
import re
from contextlib import suppress
from urllib.parse import SplitResult, parse_qs, urlsplit

from ..reasons import Cause
from .candidates import Candidate, Page

_IMAGE = r'\[\s*"(https?://[^"\s]+)"\s*,\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*\]'
_RECORD = re.compile(_IMAGE + r"\s*,\s*" + _IMAGE)
_PAGE = re.compile(  # first null, or the page's age: "6 days ago"
    r'"2003"\s*:\s*\[\s*(?:null|"[^"]*")\s*,\s*"[^"]*"\s*,\s*"(https?://[^"\s]+)"\s*,\s*"((?:[^"\\]|\\.)*)"'
)
_NESTED_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {'"': '"', "\\": "\\", "n": "\n"}  # the others, \\u003d above all, stay for the inner reading
_LINK = re.compile(r"""<a\s[^<>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_THUMBNAIL = re.compile(
    r"""<img\s[^<>]*?\bsrc\s*=\s*["']?(?:data:image/(?!svg)|https?://[^"'\s>]*images\?q=tbn:)""", re.IGNORECASE
)
THUMBNAIL_HOSTS = ("encrypted-tbn", "gstatic")

_FORMS = (  # what only a block has
    (Cause.NETWORK, re.compile(r'id="main-frame-error"|class="neterror"')),  # Chromium's own error page
    (Cause.CAPTCHA, re.compile(r'id=["\']?captcha-form|class=["\'][^"\']*g-recaptcha', re.IGNORECASE)),
    (Cause.CONSENT, re.compile(r'id=["\']?(?:L2AGLb|W0wltc)\b|action=["\']https://consent\.', re.IGNORECASE)),
    (Cause.NO_RESULTS, re.compile(r"did not match any (?:documents|image results)", re.IGNORECASE)),
)
_WORDS = (  # what may stand in a title too, or in the <noscript> of a page that has results
    (Cause.CAPTCHA, re.compile(r"unusual traffic", re.IGNORECASE)),
    (Cause.OUTDATED_BROWSER, re.compile(r"update your browser|browser is(?: no longer|n.t) supported", re.IGNORECASE)),
    (Cause.JAVASCRIPT_SHELL, re.compile(r"/httpservice/retry/enablejs", re.IGNORECASE)),
)


def parse(html: str, url: str = "") -> Page:
    """A whole result page. One with results is a result page, whatever its words say.

    Parameters
    ----------
    html : the page's source.
    url : the one the browser ended at, where it is known: some blocks are told by it.
    """
    candidates = parse_records(html) or parse_links(html)
    if candidates:
        return Page(tuple(candidates))
    unexplained = Cause.ONLY_THUMBNAILS if has_thumbnails(html) else Cause.UNKNOWN_LAYOUT
    return Page(cause=block_cause(url, html) or unexplained)


def is_thumbnail(url: str) -> bool:
    """Whether `url` is one of Google's own small copies and not the picture itself."""
    return url.startswith("data:") or any(mark in url for mark in THUMBNAIL_HOSTS)


def block_cause(url: str, html: str) -> Cause | None:
    """Why this page is no result page, or None if nothing says so. `url` is the one the browser ended at."""
    address = _split(url)
    if address.path.startswith("/sorry"):
        return Cause.CAPTCHA
    if (address.hostname or "").startswith("consent.") or address.path.startswith("/consent"):
        return Cause.CONSENT
    if _RECORD.search(html):
        return None
    marks = _FORMS if has_thumbnails(html) else (*_FORMS, *_WORDS)
    return next((cause for cause, mark in marks if mark.search(html)), None)


def parse_records(text: str, strategy: str = "inline") -> list[Candidate]:
    """The results whose records stand in `text`, in rank order, each picture once; empty if there are none."""
    records = list(_RECORD.finditer(text))
    if not records and '[\\"http' in text:  # a JSON string inside JSON: take one level of escapes away
        text = _NESTED_ESCAPE.sub(lambda escape: _UNESCAPED.get(escape[1], escape[0]), text)
        records = list(_RECORD.finditer(text))
    found: dict[str, Candidate] = {}
    for index, record in enumerate(records):
        end = records[index + 1].start() if index + 1 < len(records) else len(text)
        thumbnail, _, _, full, height, width = record.groups()
        thumbnail, full = _unescape(thumbnail), _unescape(full)
        if is_thumbnail(full) or not is_thumbnail(thumbnail) or full in found:
            continue
        page = _PAGE.search(text, record.end(), end)
        found[full] = Candidate(
            url=full,
            strategy=strategy,
            thumbnail=thumbnail,
            page_url=_unescape(page[1]) if page else None,
            title=html_entities.unescape(_unescape(page[2])) if page else None,
            width=int(width),
            height=int(height),
        )
    return list(found.values())


def parse_links(html: str) -> list[Candidate]:
    """The pictures that ``/imgres`` links in `html` lead to, in the page's order, each once."""
    found: dict[str, Candidate] = {}
    for link in _LINK.finditer(html):
        candidate = parse_link(html_entities.unescape(link[1] or link[2] or ""))
        if candidate:
            found.setdefault(candidate.url, candidate)
    return list(found.values())


def parse_link(address: str) -> Candidate | None:
    """The picture that one ``/imgres`` link leads to; None for any other address, or where it names a thumbnail."""
    link = _split(address)
    if link.path != "/imgres":
        return None
    query = {name: values[0] for name, values in parse_qs(link.query).items()}
    full, page = query.get("imgurl", ""), query.get("imgrefurl", "")
    if not full.startswith(("http://", "https://")) or is_thumbnail(full):
        return None
    return Candidate(
        url=full,
        strategy="imgres",
        page_url=page if page.startswith(("http://", "https://")) else None,
        width=_pixels(query.get("w")),
        height=_pixels(query.get("h")),
    )


def has_thumbnails(html: str) -> bool:
    """Whether the page shows small pictures at all, which tells an unknown layout from a page without records."""
    return bool(_THUMBNAIL.search(html))


def _split(url: str) -> SplitResult:
    """`url` in its parts; all of them empty where it is damaged."""
    try:
        return urlsplit(url)
    except ValueError:  # a bracket out of place, say
        return urlsplit("")


def _pixels(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else None


def _unescape(text: str) -> str:
    """A JSON string's content, its escapes resolved; as it stands where they are damaged."""
    with suppress(ValueError):
        text = str(json.loads(f'"{text}"', strict=False))
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair fits into no record and no request
