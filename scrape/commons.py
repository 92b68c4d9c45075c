"""Wikimedia Commons through MediaWiki's API (mediawiki.org/wiki/API:Search, API:Imageinfo): free files, well labelled.

Asked once a second, one request at a time, as its etiquette wants. Licence, author and credit line come as HTML and are
brought to plain text. Written from the documentation and recorded answers; never run against the live server, and no
recorded answer has a scaled rendering: their shape is from the documentation alone.
"""

import html
import json
import re
from collections.abc import Iterator

from ..licences import credit, licence_code, licence_url
from ..reasons import Cause
from .api_source import ApiSource, batch, read_pages
from .candidates import Candidate, Page
from .json_fields import JsonObject, json_object, link_at, number_at, object_at, objects, text_at

_PER_PAGE = 50  # the most for which renderings are given
_LONGEST_SIDE = 2000
# Originals have tens of megabytes, and everybody fetching those weighs on Wikimedia. 1280 is one of the widths it
# renders for everyone (mediawiki.org/wiki/Common_thumbnail_sizes); training looks at 224 to 448 pixels.
_RENDERED_WIDTH = 1280
_BITMAPS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff"})
_BUSY = frozenset({"ratelimited", "maxlag", "readonly"})
_METADATA = "Artist|Attribution|LicenseShortName|LicenseUrl"
_HIDDEN = re.compile(r"<(\w+)[^<>]*display:\s*none[^<>]*>[^<>]*</\1>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LONGEST_HTML = 5000


def parse(text: str) -> Page:
    """The files in an answer of ``action=query``; `following` is its ``continue``, as JSON."""
    answer = json_object(text)
    if answer is None:
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    if error := object_at(answer, "error"):
        return Page(cause=Cause.QUOTA if text_at(error, "code") in _BUSY else Cause.UNKNOWN_LAYOUT)
    files = objects(list(object_at(object_at(answer, "query"), "pages").values()))
    if not files:
        is_empty = "batchcomplete" in answer or isinstance(answer.get("query"), dict)
        return Page(cause=Cause.NO_RESULTS if is_empty else Cause.UNKNOWN_LAYOUT)
    found: dict[str, Candidate] = {}
    for file in sorted(files, key=lambda file: number_at(file, "index") or 0):  # they come ordered by page id
        for info in objects(file.get("imageinfo"))[:1]:  # none where it comes with a later page
            if candidate := _candidate(file, info):
                found.setdefault(candidate.url, candidate)
    further = object_at(answer, "continue")
    return Page(tuple(found.values()), following=json.dumps(further) if further else None)


def _candidate(file: JsonObject, info: JsonObject) -> Candidate | None:
    original = link_at(info, "url")
    if not original or (text_at(info, "mime") or "image/jpeg") not in _BITMAPS:
        return None
    width, height = number_at(info, "width"), number_at(info, "height")
    url = original
    rendering = link_at(info, "thumburl")
    if rendering and max(width or 0, height or 0) > _LONGEST_SIDE:
        url, width, height = rendering, number_at(info, "thumbwidth"), number_at(info, "thumbheight")
    metadata = object_at(info, "extmetadata")

    def said(key: str) -> str | None:
        return plain_text(text_at(object_at(metadata, key), "value"))

    author = said("Artist")
    licence = licence_code(said("LicenseUrl")) or licence_code(said("LicenseShortName"))
    return Candidate(
        url=url,
        strategy="api",
        page_url=link_at(info, "descriptionurl"),
        title=(text_at(file, "title") or "").removeprefix("File:").rpartition(".")[0] or None,
        author=author,
        licence=licence,
        licence_url=link_at(object_at(metadata, "LicenseUrl"), "value") or (licence and licence_url(licence)),
        attribution=said("Attribution") or credit(author, licence, "Wikimedia Commons"),
        width=width,
        height=height,
    )


def plain_text(markup: str | None) -> str | None:
    """What a person would read of a line of HTML; None where that is nothing."""
    visible = _TAG.sub("", _HIDDEN.sub("", (markup or "")[:_LONGEST_HTML]))
    return " ".join(html.unescape(visible).split()) or None


class Commons(ApiSource):
    """The source ``commons``. Its `licence` does not change what is asked: Commons takes what allows commercial use."""

    name = "commons"
    default_url = "https://commons.wikimedia.org/w/api.php"
    default_gap_s = 1.0

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """Files that say `query` word for word, most relevant first.

        Raises
        ------
        SourceError
        """
        # In quotes: the loose words of Ciconia ciconia are also in every Ciconia nigra.
        phrase = query.replace('"', " ")

        def ask(further: str | None) -> str:
            return self._api.get(
                "",
                {
                    "action": "query",
                    "format": "json",
                    "generator": "search",
                    "gsrnamespace": 6,
                    "gsrsearch": f'filetype:bitmap "{phrase}"',
                    "gsrlimit": batch(limit, _PER_PAGE),
                    "prop": "imageinfo",
                    "iiprop": "url|size|mime|extmetadata|sha1",
                    "iiurlwidth": _RENDERED_WIDTH,
                    "iiextmetadatafilter": _METADATA,
                    "iiextmetadatalanguage": "en",
                    **(json.loads(further) if further else {}),
                },
            )

        yield from read_pages(self.name, query, ask, parse, self._saved)
