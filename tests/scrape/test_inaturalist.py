import json
from pathlib import Path
from typing import Any

import pytest
import requests
from birds.errors import SourceError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy, Candidate
from birds.scrape.inaturalist import INaturalist, parse, parse_taxon
from birds.scrape.saved_pages import SavedPages


def _photo(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "license_code": "cc-by",
        "url": f"https://photos.example/photos/{number}/square.jpg",
        "attribution": f"(c) Ada {number}, some rights reserved (CC BY)",
        "original_dimensions": {"width": 2048, "height": 1364},
        **changes,
    }


def _observation(number: int, *photos: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "quality_grade": "research",
        "captive": False,
        "license_code": "cc0",
        "taxon": {"name": "Ciconia ciconia", "rank": "species"},
        "user": {"login": "ada", "name": "Ada Lovelace"},
        "photos": list(photos) or [_photo(number * 10)],
        **changes,
    }


def _answer(*observations: dict[str, Any], total: int = 0) -> dict[str, Any]:
    return {"total_results": total or len(observations), "page": 1, "per_page": 30, "results": list(observations)}


def _parsed(*observations: dict[str, Any]) -> tuple[Candidate, ...]:
    return parse(json.dumps(_answer(*observations))).candidates


def _taxon(number: int, name: str, **changes: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "rank": "species", "matched_term": name, **changes}


STORKS = [_taxon(5, "Ciconia ciconia ciconia", rank="subspecies"), _taxon(4, "Ciconia ciconia"), _taxon(6, "Ciconia")]


# -- reading


def test_a_photo_has_all_that_its_use_asks_for() -> None:
    assert _parsed(_observation(7, _photo(70))) == (
        Candidate(
            url="https://photos.example/photos/70/large.jpg",
            strategy="api",
            page_url="https://www.inaturalist.org/observations/7",
            title="Ciconia ciconia",
            author="Ada Lovelace",
            licence="cc-by",
            licence_url="https://creativecommons.org/licenses/by/4.0/",
            attribution="(c) Ada 70, some rights reserved (CC BY)",
            observation="7",
            width=2048,
            height=1364,
        ),
    )


def test_photos_of_one_observation_stand_together_in_order() -> None:
    found = _parsed(_observation(7, _photo(70), _photo(71)), _observation(8, _photo(80)))
    assert [(one.observation, one.url.split("/")[-2]) for one in found] == [("7", "70"), ("7", "71"), ("8", "80")]


def test_the_photos_licence_counts_and_not_the_observations() -> None:
    found = _parsed(_observation(7, _photo(70, license_code="cc-by-nc"), _photo(71, license_code="cc0")))
    assert [(one.licence, one.licence_url) for one in found] == [
        ("cc-by-nc", "https://creativecommons.org/licenses/by-nc/4.0/"),
        ("cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    ]


@pytest.mark.parametrize("changes", [{"license_code": None}, {"license_code": "gfdl"}, {"hidden": True}, {"url": None}])
def test_a_photo_without_licence_or_address_is_left_out(changes: dict[str, Any]) -> None:
    assert not _parsed(_observation(7, _photo(70, **changes)))


@pytest.mark.parametrize("changes", [{"quality_grade": "needs_id"}, {"captive": True}, {"quality_grade": None}])
def test_what_is_not_research_grade_and_wild_is_left_out_even_if_it_is_sent(changes: dict[str, Any]) -> None:
    assert not _parsed(_observation(7, **changes))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://h.example/1/square.jpeg?153", "https://h.example/1/large.jpeg?153"),
        ("https://h.example/1/medium.png", "https://h.example/1/large.png"),
        ("https://h.example/square.d/1/original.jpg", "https://h.example/square.d/1/original.jpg"),
    ],
)
def test_the_large_size_is_asked_for(given: str, url: str) -> None:
    assert _parsed(_observation(7, _photo(70, url=given)))[0].url == url


def test_a_user_without_a_name_goes_by_the_login() -> None:
    assert _parsed(_observation(7, user={"login": "ada", "name": None}))[0].author == "ada"


