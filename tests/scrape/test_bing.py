"""Bing: its parser on hand-made pages of its shape, its fetcher through real headless Chromium and a local server."""

import html
import json
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from birds.errors import BrowserError, SourceError
from birds.files import Project
from birds.reasons import Cause
from birds.scrape.bing import Bing, parse
from birds.scrape.browsing import Browsing
from birds.scrape.saved_pages import SavedPages
from hypothesis import given, settings
from hypothesis import strategies as st


def fields(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "murl": f"https://pictures.example/{number}.jpg",
        "turl": f"https://tse1.mm.bing.net/th?id=OIP.{number}&pid=15.1",
        "purl": f"https://pages.example/{number}",
        "t": f"Stork {number}",
        **changes,
    }


def card(
    m: str, quote: str = '"', shown: str = "1600 x 1067 · jpeg", href: str = "/images/search?view=detailV2"
) -> str:
    """One result as Bing writes it; `m` is the attribute's value before it is escaped."""
    escaped = html.escape(m, quote=False).replace(quote, "&quot;" if quote == '"' else "&#39;")
    return (
        f'<li data-idx="1"><div class="imgpt"><a class="iusc" style="height:180px" m={quote}{escaped}{quote} '
        f'href="{html.escape(href)}"><div class="img_cont hoff">'
        f'<img class="mimg" src="https://tse1.mm.bing.net/th?id=OIP.x&amp;w=273"></div></a>'
        f'<div class="img_info hon"><span class="nowrap">{shown}</span>'
        '<div class="lnkw"><a title="pages.example" href="https://pages.example/">pages.example</a></div></div></div></li>'
    )


def cards(*numbers: int) -> str:
    return f'<ul class="dgControl_list">{"".join(card(json.dumps(fields(n))) for n in numbers)}</ul>'


CAPTCHA = '<div class="captcha"><h1>One last step</h1><p>Please solve the challenge below to continue</p></div>'
CONSENT = '<div id="bnp_container"><button id="bnp_btn_reject">Reject</button></div>'
NOTHING = "<div class='no_results'><h1>There are no results for <b>xyzzy</b></h1></div>"
THUMBNAILS = '<img class="mimg" src="https://tse1.mm.bing.net/th?id=OIP.x&amp;w=273">'
REDESIGN = "<main><canvas></canvas><p>A page of another shape</p></main>"


# -- the parser


def test_a_result_has_its_picture_thumbnail_page_title_and_pixels() -> None:
    (found,) = parse(cards(7)).candidates
    assert found.url == "https://pictures.example/7.jpg"
    assert found.thumbnail == "https://tse1.mm.bing.net/th?id=OIP.7&pid=15.1"
    assert (found.page_url, found.title) == ("https://pages.example/7", "Stork 7")
    assert (found.width, found.height) == (1600, 1067)
    assert found.licence is None


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_entities_and_angle_brackets_in_an_attribute_do_not_end_it(quote: str) -> None:
    tricky = fields(1, t="""A "stork's" <nest> & more""", murl="https://a.example/1.jpg?w=1&h=2")
    first, second = parse(card(json.dumps(tricky), quote) + card(json.dumps(fields(2)), quote)).candidates
    assert first.title == """A "stork's" <nest> & more"""
    assert first.url == "https://a.example/1.jpg?w=1&h=2"
    assert second.url == "https://pictures.example/2.jpg"


def test_marks_of_matched_words_and_doubled_entities_leave_the_title() -> None:
    (found,) = parse(card(json.dumps(fields(1, t="\ue000White\ue001 \ue000stork\ue001 &amp; chick")))).candidates
    assert found.title == "White stork & chick"


@pytest.mark.parametrize(
    "damaged", ["{not json", "[]", "null", json.dumps({"turl": 5}), json.dumps({"murl": "javascript:alert(1)"})]
)
def test_a_damaged_result_costs_no_other(damaged: str) -> None:
    page = parse(cards(1) + card(damaged) + '<a class="iusc">no attribute</a>' + cards(2))
    assert [one.title for one in page.candidates] == ["Stork 1", "Stork 2"]


@pytest.mark.parametrize(
    ("shown", "href", "pixels"),
    [
        ("3442 x 2972 · png", "", (3442, 2972)),
        ("640×480", "", (640, 480)),
        ("", "/images/search?view=detailV2&exph=1160&expw=1880&q=x", (1880, 1160)),
        ("jpeg", "/images/search?view=detailV2", (None, None)),
    ],
)
def test_pixels_are_read_where_they_are_shown(shown: str, href: str, pixels: tuple[int | None, int | None]) -> None:
    (found,) = parse(card(json.dumps(fields(1)), shown=shown, href=href)).candidates
    assert (found.width, found.height) == pixels


