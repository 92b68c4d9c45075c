"""Google Images by every strategy: headless Chromium, the gallery as Google, and small pages of this file's own."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from birds.demo.gallery import Fault, Gallery
from birds.errors import SourceError
from birds.files import Project
from birds.reasons import Cause
from birds.scrape.browser import open_browser
from birds.scrape.candidates import AsksBy, Candidate
from birds.scrape.google import GoogleImages
from birds.scrape.google_cards import Cards
from birds.scrape.google_page import is_thumbnail, parse, parse_records
from birds.scrape.saved_pages import SavedPages
from PIL import Image

STORKS = 23  # the first page has 20
HERONS = 3


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> Path:
    """Each picture has its number for a name and a width of its own."""
    folder = tmp_path_factory.mktemp("shelf")
    for label, count in (("cigüeña", STORKS), ("garza", HERONS), ("loro", 1)):
        (folder / label).mkdir()
        for number in range(count):
            make_picture(number, size=(150 + number, 110)).save(folder / label / f"{number}.jpg")
    return folder


def search(
    project: Project, gallery: Gallery, query: str, limit: int | None = None, **options: object
) -> list[Candidate]:
    with closing(GoogleImages(project, base_url=gallery.url, **options)) as google:
        return list(islice(google.search(query, limit or 100), limit))


def numbers(candidates: list[Candidate]) -> list[int]:
    return [
        int(unquote(urlsplit(candidate.url).path).rpartition("/")[2].removesuffix(".jpg")) for candidate in candidates
    ]


# -- strategies


def test_records_are_read_first_and_nothing_else_is_touched_then(project: Project, shelf: Path) -> None:
    with Gallery(shelf) as gallery:
        candidates = search(project, gallery, "cigüeña")
    assert numbers(candidates) == list(range(STORKS))
    assert [candidate.strategy for candidate in candidates] == ["inline"] * 20 + ["xhr"] * (STORKS - 20)
    assert (gallery.requests_seen["details"], gallery.requests_seen["picture"]) == (0, 0)


def test_without_records_the_links_under_the_mouse_give_the_pictures_in_rank_order(
    project: Project, shelf: Path
) -> None:
    with Gallery(shelf, fault=Fault.NO_RECORDS) as gallery:
        candidates = search(project, gallery, "cigüeña")
        assert gallery.requests_seen["picture"] == 0, "nothing was clicked"
    assert {candidate.strategy for candidate in candidates} == {"imgres"}
    assert numbers(candidates) == list(range(STORKS)), "those of the second batch too, and each once"
    assert [(candidate.width, candidate.height) for candidate in candidates] == [(150 + n, 110) for n in range(STORKS)]
    assert all(candidate.page_url and "/pages/" in candidate.page_url for candidate in candidates)
    assert candidates[1].title == '"white stork" - a day at the hide'


def test_where_links_name_no_picture_the_side_panel_shows_it(project: Project, shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.ONLY_PANEL) as gallery:
        candidates = search(project, gallery, "garza")
    assert {candidate.strategy for candidate in candidates} == {"panel"}
    assert numbers(candidates) == list(range(HERONS))
    assert [(candidate.width, candidate.height) for candidate in candidates] == [(150, 110), (151, 110), (152, 110)]
    assert all(candidate.page_url and "/pages/" in candidate.page_url for candidate in candidates)
    assert all(candidate.title for candidate in candidates)


def test_thumbnails_are_never_given_unasked(project: Project, shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.ONLY_THUMBNAILS) as gallery, pytest.raises(SourceError) as stopped:
        search(project, gallery, "loro")
    assert stopped.value.cause is Cause.ONLY_THUMBNAILS
    assert "--thumbnails" in stopped.value.hint
    saved = project.logs / "google-unreadable-page.html"
    assert str(saved) in stopped.value.message
    assert parse(saved.read_text(encoding="utf-8")).cause is Cause.ONLY_THUMBNAILS


def test_thumbnails_asked_for_are_marked_as_such(project: Project, shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.ONLY_THUMBNAILS) as gallery:
        candidates = search(project, gallery, "cigüeña", limit=14, thumbnails=True)
    assert [candidate.strategy for candidate in candidates] == ["thumbnail"] * 14
    assert len({candidate.url for candidate in candidates}) == 14
    in_the_page = [candidate.path for candidate in candidates if candidate.path]
    assert len(in_the_page) >= 10
    for path in in_the_page:
        with Image.open(path) as picture:
            assert picture.width == 220
    elsewhere = [candidate.url for candidate in candidates if not candidate.path]
    assert elsewhere
    assert all(is_thumbnail(url) for url in elsewhere)


def test_only_as_many_cards_are_touched_as_candidates_are_read(project: Project, shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.NO_RECORDS) as gallery:
        assert numbers(search(project, gallery, "cigüeña", limit=3)) == [0, 1, 2]
        # scrolling may bring one neighbour more under the resting mouse
        assert gallery.requests_seen["details"] <= 4


def test_one_browser_searches_again_where_the_last_search_was_left(project: Project, shelf: Path) -> None:
    with Gallery(shelf) as gallery, closing(GoogleImages(project, base_url=gallery.url)) as google:
        assert numbers(list(islice(google.search("cigüeña", 21), 21))) == list(range(21))
        assert numbers(list(google.search("garza", 10))) == list(range(HERONS))
        assert gallery.requests_seen["consent"] == 1


# -- causes


@pytest.mark.parametrize(
    ("fault", "cause", "said"),
    [
        (Fault.QUOTA, Cause.QUOTA, "allows no more searches"),
        (Fault.SERVER_ERROR, Cause.NETWORK, "answered with an error"),
        (Fault.CAPTCHA, Cause.CAPTCHA, "captcha"),  # with status 429, too
        (Fault.JAVASCRIPT_SHELL, Cause.JAVASCRIPT_SHELL, "JavaScript"),
        (Fault.OUTDATED_BROWSER, Cause.OUTDATED_BROWSER, "outdated"),
        (Fault.NO_RESULTS, Cause.NO_RESULTS, "no pictures"),
        (Fault.UNKNOWN_LAYOUT, Cause.UNKNOWN_LAYOUT, "saved as"),
    ],
)
def test_a_page_without_results_has_its_cause(
    project: Project, shelf: Path, fault: Fault, cause: Cause, said: str
) -> None:
    with Gallery(shelf, fault=fault) as gallery, pytest.raises(SourceError, match=said) as stopped:
        search(project, gallery, "garza")
    assert stopped.value.cause is cause
    assert stopped.value.hint
    assert ("--from-page" in stopped.value.hint) == (cause is Cause.UNKNOWN_LAYOUT)


def test_a_server_that_ends_in_the_middle_is_a_network_cause(project: Project, shelf: Path) -> None:
    with Gallery(shelf) as gallery, closing(GoogleImages(project, base_url=gallery.url)) as google:
        assert next(google.search("garza", 1))
        gallery.__exit__(None, None, None)
        with pytest.raises(SourceError) as stopped:
            next(google.search("garza", 1))
    assert stopped.value.cause is Cause.NETWORK


# -- small pages of our own


@dataclass(frozen=True)
class Served:
    """A server of a few pages, and the addresses that it was asked for."""

    url: str
    asked: list[str]


@contextmanager
def served(bodies: dict[str, str | bytes]) -> Iterator[Served]:
    """A server that has `bodies`, by path, and nothing else."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = bodies.get(urlsplit(self.path).path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "image/jpeg" if isinstance(body, bytes) else "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else (body or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()


def record(name: str) -> str:
    """An inline record, as `test_google_page` has them."""
    small, full = "https://encrypted-tbn0.gstatic.com/images?q=tbn:" + name, f"https://one.example/{name}.jpg"
    return json.dumps([[small, 183, 275], [full, 800, 1200], {"2003": [None, "id", "https://one.example/", name]}])


@pytest.fixture(scope="module")
def picture(make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]) -> bytes:
    return jpeg(make_picture(1, size=(220, 160)))


