"""``birds scrape``, ``birds images`` and ``birds attributions`` as typed: pages saved and read again, JSON, Ctrl-C."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from birds.cli import app
from birds.demo.gallery import Fault, Gallery
from birds.files import Project
from birds.record import Record, State
from PIL import Image
from typer.testing import CliRunner, Result

Birds = Callable[..., Result]


@pytest.fixture
def birds(monkeypatch: pytest.MonkeyPatch) -> Birds:
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> Path:
    """Twenty-five storks, which take two batches, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("shelf") / "cigüeña"
    folder.mkdir()
    for number in range(25):
        make_picture(number).save(folder / f"{number:02}.jpg", quality=90)
    (folder / "03 page.jpg").write_text("<html>no picture</html>")
    return folder.parent


@pytest.fixture
def gallery(shelf: Path) -> Iterator[Gallery]:
    with Gallery(shelf) as running:
        yield running


def at(gallery: Gallery) -> list[str]:
    return ["--google-url", gallery.url, *(x for pattern in gallery.allow_hosts for x in ("--allow-host", pattern))]


def written(answer: Result) -> Any:
    return json.loads(answer.stdout)


def test_the_result_is_one_json_object_with_the_promised_keys(birds: Birds, gallery: Gallery, tmp_path: Path) -> None:
    answer = birds("scrape", "-p", tmp_path, "-s", "cigüeña", "--limit", 12, "--json", *at(gallery))
    assert answer.exit_code == 0, answer.output
    (one,) = written(answer)["species"]
    assert {"label", "query", "found", "stored", "refused", "strategies", "stopped", "sources", "downloaded"} == set(
        one
    )
    assert (one["label"], one["stored"], one["sources"]) == ("cigüeña", 12, {"google": 12})
    assert one["refused"] == {"not_an_image": 1}
    listed = written(birds("images", "-p", tmp_path, "--label", "CIGUENA", "--json"))["images"]
    assert len(listed) == 12
    for picture in listed:
        assert picture["added_at"]
        assert picture["sha256"] == picture["content"]["sha256"]  # stored byte for byte
        origin = picture["provenance"]
        wanted = ("image_url", "page_url", "title", "source", "query", "position", "strategy")
        assert all(origin[key] for key in wanted)
        assert {"author", "licence", "licence_url", "attribution", "observation"} <= set(origin)


def test_the_tables_say_what_became_of_everything(birds: Birds, gallery: Gallery, tmp_path: Path) -> None:
    answer = birds("scrape", "-p", tmp_path, "-s", "cigüeña", *at(gallery))
    assert answer.exit_code == 0
    assert "25 google" in answer.stdout
    assert "not_an_image" in answer.stdout
    assert "1 cigüeña" in answer.stdout
    assert "Next: birds clean" in answer.stdout


def test_pages_are_saved_and_read_again_without_the_network(birds: Birds, shelf: Path, tmp_path: Path) -> None:
    with Gallery(shelf) as gallery:
        pages = tmp_path / "pages"
        arguments = ["-s", "cigüeña", "--limit", 25, "--save-pages", pages]
        assert birds("scrape", "-p", tmp_path / "project", *arguments, *at(gallery)).exit_code == 0
    first, *further = sorted(pages.iterdir())
    assert first.name == "0001-google-white-stork-bird.html"
    assert further, "the batches that came by XHR are saved too"
    page = written(birds("scrape", "--from-page", first, "--json"))
    assert (page["source"], page["cause"]) == ("google", None)
    assert page["strategies"] == {"inline": len(page["candidates"])}
    batch = written(birds("scrape", "--from-page", further[0], "--json"))
    assert page["candidates"][0]["url"] not in {one["url"] for one in batch["candidates"]}
    assert len(page["candidates"]) + len(batch["candidates"]) == 26
    text = birds("scrape", "--from-page", first)
    assert f"{len(page['candidates'])} candidates: {len(page['candidates'])} by inline." in text.stdout


def test_a_saved_page_without_candidates_says_why(birds: Birds, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<form id="captcha-form">', encoding="utf-8")
    assert "Cause: captcha" in birds("scrape", "--from-page", page).stdout
    answer = birds("scrape", "--from-page", page, "--source", "inaturalist", "--json")
    assert written(answer) == {
        "source": "inaturalist", "cause": "unknown_layout", "strategies": {}, "candidates": []
    }  # fmt: skip
    for wrong in (["--from-page", tmp_path / "gone.html"], ["--from-page", page, "--source", "folder:x"]):
        answer = birds("scrape", *wrong)
        assert answer.exit_code == 1
        assert "Error" in answer.stderr


def test_a_block_is_an_error_that_carries_what_was_got(birds: Birds, shelf: Path, tmp_path: Path) -> None:
    with Gallery(shelf, fault=Fault.CAPTCHA) as gallery:
        answer = birds("scrape", "-p", tmp_path, "-s", "cigüeña", "--json", *at(gallery))
    assert answer.exit_code == 1
    value = written(answer)
    assert value["error"]["type"] == "ScrapeStoppedError"
    assert value["species"][0]["stopped"] == "captcha"


def test_a_page_that_cannot_be_read_is_kept_and_named(birds: Birds, shelf: Path, tmp_path: Path) -> None:
    with Gallery(shelf, fault=Fault.UNKNOWN_LAYOUT) as gallery:
        answer = birds("scrape", "-p", tmp_path, "-s", "cigüeña", *at(gallery))
    kept = tmp_path / ".birds" / "logs" / "google-unreadable-page.html"
    assert answer.exit_code == 1
    assert str(kept) in answer.stderr
    again = written(birds("scrape", "--from-page", kept, "--json"))
    assert (again["cause"], again["candidates"]) == ("unknown_layout", [])


def test_attributions_are_written_for_what_is_there(birds: Birds, tmp_path: Path, shelf: Path) -> None:
    assert birds("attributions", "-p", tmp_path).exit_code == 1
    assert birds("scrape", "-p", tmp_path, "--source", f"folder:{shelf}", "--limit", 5).exit_code == 0
    answer = birds("attributions", "-p", tmp_path)
    assert answer.exit_code == 0
    assert "5 pictures, 5 of them without a known licence" in answer.stdout
    with (tmp_path / "ATTRIBUTIONS.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        ["--source-url", "bing"], ["--source-url", "flickr=http://x"], ["--proxy", "nonsense"],
        ["--grid-url", "nonsense"], ["--licence", "free"], ["--source", "urls:"],
    ],
)  # fmt: skip
def test_wrong_values_are_told_in_one_line(birds: Birds, tmp_path: Path, wrong: list[str]) -> None:
    answer = birds("scrape", "-p", tmp_path, "-s", "garza", *wrong)
    assert answer.exit_code == 1, answer.output
    assert len([line for line in answer.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert not (tmp_path / "images").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_what_was_got_and_the_next_run_goes_on(shelf: Path, tmp_path: Path, birds: Birds) -> None:
    with Gallery(shelf, latency_s=0.4) as gallery:
        command = [sys.executable, "-m", "birds", "scrape", "-p", str(tmp_path), "-s", "cigüeña", *at(gallery)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not list((tmp_path / "images").glob("*/*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "goes on from here" in said
        assert birds("scrape", "-p", tmp_path, "-s", "cigüeña", *at(gallery)).exit_code == 0
    with Record(Project(tmp_path)) as record:
        assert len(record.files(State.STORED)) == len(record.files()) == 25
    assert not Project(tmp_path).temporary.exists()
