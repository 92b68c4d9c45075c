"""Several sources in turn, licences, several species side by side: the stage with real lists, folders and servers."""

import csv
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from birds.demo.gallery import Fault, Gallery
from birds.errors import UsageError
from birds.files import Project
from birds.reasons import Cause, Reason
from birds.record import Record, State
from birds.scrape import ScrapeStoppedError, scrape
from PIL import Image

Draw = Callable[..., Image.Image]


class Pictures:
    """A picture host: any path with a number in it is another picture."""

    def __init__(self, make_picture: Draw, jpeg: Callable[..., bytes]) -> None:
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                number = "".join(c for c in self.path if c.isdigit())
                body = jpeg(make_picture(int(number))) if number else b""
                self.send_response(200 if number else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, number: int, name: str = "bird.jpg") -> str:
        return f"http://{self.host}/{number}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def host(make_picture: Draw, jpeg: Callable[..., bytes]) -> Iterator[Pictures]:
    running = Pictures(make_picture, jpeg)
    yield running
    running.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, make_picture: Draw) -> Path:
    """Six pictures each of two species for the gallery."""
    folder = tmp_path_factory.mktemp("shelf")
    for label, start in (("cigüeña", 0), ("garza", 100)):
        (folder / label).mkdir()
        for number in range(start, start + 6):
            make_picture(number).save(folder / label / f"{number}.jpg", quality=90)
    return folder


@pytest.fixture
def own_pictures(tmp_path: Path, make_picture: Draw) -> Path:
    """Four pictures that a person has of each species, one of them in the gallery too."""
    folder = tmp_path / "mis fotos"
    for label, start in (("Cigüeña", 200), ("GARZA", 300)):
        (folder / label).mkdir(parents=True)
        for number in range(start, start + 4):
            make_picture(number).save(folder / label / f"{number}.jpg", quality=90)
    return folder


