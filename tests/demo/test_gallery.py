"""The stand-in for Google Images as its visitors meet it: real requests, and Chromium where only a browser can tell."""

import errno
import io
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
import requests
from birds.demo.gallery import Fault, Gallery
from birds.errors import UsageError
from birds.net import parse_allowed_hosts
from birds.reasons import Cause
from birds.scrape.browser import open_browser
from birds.scrape.candidates import Candidate, Page
from birds.scrape.google_page import block_cause, has_thumbnails, parse, parse_link, parse_records
from PIL import Image
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

STORKS = 75  # today's layout needs four batches for them, 2020's first page and two batches
LASTING = {"W0wltc", "L2AGLb", "captcha-form", "g-recaptcha"}  # ids and classes that Google has kept for years
LAYOUTS = ({"udm": "2"}, {"tbm": "isch"})
BATCH_OF_2020 = "/_/VisualFrontendUi/data/batchexecute"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> Path:
    """Storks in many sizes, three herons of which one is damaged, and a label that is no known species."""
    folder = tmp_path_factory.mktemp("shelf")
    for label in ("cigüeña", "garza", "my own bird"):
        (folder / label).mkdir()
    for n in range(STORKS):
        make_picture(n, size=(150 + n, 110)).save(folder / "cigüeña" / f"stork & chick = {n}.jpg")
    make_picture(100).save(folder / "garza" / "heron 1.png")
    make_picture(101).save(folder / "garza" / "heron 2.jpg")
    (folder / "garza" / "heron 3.jpg").write_bytes((folder / "garza" / "heron 2.jpg").read_bytes()[:900])
    make_picture(102).save(folder / "my own bird" / "bird.jpg")
    return folder


@pytest.fixture(scope="module")
def gallery(shelf: Path) -> Iterator[Gallery]:
    with Gallery(shelf) as running:
        yield running


class Visitor:
    """A browser without a screen: cookies, and the two requests by which pages ask for further batches."""

    def __init__(self, gallery: Gallery) -> None:
        self.url = gallery.url
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy would not find this computer's addresses

    def get(self, address: str, **options: object) -> requests.Response:
        return self.session.get(address if "://" in address else self.url + address, **{"timeout": 10, **options})

    def search(self, query: str, **params: object) -> requests.Response:
        return self.get("/search", params={"q": query, **(params or {"udm": "2"})})

    def agree(self, page: requests.Response, choice: str = "reject") -> requests.Response:
        back = unescape(re.search(r'name="continue" value="([^"]*)"', page.text)[1])
        return self.session.post(f"{self.url}/consent", {"choice": choice, "continue": back}, timeout=10)

    def batch(self, query: str, start: int, params: dict[str, str]) -> list[Candidate]:
        """What the page's script asks for when it is scrolled to the end."""
        if "tbm" not in params:
            answer = self.search(query, **params, start=start, **{"async": "_fmt:html"})
        else:
            asked = json.dumps([[["HoAMBc", json.dumps([None, None, [start], None, query]), None, "generic"]]])
            answer = self.session.post(self.url + BATCH_OF_2020, {"f.req": asked}, timeout=10)
        assert answer.status_code == 200
        return parse_records(grid_of_2020(answer.text) if "tbm" in params else answer.text, "xhr")

    def everything(self, query: str, params: dict[str, str]) -> tuple[str, list[Candidate], list[Candidate]]:
        """The page's source, the candidates in it, and those of all further batches."""
        page = self.search(query, **params).text
        first = parse_records(page)
        later: list[Candidate] = []
        while batch := self.batch(query, len(first) + len(later), params):
            later += batch
        return page, first, later


def visitor(gallery: Gallery) -> Visitor:
    """One who has answered the consent page."""
    someone = Visitor(gallery)
    someone.agree(someone.search("garza"))
    return someone


def grid_of_2020(answer: str) -> str:
    """The records in a ``batchexecute`` answer: a guard, then a length and a line of JSON in turn."""
    guard, rest = answer.split("\n\n", 1)
    assert guard == ")]}'"
    lengths, rows = rest.splitlines()[0::2], rest.splitlines()[1::2]
    assert [int(length) for length in lengths] == [len(row) + 2 for row in rows]
    ((kind, rpc, grid, *_),) = json.loads(rows[0])
    assert (kind, rpc) == ("wrb.fr", "HoAMBc")
    return grid


