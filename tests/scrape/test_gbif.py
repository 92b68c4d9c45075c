import json
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from birds.errors import SourceError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy, Candidate
from birds.scrape.gbif import Gbif, parse, parse_taxon
from birds.scrape.saved_pages import SavedPages

MATCH = {"usageKey": 2481912, "canonicalName": "Ciconia ciconia", "rank": "SPECIES", "matchType": "EXACT"}


def _medium(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "type": "StillImage",
        "format": "image/jpeg",
        "identifier": f"https://photos.example/{number}/original.jpg",
        "license": "http://creativecommons.org/licenses/by-nc/4.0/",
        "creator": "Ada",
        "rightsHolder": "Ada Lovelace",
        "publisher": "iNaturalist",
        "references": f"https://photos.example/{number}",
        **changes,
    }


def _record(key: int, *media: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "basisOfRecord": "HUMAN_OBSERVATION",
        "occurrenceStatus": "PRESENT",
        "scientificName": "Ciconia ciconia (Linnaeus, 1758)",
        "license": "http://creativecommons.org/licenses/by/4.0/legalcode",
        "references": f"https://records.example/{key}",
        "media": list(media) or [_medium(key * 10)],
        **changes,
    }


def _answer(*records: dict[str, Any], offset: int = 0, is_last: bool = True) -> dict[str, Any]:
    return {"offset": offset, "limit": 300, "endOfRecords": is_last, "count": 999, "results": list(records)}


def _parsed(*records: dict[str, Any]) -> tuple[Candidate, ...]:
    return parse(json.dumps(_answer(*records))).candidates


# -- reading


def test_a_picture_has_all_that_its_use_asks_for() -> None:
    assert _parsed(_record(7, _medium(70))) == (
        Candidate(
            url="https://photos.example/70/original.jpg",
            strategy="api",
            page_url="https://photos.example/70",
            title="Ciconia ciconia (Linnaeus, 1758)",
            author="Ada Lovelace",
            licence="cc-by-nc-4.0",
            licence_url="https://creativecommons.org/licenses/by-nc/4.0/",
            attribution="Ada Lovelace, CC BY-NC 4.0, via iNaturalist and GBIF: https://www.gbif.org/occurrence/7",
            observation="7",
        ),
    )


def test_pictures_of_one_record_share_its_key_and_come_once() -> None:
    found = _parsed(_record(7, _medium(70), _medium(71)), _record(8, _medium(71), _medium(80)))
    assert [(one.observation, one.url.split("/")[-2]) for one in found] == [("7", "70"), ("7", "71"), ("8", "80")]


def test_the_records_licence_is_not_taken_for_the_pictures() -> None:
    (found,) = _parsed(_record(7, _medium(70, license=None)))
    assert (found.licence, found.licence_url) == (None, None)


def test_the_page_is_the_pictures_the_records_or_gbifs_own() -> None:
    bare = _medium(70, references=None)
    assert _parsed(_record(7, bare))[0].page_url == "https://records.example/7"
    assert _parsed(_record(7, bare, references="n/a"))[0].page_url == "https://www.gbif.org/occurrence/7"


def test_the_creator_stands_in_for_a_rights_holder() -> None:
    (found,) = _parsed(_record(7, _medium(70, rightsHolder=None, publisher=None)))
    assert found.author == "Ada"
    assert found.attribution == "Ada, CC BY-NC 4.0, via GBIF: https://www.gbif.org/occurrence/7"


@pytest.mark.parametrize(
    "changes",
    [
        {"basisOfRecord": "PRESERVED_SPECIMEN"},
        {"basisOfRecord": "FOSSIL_SPECIMEN"},
        {"occurrenceStatus": "ABSENT"},
        {"degreeOfEstablishment": "Captive"},
        {"establishmentMeans": "MANAGED"},
        {"media": []},
    ],
)
def test_only_living_wild_animals_are_kept_even_if_others_are_sent(changes: dict[str, Any]) -> None:
    assert not _parsed(_record(7, **changes))