def test_pixels_are_not_taken_from_the_neighbour() -> None:
    first, second = parse(card(json.dumps(fields(1)), shown="") + card(json.dumps(fields(2)))).candidates
    assert (first.width, second.width) == (None, 1600)


def test_a_picture_shown_twice_is_one_candidate() -> None:
    assert len(parse(cards(1, 2, 1)).candidates) == 2


def test_bings_own_small_copies_are_never_pictures() -> None:
    copy = fields(1, murl="https://tse1.mm.bing.net/th?id=OIP.1&pid=15.1")
    assert parse(card(json.dumps(copy))).cause is Cause.ONLY_THUMBNAILS


@pytest.mark.parametrize(
    ("page", "url", "cause"),
    [
        (CAPTCHA, "", Cause.CAPTCHA),
        ("", "https://www.bing.com/turing/captcha/challenge?q=x", Cause.CAPTCHA),
        ('<script src="https://challenges.cloudflare.com/turnstile/v0/api.js">', "", Cause.CAPTCHA),
        (CONSENT, "", Cause.CONSENT),
        (NOTHING, "", Cause.NO_RESULTS),
        (THUMBNAILS, "", Cause.ONLY_THUMBNAILS),
        (REDESIGN, "", Cause.UNKNOWN_LAYOUT),
        ("", "", Cause.UNKNOWN_LAYOUT),
        ('<body class="neterror">', "", Cause.NETWORK),
    ],
)
def test_a_page_without_results_has_its_cause(page: str, url: str, cause: Cause) -> None:
    assert parse(page, url).cause is cause
    assert parse(page, url).candidates == ()


def test_words_of_a_block_in_a_title_block_nothing() -> None:
    page = parse(CONSENT + card(json.dumps(fields(1, t="There are no results for One last step"))))
    assert (len(page.candidates), page.cause) == (1, None)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([cards(1), "<a ", "'", '"', ">", 'm="{', 'class="iusc"', "&#", "<!--", "é\ud800"])))
def test_no_text_makes_the_parser_raise(pieces: list[str]) -> None:
    page = parse("".join(pieces))
    assert bool(page.candidates) != bool(page.cause)


def test_a_page_of_unclosed_links_is_read_at_once() -> None:
    """Each of these would take minutes if every link were searched to the end of the page."""
    for piece in ('<a "', "<a '", "<a x=", "<a x='\"", "<a " + "y" * 50, "<img "):
        assert parse(piece * 100_000).cause is Cause.UNKNOWN_LAYOUT


# -- the fetcher

Answer = Callable[[dict[str, str]], tuple[int, str]]