def name_of(candidate: Candidate) -> str:
    return unquote(urlsplit(candidate.url).path.rpartition("/")[2])


# -- finding


@pytest.mark.parametrize("choice", ["reject", "accept"])
def test_consent_is_asked_first_and_once(gallery: Gallery, choice: str) -> None:
    asked_before = gallery.requests_seen["consent"]
    someone = Visitor(gallery)
    page = someone.search("cigüeña")
    assert urlsplit(page.url).path == "/consent"
    assert {"W0wltc", "L2AGLb"} <= set(re.findall(r'<button id="(\w+)"', page.text))
    assert block_cause(page.url, page.text) is Cause.CONSENT
    results = someone.agree(page, choice)
    assert parse_qs(urlsplit(results.url).query) == {"q": ["cigüeña"], "udm": ["2"]}
    assert len(parse_records(results.text)) == 20
    assert someone.search("garza").history == []
    assert gallery.requests_seen["consent"] == asked_before + 1


def test_consent_leads_nowhere_else(gallery: Gallery) -> None:
    someone = Visitor(gallery)
    answer = someone.session.post(
        f"{gallery.url}/consent", {"continue": "http://example.com/"}, timeout=10, allow_redirects=False
    )
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "query",
    [
        "cigüeña",
        unicodedata.normalize("NFD", "cigüeña"),
        "CIGUENA",
        "white stork",
        "Ciconia ciconia",
        "white-stork bird",
    ],
)
@pytest.mark.parametrize("params", LAYOUTS)
def test_a_species_is_found_by_any_of_its_names_in_any_spelling(
    gallery: Gallery, query: str, params: dict[str, str]
) -> None:
    candidates = parse_records(visitor(gallery).search(query, **params).text)
    assert candidates
    assert name_of(candidates[0]) == "stork & chick = 0.jpg"


def test_a_folder_that_is_no_known_species_is_found_by_its_name(gallery: Gallery) -> None:
    assert len(parse_records(visitor(gallery).search("My own bird").text)) == 1


@pytest.mark.parametrize("query", ["dodo", "loro", "", "<b>&"])
def test_what_is_not_there_did_not_match_any_documents(gallery: Gallery, query: str) -> None:
    page = visitor(gallery).search(query)
    assert page.status_code == 200
    assert "did not match any documents" in page.text
    assert block_cause(page.url, page.text) is Cause.NO_RESULTS
    assert "<b>&<" not in page.text


def test_a_search_without_a_tab_goes_to_the_images(gallery: Gallery) -> None:
    page = visitor(gallery).get("/search", params={"q": "garza", "hl": "en"})
    assert parse_qs(urlsplit(page.url).query) == {"q": ["garza"], "hl": ["en"], "udm": ["2"]}


def test_the_start_page_links_to_everything_there_is(gallery: Gallery) -> None:
    someone = visitor(gallery)
    links = re.findall(r'href="(/search[^"]+)"', someone.get("/").text)
    assert len(links) == len(gallery.labels) == 3
    assert all(parse_records(someone.get(unescape(link)).text) for link in links)


# -- records


@pytest.mark.parametrize(("params", "inline"), [(LAYOUTS[0], 20), (LAYOUTS[1], 50)])
def test_records_of_later_batches_come_by_xhr_only(gallery: Gallery, params: dict[str, str], inline: int) -> None:
    page, first, later = visitor(gallery).everything("cigüeña", params)
    assert (len(first), len(later)) == (inline, STORKS - inline)
    assert [name_of(c) for c in first + later] == [f"stork & chick = {n}.jpg" for n in range(STORKS)]
    assert not [c for c in later if urlsplit(c.url).path in page]
    assert all(c.thumbnail and c.page_url and c.title for c in first + later)


@pytest.mark.parametrize("params", LAYOUTS)
def test_a_record_has_height_before_width_newlines_and_escapes(
    gallery: Gallery, shelf: Path, params: dict[str, str]
) -> None:
    page, candidates, _ = visitor(gallery).everything("cigüeña", params)
    raw = re.search(r"var m=(\{.*?\});var a=|'ds:1'.*?data:(.*), sideChannel", page, re.DOTALL)
    text = raw[1] or raw[2]
    assert not set("=&<>'") & set(text)
    assert {"\\u003d", "\\u0026", "\\u003c", "]\n"} <= set(re.findall(r"\\u00..|]\n", text))
    full = re.search(r'\["(http[^"]+)",(\d+),(\d+)\]\n,null,0', text)
    assert (int(full[2]), int(full[3])) == (110, 150)
    assert json.loads(f'"{full[1]}"') == candidates[0].url
    for candidate in candidates:
        with Image.open(shelf / "cigüeña" / name_of(candidate)) as picture:
            assert (candidate.width, candidate.height) == picture.size