def test_the_last_id_leads_on_while_there_is_more() -> None:
    answer = _answer(_observation(7), _observation(9), total=3)
    assert parse(json.dumps(answer)).following == "9"
    assert parse(json.dumps({**answer, "total_results": 2})).following is None


def test_an_empty_answer_says_no_results() -> None:
    assert parse(json.dumps(_answer())).cause is Cause.NO_RESULTS


@pytest.mark.parametrize(
    "text", ["", "<html>sorry</html>", "[]", "{}", '{"error": "x"}', json.dumps({"results": STORKS})]
)
def test_another_answer_is_an_unknown_layout(text: str) -> None:
    assert parse(text).cause is Cause.UNKNOWN_LAYOUT


# -- names


@pytest.mark.parametrize("name", ["Ciconia ciconia", "ciconia  CICONIA"])
def test_a_name_finds_the_taxon_of_exactly_that_name(name: str) -> None:
    assert parse_taxon(json.dumps({"results": STORKS}), name) == 4


def test_a_family_is_found_as_well() -> None:
    assert parse_taxon(json.dumps({"results": [_taxon(9, "Cacatuidae", rank="family")]}), "Cacatuidae") == 9


def test_a_synonym_or_common_name_finds_the_one_taxon_that_has_it() -> None:
    gulls = [_taxon(1, "Chroicocephalus ridibundus", matched_term="Larus ridibundus"), _taxon(2, "Larus ridibunda")]
    assert parse_taxon(json.dumps({"results": gulls}), "Larus ridibundus") == 1


@pytest.mark.parametrize(
    "taxa",
    [
        [],
        [_taxon(6, "Ciconia"), _taxon(7, "Ciconia nigra")],
        [_taxon(1, "Erithacus rubecula", matched_term="Robin"), _taxon(2, "Turdus migratorius", matched_term="Robin")],
        [_taxon(1, "Robin"), _taxon(2, "Robin")],
    ],
)
def test_no_taxon_is_guessed(taxa: list[dict[str, Any]]) -> None:
    assert parse_taxon(json.dumps({"results": taxa}), "Robin") is Cause.NO_RESULTS


# -- asking


@pytest.fixture
def server(api_server):
    api_server.route("/taxa", lambda _: {"results": STORKS})
    api_server.route("/observations", lambda _: _answer(_observation(7)))
    return api_server


def _source(server, session: requests.Session, **options: Any) -> INaturalist:
    return INaturalist(session, base_url=server.url, gap_s=0.0, **options)


def test_it_is_asked_by_scientific_name_and_shows_licences(server, session: requests.Session) -> None:
    source = _source(server, session)
    assert (source.name, source.asks_by, source.shows_licences) == ("inaturalist", AsksBy.SCIENTIFIC_NAME, True)
    source.close()


def test_only_wild_research_grade_licensed_photos_of_the_taxon_are_asked_for(server, session: requests.Session) -> None:
    assert len(list(_source(server, session).search("Ciconia ciconia", 10))) == 1
    assert server.params("/taxa")[0]["q"] == "Ciconia ciconia"
    assert server.params("/observations") == [
        {
            "taxon_id": "4",
            "quality_grade": "research",
            "captive": "false",
            "photos": "true",
            "photo_licensed": "true",
            "order_by": "id",
            "order": "asc",
            "per_page": "17",
        }
    ]


def test_commercial_use_narrows_the_licences_asked_for(server, session: requests.Session) -> None:
    list(_source(server, session, licence="commercial").search("Ciconia ciconia", 10))
    licences = server.params("/observations")[0]["photo_license"].split(",")
    assert "cc-by" in licences
    assert not [licence for licence in licences if "nc" in licence]


def test_pages_go_on_above_the_last_id(server, session: requests.Session) -> None:
    everything = [_observation(number) for number in (7, 9, 30)]

    def page(params: dict[str, str]) -> dict[str, Any]:
        left = [one for one in everything if one["id"] > int(params.get("id_above", 0))]
        return _answer(*left[:2], total=len(left))

    server.route("/observations", page)
    found = list(_source(server, session).search("Ciconia ciconia", 10))
    assert [candidate.observation for candidate in found] == ["7", "9", "30"]
    assert [params.get("id_above") for params in server.params("/observations")] == [None, "9"]


