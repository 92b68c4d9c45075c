"""Reading a Google Images page or one of its XHR answers: text in, candidates or the cause of a block out. No I/O.

Class names change every few months; what has lasted is the record of each result inside the page's scripts:

    ["https://encrypted-tbn0...",183,275] , ["https://host/full.jpg",1067,1600] ... "2003":[null,"id","page url","title"

height before width, ``=`` and ``&`` written as ``\\u003d`` and ``\\u0026``, newlines anywhere between. In the answers
of 2020's ``batchexecute`` the whole record is a JSON string once more, its quotes escaped.
"""

import html as html_entities
import json
import re
from urllib.parse import urlsplit

from ..reasons import Cause
from .candidates import Candidate

_IMAGE = r'\[\s*"(https?://[^"\s]+)"\s*,\s*(\d+)\s*,\s*(\d+)\s*\]'
_RECORD = re.compile(_IMAGE + r"\s*,\s*" + _IMAGE)
_PAGE = re.compile(r'"2003"\s*:\s*\[\s*null\s*,\s*"[^"]*"\s*,\s*"(https?://[^"\s]+)"\s*,\s*"((?:[^"\\]|\\.)*)"')
_NESTED_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {'"': '"', "\\": "\\", "n": "\n"}  # the others, \\u003d above all, stay for the inner reading
_THUMBNAIL_HOSTS = ("encrypted-tbn", "gstatic")

_BLOCK_MARKS = (
    (Cause.NETWORK, re.compile(r'id="main-frame-error"|class="neterror"')),  # Chromium's own error page
    (Cause.CAPTCHA, re.compile(r'id=["\']?captcha-form|class=["\'][^"\']*g-recaptcha|unusual traffic', re.IGNORECASE)),
    (Cause.CONSENT, re.compile(r'id=["\']?(?:L2AGLb|W0wltc)\b|action=["\']https://consent\.', re.IGNORECASE)),
    (Cause.OUTDATED_BROWSER, re.compile(r"update your browser|browser is(?: no longer|n.t) supported", re.IGNORECASE)),
    (Cause.JAVASCRIPT_SHELL, re.compile(r"/httpservice/retry/enablejs", re.IGNORECASE)),
    (Cause.NO_RESULTS, re.compile(r"did not match any documents", re.IGNORECASE)),
)


def is_thumbnail(url: str) -> bool:
    """Whether `url` is one of Google's own small copies and not the picture itself."""
    return url.startswith("data:") or any(mark in url for mark in _THUMBNAIL_HOSTS)


def block_cause(url: str, html: str) -> Cause | None:
    """Why this page is no result page, or None if nothing says so. `url` is the one the browser ended at."""
    address = urlsplit(url)
    if address.path.startswith("/sorry"):
        return Cause.CAPTCHA
    if (address.hostname or "").startswith("consent.") or address.path.startswith("/consent"):
        return Cause.CONSENT
    return next((cause for cause, mark in _BLOCK_MARKS if mark.search(html)), None)


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


def has_thumbnails(html: str) -> bool:
    """Whether the page shows small pictures at all, which tells an unknown layout from a page without records."""
    return bool(re.search(r'<img[^>]+src=["\'](?:data:image/|https?://[^"\']*(?:encrypted-tbn|gstatic))', html))


def _unescape(text: str) -> str:
    """A JSON string's content, its escapes resolved; as it stands where they are damaged."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