def test_titles_keep_their_quotes_and_brackets(gallery: Gallery) -> None:
    titles = {candidate.title for candidate in parse_records(visitor(gallery).search("cigüeña").text)}
    assert '"white stork" - a day at the hide' in titles
    assert any("<Part 4>" in title for title in titles)


def test_the_old_layout_can_be_had_on_todays_tab(shelf: Path) -> None:
    with Gallery(shelf, layout="2020", hosts=1) as old:
        page = visitor(old).search("cigüeña")
    assert parse_qs(urlsplit(page.url).query)["udm"] == ["2"]
    assert "AF_initDataCallback({key: 'ds:1'" in page.text
    assert len(parse_records(page.text)) == 50


def test_a_batch_of_2020_is_read_as_it_comes(gallery: Gallery) -> None:
    asked = json.dumps([[["HoAMBc", json.dumps([None, None, [50], None, "cigüeña"]), None, "generic"]]])
    answer = visitor(gallery).session.post(gallery.url + BATCH_OF_2020, {"f.req": asked}, timeout=10)
    assert len(parse_records(answer.text)) == 20


def test_a_batch_that_is_not_understood_is_refused(gallery: Gallery) -> None:
    answer = visitor(gallery).session.post(gallery.url + BATCH_OF_2020, {"f.req": "[]"}, timeout=10)
    assert answer.status_code == 400


def test_names_of_classes_and_ids_are_new_at_every_start(shelf: Path) -> None:
    def names() -> set[str]:
        with Gallery(shelf, hosts=1) as running:
            someone = Visitor(running)
            texts = [someone.search("garza").text, someone.get("/sorry/index").text]
            someone = visitor(running)
            texts += [someone.search("garza", **params).text for params in LAYOUTS]
        found = re.findall(r'\b(?:id|class)="([^"]+)"', " ".join(texts))
        return {name for value in found for name in value.split()}

    first, second = names(), names()
    assert len(first) > 15
    assert first & second == LASTING


# -- pictures


def test_pictures_come_from_many_addresses_all_allowed_none_the_pages(gallery: Gallery) -> None:
    _, first, later = visitor(gallery).everything("cigüeña", LAYOUTS[0])
    addresses = {(urlsplit(c.url).hostname, urlsplit(c.url).port) for c in first + later}
    assert len(addresses) > 20
    allowed = parse_allowed_hosts(gallery.allow_hosts)
    assert addresses <= allowed
    assert (urlsplit(gallery.url).hostname, urlsplit(gallery.url).port) not in allowed
    assert all(ip_address(host).is_loopback for host, _ in allowed)


def test_pictures_are_the_files_as_they_are_damaged_ones_too(gallery: Gallery, shelf: Path) -> None:
    someone = visitor(gallery)
    candidates = parse_records(someone.search("garza").text) + parse_records(someone.search("cigüeña").text)
    assert len(candidates) == 23
    for candidate in candidates:
        answer = someone.get(candidate.url)
        (path,) = shelf.glob(f"*/{name_of(candidate)}")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == ("image/png" if path.suffix == ".png" else "image/jpeg")


def test_thumbnails_are_small_pictures_and_wait_as_placeholders(gallery: Gallery) -> None:
    someone = visitor(gallery)
    page = someone.search("cigüeña").text
    sources = [source.split(",")[0] for source in re.findall(r'<img[^>]* src="([^"]+)"', page)]
    kinds = Counter(source.partition("?")[0].removeprefix(gallery.url) for source in sources)
    assert kinds.keys() == {"data:image/jpeg;base64", "data:image/gif;base64", "/encrypted-tbn0.gstatic/images"}
    for candidate in parse_records(someone.search("garza").text):
        with Image.open(io.BytesIO(someone.get(candidate.thumbnail).content)) as thumbnail:
            thumbnail.load()
            assert (thumbnail.format, thumbnail.width) == ("JPEG", 220)


