"""GBIF, API v1 (techdocs.gbif.org/en/openapi): observations by people, with photos, from thousands of data sets.

The picture's own licence counts; the record's is that of the data, so it is neither taken over nor searched by. GBIF
publishes no number of requests a second: one is our choice. Written from the documentation and recorded answers; never
run against the live server. How captive animals are marked is from the documentation alone.
"""

from collections.abc import Iterator

from ..licences import credit, licence_code, licence_url
from ..reasons import Cause
from .api import Params
from .api_source import ApiSource, batch, read_pages
from .candidates import Candidate, Page
from .json_fields import JsonObject, json_object, link_at, number_at, objects, text_at

_PER_PAGE = 300  # the most that is given
_LAST_RECORD = 100_000  # offset and limit together may not go beyond
_NOT_WILD = frozenset({"captive", "cultivated", "managed"})


def parse(text: str) -> Page:
    """The pictures in an answer of ``/occurrence/search``; `following` is the offset of the next page."""
    answer = json_object(text)
    if answer is None or not isinstance(answer.get("results"), list) or "endOfRecords" not in answer:
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    records = objects(answer["results"])
    if not records:
        return Page(cause=Cause.NO_RESULTS)
    if not all("basisOfRecord" in record and number_at(record, "key") for record in records):
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    found: dict[str, Candidate] = {}
    for record in filter(_is_seen_in_the_wild, records):
        for medium in objects(record.get("media")):
            if candidate := _candidate(record, medium):
                found.setdefault(candidate.url, candidate)
    end = (number_at(answer, "offset") or 0) + len(records)
    is_last = answer["endOfRecords"] is not False or end >= _LAST_RECORD
    return Page(tuple(found.values()), following=None if is_last else str(end))


def _is_seen_in_the_wild(record: JsonObject) -> bool:
    """Whether somebody saw a living animal there: no specimen, no fossil, no zoo, no record of absence."""
    marks = {(text_at(record, key) or "").lower() for key in ("establishmentMeans", "degreeOfEstablishment")}
    return (
        record["basisOfRecord"] == "HUMAN_OBSERVATION"
        and record.get("occurrenceStatus", "PRESENT") == "PRESENT"
        and not marks & _NOT_WILD
    )


def _candidate(record: JsonObject, medium: JsonObject) -> Candidate | None:
    url = link_at(medium, "identifier")
    is_image = medium.get("type") == "StillImage" and (text_at(medium, "format") or "image/").startswith("image/")
    if not url or not is_image:
        return None
    page = f"https://www.gbif.org/occurrence/{record['key']}"
    author = text_at(medium, "rightsHolder") or text_at(medium, "creator")
    licence = licence_code(text_at(medium, "license"))
    publisher = text_at(medium, "publisher")
    return Candidate(
        url=url,
        strategy="api",
        page_url=link_at(medium, "references") or link_at(record, "references") or page,
        title=text_at(medium, "title") or text_at(record, "scientificName"),
        author=author,
        licence=licence,
        licence_url=licence_url(licence) if licence else None,
        attribution=credit(author, licence, f"{publisher} and GBIF: {page}" if publisher else f"GBIF: {page}"),
        observation=str(record["key"]),
    )


def parse_taxon(text: str) -> int | Cause:
    """The key of the taxon in an answer of ``/species/match``: an exact match, a synonym's accepted taxon."""
    answer = json_object(text)
    if answer is None or "matchType" not in answer:
        return Cause.UNKNOWN_LAYOUT
    if answer["matchType"] != "EXACT":  # FUZZY is another name, HIGHERRANK the whole genus or family
        return Cause.NO_RESULTS
    return number_at(answer, "acceptedUsageKey") or number_at(answer, "usageKey") or Cause.UNKNOWN_LAYOUT


class Gbif(ApiSource):
    """The source ``gbif``. Its `licence` does not change what is asked, see above."""

    name = "gbif"
    default_url = "https://api.gbif.org/v1"
    default_gap_s = 1.0

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """Pictures of the taxon called `query`, in GBIF's order.

        Raises
        ------
        SourceError
        """
        params: Params = {"name": query, "strict": "true"}
        taxon_key = self._taxon(query, "/species/match", params, parse_taxon, "Ask by the exact scientific name.")

        def ask(offset: str | None) -> str:
            return self._api.get(
                "/occurrence/search",
                {
                    "taxonKey": taxon_key,
                    "mediaType": "StillImage",
                    "basisOfRecord": "HUMAN_OBSERVATION",
                    "occurrenceStatus": "PRESENT",
                    "limit": batch(limit, _PER_PAGE),
                    "offset": offset or "0",
                },
            )

        yield from read_pages(self.name, query, ask, parse, self._saved)
