import json
from pathlib import Path
from typing import Any

import pytest
import requests
from birds.errors import SourceError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy, Candidate
from birds.scrape.openverse import Openverse, parse
from birds.scrape.saved_pages import SavedPages


def _result(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"feb91b13-{number}",
        "title": f"Stork {number}",
        "foreign_landing_url": f"https://photos.example/ada/{number}",
        "url": f"https://live.example/{number}_b.jpg",
        "creator": "Ada",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "source": "flickr",
        "attribution": f'"Stork {number}" by Ada is licensed under CC BY-SA 2.0.',
        "width": 1024,
        "height": 768,
        "mature": False,
        "unstable__sensitivity": [],
        **changes,
    }


def _answer(*results: dict[str, Any], page: int = 1, last: int = 1) -> dict[str, Any]:
    return {"result_count": 99, "page_count": last, "page_size": 20, "page": page, "results": list(results)}


def _parsed(*results: dict[str, Any]) -> tuple[Candidate, ...]:
    return parse(json.dumps(_answer(*results))).candidates


# -- reading


def test_a_picture_has_all_that_its_use_asks_for() -> None:
    assert _parsed(_result(7)) == (
        Candidate(
            url="https://live.example/7_b.jpg",
            strategy="api",
            page_url="https://photos.example/ada/7",
            title="Stork 7",
            author="Ada",
            licence="cc-by-sa-2.0",
            licence_url="https://creativecommons.org/licenses/by-sa/2.0/",
            attribution='"Stork 7" by Ada is licensed under CC BY-SA 2.0.',
            width=1024,
            height=768,
        ),
    )


def test_pictures_come_in_order_and_once() -> None:
    found = _parsed(_result(2), _result(1), _result(2))
    assert [candidate.title for candidate in found] == ["Stork 2", "Stork 1"]


@pytest.mark.parametrize(
    ("changes", "licence", "licence_url"),
    [
        (
            {"license": "cc0", "license_version": "1.0", "license_url": None},
            "cc0-1.0",
            "https://creativecommons.org/publicdomain/zero/1.0/",
        ),
        ({"license": "by", "license_version": None, "license_url": None}, "cc-by", None),
        (
            {"license": "pdm", "license_version": "1.0", "license_url": None},
            "pdm-1.0",
            "https://creativecommons.org/publicdomain/mark/1.0/",
        ),
        ({"license": "sampling+", "license_version": "1.0", "license_url": None}, None, None),
    ],
)
def test_the_licence_is_read_from_its_parts_where_no_deed_is_named(
    changes: dict[str, Any], licence: str | None, licence_url: str | None
) -> None:
    (found,) = _parsed(_result(7, **changes))
    assert (found.licence, found.licence_url) == (licence, licence_url)


def test_a_credit_line_is_written_where_none_is_given() -> None:
    assert _parsed(_result(7, attribution=None))[0].attribution == "Ada, CC BY-SA 2.0, via flickr"


@pytest.mark.parametrize("changes", [{"mature": True}, {"unstable__sensitivity": ["user_reported_sensitive"]}])
def test_sensitive_pictures_are_left_out_even_if_they_are_sent(changes: dict[str, Any]) -> None:
    assert [one.title for one in _parsed(_result(7, **changes), _result(8))] == ["Stork 8"]


@pytest.mark.parametrize(("page", "last", "following"), [(1, 3, "2"), (3, 3, None), (11, 50, "12"), (12, 50, None)])
def test_pages_lead_on_as_far_as_without_an_account(page: int, last: int, following: str | None) -> None:
    assert parse(json.dumps(_answer(_result(7), page=page, last=last))).following == following


def test_an_empty_answer_says_no_results() -> None:
    assert parse(json.dumps(_answer())).cause is Cause.NO_RESULTS


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"detail": "Not found."}', '{"results": [{"id": 1}]}'])
def test_another_answer_is_an_unknown_layout(text: str) -> None:
    assert parse(text).cause is Cause.UNKNOWN_LAYOUT


# -- asking


def _source(api_server, session: requests.Session, **options: Any) -> Openverse:
    return Openverse(session, base_url=f"{api_server.url}/v1", gap_s=0.0, **options)


def test_it_is_asked_by_scientific_name_and_shows_licences(api_server, session: requests.Session) -> None:
    source = _source(api_server, session)
    assert (source.name, source.asks_by, source.shows_licences) == ("openverse", AsksBy.SCIENTIFIC_NAME, True)
    source.close()


@pytest.mark.parametrize(
    ("licence", "asked"),
    [("any", {}), ("open", {}), ("commercial", {"license_type": "commercial"})],
)
def test_pictures_that_say_the_very_words_are_asked_for(
    api_server, session: requests.Session, licence: str, asked: dict[str, str]
) -> None:
    api_server.route("/v1/images/", lambda _: _answer(_result(7)))
    assert len(list(_source(api_server, session, licence=licence).search('Ciconia "ciconia', 100))) == 1
    assert api_server.params("/v1/images/") == [
        {"q": '"Ciconia  ciconia"', "page": "1", "page_size": "20", "mature": "false", **asked}
    ]


def test_pages_go_on_to_the_last(api_server, session: requests.Session) -> None:
    api_server.route(
        "/v1/images/", lambda params: _answer(_result(int(params["page"])), page=int(params["page"]), last=3)
    )
    found = list(_source(api_server, session).search("Ciconia ciconia", 100))
    assert [candidate.title for candidate in found] == ["Stork 1", "Stork 2", "Stork 3"]


def test_a_page_instead_of_json_is_kept_and_said(api_server, session: requests.Session, tmp_path: Path) -> None:
    api_server.route("/v1/images/", lambda _: "<html>Down for maintenance</html>")
    with pytest.raises(SourceError) as caught:
        list(_source(api_server, session, saved=SavedPages(None, tmp_path)).search("Ciconia ciconia", 10))
    assert caught.value.cause is Cause.UNKNOWN_LAYOUT
    assert "maintenance" in (tmp_path / "openverse-unreadable-page.json").read_text()


def test_a_used_up_day_is_a_quota_and_what_came_before_stays(api_server, session: requests.Session) -> None:
    used_up = api_server.answer({"detail": "Request was throttled."}, status=429, Retry_After="86400")
    api_server.in_turn("/v1/images/", _answer(_result(1), last=2), used_up)
    found = _source(api_server, session).search("Ciconia ciconia", 100)
    assert next(found).title == "Stork 1"
    with pytest.raises(SourceError) as caught:
        next(found)
    assert caught.value.cause is Cause.QUOTA


# -- a recorded answer


def test_a_recorded_page_gives_every_picture_with_licence_and_attribution(real_data: Path) -> None:
    page = parse((real_data / "captures/openverse/openverse_search_galah_2022-03-28_TRIMMED.json").read_text())
    first, second = page.candidates
    assert first.url == "https://live.staticflickr.com/894/40593461235_b72593df28_b.jpg"
    assert first.page_url == "https://www.flickr.com/photos/126953422@N04/40593461235"
    assert (first.licence, second.licence) == ("cc-by-sa-2.0", "cc0-1.0")
    assert first.attribution == "Graham Winterflood, CC BY-SA 2.0, via flickr"
    assert (page.cause, page.following) == (None, "2")