@pytest.mark.parametrize(
    "path", ["/photos/00nothing/x.jpg", "/photos/zz/x.jpg", "/pages/ff", "/encrypted-tbn0.gstatic/images?q=x"]
)
def test_what_was_never_shown_is_not_found(gallery: Gallery, path: str) -> None:
    assert visitor(gallery).get(path).status_code == 404


def test_without_a_folder_it_shows_drawn_birds() -> None:
    with Gallery(per_label=3, hosts=2) as drawn:
        someone = visitor(drawn)
        assert len(drawn.labels) == 6
        candidates = parse_records(someone.search("Upupa epops").text)
        assert len(candidates) == 3
        with Image.open(io.BytesIO(someone.get(candidates[0].url).content)) as picture:
            assert picture.size == (candidates[0].width, candidates[0].height)


# -- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def results_in(browser: WebDriver, gallery: Gallery, params: str, query: str = "cigüeña") -> list[WebElement]:
    """Opens the results, past the consent page, and returns the links of the cards at once there."""
    browser.get(f"{gallery.url}/search?q={quote(query)}&{params}")
    for button in browser.find_elements(By.ID, "W0wltc"):
        button.click()
    WebDriverWait(browser, 10).until(lambda driver: "/search" in driver.current_url)
    return browser.find_elements(By.CSS_SELECTOR, "a[tabindex]")


@pytest.mark.parametrize("params", ["udm=2", "tbm=isch"])
def test_scrolling_brings_every_card_with_its_thumbnail(browser: WebDriver, gallery: Gallery, params: str) -> None:
    cards = "return document.querySelectorAll('a[tabindex]').length"
    last_thumbnail = "return [...document.querySelectorAll('a[tabindex] img')].at(-1).naturalWidth"
    batches_before = gallery.requests_seen["batch"]
    results_in(browser, gallery, params)
    assert browser.execute_script(cards) < STORKS

    def has_come(driver: WebDriver) -> bool:
        driver.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
        return (driver.execute_script(cards), driver.execute_script(last_thumbnail)) == (STORKS, 220)

    WebDriverWait(browser, 20, poll_frequency=0.1).until(has_come)
    assert gallery.requests_seen["batch"] > batches_before


def test_a_link_gets_its_address_only_under_the_mouse(browser: WebDriver, gallery: Gallery) -> None:
    first, second, *_ = results_in(browser, gallery, "udm=2")
    assert not browser.find_elements(By.CSS_SELECTOR, "a[href*='/imgres']")
    assert first.get_attribute("href") is None
    ActionChains(browser).move_to_element(first).perform()
    address = WebDriverWait(browser, 5, poll_frequency=0.05).until(lambda _: first.get_attribute("href"))
    assert second.get_attribute("href") is None
    candidate = parse_records(visitor(gallery).search("cigüeña").text)[0]
    assert urlsplit(address).path == "/imgres"
    query = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
    assert query["imgurl"] == candidate.url
    assert query["imgrefurl"] == candidate.page_url
    assert (query["w"], query["h"]) == (str(candidate.width), str(candidate.height))
    for page in (address, candidate.page_url):
        assert unescape(visitor(gallery).get(page).text).count(candidate.url) == 1


@pytest.mark.parametrize("params", ["udm=2", "tbm=isch"])
def test_a_click_shows_the_full_size_picture_at_the_side(browser: WebDriver, gallery: Gallery, params: str) -> None:
    card = results_in(browser, gallery, params)[4]
    candidate = parse_records(visitor(gallery).search("cigüeña").text)[4]
    assert candidate.url not in browser.execute_script("return [...document.images].map(image => image.src)")
    card.click()
    shown = "return [...document.images].filter(i => i.src === arguments[0] && i.checkVisibility())[0]?.naturalWidth"
    width = WebDriverWait(browser, 5, poll_frequency=0.05).until(
        lambda driver: driver.execute_script(shown, candidate.url)
    )
    assert width == candidate.width == 154