@dataclass
class StandIn:
    """A server of pages of Bing's shape: what `answer` makes of a request's parameters, which are kept in `asked`."""

    url: str
    answer: Answer = lambda parameters: (200, "")
    asked: list[dict[str, str]] = field(default_factory=list)

    def has(self, *pages: str | tuple[int, str]) -> None:
        """Answer with these pages in turn, then with empty ones; a pair begins with the HTTP status."""
        left = list(pages)

        def following(_: dict[str, str]) -> tuple[int, str]:
            page = left.pop(0) if left else ""
            return page if isinstance(page, tuple) else (200, page)

        self.answer, self.asked = following, []


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            status, text = 404, ""
            if address.path == "/images/async":
                parameters = {name: values[0] for name, values in parse_qs(address.query).items()}
                served.asked.append(parameters)
                status, text = served.answer(parameters)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Tests keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = StandIn(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def project_of_bing(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("bing"))


@pytest.fixture(scope="module")
def bing(stand_in: StandIn, project_of_bing: Project) -> Iterator[Bing]:
    source = Bing(project_of_bing, base_url=stand_in.url)
    yield source
    source.close()


def numbers(candidates: Iterator[Any]) -> list[int]:
    return [int(Path(one.url).stem) for one in candidates]


def test_page_after_page_is_read_in_rank_order_until_none_is_new(bing: Bing, stand_in: StandIn) -> None:
    def answer(parameters: dict[str, str]) -> tuple[int, str]:
        first, count = int(parameters["first"]), int(parameters["count"])
        return 200, cards(*range(min(first, 80), min(first + count, 81)))  # past its end it repeats the last result

    stand_in.answer, stand_in.asked = answer, []
    assert numbers(bing.search("white stork bird", 500)) == list(range(1, 81))
    assert [one["first"] for one in stand_in.asked] == ["1", "36", "71", "81"]
    assert {one["q"] for one in stand_in.asked} == {"white stork bird"}


def test_no_page_is_asked_for_before_it_is_needed(bing: Bing, stand_in: StandIn) -> None:
    stand_in.has(cards(*range(1, 36)), cards(*range(36, 71)))
    found = bing.search("cigüeña", 10)
    assert numbers(islice(found, 35)) == list(range(1, 36))
    assert [one["q"] for one in stand_in.asked] == ["cigüeña"]
    assert numbers(islice(found, 1)) == [36]
    assert len(stand_in.asked) == 2


@pytest.mark.parametrize(
    ("pages", "cause"),
    [
        ([CAPTCHA], Cause.CAPTCHA),
        ([NOTHING], Cause.NO_RESULTS),
        ([THUMBNAILS], Cause.ONLY_THUMBNAILS),
        ([REDESIGN], Cause.UNKNOWN_LAYOUT),
        ([(429, "")], Cause.QUOTA),
        ([(429, REDESIGN)], Cause.QUOTA),
        ([(429, CAPTCHA)], Cause.CAPTCHA),
        ([(503, REDESIGN)], Cause.NETWORK),
        ([CONSENT, CONSENT], Cause.CONSENT),
    ],
)
def test_a_search_without_results_says_why(
    bing: Bing, stand_in: StandIn, pages: list[str | tuple[int, str]], cause: Cause
) -> None:
    stand_in.has(*pages, cards(1))
    with pytest.raises(SourceError) as stopped:
        list(bing.search("stork", 10))
    assert stopped.value.cause is cause
    assert stopped.value.hint
    assert len(stand_in.asked) == len(pages), "a block is not asked again"


def test_a_block_in_the_middle_keeps_what_came_before(bing: Bing, stand_in: StandIn) -> None:
    stand_in.has(cards(1, 2, 3), CAPTCHA, cards(4))
    found = []
    with pytest.raises(SourceError) as stopped:
        found.extend(bing.search("stork", 10))
    assert (len(found), stopped.value.cause, len(stand_in.asked)) == (3, Cause.CAPTCHA, 2)


def test_a_consent_dialog_is_answered_once(bing: Bing, stand_in: StandIn) -> None:
    stand_in.has(CONSENT, cards(1, 2))
    assert numbers(bing.search("stork", 10)) == [1, 2]


def test_a_page_that_cannot_be_read_is_kept_for_whoever_mends_the_parser(
    bing: Bing, stand_in: StandIn, project_of_bing: Project
) -> None:
    stand_in.has(REDESIGN)
    with pytest.raises(SourceError) as stopped:
        list(bing.search("stork", 10))
    kept = project_of_bing.logs / "bing-unreadable-page.html"
    assert str(kept) in stopped.value.message
    assert parse(kept.read_text(encoding="utf-8")).cause is Cause.UNKNOWN_LAYOUT
    assert "A page of another shape" in kept.read_text(encoding="utf-8")


def test_a_dead_driver_is_one_error_and_the_next_search_starts_another(
    monkeypatch: pytest.MonkeyPatch, project: Project, stand_in: StandIn
) -> None:
    drivers = []
    start = Browsing._start

    def noted(self: Browsing) -> Any:
        drivers.append(start(self))
        return drivers[-1]

    monkeypatch.setattr(Browsing, "_start", noted)
    source = Bing(project, base_url=stand_in.url)
    try:
        stand_in.has(cards(1))
        found = source.search("stork", 10)
        next(found)
        drivers[0].service.process.send_signal(signal.SIGKILL)
        drivers[0].service.process.wait()
        with pytest.raises(BrowserError, match="failed during the search"):
            next(found)
        stand_in.has(cards(2))
        assert numbers(source.search("stork", 10)) == [2]
        assert len(drivers) == 2
    finally:
        source.close()


def test_settings_reach_the_address_and_closing_leaves_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    place, pages = Project(tmp_path / "project"), tmp_path / "pages"
    source = Bing(place, base_url=f"{stand_in.url}/", saved=SavedPages(pages, place.logs))
    try:
        stand_in.has(cards(1))
        assert numbers(source.search("white stork", 10)) == [1]
    finally:
        source.close()
    assert {(one["count"], one["setlang"]) for one in stand_in.asked} == {("35", "en")}
    assert [path.name for path in sorted(pages.iterdir())] == [
        "0001-bing-white-stork.html",
        "0002-bing-white-stork.html",
    ]
    assert parse((pages / "0001-bing-white-stork.html").read_text(encoding="utf-8")).candidates
    assert list(place.temporary.iterdir()) == [], "the browser's profile"


def test_a_server_that_is_not_there_is_a_network_cause(project: Project) -> None:
    closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = closed.server_port
    closed.server_close()
    source = Bing(project, base_url=f"http://127.0.0.1:{port}")
    try:
        with pytest.raises(SourceError) as stopped:
            list(source.search("stork", 10))
    finally:
        source.close()
    assert stopped.value.cause is Cause.NETWORK
