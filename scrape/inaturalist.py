"""iNaturalist, API v1 (api.inaturalist.org/v1/docs): research-grade observations of wild birds, with their photos.

Asked once a second, as its recommended practices want. The photo's own licence counts, not the observation's; a photo
without a licence is left out. Written from the documentation and recorded answers; never run against the live server,
so whether the filters behave as documented is not verified, and `parse` checks what an observation itself says.
"""

import re
from collections.abc import Iterator

from ..licences import licence_code, licence_url
from ..reasons import Cause
from .api import Params
from .api_source import ApiSource, batch, read_pages
from .candidates import Candidate, Page
from .json_fields import JsonObject, json_object, link_at, number_at, object_at, objects, text_at

_PER_PAGE = 100  # 200 are allowed, but one observation was seen to take 110 kB with all that was said about it
# Only ranks whose names are not used twice: a complex is named as its species, a subgenus as its genus.
_RANKS = "class,order,family,subfamily,genus,species,subspecies"
_COMMERCIAL = "cc0,pd,cc-by,cc-by-sa,cc-by-nd"
_SIZE = re.compile(r"/(?:square|thumb|small|medium)(?=\.\w+(?:\?|$))")


def parse(text: str) -> Page:
    """The photos in an answer of ``/observations``, those of one observation in a row; `following` is the last id."""
    answer = json_object(text)
    if answer is None or not isinstance(answer.get("results"), list):
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    observations = objects(answer["results"])
    if not observations:
        return Page(cause=Cause.NO_RESULTS)
    if not all("photos" in observation and number_at(observation, "id") for observation in observations):
        return Page(cause=Cause.UNKNOWN_LAYOUT)
    found: dict[str, Candidate] = {}
    for observation in observations:
        if observation.get("quality_grade") == "research" and not observation.get("captive"):
            for photo in objects(observation["photos"]):
                if candidate := _candidate(observation, photo):
                    found.setdefault(candidate.url, candidate)
    # With id_above the total counts what is left, this page included.
    is_last = (number_at(answer, "total_results") or 0) <= len(observations)
    return Page(tuple(found.values()), following=None if is_last else str(observations[-1]["id"]))


def _candidate(observation: JsonObject, photo: JsonObject) -> Candidate | None:
    url = link_at(photo, "url")
    licence = licence_code(text_at(photo, "license_code"))
    if not url or not licence or photo.get("hidden"):
        return None
    user = object_at(observation, "user")
    size = object_at(photo, "original_dimensions")
    return Candidate(
        url=_SIZE.sub("/large", url),  # at most 1024 pixels; the given one is a thumbnail of 75
        strategy="api",
        page_url=f"https://www.inaturalist.org/observations/{observation['id']}",
        title=text_at(object_at(observation, "taxon"), "name"),
        author=text_at(user, "name") or text_at(user, "login"),
        licence=licence,
        # The answers name no version, but iNaturalist hands the same photos to GBIF as 4.0.
        licence_url=licence_url(licence) or licence_url(f"{licence}-4.0"),
        attribution=text_at(photo, "attribution"),
        observation=str(observation["id"]),
        width=number_at(size, "width"),
        height=number_at(size, "height"),
    )


def parse_taxon(text: str, name: str) -> int | Cause:
    """The id of the one taxon called `name` in an answer of ``/taxa``, whose search also finds what only begins so.

    The scientific name counts first; else the name that matched may be a common name or a synonym, if only one
    taxon has it.
    """
    answer = json_object(text)
    if answer is None or not isinstance(answer.get("results"), list):
        return Cause.UNKNOWN_LAYOUT
    taxa = objects(answer["results"])
    for key in ("name", "matched_term"):
        ids = {number_at(taxon, "id") for taxon in taxa if _folded(text_at(taxon, key)) == _folded(name)}
        if len(ids) == 1 and (taxon_id := ids.pop()):
            return taxon_id
    return Cause.NO_RESULTS


def _folded(name: str | None) -> str:
    return " ".join((name or "").casefold().split())


class INaturalist(ApiSource):
    """The source ``inaturalist``. All licences are open here; ``commercial`` asks only for photos that allow it."""

    name = "inaturalist"
    default_url = "https://api.inaturalist.org/v1"
    default_gap_s = 1.0

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """Photos of the taxon called `query`, oldest observation first: the order that stays as new ones come in.

        Raises
        ------
        SourceError
        """
        wanted = {"photo_license": _COMMERCIAL} if self._licence == "commercial" else {"photo_licensed": "true"}
        params: Params = {"q": query, "rank": _RANKS, "is_active": "true", "per_page": 30}
        taxon_id = self._taxon(
            query,
            "/taxa",
            params,
            lambda text: parse_taxon(text, query),
            "Ask by the exact scientific name of one taxon.",
        )

        def ask(last_id: str | None) -> str:
            # Not page=2: pages shift while people add observations, and end at 10,000.
            params = {"id_above": last_id} if last_id else {}
            return self._api.get(
                "/observations",
                {
                    "taxon_id": taxon_id,
                    "quality_grade": "research",
                    "captive": "false",
                    "photos": "true",
                    **wanted,
                    "order_by": "id",
                    "order": "asc",
                    "per_page": batch(limit, _PER_PAGE),
                    **params,
                },
            )

        yield from read_pages(self.name, query, ask, parse, self._saved)