# -- faults


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.JAVASCRIPT_SHELL, Cause.JAVASCRIPT_SHELL),
        (Fault.OUTDATED_BROWSER, Cause.OUTDATED_BROWSER),
        (Fault.NO_RESULTS, Cause.NO_RESULTS),
    ],
)
def test_a_page_instead_of_results(shelf: Path, fault: Fault, cause: Cause) -> None:
    with Gallery(shelf, fault=fault, hosts=1) as faulty:
        page = visitor(faulty).search("cigüeña")
        assert (page.status_code, parse_records(page.text)) == (200, [])
        assert block_cause(page.url, page.text) is cause
        if fault is Fault.JAVASCRIPT_SHELL:
            retry = re.search(r'url=(/httpservice/retry/enablejs[^"]*)"', page.text)[1]
            assert "JavaScript" in visitor(faulty).get(retry).text
            assert "<noscript>" in page.text


def test_a_captcha_answers_every_search_with_429(shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA, hosts=1) as faulty:
        page = Visitor(faulty).search("cigüeña")
        assert (page.status_code, urlsplit(page.url).path) == (429, "/sorry/index")
        assert re.search(r'<form id="captcha-form"', page.text)
        assert re.search(r'class="g-recaptcha"', page.text)
        assert "unusual traffic" in page.text
        assert parse_qs(urlsplit(page.url).query)["continue"][0].startswith(f"{faulty.url}/search?")


def test_a_later_captcha_lets_the_first_search_pass(shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA_LATER, hosts=1) as faulty:
        someone = Visitor(faulty)
        first = someone.agree(someone.search("cigüeña"))
        assert len(parse_records(first.text)) == 20
        assert len(someone.batch("cigüeña", 20, LAYOUTS[0])) == 20
        assert someone.search("garza").status_code == 429


def test_a_consent_page_that_comes_back_whatever_one_answers(shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.CONSENT, hosts=1) as faulty:
        someone = Visitor(faulty)
        page = someone.search("cigüeña")
        for choice in ("reject", "accept"):
            page = someone.agree(page, choice)
            assert urlsplit(page.url).path == "/consent"


@pytest.mark.parametrize(("fault", "status"), [(Fault.QUOTA, 429), (Fault.SERVER_ERROR, 503)])
def test_some_servers_answer_no_search_and_show_no_captcha(shelf: Path, fault: Fault, status: int) -> None:
    with Gallery(shelf, fault=fault, hosts=1) as faulty:
        page = Visitor(faulty).search("cigüeña")
        assert (page.status_code, page.history) == (status, [])
        assert parse(page.text, page.url) == Page(cause=Cause.UNKNOWN_LAYOUT)
        assert faulty.requests_seen == {"refused": 1}


@pytest.mark.parametrize("params", LAYOUTS)
@pytest.mark.parametrize("fault", [Fault.NO_RECORDS, Fault.ONLY_PANEL, Fault.ONLY_THUMBNAILS])
def test_cards_without_any_record(shelf: Path, fault: Fault, params: dict[str, str]) -> None:
    with Gallery(shelf, fault=fault, hosts=1) as faulty:
        page, first, later = visitor(faulty).everything("cigüeña", params)
    assert (first, later) == ([], [])
    assert parse(page) == Page(cause=Cause.ONLY_THUMBNAILS)
    assert "/photos/" not in page


@pytest.mark.parametrize("fault", [Fault.NO_RECORDS, Fault.ONLY_PANEL, Fault.ONLY_THUMBNAILS])
def test_where_there_are_no_records_the_mouse_may_bring_a_link_and_a_click_the_picture(
    browser: WebDriver, shelf: Path, fault: Fault
) -> None:
    with Gallery(shelf) as well:
        candidate = parse_records(visitor(well).search("garza").text)[1]
        path, details = urlsplit(candidate.url).path, f"/details/{urlsplit(candidate.url).path.split('/')[2]}"
    with Gallery(shelf, fault=fault) as faulty:
        answer = visitor(faulty).get(details)
        card = results_in(browser, faulty, "udm=2", query="garza")[1]
        ActionChains(browser).move_to_element(card).perform()
        card.click()
        shown = "return [...document.images].filter((i) => i.checkVisibility()).map((i) => new URL(i.src).pathname)"
        if fault is Fault.ONLY_THUMBNAILS:
            assert answer.status_code == 404
            WebDriverWait(browser, 5, poll_frequency=0.05).until(lambda driver: len(driver.execute_script(shown)) == 4)
            assert card.get_attribute("href") is None
        else:
            assert path in answer.json()["full"]
            assert parse_records(answer.text) == []
            WebDriverWait(browser, 5, poll_frequency=0.05).until(lambda driver: path in driver.execute_script(shown))
            link = parse_link(card.get_attribute("href"))
            assert (link and urlsplit(link.url).path) == (path if fault is Fault.NO_RECORDS else None)