@pytest.mark.parametrize(
    "changes", [{"type": "Sound"}, {"format": "text/html"}, {"identifier": None}, {"identifier": "file:///etc/passwd"}]
)
def test_what_is_no_picture_on_the_web_is_left_out(changes: dict[str, Any]) -> None:
    assert not _parsed(_record(7, _medium(70, **changes)))


@pytest.mark.parametrize(
    ("offset", "is_last", "following"), [(0, False, "2"), (300, False, "302"), (300, True, None), (99_999, False, None)]
)
def test_the_offset_leads_on_to_the_end_or_as_far_as_is_allowed(
    offset: int, is_last: bool, following: str | None
) -> None:
    answer = _answer(_record(7), _record(8), offset=offset, is_last=is_last)
    assert parse(json.dumps(answer)).following == following


def test_an_empty_answer_says_no_results() -> None:
    assert parse(json.dumps(_answer())).cause is Cause.NO_RESULTS


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", "{}", json.dumps(MATCH), '{"endOfRecords": true, "results": [{}]}']
)
def test_another_answer_is_an_unknown_layout(text: str) -> None:
    assert parse(text).cause is Cause.UNKNOWN_LAYOUT


# -- names


def test_an_exact_match_has_a_key_and_a_synonym_that_of_its_taxon() -> None:
    assert parse_taxon(json.dumps(MATCH)) == 2481912
    assert parse_taxon(json.dumps({**MATCH, "synonym": True, "acceptedUsageKey": 5})) == 5


@pytest.mark.parametrize("kind", ["FUZZY", "HIGHERRANK", "NONE"])
def test_no_other_taxon_is_taken_for_it(kind: str) -> None:
    assert parse_taxon(json.dumps({**MATCH, "matchType": kind})) is Cause.NO_RESULTS


@pytest.mark.parametrize("text", ["", "<html>", "{}", '{"matchType": "EXACT"}'])
def test_another_answer_than_a_match_is_an_unknown_layout(text: str) -> None:
    assert parse_taxon(text) is Cause.UNKNOWN_LAYOUT


# -- asking


@pytest.fixture
def server(api_server):
    api_server.route("/species/match", lambda _: MATCH)
    api_server.route("/occurrence/search", lambda _: _answer(_record(7)))
    return api_server


def _source(server, session: requests.Session, **options: Any) -> Gbif:
    return Gbif(session, base_url=server.url, gap_s=0.0, **options)


def test_it_is_asked_by_scientific_name_and_shows_licences(server, session: requests.Session) -> None:
    source = _source(server, session)
    assert (source.name, source.asks_by, source.shows_licences) == ("gbif", AsksBy.SCIENTIFIC_NAME, True)
    source.close()


@pytest.mark.parametrize("licence", ["any", "commercial"])
def test_only_pictures_of_living_animals_of_the_taxon_are_asked_for(
    server, session: requests.Session, licence: str
) -> None:
    assert len(list(_source(server, session, licence=licence).search("Ciconia ciconia", 10))) == 1
    assert server.params("/species/match") == [{"name": "Ciconia ciconia", "strict": "true"}]
    assert server.params("/occurrence/search") == [
        {
            "taxonKey": "2481912",
            "mediaType": "StillImage",
            "basisOfRecord": "HUMAN_OBSERVATION",
            "occurrenceStatus": "PRESENT",
            "limit": "17",
            "offset": "0",
        }
    ]


def test_pages_go_on_to_the_last(server, session: requests.Session) -> None:
    everything = [_record(key) for key in range(1, 6)]

    def page(params: dict[str, str]) -> dict[str, Any]:
        start = int(params["offset"])
        return _answer(*everything[start : start + 2], offset=start, is_last=start + 2 >= len(everything))

    server.route("/occurrence/search", page)
    found = list(_source(server, session).search("Ciconia ciconia", 10))
    assert [candidate.observation for candidate in found] == ["1", "2", "3", "4", "5"]
    assert [params["offset"] for params in server.params("/occurrence/search")] == ["0", "2", "4"]


def test_records_without_a_usable_picture_do_not_end_the_search(server, session: requests.Session) -> None:
    captive = _answer(_record(1, degreeOfEstablishment="captive"), is_last=False)
    server.in_turn("/occurrence/search", captive, _answer(_record(2), offset=1))
    assert [one.observation for one in _source(server, session).search("Ciconia ciconia", 10)] == ["2"]


