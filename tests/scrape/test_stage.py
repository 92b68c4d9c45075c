"""The stage end to end: real headless Chromium, the gallery as Google, the network guard on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from birds.demo.gallery import Fault, Gallery
from birds.errors import BrowserError, ProjectError
from birds.files import Project
from birds.moves import reject
from birds.reasons import Cause, Reason
from birds.record import Author, Record, State
from birds.scrape import ScrapeStoppedError, scrape
from PIL import Image

Draw = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, make_picture: Draw) -> Path:
    """Labelled folders for the gallery: 45 storks, which take three batches, and 8 herons with some dirt."""
    folder = tmp_path_factory.mktemp("shelf")
    for label, count, seed in (("cigüeña", 45, 0), ("garza", 8, 1000)):
        (folder / label).mkdir()
        for number in range(count):
            make_picture(seed + number).save(folder / label / f"{label} {number:02}.jpg", quality=90)
    (folder / "garza" / "copy.jpg").write_bytes((folder / "garza" / "garza 03.jpg").read_bytes())
    (folder / "garza" / "broken.jpg").write_bytes((folder / "garza" / "garza 04.jpg").read_bytes()[:700])
    (folder / "garza" / "page.jpg").write_text("<html>no picture</html>")
    make_picture(2000, size=(40, 40)).save(folder / "garza" / "tiny.png")
    make_picture(2001).save(folder / "garza" / "really a png.jpg", format="PNG")
    return folder


@pytest.fixture(scope="module")
def gallery(shelf: Path) -> Iterator[Gallery]:
    with Gallery(shelf) as running:
        yield running


def options(gallery: Gallery) -> dict[str, object]:
    return {"google_url": gallery.url, "allow_hosts": gallery.allow_hosts}


def test_batches_that_come_only_by_scrolling_are_found_and_stored_with_provenance(
    tmp_path: Path, gallery: Gallery
) -> None:
    (result,) = scrape(tmp_path, species=["CIGUENA"], **options(gallery)).species
    assert (result.label, result.query, result.found, result.stored) == ("cigüeña", "white stork bird", 45, 45)
    assert result.strategies["inline"] < 45
    assert sum(result.strategies.values()) == 45
    with Record(Project(tmp_path)) as record:
        files = record.files(State.STORED)
    assert len(files) == len(list((tmp_path / "images" / "cigüeña").iterdir())) == 45
    assert sorted(file.provenance.position or 0 for file in files) == list(range(1, 46))
    for file in files:
        where = file.provenance
        assert where.source == "google"
        assert where.image_url
        assert where.page_url
        assert where.title
        assert where.query == "white stork bird"
        assert (file.content.width, file.content.height) == (160, 120)
    hosts = {(file.provenance.image_url or "").split("/")[2] for file in files}
    assert len(hosts) > 10
    assert not list(Project(tmp_path).temporary.glob("browser-*/*")), "the browser's profile is left behind"


def test_every_refusal_has_its_reason_and_a_second_run_repeats_nothing(tmp_path: Path, shelf: Path) -> None:
    with Gallery(shelf) as gallery:
        (first,) = scrape(tmp_path, species=["garza"], **options(gallery)).species
        assert first.stored == 9
        assert first.refused == {
            Reason.EXACT_COPY: 1, Reason.UNREADABLE: 1, Reason.NOT_AN_IMAGE: 1, Reason.TOO_SMALL: 1
        }  # fmt: skip
        stored = sorted(path.name for path in (tmp_path / "images" / "garza").iterdir())
        fetched = gallery.requests_seen["picture"]
        (second,) = scrape(tmp_path, species=["garza"], **options(gallery)).species
        assert (second.stored, second.refused) == (9, {})
        assert gallery.requests_seen["picture"] == fetched
    assert stored == sorted(path.name for path in (tmp_path / "images" / "garza").iterdir())
    for path in (tmp_path / "images" / "garza").iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.mode) == ("JPEG", "RGB")


def test_the_limit_takes_the_first_in_rank_order_and_a_higher_one_adds_the_rest(
    tmp_path: Path, gallery: Gallery
) -> None:
    scrape(tmp_path, species=["cigüeña"], limit=5, **options(gallery))
    with Record(Project(tmp_path)) as record:
        assert sorted(file.provenance.position or 0 for file in record.files()) == [1, 2, 3, 4, 5]
    (more,) = scrape(tmp_path, species=["cigüeña"], limit=8, **options(gallery)).species
    assert more.stored == 8
    with Record(Project(tmp_path)) as record:
        assert sorted(file.provenance.position or 0 for file in record.files()) == list(range(1, 9))


def test_a_rejected_picture_does_not_come_back(tmp_path: Path, gallery: Gallery) -> None:
    project = Project(tmp_path)
    scrape(tmp_path, species=["garza"], **options(gallery))
    with Record(project) as record:
        reject(project, record, record.files(State.STORED)[0], Reason.BY_HAND, Author.PERSON)
    (again,) = scrape(tmp_path, species=["garza"], **options(gallery)).species
    assert again.stored == 8


def test_the_guard_refuses_the_gallery_where_it_is_not_allowed(tmp_path: Path, gallery: Gallery) -> None:
    (result,) = scrape(tmp_path, species=["garza"], google_url=gallery.url).species
    assert result.stored == 0
    assert set(result.refused) == {Reason.FORBIDDEN_ADDRESS}


def test_an_unknown_name_is_searched_as_typed_with_a_note_and_query_overrides(
    tmp_path: Path, gallery: Gallery, notes
) -> None:
    arguments = {"limit": 3, "progress": notes, **options(gallery)}
    (result,) = scrape(tmp_path, species=["cigüeña blanca"], queries=["grey heron"], **arguments).species
    assert (result.label, result.query, result.stored) == ("cigüeña blanca", "grey heron", 3)
    assert any("searched as typed" in line and "cigüeña negra" in line for line in notes.lines)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.CAPTCHA, Cause.CAPTCHA),
        (Fault.CONSENT, Cause.CONSENT),
        (Fault.JAVASCRIPT_SHELL, Cause.JAVASCRIPT_SHELL),
        (Fault.OUTDATED_BROWSER, Cause.OUTDATED_BROWSER),
        (Fault.NO_RESULTS, Cause.NO_RESULTS),
        (Fault.ONLY_THUMBNAILS, Cause.ONLY_THUMBNAILS),
        (Fault.UNKNOWN_LAYOUT, Cause.UNKNOWN_LAYOUT),
    ],
)
def test_a_page_without_pictures_ends_with_its_cause(tmp_path: Path, shelf: Path, fault: Fault, cause: Cause) -> None:
    with Gallery(shelf, fault=fault) as gallery, pytest.raises(ScrapeStoppedError) as stopped:
        scrape(tmp_path, species=["garza"], **options(gallery))
    assert stopped.value.cause is cause
    assert stopped.value.hint
    assert [one.stopped for one in stopped.value.result.species] == [cause]
    assert not (tmp_path / "images").exists()


def test_a_block_ends_the_source_and_keeps_what_was_got(tmp_path: Path, shelf: Path) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA_LATER) as gallery, pytest.raises(ScrapeStoppedError) as stopped:
        scrape(tmp_path, species=["garza", "cigüeña", "loro"], **options(gallery))
    first, second, third = stopped.value.result.species
    assert (first.stored, first.stopped) == (9, None)
    assert (second.stopped, third.stopped) == (Cause.CAPTCHA, Cause.CAPTCHA)
    assert gallery.requests_seen["blocked"] == 1, "nothing is asked after a block"
    with Record(Project(tmp_path)) as record:
        assert record.counts() == {"garza": 9}


@pytest.mark.parametrize("port", [9, 49_999], ids=["a port browsers refuse", "a port where nothing listens"])
def test_a_server_that_cannot_be_reached_is_a_network_cause(tmp_path: Path, port: int) -> None:
    with pytest.raises(ScrapeStoppedError) as stopped:
        scrape(tmp_path, species=["garza"], google_url=f"http://127.0.0.1:{port}")
    assert stopped.value.cause is Cause.NETWORK


@pytest.mark.parametrize("fault", [Fault.FAILING, Fault.LYING])
def test_failing_and_lying_hosts_cost_pictures_and_nothing_else(tmp_path: Path, shelf: Path, fault: Fault) -> None:
    with Gallery(shelf, fault=fault) as gallery:
        (result,) = scrape(tmp_path, species=["cigüeña"], **options(gallery)).species
    assert 0 < result.stored < 45
    assert result.stored + sum(result.refused.values()) == 45
    for path in (tmp_path / "images" / "cigüeña").iterdir():
        with Image.open(path) as picture:
            picture.load()


def test_what_failed_in_passing_is_tried_again(tmp_path: Path, shelf: Path) -> None:
    """The same addresses, first failing, then well: only passing failures are asked again."""
    with Gallery(shelf, fault=Fault.FAILING) as gallery:
        (first,) = scrape(tmp_path, species=["cigüeña"], **options(gallery)).species
        port = int(gallery.url.rpartition(":")[2])
    with Gallery(shelf, port=port) as gallery:
        (second,) = scrape(tmp_path, species=["cigüeña"], **options(gallery)).species
    assert second.stored > first.stored


def test_two_scrapes_in_one_project_do_not_mix(tmp_path: Path, gallery: Gallery) -> None:
    with Project(tmp_path).locked("scrape"), pytest.raises(ProjectError, match="Another birds command"):
        scrape(tmp_path, species=["garza"], **options(gallery))


def test_without_a_browser_the_error_says_what_to_install(
    tmp_path: Path, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("SE_OFFLINE", "true")
    with pytest.raises(BrowserError, match="apt-get install chromium"):
        scrape(tmp_path, species=["garza"], **options(gallery))