@pytest.mark.parametrize("params", LAYOUTS)
def test_an_unknown_layout_shows_pictures_that_no_parser_finds(shelf: Path, params: dict[str, str]) -> None:
    with Gallery(shelf, fault=Fault.UNKNOWN_LAYOUT, hosts=1) as faulty:
        page = visitor(faulty).search("cigüeña", **params)
    assert block_cause(page.url, page.text) is None
    assert parse_records(page.text) == []
    assert not has_thumbnails(page.text)
    assert not re.search(r"<img|/imgres|/photos/", page.text)
    assert page.text.count("background-image:url(data:image/jpeg") >= 20


def outcomes(shelf: Path, fault: Fault) -> dict[str, str]:
    """What became of each stork's file, in a word."""
    found: dict[str, str] = {}
    with Gallery(shelf, fault=fault) as faulty:
        someone = visitor(faulty)
        _, first, later = someone.everything("cigüeña", LAYOUTS[0])
        for candidate in first + later:
            name = name_of(candidate)
            found[name] = outcome(someone, candidate.url, (shelf / "cigüeña" / name).read_bytes())
    return found


def outcome(someone: Visitor, url: str, file: bytes) -> str:
    try:
        answer = someone.get(url)
    except requests.exceptions.ChunkedEncodingError:
        return "stops early"
    except requests.ConnectionError as error:
        return "reset" if "reset" in str(error).lower() else "stops early"
    if answer.status_code != 200:
        return str(answer.status_code)
    body, media_type = answer.content, answer.headers["content-type"].partition(";")[0]
    if body == file:
        return "well" if media_type == "image/jpeg" else "called " + media_type
    if b"<title>" in body:
        return "a page called " + media_type
    if file.startswith(body):
        return "half a file"
    with Image.open(io.BytesIO(body)) as picture:
        return "{}x{}".format(*picture.size)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault.FAILING, {"404", "500", "503", "reset"}),
        (Fault.LYING, {"a page called image/jpeg", "half a file", "1x1", "stops early", "called text/plain"}),
    ],
)
def test_a_share_of_the_pictures_fails_or_lies_and_the_same_ones_again(
    shelf: Path, fault: Fault, kinds: set[str]
) -> None:
    found = outcomes(shelf, fault)
    assert set(found.values()) == {"well", *kinds}
    assert 0.15 < sum(kind != "well" for kind in found.values()) / STORKS < 0.45
    assert outcomes(shelf, fault) == found


def test_a_slow_host_waits_then_drips(shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.SLOW) as faulty:
        someone = visitor(faulty)
        with pytest.raises(requests.ReadTimeout):
            someone.get(parse_records(someone.search("garza").text)[0].url, timeout=0.4)
    with Gallery(shelf, fault=Fault.SLOW, latency_s=0.3) as faulty:
        someone = visitor(faulty)
        candidate = parse_records(someone.search("garza").text)[0]
        with pytest.raises(requests.ReadTimeout):
            someone.get(candidate.url, timeout=0.1)
        answer = someone.get(candidate.url, stream=True)
        pieces = list(answer.raw.stream(1 << 20))
        assert b"".join(pieces) == (shelf / "garza" / "heron 1.png").read_bytes()


# -- a closed world


def test_no_page_names_a_host_outside_the_gallery(gallery: Gallery, shelf: Path) -> None:
    texts: list[str] = []
    someone = visitor(gallery)
    pages = ["/", "/consent", "/sorry/index", "/httpservice/retry/enablejs", "/search?q=dodo&udm=2"]
    pages += [f"/search?q=garza&{params}" for params in ("udm=2", "tbm=isch", "udm=2&async=1&start=0")]
    pages += [parse_records(someone.search("garza").text)[0].page_url]
    for address in pages:
        page = someone.get(address)
        assert page.headers["content-security-policy"].startswith("default-src 'none';")
        assert page.headers["cache-control"] == "no-store"
        texts += [page.text, page.headers["content-security-policy"]]
    for fault in (Fault.JAVASCRIPT_SHELL, Fault.OUTDATED_BROWSER, Fault.UNKNOWN_LAYOUT, Fault.NO_RECORDS):
        with Gallery(shelf, fault=fault) as faulty:
            texts.append(visitor(faulty).search("cigüeña").text)
    hosts = {urlsplit(url).hostname for text in texts for url in re.findall(r"https?://[^\s\"'<>;,)\\]+", text)}
    assert "127.0.0.1" in hosts
    assert {host for host in hosts if host != "localhost" and not ip_address(host).is_loopback} == set()
    assert not [text for text in texts if re.search(r"""(?:["'(=]|url\()\s*//[\w.-]+\.\w""", text)]


