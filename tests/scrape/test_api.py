import itertools
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from birds import net
from birds.errors import SourceError
from birds.reasons import Cause
from birds.scrape import commons, gbif, inaturalist, openverse
from birds.scrape.api import JsonApi
from birds.scrape.api_source import batch, read_pages
from birds.scrape.candidates import Candidate, Page
from birds.scrape.saved_pages import SavedPages
from hypothesis import given
from hypothesis import strategies as st


def _api(session: requests.Session, url: str, **options: float) -> JsonApi:
    return JsonApi(session, url, **{"gap_s": 0.0, "pause_s": 0.01, **options})


def _failure(api: JsonApi) -> SourceError:
    with pytest.raises(SourceError) as caught:
        api.get("/search", {"q": "stork"})
    return caught.value


# -- asking


def test_an_answer_is_text_and_asked_for_as_json(api_server, session: requests.Session) -> None:
    api_server.route("/v1/search", lambda params: {"you asked": params})
    assert _api(session, f"{api_server.url}/v1/").get("/search", {"q": "cigüeña & co", "page": 2}) == (
        '{"you asked": {"q": "cig\\u00fce\\u00f1a & co", "page": "2"}}'
    )
    assert api_server.headers[0]["accept"] == "application/json"
    assert api_server.headers[0]["user-agent"].startswith("birds/")


def test_bytes_that_are_no_utf8_do_not_stop_it(api_server, session: requests.Session) -> None:
    api_server.route("/search", lambda _: b"caf\xe9")
    assert _api(session, api_server.url).get("/search", {}) == "caf\ufffd"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_failure_that_can_pass_is_tried_again(api_server, session: requests.Session, status: int) -> None:
    api_server.in_turn("/search", api_server.answer(status=status), api_server.answer(status=status), {"results": []})
    assert _api(session, api_server.url).get("/search", {"q": "stork"}) == '{"results": []}'
    assert api_server.params("/search") == [{"q": "stork"}] * 3


@pytest.mark.parametrize(
    ("status", "cause", "requests_made"),
    [
        (503, Cause.NETWORK, 3),
        (429, Cause.QUOTA, 3),
        (403, Cause.QUOTA, 1),
        (401, Cause.QUOTA, 1),
        (404, Cause.UNKNOWN_LAYOUT, 1),
        (400, Cause.UNKNOWN_LAYOUT, 1),
        (204, Cause.UNKNOWN_LAYOUT, 1),
    ],
)
def test_a_lasting_failure_has_its_cause_after_bounded_tries(
    api_server, session: requests.Session, status: int, cause: Cause, requests_made: int
) -> None:
    api_server.route("/search", lambda _: api_server.answer(status=status))
    error = _failure(_api(session, api_server.url, tries=3))
    assert error.cause is cause
    assert str(status) in error.message
    assert len(api_server.asked) == requests_made