@pytest.fixture(scope="module")
def small_copy(picture: bytes) -> str:
    """A thumbnail as it stands in a page."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def test_the_images_tab_is_asked_for_the_query_in_english(project: Project) -> None:
    page = f"<script>var a={record('stork')};</script>"
    with served({"/search": page}) as server, closing(GoogleImages(project, base_url=server.url)) as google:
        assert next(google.search("white stork", 9)).url == "https://one.example/stork.jpg"
        assert (google.name, google.asks_by, google.shows_licences) == ("google", AsksBy.TERM, False)
    asked = [parse_qs(urlsplit(path).query) for path in server.asked if path.startswith("/search")]
    assert asked == [{"q": ["white stork"], "udm": ["2"], "hl": ["en"]}]


def test_a_dialog_over_the_results_is_answered_and_odd_words_block_nothing(project: Project) -> None:
    page = f"""<noscript><a href="/httpservice/retry/enablejs?sei=1">here</a></noscript><h3>Unusual traffic</h3>
        <div id="dialog" style="position:fixed;inset:0"><button id="W0wltc" onclick="fetch('/rejected');
        this.parentElement.remove()">Reject all</button></div><script>var a={record("stork")};</script>"""
    with served({"/search": page}) as server, closing(GoogleImages(project, base_url=server.url)) as google:
        assert [candidate.title for candidate in google.search("stork", 9)] == ["stork"]
        assert "/rejected" in server.asked