def test_another_name_for_this_computer_gets_nothing(gallery: Gallery) -> None:
    """A page elsewhere whose name is pointed at 127.0.0.1 cannot read the gallery."""
    someone = visitor(gallery)
    assert someone.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert someone.get(gallery.url.replace("127.0.0.1", "localhost")).status_code == 200


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="listening sockets are read from Linux's /proc")
def test_it_listens_on_loopback_only(gallery: Gallery) -> None:
    port = int(gallery.url.rpartition(":")[2])
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        lines = Path(table).read_text().splitlines()[1:] if Path(table).exists() else []
        fields = [line.split() for line in lines]
        listening += [local for _, local, _, state, *_ in fields if state == "0A" and int(local[-4:], 16) == port]
    assert len(listening) == 61
    assert all(len(local) == 13 and local[6:8] == "7F" for local in listening), "an IPv4 address, its bytes reversed"


def test_where_there_is_one_loopback_address_each_host_is_a_port(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has 127.0.0.1 only."""
    really_bind = socket.socket.bind

    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")
        really_bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    with Gallery(shelf, hosts=20) as narrow:
        someone = visitor(narrow)
        candidates = parse_records(someone.search("cigüeña").text)
        addresses = {(urlsplit(c.url).hostname, urlsplit(c.url).port) for c in candidates}
        assert len(addresses) > 5
        assert addresses <= parse_allowed_hosts(narrow.allow_hosts)
        assert someone.get(candidates[0].url).content == (shelf / "cigüeña" / name_of(candidates[0])).read_bytes()


# -- starting and ending


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70_000}, "70000 is no port"),
        ({"hosts": 0}, "0 picture hosts"),
        ({"layout": "1999"}, "1999"),
        ({"images": Path("/no/such/folder")}, "/no/such/folder"),
    ],
)
def test_what_cannot_work_is_a_usage_error(shelf: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised, Gallery(**{"images": shelf, **options}):
        pass
    assert raised.value.hint


def test_folders_without_pictures_are_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "cigüeña").mkdir()
    (tmp_path / "cigüeña" / ".DS_Store").touch()
    with pytest.raises(UsageError, match="No folder in"):
        Gallery(tmp_path)


def test_a_taken_port_is_a_usage_error_and_a_left_one_is_free_at_once(shelf: Path) -> None:
    with Gallery(shelf, hosts=1) as first:
        port = int(first.url.rpartition(":")[2])
        visitor(first)
        with pytest.raises(UsageError, match=f"{port} is taken"), Gallery(shelf, port=port, hosts=1):
            pass
    with Gallery(shelf, port=port, hosts=1) as second:
        assert second.url == first.url


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "birds", "gallery", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_prints_one_json_object_and_serves_until_ctrl_c(shelf: Path) -> None:
    process = started("--json", "--images", str(shelf))
    try:
        about = json.loads(process.stdout.readline())
        assert about.keys() == {"url", "allow_hosts", "labels"}
        assert about["labels"] == ["cigüeña", "garza", "my own bird"]
        assert parse_allowed_hosts(about["allow_hosts"])
        assert requests.get(about["url"], timeout=10).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", ""), "Ctrl-C is how a gallery is meant to end"


def test_the_command_says_how_to_scrape_it(shelf: Path) -> None:
    process = started("--images", str(shelf), "--fault", "failing")
    try:
        lines = [process.stdout.readline() for _ in range(7)]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    url = lines[0].split()[1]
    (command,) = [shlex.split(line) for line in lines if "birds scrape" in line]
    assert command[:5] == ["birds", "scrape", "--species", "cigüeña", "--google-url"]
    assert command[5] == url
    assert parse_allowed_hosts(command[7::2])
    assert set(command[6::2]) == {"--allow-host"}
