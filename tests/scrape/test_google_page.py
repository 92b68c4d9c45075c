"""Reading result pages: pure text, hand-made fixtures of the shapes Google has used."""

import json
import os
from pathlib import Path

import pytest
from birds.reasons import Cause
from birds.scrape.google_page import block_cause, has_thumbnails, is_thumbnail, parse_records

TODAY = """<script>var m={"a":[1,[0,"k1",["https://encrypted-tbn0.gstatic.com/images?q\\u003dtbn:AND1\\u0026s",183,275]
,["https://one.example/stork.jpg?w\\u003d1600\\u0026h\\u003d1067",1067,1600]
,null,0,"rgb(1,2,3)",null,false,
{"2000":[null,"one.example","2MB"],"2003":[null,
"x1","https://one.example/page?a\\u003d1","A stork\\u0026nbsp;on a \\"roof\\""]
}]],
"b":[1,[0,"k2",["https://encrypted-tbn0.gstatic.com/images?q\\u003dtbn:AND2",100,100],
["https://two.example/b.png",800,600],
{"2008":[null,"no page"]}]]};</script>"""
_RECORD = (
    '[["https://encrypted-tbn0.gstatic.com/images?q=tbn:AND3",1,2],["https://three.example/c.jpg?x=1&y=2",300,400],'
    '{"2003":[null,"id","https://three.example/p","Third"]}]'
)
_ESCAPED = _RECORD.replace("],", "]\n,").replace("=", "\\u003d").replace("&", "\\u0026")
NESTED = ")]}'\n\n99\n" + json.dumps([["wrb.fr", "HoAMBc", _ESCAPED]])


def test_height_stands_before_width_and_escapes_are_resolved() -> None:
    first, second = parse_records(TODAY)
    assert first.url == "https://one.example/stork.jpg?w=1600&h=1067"
    assert (first.width, first.height) == (1600, 1067)
    assert first.thumbnail == "https://encrypted-tbn0.gstatic.com/images?q=tbn:AND1&s"
    assert first.page_url == "https://one.example/page?a=1"
    assert first.title == 'A stork\xa0on a "roof"'
    assert (second.url, second.width, second.height) == ("https://two.example/b.png", 600, 800)


def test_a_record_without_page_takes_none_from_its_neighbour() -> None:
    reversed_order = TODAY.replace('"a":', '"z":')
    assert parse_records(reversed_order)[1].page_url is None


def test_answers_nested_in_a_json_string_are_read_too() -> None:
    (candidate,) = parse_records(NESTED, strategy="xhr")
    assert candidate.url == "https://three.example/c.jpg?x=1&y=2"
    assert (candidate.width, candidate.height, candidate.strategy) == (400, 300, "xhr")
    assert candidate.title == "Third"


def test_a_picture_named_twice_is_one_candidate() -> None:
    assert len(parse_records(TODAY + TODAY)) == 2


def test_thumbnails_are_never_taken_for_pictures() -> None:
    page = '[["https://encrypted-tbn0.gstatic.com/a",1,2],["https://encrypted-tbn0.gstatic.com/b",3,4]]'
    assert parse_records(page) == []
    assert is_thumbnail("data:image/jpeg;base64,AAAA")
    assert not is_thumbnail("https://one.example/stork.jpg")


@pytest.mark.parametrize(
    ("url", "html", "cause"),
    [
        ("https://www.google.com/sorry/index?continue=x", "", Cause.CAPTCHA),
        ("https://www.google.com/search?q=x", '<form id="captcha-form" action="index">', Cause.CAPTCHA),
        ("https://www.google.com/search?q=x", "<div class='g-recaptcha' data-sitekey=1>", Cause.CAPTCHA),
        ("https://www.google.com/search?q=x", "Our systems have detected unusual traffic from", Cause.CAPTCHA),
        ("https://consent.google.com/ml?continue=x", "", Cause.CONSENT),
        ("https://www.google.com/search?q=x", '<button id="L2AGLb">', Cause.CONSENT),
        ("https://www.google.com/search?q=x", '<a href="/httpservice/retry/enablejs?sei=1">', Cause.JAVASCRIPT_SHELL),
        ("https://www.google.com/search?q=x", "<h1>Please update your browser</h1>", Cause.OUTDATED_BROWSER),
        (
            "https://www.google.com/search?q=x",
            "<p>Your search - xyzzy - did not match any documents.",
            Cause.NO_RESULTS,
        ),
        ("https://www.google.com/search?q=x", TODAY, None),
    ],
)
def test_a_page_that_is_no_result_page_has_its_cause(url: str, html: str, cause: Cause | None) -> None:
    assert block_cause(url, html) is cause


def test_a_damaged_page_gives_fewer_candidates_and_no_error() -> None:
    for cut in range(0, len(TODAY), 7):
        assert len(parse_records(TODAY[:cut])) <= 2


DATA = Path(os.environ.get("BIRDS_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "captures").is_dir(), reason="the recorded pages are not here (BIRDS_TEST_DATA)")
def test_recorded_pages_are_read_as_they_were_measured() -> None:
    def recorded(name: str) -> str:
        return (DATA / "captures" / name).read_text(encoding="utf-8", errors="replace")

    page = recorded("google_images/gis_result-page-2020-02-29.html")
    candidates = parse_records(page)
    assert len(candidates) == 100
    assert (candidates[0].width, candidates[0].height) == (1200, 800)
    thumbnails_only = recorded("google_images/gis_result-example.html")
    assert parse_records(thumbnails_only) == []
    assert has_thumbnails(thumbnails_only)
    causes = {
        "ernos_google_captcha_curl_cffi_2026-02.html": Cause.CAPTCHA,
        "openserp_search_captcha.html": Cause.CAPTCHA,
        "lead_hunter_enablejs_challenge_TRIMMED.html": Cause.JAVASCRIPT_SHELL,
        "openserp_search_no_results.html": Cause.NO_RESULTS,
    }
    for name, cause in causes.items():
        assert block_cause("https://www.google.com/search?q=x", recorded(f"google_block/{name}")) is cause