def test_every_page_and_answer_is_saved_and_can_be_read_again(project: Project, shelf: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    with Gallery(shelf) as gallery:
        candidates = search(project, gallery, "cigüeña", saved=SavedPages(saved, project.logs))
    page, *answers = sorted(saved.iterdir())
    assert page.name == "0001-google-cigüeña.html"
    assert {answer.suffix for answer in answers} == {".txt"}
    read = [*parse(page.read_text(encoding="utf-8")).candidates]
    for answer in answers:
        read += parse_records(answer.read_text(encoding="utf-8"), "xhr")
    assert read == candidates


def test_an_answer_to_an_earlier_search_is_not_taken_for_a_later_one(project: Project) -> None:
    page = f"""<script>var a={record("first")}; if (location.search.includes("storks")) fetch("/more");</script>"""
    with (
        served({"/search": page, "/more": record("late")}) as server,
        closing(GoogleImages(project, base_url=server.url)) as google,
    ):
        assert next(google.search("storks", 1)).title == "first"
        assert [candidate.title for candidate in google.search("herons", 9)] == ["first"]
        assert [candidate.title for candidate in google.search("storks", 9)] == ["first", "late"]


def imgres(name: str) -> str:
    return f"/imgres?imgurl=https%3A%2F%2Fone.example%2F{name}.jpg&amp;w=1200&amp;h=800"


def test_a_card_is_told_from_all_else_that_shows_small_pictures(tmp_path: Path, small_copy: str) -> None:
    image = f'<img src="{small_copy}" alt="{{}}">'
    related = f'<a href="/search?q=herons">{image}</a>'
    page = f"""<div tabindex="-1"><a href="/">{image}</a>{related * 5}{image}
        <a href="{imgres("icon")}"><img src="{small_copy}" width="16" height="16"></a>
        <a href="{imgres("picture")}"><img src="/picture.jpg" width="220" height="160"></a>
        <a href="{imgres("link")}">{image.format("link")}</a>
        <div role="button">{image.format("button")}<a href="{imgres("button")}">page</a></div>
        <div tabindex="0">{image.format("tab")}<a href="{imgres("tab")}">page</a></div></div>"""
    with served({"/search": page}) as server, open_browser(tmp_path / "profile") as driver:
        driver.get(f"{server.url}/search?q=storks")
        candidates = list(Cards(driver).candidates())
    names = ["link", "button", "tab"]
    assert [candidate.title for candidate in candidates] == names
    assert [candidate.url for candidate in candidates] == [f"https://one.example/{name}.jpg" for name in names]
    assert {(candidate.strategy, candidate.width) for candidate in candidates} == {("imgres", 1200)}


def test_what_lies_over_a_card_is_not_clicked_and_a_click_that_leads_away_ends_the_cards(
    tmp_path: Path, small_copy: str, picture: bytes
) -> None:
    card = f'<p><a onclick="show(this)"><img src="{small_copy}"></a></p>'
    page = f"""<div>{card * 5}</div><aside style="position:fixed;right:0;top:0"></aside><script>
        const [, covered, , , leaves] = document.querySelectorAll("p");
        covered.innerHTML += "<a href='/over' style='position:absolute;inset:0'></a>";
        covered.style.position = "relative";
        let shown = 0;
        function show(card) {{
          if (card.parentElement === leaves) location.href = "/elsewhere";
          else document.querySelector("aside").innerHTML = `<img src="/${{shown++}}.jpg">`;
        }}</script>"""
    elsewhere = f'<a href="{imgres("another")}"><img src="{small_copy}"></a>'
    pictures = {f"/{number}.jpg": picture for number in range(5)}
    with (
        served({"/search": page, "/elsewhere": elsewhere, **pictures}) as server,
        open_browser(tmp_path / "profile") as driver,
    ):
        driver.get(f"{server.url}/search?q=storks")
        candidates = list(Cards(driver).candidates())
        assert driver.current_url == f"{server.url}/elsewhere"
    assert [candidate.url for candidate in candidates] == [f"{server.url}/{number}.jpg" for number in range(3)]
    assert "/over" not in server.asked