def test_an_unknown_name_is_said_without_asking_for_photos(server, session: requests.Session) -> None:
    with pytest.raises(SourceError, match="Gorrión") as caught:
        list(_source(server, session).search("Gorrión", 10))
    assert caught.value.cause is Cause.NO_RESULTS
    assert not server.params("/observations")


@pytest.mark.parametrize("path", ["/taxa", "/observations"])
def test_a_page_instead_of_json_is_kept_and_said(server, session: requests.Session, tmp_path: Path, path: str) -> None:
    server.route(path, lambda _: "<html>Down for maintenance</html>")
    with pytest.raises(SourceError) as caught:
        list(_source(server, session, saved=SavedPages(None, tmp_path)).search("Ciconia ciconia", 10))
    assert caught.value.cause is Cause.UNKNOWN_LAYOUT
    assert "maintenance" in (tmp_path / "inaturalist-unreadable-page.json").read_text()


def test_every_answer_is_saved_where_asked_for(server, session: requests.Session, tmp_path: Path) -> None:
    saved = SavedPages(tmp_path / "pages", tmp_path)
    found = list(_source(server, session, saved=saved).search("Ciconia ciconia", 10))
    taxa, photos = sorted((tmp_path / "pages").iterdir())
    assert parse_taxon(taxa.read_text(), "Ciconia ciconia") == 4
    assert list(parse(photos.read_text()).candidates) == found


# -- recorded answers


def test_the_recorded_observation_is_cc0_and_its_photos_cc_by(real_data: Path) -> None:
    page = parse((real_data / "captures/inaturalist/v1_get_observation.json").read_text())
    first, second = page.candidates
    assert first.url == "https://static.inaturalist.org/photos/24355315/large.jpeg?1536150664"
    assert second.url == "https://static.inaturalist.org/photos/24355313/large.jpeg?1536150659"
    assert {one.licence for one in page.candidates} == {"cc-by"}
    assert first.attribution == "(c) Nicolas Noé, some rights reserved (CC BY)"
    assert (first.author, first.observation, first.width, first.height) == ("Nicolas Noé", "16227955", 1445, 1057)
    assert (page.cause, page.following) == (None, None)


@pytest.mark.parametrize(
    ("name", "photos", "cause", "following"),
    [
        ("v1_get_observations_by_id", 2, None, None),
        ("v1_get_observations_page1", 1, None, "57754375"),
        ("v1_get_observation_with_ofvs", 0, None, None),  # needs_id
        ("v1_get_observation_with_sounds", 0, None, None),  # needs_id
        ("v1_get_nonexistent_observation", 0, Cause.NO_RESULTS, None),
        ("v1_get_taxa", 0, Cause.UNKNOWN_LAYOUT, None),
    ],
)
def test_recorded_answers_give_what_they_have(
    real_data: Path, name: str, photos: int, cause: Cause | None, following: str | None
) -> None:
    page = parse((real_data / f"captures/inaturalist/{name}.json").read_text())
    assert (len(page.candidates), page.cause, page.following) == (photos, cause, following)
    assert all(candidate.licence and candidate.attribution for candidate in page.candidates)


def test_recorded_photos_stripped_of_their_licence_are_not_kept(real_data: Path) -> None:
    text = (real_data / "captures/inaturalist/v1_get_observation.json").read_text()
    answer = json.loads(text)
    answer["results"][0]["photos"][0]["license_code"] = None
    assert [one.url.split("/")[-2] for one in parse(json.dumps(answer)).candidates] == ["24355313"]


@pytest.mark.parametrize(
    ("name", "taxon"),
    [("Nicrophorus vespillo", 131878), ("Vespina", 84737), ("Sésie vespiforme", 362871), ("vespi", Cause.NO_RESULTS)],
)
def test_recorded_taxa_are_found_by_their_exact_name(real_data: Path, name: str, taxon: int | Cause) -> None:
    assert parse_taxon((real_data / "captures/inaturalist/v1_get_taxa.json").read_text(), name) == taxon