def test_an_unknown_name_is_said_without_asking_for_pictures(server, session: requests.Session) -> None:
    server.route("/species/match", lambda _: {"matchType": "NONE", "confidence": 100})
    with pytest.raises(SourceError, match="cigüeña") as caught:
        list(_source(server, session).search("cigüeña", 10))
    assert caught.value.cause is Cause.NO_RESULTS
    assert not server.params("/occurrence/search")


@pytest.mark.parametrize("path", ["/species/match", "/occurrence/search"])
def test_a_page_instead_of_json_is_kept_and_said(server, session: requests.Session, tmp_path: Path, path: str) -> None:
    server.route(path, lambda _: "<html>Down for maintenance</html>")
    with pytest.raises(SourceError) as caught:
        list(_source(server, session, saved=SavedPages(None, tmp_path)).search("Ciconia ciconia", 10))
    assert caught.value.cause is Cause.UNKNOWN_LAYOUT
    assert "maintenance" in (tmp_path / "gbif-unreadable-page.json").read_text()


# -- recorded answers


def _recorded(real_data: Path, name: str) -> str:
    """The body of an answer, or of the first one on a recorded cassette."""
    text = (real_data / "captures/gbif" / name).read_text()
    if name.endswith(".json"):
        return text
    return yaml.safe_load(text)["interactions"][0]["response"]["body"]["string"]


def test_a_recorded_page_gives_every_picture_with_its_own_licence(real_data: Path) -> None:
    page = parse(_recorded(real_data, "pygbif_test_search_key1.yaml"))
    assert (len(page.candidates), page.cause, page.following) == (435, None, "300")
    licences = [candidate.licence for candidate in page.candidates]
    counts = {licence: licences.count(licence) for licence in set(licences)}
    assert counts == {"cc-by-nc-4.0": 361, "cc-by-4.0": 56, "cc0-1.0": 15, "cc-by-nc-nd-4.0": 3}
    assert page.candidates[0].attribution == (
        "Max Roberts, CC BY-NC 4.0, via iNaturalist and GBIF: https://www.gbif.org/occurrence/4510402016"
    )
    assert (
        len({candidate.observation for candidate in page.candidates}) == 262
    )  # of 300 records: 37 have none, one another's


def test_a_recorded_bullfinch_has_a_licence_and_two_fungi_have_none(real_data: Path) -> None:
    page = parse(_recorded(real_data, "extracted_gbif_occurrence_search_with_Pyrrhula_pyrrhula.json"))
    assert [candidate.licence for candidate in page.candidates] == [None, None, "cc-by-4.0"]
    bullfinch = page.candidates[2]
    assert bullfinch.url == "https://inaturalist-open-data.s3.amazonaws.com/photos/279076960/original.jpeg"
    assert bullfinch.page_url == "https://www.inaturalist.org/photos/279076960"
    assert (bullfinch.author, bullfinch.observation) == ("Thomas Stjernegaard Jeppesen", "4116258845")
    assert page.following == "3"


@pytest.mark.parametrize(
    ("name", "pictures", "cause"),
    [
        ("pygbif_test_search_identified_by_id.yaml", 3, None),
        ("pygbif_test_search_recorded_by_id.yaml", 5, None),
        ("pygbif_test_name_backbone.yaml", 0, Cause.UNKNOWN_LAYOUT),
        ("pygbif_test_name_suggest.yaml", 0, Cause.UNKNOWN_LAYOUT),
        ("extracted_gbif_species_5231190_media_Passer_domesticus.json", 0, Cause.UNKNOWN_LAYOUT),
    ],
)
def test_recorded_answers_give_what_they_have(real_data: Path, name: str, pictures: int, cause: Cause | None) -> None:
    page = parse(_recorded(real_data, name))
    assert (len(page.candidates), page.cause) == (pictures, cause)
    assert all(candidate.attribution for candidate in page.candidates)


def test_a_recorded_match_has_its_key(real_data: Path) -> None:
    assert parse_taxon(_recorded(real_data, "pygbif_test_name_backbone.yaml")) == 9206251
