"""Openverse, API v1 (api.openverse.org/v1): openly licensed pictures of many collections, Flickr's above all.

Asked without an account: 20 results a page, 12 pages deep (WordPress/openverse#4474), 20 requests a minute and 200 a
day. Written from the documentation, its issue tracker and one recorded answer of 2022, shortened; never run against the
live server. That pictures marked as sensitive stay out is asked for and checked, but no recorded answer has one.
"""

from collections.abc import Iterator

from ..licences import credit, licence_code, licence_url
from ..reasons import Cause
from .api_source import ApiSource, read_pages
from .candidates import Candidate, Page
from .json_fields import JsonObject, json_object, link_at, number_at, objects, text_at

_PER_PAGE = 20
_LAST_PAGE = 12


def parse(text: str) -> Page:
    """The pictures in an answer of ``/images/``; `following` is the number of the next page."""
    answer = json_object(text)
    if answer is None or not isinstance(answer.get("results"), list):
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    results = objects(answer["results"])
    if not results:
        return Page(cause=Cause.NO_RESULTS)
    if not all("license" in result and "url" in result for result in results):
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    found: dict[str, Candidate] = {}
    for result in results:
        if candidate := _candidate(result):
            found.setdefault(candidate.url, candidate)
    page = number_at(answer, "page") or 1
    last = min(number_at(answer, "page_count") or 1, _LAST_PAGE)
    return Page(tuple(found.values()), following=str(page + 1) if page < last else None)


def _candidate(result: JsonObject) -> Candidate | None:
    url = link_at(result, "url")
    if not url or result.get("mature") or result.get("unstable__sensitivity"):
        return None
    name = " ".join(filter(None, (text_at(result, "license"), text_at(result, "license_version"))))
    shown_url = link_at(result, "license_url")
    licence = licence_code(shown_url) or licence_code(name)
    author, provider = text_at(result, "creator"), text_at(result, "source") or "Openverse"
    return Candidate(
        url=url,
        strategy="api",
        page_url=link_at(result, "foreign_landing_url"),
        title=text_at(result, "title"),
        author=author,
        licence=licence,
        licence_url=shown_url or (licence and licence_url(licence)),
        attribution=text_at(result, "attribution") or credit(author, licence, provider),
        width=number_at(result, "width"),
        height=number_at(result, "height"),
    )


class Openverse(ApiSource):
    """The source ``openverse``. Everything here is open; ``commercial`` asks only for what may be used so."""

    name = "openverse"
    default_url = "https://api.openverse.org/v1"
    default_gap_s = 3.0

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """Pictures that say `query` word for word, most relevant first; a page has 20, whatever `limit` is.

        Raises
        ------
        SourceError
        """
        del limit
        # In quotes: the loose words of Ciconia ciconia are also in every Ciconia nigra.
        phrase = query.replace('"', " ")
        wanted = {"license_type": "commercial"} if self._licence == "commercial" else {}

        def ask(page: str | None) -> str:
            return self._api.get(
                "/images/",
                {"q": f'"{phrase}"', "page": page or "1", "page_size": _PER_PAGE, "mature": "false", **wanted},
            )

        yield from read_pages(self.name, query, ask, parse, self._saved)
