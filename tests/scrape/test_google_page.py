"""Reading result pages: pure text, hand-made fixtures of the shapes Google has used."""

import json
import re
from pathlib import Path

import pytest
from birds.reasons import Cause
from birds.scrape.google_page import block_cause, is_thumbnail, parse, parse_links, parse_records
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_recent_page_has_its_age_before_its_address() -> None:
    page = TODAY.replace('"2003":[null', '"2003":["6 days ago"')
    assert parse_records(page) == parse_records(TODAY)
    assert page != TODAY


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


# -- links


LINKS = """<a class="x" href="/imgres?imgurl=https%3A%2F%2Fone.example%2Fa.jpg%3Fw%3D9%26h%3D8&amp;imgrefurl=
https%3A%2F%2Fone.example%2Fpage%3Fid%3D1&amp;docid=d&amp;tbnid=t&amp;w=1600&amp;h=1067"><img src="data:image/jpeg,x">
<A tabindex=0 HREF='https://www.google.com/imgres?imgurl=http://two.example/b%2520c.png&imgrefurl=about:x&w=1e3'>b</A>
<a href="/imgres?imgurl=https%3A%2F%2Fencrypted-tbn0.gstatic.com%2Fimages%3Fq%3Dtbn%3Ax">a thumbnail</a>
<a href="/imgres?imgurl=data%3Aimage%2Fgif%3Bbase64%2CR0">another</a>
<a href="/imgres?tbnid=t&amp;docid=d">no picture named</a>
<a href="/search?imgurl=https%3A%2F%2Fone.example%2Fa.jpg">no such link</a>
<a href="/imgres?imgurl=http%3A%2F%2Ftwo.example%2Fb%2520c.png">that again</a>
<a href="http://[damaged/imgres?imgurl=https%3A%2F%2Fone.example%2Fa.jpg">damaged</a>""".replace("=\n", "=")


def test_links_name_the_picture_its_page_and_its_size() -> None:
    first, second = parse_links(LINKS)
    assert first.url == "https://one.example/a.jpg?w=9&h=8"
    assert first.page_url == "https://one.example/page?id=1"
    assert (first.width, first.height, first.strategy) == (1600, 1067, "imgres")
    assert second.url == "http://two.example/b%20c.png"
    assert (second.page_url, second.width, second.height) == (None, None, None)


# -- whole pages


THUMBNAIL = '<img alt="" src="https://encrypted-tbn0.gstatic.com/images?q=tbn:AND1">'
BLOCK_WORDS = """<noscript><a href="/httpservice/retry/enablejs?sei=1">here</a></noscript>
<h3>Unusual traffic of storks</h3><h3>Update your browser</h3><h3>It did not match any documents</h3>"""


def test_a_page_with_results_is_a_result_page_whatever_its_words_say() -> None:
    for url in ("", "https://www.google.com/search?q=x"):
        page = parse(BLOCK_WORDS + TODAY, url)
        assert (page.cause, list(page.candidates)) == (None, parse_records(TODAY))
        page = parse(BLOCK_WORDS + LINKS, url)
        assert (page.cause, list(page.candidates)) == (None, parse_links(LINKS))


def test_links_are_read_only_where_there_are_no_records() -> None:
    assert {candidate.strategy for candidate in parse(LINKS + TODAY).candidates} == {"inline"}


@pytest.mark.parametrize(
    ("html", "cause"),
    [
        (f"<a>{THUMBNAIL}</a>", Cause.ONLY_THUMBNAILS),
        (f'<noscript><a href="/httpservice/retry/enablejs">here</a></noscript>{THUMBNAIL}', Cause.ONLY_THUMBNAILS),
        (f"<h3>Unusual traffic of storks</h3>{THUMBNAIL}", Cause.ONLY_THUMBNAILS),
        (f'<form id="captcha-form"></form>{THUMBNAIL}', Cause.CAPTCHA),
        (f'<div id="main-frame-error">{THUMBNAIL}</div>', Cause.NETWORK),
        ('<form id="captcha-form"></form>', Cause.CAPTCHA),
        ('<noscript><a href="/httpservice/retry/enablejs">here</a></noscript>', Cause.JAVASCRIPT_SHELL),
        ("<p>Your search - xyzzy - did not match any image results.", Cause.NO_RESULTS),
        ('<img src="https://www.gstatic.com/logo.svg"><img src="data:image/svg+xml,x">', Cause.UNKNOWN_LAYOUT),
        ("", Cause.UNKNOWN_LAYOUT),
    ],
)
def test_a_page_without_results_has_its_cause(html: str, cause: Cause) -> None:
    page = parse(html)
    assert (page.candidates, page.cause) == ((), cause)


PIECES = (*re.findall(r"[^<>]+|[<>]", TODAY + LINKS + BLOCK_WORDS), "9" * 5000, "\ud800", "\\ud800", "[[", '"', "'")


@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join), st.sampled_from(["", "http://[", "x:/sorry"])
)
def test_no_text_is_too_odd_to_be_read(text: str, url: str) -> None:
    page = parse(text, url)
    assert bool(page.candidates) != bool(page.cause)
    for candidate in page.candidates:
        (candidate.url + (candidate.page_url or "") + (candidate.title or "")).encode()
        assert not is_thumbnail(candidate.url)


# -- recorded pages


def recorded(real_data: Path, name: str) -> str:
    return (real_data / "captures" / name).read_text(encoding="utf-8", errors="replace")


def test_the_page_of_2020_gives_a_hundred_candidates_with_their_sizes(real_data: Path) -> None:
    html = recorded(real_data, "google_images/gis_result-page-2020-02-29.html")
    page = parse(html)
    assert (len(page.candidates), page.cause) == (100, None)
    assert {candidate.strategy for candidate in page.candidates} == {"inline"}
    on_cards = [(int(w), int(h)) for w, h in re.findall(r'data-ow="(\d+)" data-oh="(\d+)"', html)]
    assert len(on_cards) == 20
    assert [(candidate.width, candidate.height) for candidate in page.candidates[:20]] == on_cards
    assert all(candidate.page_url and candidate.title for candidate in page.candidates)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("google_images/gis_result-example.html", Cause.ONLY_THUMBNAILS),
        ("google_block/ernos_google_captcha_curl_cffi_2026-02.html", Cause.CAPTCHA),
        ("google_block/openserp_search_captcha.html", Cause.CAPTCHA),
        ("google_block/lead_hunter_enablejs_challenge_TRIMMED.html", Cause.JAVASCRIPT_SHELL),
        ("google_block/openserp_search_no_results.html", Cause.NO_RESULTS),
    ],
)
def test_recorded_pages_without_results_have_their_causes(real_data: Path, name: str, cause: Cause) -> None:
    page = parse(recorded(real_data, name))
    assert (page.candidates, page.cause) == ((), cause)
