"""Reading saved answers of DuckDuckGo: hand-made ones of its shape, and the recorded ones where they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from birds.reasons import Cause
from birds.scrape.duckduckgo import WHY_NOT_LIVE, parse
from hypothesis import given
from hypothesis import strategies as st


def result(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "height": 933,
        "image": f"https://pictures.example/{number}.jpg",
        "source": "Bing",
        "thumbnail": f"https://tse2.mm.bing.net/th?id=OIP.{number}&pid=Api",
        "title": f"Stork {number}",
        "url": f"https://pages.example/{number}",
        "width": 1214,
        **changes,
    }


def answer(*results: Any) -> str:
    following = "i.js?q=stork&o=json&p=-1&s=100&u=bing&f=,,,,,&l=us-en"
    return json.dumps({"ads": None, "next": following, "query": "stork", "results": list(results)})


def test_a_result_has_its_picture_page_and_where_it_was_found_but_no_licence() -> None:
    page = parse(answer(result(1)))
    (found,) = page.candidates
    assert (found.url, found.page_url) == ("https://pictures.example/1.jpg", "https://pages.example/1")
    assert found.thumbnail == "https://tse2.mm.bing.net/th?id=OIP.1&pid=Api"
    assert (found.title, found.width, found.height) == ("Stork 1", 1214, 933)
    assert found.attribution == "Stork 1, pages.example"
    assert found.licence is None
    assert page.following == "i.js?q=stork&o=json&p=-1&s=100&u=bing&f=,,,,,&l=us-en"


def test_a_damaged_result_costs_no_other_and_a_picture_is_given_once() -> None:
    damaged = [None, 5, {}, result(3, image="file:///etc/passwd"), result(4, image=None)]
    partly = result(2, url="http://[", title=None, thumbnail=7, width="wide", height=None)
    page = parse(answer(result(1), *damaged, partly, result(1, title="again")))
    assert [one.url for one in page.candidates] == ["https://pictures.example/1.jpg", "https://pictures.example/2.jpg"]
    assert (page.candidates[1].title, page.candidates[1].width, page.candidates[1].attribution) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (answer(), Cause.NO_RESULTS),
        ("DDG.deep.anomalyDetectionBlock({gk:'n1',q:'stork',iadb:1})", Cause.CAPTCHA),
        ("<p>Unfortunately, bots use DuckDuckGo too.</p>", Cause.CAPTCHA),
        ("if(DDG.deep){DDG.deep.is506=1;}", Cause.UNKNOWN_LAYOUT),
        ("<html><title>stork at DuckDuckGo</title></html>", Cause.UNKNOWN_LAYOUT),
        (answer({"picture": "renamed"}), Cause.UNKNOWN_LAYOUT),
        ('{"results": {}}', Cause.UNKNOWN_LAYOUT),
        ("[" * 100_000, Cause.UNKNOWN_LAYOUT),
        ("", Cause.UNKNOWN_LAYOUT),
    ],
)
def test_an_answer_without_results_has_its_cause(text: str, cause: Cause) -> None:
    page = parse(text)
    assert (page.candidates, page.cause) == ((), cause)


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(answer))
def test_no_text_makes_the_parser_raise(text: str) -> None:
    page = parse(text)
    assert bool(page.candidates) != bool(page.cause)


def test_the_reason_for_not_searching_live_names_what_to_do_instead() -> None:
    assert "ddgs" in WHY_NOT_LIVE
    assert "--source bing" in WHY_NOT_LIVE
    assert "--from-page" in WHY_NOT_LIVE


def test_recorded_answers_are_read(real_data: Path) -> None:
    def recorded(name: str) -> str:
        return (real_data / "captures" / "ddg" / name).read_text(encoding="utf-8")

    page = parse(recorded("images_default.json"))
    listed = json.loads(recorded("images_default.json"))["results"]
    assert [one.url for one in page.candidates] == list(dict.fromkeys(one["image"] for one in listed))
    assert (page.candidates[0].width, page.candidates[0].height) == (1214, 933)
    assert all(one.attribution and one.page_url and one.licence is None for one in page.candidates)
    causes = {
        "images_noResults.json": Cause.NO_RESULTS,
        "anomalyDetectionBlock.js": Cause.CAPTCHA,
        "506.js": Cause.UNKNOWN_LAYOUT,
        "se-scraper_ddg_serp_page1.html": Cause.UNKNOWN_LAYOUT,
    }
    for name, cause in causes.items():
        assert parse(recorded(name)).cause is cause