def test_a_server_that_is_not_there_is_a_network_failure(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{port}"])) as guarded:
        assert _failure(_api(guarded, f"http://127.0.0.1:{port}", tries=2)).cause is Cause.NETWORK


def test_a_connection_cut_in_the_middle_is_tried_again(api_server, session: requests.Session) -> None:
    cut = api_server.answer("{", Content_Length="1000", Connection="close")
    api_server.in_turn("/search", cut, {"results": []})
    assert _api(session, api_server.url).get("/search", {}) == '{"results": []}'


def test_a_private_address_is_refused_by_the_guard_and_not_tried_again(api_server) -> None:
    with net.make_session() as guarded:
        error = _failure(_api(guarded, api_server.url))
    assert error.cause is Cause.NETWORK
    assert "not on the public internet" in error.message
    assert not api_server.asked


@pytest.mark.parametrize("url", ["no address", "http://", "http://[::1", "ftp://127.0.0.1/"])
def test_a_malformed_address_is_a_source_error(session: requests.Session, url: str) -> None:
    assert _failure(_api(session, url)).cause is Cause.NETWORK


def test_an_answer_that_is_too_large_is_given_up(api_server, session: requests.Session) -> None:
    api_server.route("/search", lambda _: "x" * 100_001)
    error = _failure(_api(session, api_server.url, max_bytes=100_000))
    assert error.cause is Cause.UNKNOWN_LAYOUT
    assert len(api_server.asked) == 1


def test_a_flood_of_headers_is_given_up(api_server, session: requests.Session) -> None:
    flood = {f"X_{n}": "x" * 10_000 for n in range(50)}
    api_server.route("/search", lambda _: api_server.answer({}, **flood))
    assert _failure(_api(session, api_server.url)).cause is Cause.UNKNOWN_LAYOUT


def test_redirects_are_followed_on_the_same_host_only(api_server, session: requests.Session) -> None:
    api_server.route("/search", lambda _: api_server.answer(status=301, Location="/v2/search?q=stork"))
    api_server.route("/v2/search", lambda params: {"q": params["q"]})
    assert _api(session, api_server.url).get("/search", {"q": "stork"}) == '{"q": "stork"}'
    api_server.route("/search", lambda _: api_server.answer(status=302, Location="http://localhost:9/login"))
    error = _failure(_api(session, api_server.url))
    assert error.cause is Cause.NETWORK
    assert "localhost" in error.message


def test_redirects_in_a_circle_end(api_server, session: requests.Session) -> None:
    api_server.route("/search", lambda _: api_server.answer(status=302, Location="/search"))
    assert "redirects" in _failure(_api(session, api_server.url)).message


# -- waiting


class _Clock:
    """Stands in for ``time``: passes only where somebody sleeps; `meanwhile` happens during a sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        self.slept.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop()()
        self.now = max(self.now, until)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr("birds.scrape.api.time", made)
    return made


def test_requests_keep_their_distance(api_server, session: requests.Session, clock: _Clock) -> None:
    api_server.route("/search", lambda _: {})
    api = _api(session, api_server.url, gap_s=3.0)
    for _ in range(3):
        api.get("/search", {})
    assert clock.slept == [3.0, 3.0]
    clock.now += 10.0
    api.get("/search", {})
    assert clock.slept == [3.0, 3.0]


def test_threads_share_the_distance(api_server, session: requests.Session, clock: _Clock) -> None:
    api_server.route("/search", lambda _: {})
    api = _api(session, api_server.url, gap_s=3.0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.get("/search", {}), range(8)))
    assert clock.now == 1021.0


@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_a_server_asks_for_is_kept(api_server, session: requests.Session, clock: _Clock, status: int) -> None:
    api_server.in_turn("/search", api_server.answer(status=status, Retry_After="59"), {})
    _api(session, api_server.url).get("/search", {})
    assert sum(clock.slept) == pytest.approx(59)


def test_the_pause_may_be_asked_for_as_a_date(api_server, session: requests.Session, clock: _Clock) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    api_server.in_turn("/search", api_server.answer(status=429, Retry_After=until), {})
    _api(session, api_server.url).get("/search", {})
    assert 20 < sum(clock.slept) <= 50


@pytest.mark.parametrize("wish", ["soon", "-5", "", "Thu, 01 Jan 1970 00:00:00 GMT", "٣"])
def test_a_pause_that_makes_no_sense_is_the_usual_one(
    api_server, session: requests.Session, clock: _Clock, wish: str
) -> None:
    retry_after = wish.encode().decode("latin-1")
    api_server.in_turn("/search", api_server.answer(status=429, Retry_After=retry_after), {})
    _api(session, api_server.url, pause_s=1.0).get("/search", {})
    assert 1.0 <= sum(clock.slept) <= 1.5


@pytest.mark.parametrize("wish", ["61", "86400", "9" * 400])
def test_a_longer_pause_than_a_minute_is_a_quota(
    api_server, session: requests.Session, clock: _Clock, wish: str
) -> None:
    api_server.route("/search", lambda _: api_server.answer(status=429, Retry_After=wish))
    assert _failure(_api(session, api_server.url)).cause is Cause.QUOTA
    assert not clock.slept
    assert len(api_server.asked) == 1


def test_pauses_double_with_jitter(api_server, session: requests.Session, clock: _Clock) -> None:
    api_server.route("/search", lambda _: api_server.answer(status=500))
    _failure(_api(session, api_server.url, tries=4, pause_s=1.0))
    assert len(clock.slept) == 3
    for pause, least in zip(clock.slept, (1, 2, 4), strict=True):
        assert least <= pause <= 1.5 * least


def test_a_pause_asked_of_one_holds_for_all_who_wait(api_server, session: requests.Session, clock: _Clock) -> None:
    moments: list[float] = []
    busy = api_server.answer(status=429, Retry_After="50")
    answers = iter([{}, busy, {}, {}])
    api_server.route("/search", lambda _: moments.append(clock.now) or next(answers))
    api = _api(session, api_server.url, gap_s=3.0)
    api.get("/search", {})
    clock.meanwhile.append(lambda: api.get("/search", {}))  # it is told to pause while the next one waits for its turn
    api.get("/search", {})
    assert moments == [1000.0, 1003.0, 1053.0, 1056.0]


# -- pages


def _candidate(name: str) -> Candidate:
    return Candidate(url=f"https://host/{name}.jpg", strategy="api")


PAGES = {
    "": Page((_candidate("a"), _candidate("b")), following="2"),
    "2": Page((_candidate("b"), _candidate("c")), following="3"),
    "3": Page((_candidate("d"),)),
}


def _search(pages: dict[str, Page], saved: SavedPages | None = None, asked: list[str] | None = None) -> Iterator[str]:
    def ask(following: str | None) -> str:
        if asked is not None:
            asked.append(following or "")
        return following or ""

    return (candidate.url[-5] for candidate in read_pages("here", "white stork", ask, pages.__getitem__, saved))


def test_pages_follow_each_other_and_each_picture_comes_once() -> None:
    assert "".join(_search(PAGES)) == "abcd"


def test_a_page_is_fetched_only_when_it_is_needed() -> None:
    asked: list[str] = []
    found = _search(PAGES, asked=asked)
    assert not asked
    assert "".join(itertools.islice(found, 2)) == "ab"
    assert asked == [""]
    assert next(found) == "c"
    assert asked == ["", "2"]


def test_a_page_that_names_itself_as_the_next_is_the_last() -> None:
    assert "".join(_search({"": Page((_candidate("a"),), following="2"), "2": Page(following="2")})) == "a"


def test_an_empty_page_later_on_is_the_end_and_no_failure() -> None:
    pages = {"": Page((_candidate("a"),), following="2"), "2": Page(cause=Cause.NO_RESULTS)}
    assert "".join(_search(pages)) == "a"


@pytest.mark.parametrize("first", [Page(cause=Cause.NO_RESULTS), Page()])
def test_no_candidate_on_any_page_is_said(first: Page) -> None:
    with pytest.raises(SourceError, match="white stork") as caught:
        next(_search({"": first}))
    assert caught.value.cause is Cause.NO_RESULTS


def test_every_page_is_saved_where_asked_for(tmp_path: Path) -> None:
    list(_search(PAGES, SavedPages(tmp_path / "pages", tmp_path / "logs")))
    saved = sorted((tmp_path / "pages").iterdir())
    assert [path.name for path in saved] == [f"000{n}-here-white-stork.json" for n in (1, 2, 3)]
    assert [path.read_text() for path in saved] == ["", "2", "3"]


def test_a_page_that_is_not_understood_is_saved_and_what_came_before_stays(tmp_path: Path) -> None:
    pages = {"": Page((_candidate("a"),), following="2"), "2": Page(cause=Cause.UNKNOWN_LAYOUT)}
    found = _search(pages, SavedPages(None, tmp_path))
    assert next(found) == "a"
    with pytest.raises(SourceError, match=r"here-unreadable-page\.json") as caught:
        next(found)
    assert caught.value.cause is Cause.UNKNOWN_LAYOUT
    assert (tmp_path / "here-unreadable-page.json").read_text() == "2"


def test_a_cause_the_page_names_is_passed_on() -> None:
    with pytest.raises(SourceError) as caught:
        next(_search({"": Page(cause=Cause.QUOTA)}))
    assert caught.value.cause is Cause.QUOTA


@pytest.mark.parametrize(("limit", "asked_for"), [(1, 6), (100, 130), (1000, 300)])
def test_a_batch_is_a_little_more_than_wanted(limit: int, asked_for: int) -> None:
    assert batch(limit, 300) == asked_for


# -- whatever a source sends

PHOTO = {"url": "https://host/square.jpg", "license_code": "cc-by", "original_dimensions": {"width": 2, "height": 2}}
RECORD = {"key": 1, "basisOfRecord": "HUMAN_OBSERVATION", "occurrenceStatus": "PRESENT", "references": "https://host/1"}
MEDIUM = {"type": "StillImage", "format": "image/jpeg", "identifier": "https://host/1.jpg", "license": "CC BY 4.0"}
FILE = {"url": "https://host/1.jpg", "mime": "image/jpeg", "width": 3000, "height": 2000, "thumburl": "https://host/2"}
SAMPLES = {
    inaturalist: {
        "total_results": 2,
        "results": [{"id": 1, "quality_grade": "research", "user": {"login": "a"}, "taxon": {}, "photos": [PHOTO]}],
    },
    gbif: {"offset": 0, "endOfRecords": False, "results": [{**RECORD, "media": [MEDIUM]}]},
    commons: {
        "continue": {"gsroffset": 1},
        "query": {"pages": {"7": {"index": 1, "title": "File:a.jpg", "imageinfo": [{**FILE, "extmetadata": {}}]}}},
    },
    openverse: {
        "page": 1,
        "page_count": 2,
        "results": [{"url": "https://host/1.jpg", "license": "by", "mature": False}],
    },
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize("source", SAMPLES)
def test_a_sample_is_read(source: ModuleType) -> None:
    page = source.parse(json.dumps(SAMPLES[source]))
    assert len(page.candidates) == 1
    assert page.following


@pytest.mark.parametrize("source", SAMPLES)
@given(data=st.data())
def test_no_field_of_another_kind_makes_a_parser_raise(source: ModuleType, data: st.DataObject) -> None:
    answer = deepcopy(SAMPLES[source])
    container, key = data.draw(st.sampled_from(list(_places(answer))))
    container[key] = data.draw(ANY_JSON)
    page = source.parse(json.dumps(answer))
    assert all(candidate.url.startswith("http") for candidate in page.candidates)


@pytest.mark.parametrize("source", SAMPLES)
@given(text=st.text() | ANY_JSON.map(json.dumps))
def test_other_text_is_not_understood(source: ModuleType, text: str) -> None:
    page = source.parse(text)
    assert not page.candidates
    assert page.cause is Cause.UNKNOWN_LAYOUT


@given(text=st.text() | ANY_JSON.map(json.dumps))
def test_other_text_has_no_taxon(text: str) -> None:
    assert inaturalist.parse_taxon(text, "Ciconia ciconia") is Cause.UNKNOWN_LAYOUT
    assert gbif.parse_taxon(text) is Cause.UNKNOWN_LAYOUT