def url_list(path: Path, rows: list[dict[str, str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return f"urls:{path}"


def test_a_species_that_runs_short_is_topped_up_by_the_next_source(
    tmp_path: Path, shelf: Path, own_pictures: Path, notes
) -> None:
    root = tmp_path / "project"
    with Gallery(shelf) as gallery:
        (result,) = scrape(
            root, species=["garza"], limit=9, sources=["google", f"folder:{own_pictures}"], google_url=gallery.url,
            allow_hosts=gallery.allow_hosts, progress=notes,
        ).species  # fmt: skip
    assert (result.stored, result.sources, result.stopped) == (9, {"google": 6, "folder": 3}, None)
    assert result.strategies == {"inline": 6, "folder": 4}  # read ahead by one
    assert any("6 from google, 3 from folder" in line for line in notes.lines)
    with Record(Project(root)) as record:
        assert Counter(file.provenance.source for file in record.files(State.STORED)) == {"google": 6, "folder": 3}


def test_a_block_leaves_the_rest_to_the_next_source_and_is_met_once(
    tmp_path: Path, shelf: Path, own_pictures: Path, notes
) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA) as gallery:
        result = scrape(
            tmp_path / "project", species=["garza", "cigüeña"], limit=4,
            sources=["google", f"folder:{own_pictures}"], google_url=gallery.url, progress=notes,
        )  # fmt: skip
        assert gallery.requests_seen["blocked"] == 1
    assert [(one.stored, one.stopped) for one in result.species] == [(4, None), (4, None)]
    assert any("captcha" in line for line in notes.lines), "a person is told, though the number was reached"


def test_a_block_that_no_source_makes_up_for_is_an_error(tmp_path: Path, shelf: Path, own_pictures: Path) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA) as gallery, pytest.raises(ScrapeStoppedError) as stopped:
        scrape(
            tmp_path / "project", species=["garza"], limit=5, sources=["google", f"folder:{own_pictures}"],
            google_url=gallery.url,
        )  # fmt: skip
    (result,) = stopped.value.result.species
    assert (result.stored, result.stopped, stopped.value.cause) == (4, Cause.CAPTCHA, Cause.CAPTCHA)


def test_what_one_source_lacks_is_no_failure_where_another_has_some(tmp_path: Path, own_pictures: Path) -> None:
    empty = tmp_path / "other"
    (empty / "loro").mkdir(parents=True)
    (own_pictures / "Cigüeña" / "200.jpg").rename(empty / "loro" / "1.jpg")
    sources = [f"folder:{empty}", f"folder:{own_pictures}"]
    (result,) = scrape(tmp_path / "project", species=["garza"], limit=9, sources=sources).species
    assert (result.stored, result.stopped) == (4, None)
    with pytest.raises(ScrapeStoppedError) as stopped:
        scrape(tmp_path / "project", species=["abubilla"], sources=sources)
    assert stopped.value.cause is Cause.NO_RESULTS


def test_what_shows_no_fitting_licence_is_not_downloaded(tmp_path: Path, host: Pictures) -> None:
    licences = ["CC BY 4.0", "CC BY-NC 4.0", "", "all rights reserved", "CC0"]
    rows = [{"url": host.url(n), "licence": licence, "author": f"A{n}"} for n, licence in enumerate(licences, 1)]
    sources = [url_list(tmp_path / "list.csv", rows)]
    arguments = {"species": ["garza"], "sources": sources, "allow_hosts": [host.host]}
    (result,) = scrape(tmp_path / "p", licence="commercial", **arguments).species
    assert (result.stored, result.refused) == (2, {Reason.LICENCE: 3})
    assert {path for path in host.asked if path != "/robots.txt"} == {"/1/bird.jpg", "/5/bird.jpg"}
    with Record(Project(tmp_path / "p")) as record:
        kept = {(file.provenance.author, file.provenance.licence) for file in record.files()}
    assert kept == {("A1", "cc-by-4.0"), ("A5", "cc0-1.0")}
    (result,) = scrape(tmp_path / "p", licence="open", **arguments).species
    assert (result.stored, result.refused) == (3, {Reason.LICENCE: 2})
    (result,) = scrape(tmp_path / "p", **arguments).species
    assert (result.stored, result.refused) == (5, {})


def test_a_source_that_shows_no_licences_is_not_asked_for_them(tmp_path: Path, host: Pictures, notes) -> None:
    with pytest.raises(UsageError, match="inaturalist"):
        scrape(tmp_path / "p", species=["garza"], licence="open")
    sources = ["google", url_list(tmp_path / "list.csv", [{"url": host.url(1), "licence": "CC0"}])]
    (result,) = scrape(
        tmp_path / "p", species=["garza"], licence="open", sources=sources, allow_hosts=[host.host], progress=notes
    ).species
    assert result.stored == 1
    assert any("google shows no licences" in line for line in notes.lines)
    with pytest.raises(UsageError, match="any, open, commercial"):
        scrape(tmp_path / "p", species=["garza"], licence="free")


def test_a_list_with_labels_says_itself_what_to_search_for(tmp_path: Path, host: Pictures) -> None:
    labels = ["garza", "loro", "Garza", "loro", "loro"]
    rows = [{"url": host.url(n), "label": label} for n, label in enumerate(labels)]
    result = scrape(tmp_path / "p", sources=[url_list(tmp_path / "list.csv", rows)], allow_hosts=[host.host])
    assert {one.label: one.stored for one in result.species} == {"garza": 2, "loro": 3}


def test_species_searched_side_by_side_end_in_the_same_sets(tmp_path: Path, shelf: Path) -> None:
    with Gallery(shelf) as gallery:
        arguments = {
            "species": ["garza", "cigüeña"], "limit": 5, "google_url": gallery.url, "allow_hosts": gallery.allow_hosts
        }  # fmt: skip
        one = scrape(tmp_path / "one", **arguments)
        two = scrape(tmp_path / "two", browsers=2, **arguments)
    assert [(r.label, r.stored, r.sources) for r in one.species] == [
        (r.label, r.stored, r.sources) for r in two.species
    ]
    files = [
        sorted((p.parent.name, p.name) for p in (tmp_path / name / "images").glob("*/*")) for name in ("one", "two")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 10


@pytest.mark.parametrize(
    "name",
    ["bird.jpg", "../../../../escaped7.jpg", "..%2f..%2fescaped.jpg", "a\\b.jpg", "%00.jpg", "x" * 300, "ñandú?.php"],
)
def test_a_url_never_names_a_file(tmp_path: Path, host: Pictures, name: str) -> None:
    root = tmp_path / "deep" / "project"
    listed = tmp_path / "list.txt"
    listed.write_text(host.url(7, name) + "\n", encoding="utf-8")
    scrape(root, species=["garza"], sources=[f"urls:{listed}"], allow_hosts=[host.host])
    (path,) = (root / "images").rglob("*.*")
    assert path.parent == root / "images" / "garza"
    assert path.stem.isalnum()
    assert {one.name for one in tmp_path.iterdir()} == {"deep", "list.txt"}


@pytest.mark.parametrize("label", ["../../x", "..", ".hidden", "a/b", "a\\b", "/etc", "", "nul\0"])
def test_a_label_is_never_a_path(tmp_path: Path, host: Pictures, label: str) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(host.url(7) + "\n")
    with pytest.raises(UsageError):
        scrape(tmp_path / "project", species=[label], sources=[f"urls:{listed}"], allow_hosts=[host.host])
    assert not host.asked
    assert {one.name for one in tmp_path.iterdir()} == {"list.txt"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("flickr", "Sources: google"), ("urls", "urls:FILE"), ("google:x", "--source google"),
        ("duckduckgo", "from-page"), ("urls:gone.csv", "gone.csv"), ("folder:gone", "gone"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_says_how_sources_are_given(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scrape(tmp_path, species=["garza"], sources=[source])


def test_own_lists_and_folders_are_looked_at_each_time_and_nothing_is_fetched_twice(
    tmp_path: Path, own_pictures: Path, host: Pictures
) -> None:
    sources = [url_list(tmp_path / "list.csv", [{"url": host.url(1)}]), f"folder:{own_pictures}"]
    arguments = {"species": ["garza"], "sources": sources, "allow_hosts": [host.host], "only_if_changed": True}
    scrape(tmp_path / "p", limit=4, **arguments)
    asked = host.asked.total()
    (again,) = scrape(tmp_path / "p", limit=4, **arguments).species
    assert (again.stored, again.found) == (4, 0)
    assert host.asked.total() == asked
    (more,) = scrape(tmp_path / "p", limit=5, **arguments).species
    assert more.stored == 5


def test_a_search_is_repeated_unless_nothing_could_change(tmp_path: Path, shelf: Path, notes) -> None:
    def run(project: str, gallery: Gallery) -> int:
        arguments = {"google_url": gallery.url, "allow_hosts": gallery.allow_hosts, "only_if_changed": True}
        (one,) = scrape(tmp_path / project, species=["garza"], progress=notes, **arguments).species
        return one.found

    with Gallery(shelf, fault=Fault.FAILING) as gallery:
        assert run("failing", gallery) == 6
        assert run("failing", gallery) == 6, "some failures pass"
    with Gallery(shelf) as gallery:
        assert run("well", gallery) == 6
        assert run("well", gallery) == 0
        assert any("up to date" in line for line in notes.lines)


def test_what_the_guard_refused_is_asked_for_once_it_is_allowed(tmp_path: Path, host: Pictures) -> None:
    arguments = {"species": ["garza"], "sources": [url_list(tmp_path / "list.csv", [{"url": host.url(1)}])]}
    (refused,) = scrape(tmp_path / "p", **arguments).species
    assert refused.refused == {Reason.FORBIDDEN_ADDRESS: 1}
    (allowed,) = scrape(tmp_path / "p", allow_hosts=[host.host], **arguments).species
    assert allowed.stored == 1


def test_pictures_without_labels_are_not_stored_under_several_species(tmp_path: Path, host: Pictures) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(host.url(1) + "\n")
    with pytest.raises(UsageError, match="no labels"):
        scrape(tmp_path / "p", species=["garza", "loro"], sources=[f"urls:{listed}"], allow_hosts=[host.host])
    assert not host.asked


def test_lines_that_cannot_be_used_are_told(tmp_path: Path, host: Pictures, notes) -> None:
    rows = [{"url": url} for url in (host.url(1), "notaurl", "file:///etc/passwd", "ftp://x/a.jpg")]
    sources = [url_list(tmp_path / "list.csv", rows)]
    scrape(tmp_path / "p", species=["garza"], sources=sources, allow_hosts=[host.host], progress=notes)
    assert any("3 lines" in line for line in notes.lines)


def test_the_error_is_that_of_the_species_that_is_short(tmp_path: Path, shelf: Path, own_pictures: Path) -> None:
    sources = ["google", f"folder:{own_pictures}"]
    with Gallery(shelf, fault=Fault.NO_RESULTS) as gallery, pytest.raises(ScrapeStoppedError) as stopped:
        scrape(tmp_path / "p", species=["garza", "abubilla"], limit=3, sources=sources, google_url=gallery.url)
    garza, abubilla = stopped.value.result.species
    assert (garza.stopped, abubilla.stopped) == (None, Cause.NO_RESULTS)
    assert "garza" not in str(stopped.value)
