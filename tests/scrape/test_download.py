"""The downloader's promises: rank order, politeness to each host, bounded retries, nothing held for long."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from birds import images
from birds.errors import FetchError, SourceError
from birds.net import Fetched
from birds.reasons import Cause, Reason
from birds.scrape.candidates import Candidate
from birds.scrape.download import Download, Downloader
from PIL import Image

MANY = 100  # pictures wanted, where that does not matter


class Host:
    """Answers of many hosts, counted; `answers` may have a delay, an error or bytes for a URL."""

    def __init__(self, picture: bytes) -> None:
        self.picture = picture
        self.asked: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}
        self.most_at_once: Counter[str] = Counter()
        self.answers: dict[str, list[float | FetchError | bytes]] = {}
        self._active: Counter[str] = Counter()
        self._lock = threading.Lock()

    def fetch(self, url: str, holding: ExitStack) -> Fetched:
        host = url.split("/")[2]
        with self._lock:
            self.asked[url] += 1
            self.times.setdefault(host, []).append(time.monotonic())
            self._active[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self._active[host])
            answer = self.answers[url].pop(0) if self.answers.get(url) else 0.0
        try:
            if isinstance(answer, FetchError):
                raise answer
            if isinstance(answer, float):
                time.sleep(answer)
            return Fetched(answer if isinstance(answer, bytes) else self.picture, url, "image/jpeg")
        finally:
            with self._lock:
                self._active[host] -= 1


@pytest.fixture
def host(make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]) -> Host:
    return Host(jpeg(make_picture(1)))


def candidates(*urls: str) -> list[Candidate]:
    return [Candidate(url=url, strategy="test") for url in urls]


def downloaded(host: Host, staging: Path, given: list[Candidate], **options: object) -> list[Download]:
    with Downloader(host.fetch, staging, **{"gap_s": lambda _: 0.0, **options}) as downloader:
        return list(downloader.download(given, lambda: MANY))


def test_results_come_in_rank_order_however_the_downloads_finish(host: Host, tmp_path: Path) -> None:
    urls = [f"http://h{n}/a.jpg" for n in range(12)]
    host.answers = {url: [0.2 if n % 3 == 0 else 0.0] for n, url in enumerate(urls)}
    done = downloaded(host, tmp_path, candidates(*urls))
    assert [one.candidate.url for one in done] == urls
    for one in done:
        assert one.staged is not None
        assert one.staged.read_bytes() == host.picture
        assert one.sha256 == images.sha256(host.picture)


def test_one_host_gets_four_connections_and_a_gap_while_others_go_on(host: Host, tmp_path: Path) -> None:
    crowd = [f"http://crowded/{n}.jpg" for n in range(24)]
    others = [f"http://h{n}/a.jpg" for n in range(8)]
    host.answers = {url: [0.03] for url in crowd}
    downloaded(host, tmp_path, candidates(*crowd, *others), gap_s=lambda url: 0.01 if "crowded" in url else 0.0)
    assert host.most_at_once["crowded"] <= 4
    starts = host.times["crowded"]
    assert len(starts) == 24
    assert min(later - earlier for earlier, later in pairwise(starts)) > 0.004
    assert max(host.times[f"h{n}"][0] for n in range(8)) < starts[-1], "a crowded host keeps nobody else waiting"


def test_a_passing_failure_is_tried_again_a_bounded_number_of_times(host: Host, tmp_path: Path) -> None:
    passing = FetchError("HTTP 503.", reason=Reason.HTTP_ERROR, is_passing=True, retry_after_s=0.01)
    gone = FetchError("HTTP 404.", reason=Reason.HTTP_ERROR)
    host.answers = {"http://a/": [passing], "http://b/": [passing] * 9, "http://c/": [gone]}
    first, second, third = downloaded(host, tmp_path, candidates("http://a/", "http://b/", "http://c/"))
    assert first.staged
    assert (second.reason, second.is_passing, host.asked["http://b/"]) == (Reason.HTTP_ERROR, True, 3)
    assert (third.reason, third.is_passing, host.asked["http://c/"]) == (Reason.HTTP_ERROR, False, 1)


def test_a_host_that_asks_for_a_rest_is_not_asked_for_anything_meanwhile(host: Host, tmp_path: Path) -> None:
    busy = FetchError("HTTP 429.", reason=Reason.HTTP_ERROR, is_passing=True, retry_after_s=0.3)
    host.answers = {"http://a/1": [busy]}
    done = downloaded(host, tmp_path, candidates(*(f"http://a/{n}" for n in range(1, 9))), per_host=1)
    assert all(one.staged for one in done)
    first, second, *_ = host.times["a"]
    assert second - first >= 0.3


def test_a_host_that_asks_for_a_long_rest_is_left_to_the_next_run(host: Host, tmp_path: Path) -> None:
    busy = FetchError("HTTP 429.", reason=Reason.HTTP_ERROR, is_passing=True, retry_after_s=3600)
    host.answers = {"http://a/0": [busy]}
    done = downloaded(host, tmp_path, candidates(*(f"http://a/{n}" for n in range(9)), "http://b/0"), per_host=1)
    assert [(one.reason, one.is_passing) for one in done[:9]] == [(Reason.HTTP_ERROR, True)] * 9
    assert done[9].staged
    assert sum(host.asked[f"http://a/{n}"] for n in range(9)) == 1


def test_little_more_is_fetched_than_is_wanted(host: Host, tmp_path: Path) -> None:
    pulled = []

    def endless() -> Iterator[Candidate]:
        for n in range(1000):
            pulled.append(n)
            yield Candidate(url=f"http://h{n}/", strategy="test")

    with Downloader(host.fetch, tmp_path, gap_s=lambda _: 0.0) as downloader:
        stored: list[Download] = []
        for one in downloader.download(endless(), lambda: 3 - len(stored)):
            stored.append(one)
            if len(stored) == 3:
                break
    assert len(pulled) <= 8
    assert host.asked.total() <= 8


def test_a_source_that_stops_costs_nothing_that_is_under_way(host: Host, tmp_path: Path) -> None:
    def stopping() -> Iterator[Candidate]:
        yield from candidates("http://a/", "http://b/")
        raise SourceError("blocked", cause=Cause.CAPTCHA)

    with Downloader(host.fetch, tmp_path) as downloader:
        got = downloader.download(stopping(), lambda: MANY)
        assert [next(got).candidate.url, next(got).candidate.url] == ["http://a/", "http://b/"]
        with pytest.raises(SourceError):
            next(got)


def test_what_is_no_picture_and_what_is_too_small_say_so(
    host: Host, tmp_path: Path, make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]
) -> None:
    tiny = jpeg(make_picture(2, (63, 200)))
    host.answers = {"http://a/": [b"<html>"], "http://b/": [host.picture[:300]], "http://c/": [tiny]}
    done = downloaded(host, tmp_path, candidates("http://a/", "http://b/", "http://c/"))
    assert [one.reason for one in done] == [Reason.NOT_AN_IMAGE, Reason.UNREADABLE, Reason.TOO_SMALL]
    assert not list(tmp_path.iterdir())


def test_an_address_that_is_none_costs_only_itself(host: Host, tmp_path: Path) -> None:
    first, second = downloaded(host, tmp_path, candidates("http://[bad/x.jpg", "http://a/"))
    assert first.reason is Reason.FORBIDDEN_ADDRESS
    assert second.staged


def test_a_file_on_this_computer_is_read_and_not_fetched(host: Host, tmp_path: Path) -> None:
    own = tmp_path / "own.jpg"
    own.write_bytes(host.picture)
    (tmp_path / "staging").mkdir()
    here = Candidate(url=own.as_uri(), strategy="folder", path=own)
    gone = Candidate(url="file:///nowhere", strategy="folder", path=tmp_path / "gone.jpg")
    first, second = downloaded(host, tmp_path / "staging", [here, gone])
    assert first.staged
    assert second.reason is Reason.UNREADABLE
    assert not host.asked


def test_a_full_disk_is_no_picture_s_fault_and_ends_the_work(host: Host, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        downloaded(host, tmp_path / "no such folder", candidates("http://a/"))


def test_the_end_does_not_wait_for_a_slow_host(host: Host, tmp_path: Path) -> None:
    released = threading.Event()

    def fetch(url: str, holding: ExitStack) -> Fetched:
        if "slow" in url:
            released.wait(60)
        return host.fetch(url, holding)

    with Downloader(fetch, tmp_path) as downloader:
        for one in downloader.download(candidates("http://a/", "http://slow/"), lambda: 1):
            assert one.candidate.url == "http://a/"
            break
    assert not released.is_set()
    before = sorted(tmp_path.iterdir())
    released.set()
    for thread in [one for one in threading.enumerate() if one.name.startswith("birds-download")]:
        thread.join(10)
    assert sorted(tmp_path.iterdir()) == before, "nothing is written after the end"


def test_large_pictures_are_decoded_one_after_the_other(
    host: Host, tmp_path: Path, make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    active, most = Counter[str](), Counter[str]()
    lock = threading.Lock()
    real = images.decode

    def watched(data: bytes, **options: int) -> images.Decoded:
        with lock:
            active["now"] += 1
            most["now"] = max(most["now"], active["now"])
        try:
            time.sleep(0.02)
            return real(data, **options)
        finally:
            with lock:
                active["now"] -= 1

    monkeypatch.setattr(images, "decode", watched)
    host.picture = jpeg(make_picture(3, (4000, 3600)))  # 14.4 of the 24 million pixels that are let in at once
    done = downloaded(host, tmp_path, candidates(*(f"http://h{n}/" for n in range(6))))
    assert all(one.staged for one in done)
    assert most["now"] == 1
