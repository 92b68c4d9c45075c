"""Folders of pictures as people have them."""

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from birds.errors import SourceError, UsageError
from birds.reasons import Cause
from birds.scrape.candidates import AsksBy
from birds.scrape.picture_folder import PictureFolder


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Two labels, some clutter."""
    root = tmp_path / "shelf"
    for name in (
        "cigüeña/stork 10.jpg", "cigüeña/stork 2.JPG", "cigüeña/.hidden.jpg", "garza/b.png", "garza/deeper/c.png",
        ".git/d.jpg", "loose.jpg",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def names(source: PictureFolder, label: str) -> list[str | None]:
    return [one.title for one in source.search(label, 10)]


def test_folders_are_labels_and_files_come_in_natural_order(shelf: Path) -> None:
    source = PictureFolder(shelf)
    assert source.labels() == ["cigüeña", "garza"]
    assert names(source, "cigüeña") == ["stork 2.JPG", "stork 10.jpg"]
    assert names(source, "garza") == ["b.png"]


def test_a_candidate_is_the_file_itself(shelf: Path) -> None:
    found = next(PictureFolder(shelf).search("cigüeña", 10))
    assert found.path == shelf.resolve() / "cigüeña" / "stork 2.JPG"
    assert found.strategy == "folder"
    assert urlsplit(found.url).scheme == "file"
    assert Path(unquote(urlsplit(found.url).path)) == found.path


def test_a_flat_folder_gives_every_file_whatever_the_label(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", ".c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    source = PictureFolder(tmp_path)
    assert names(source, "garza") == names(source, "milano negro") == ["a.jpg", "b.jpg"]
    assert source.labels() == []


def test_any_spelling_of_a_folder_is_its_label(tmp_path: Path) -> None:
    for folder in (unicodedata.normalize("NFD", "cigüeña"), "White_Stork", "Blue Dodo"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder[:2]}.jpg").write_bytes(b"x")
    source = PictureFolder(tmp_path)
    assert source.labels() == ["Blue Dodo", "cigüeña"]
    assert len(names(source, "CIGUENA")) == 2
    assert names(source, "blue-dodo") == ["Bl.jpg"]


def test_links_that_leave_the_folder_are_not_followed(shelf: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (shelf / "garza" / "out.jpg").symlink_to(outside / "secret.jpg")
    (shelf / "garza" / "up.jpg").symlink_to(Path("../../outside/secret.jpg"))
    (shelf / "garza" / "loop.jpg").symlink_to(shelf / "garza" / "loop.jpg")
    (shelf / "garza" / "gone.jpg").symlink_to(shelf / "garza" / "nowhere.jpg")
    (shelf / "garza" / "kept.jpg").symlink_to(shelf / "cigüeña" / "stork 2.JPG")
    (shelf / "águila").symlink_to(outside, target_is_directory=True)
    source = PictureFolder(shelf)
    assert source.labels() == ["cigüeña", "garza"]
    found = list(source.search("garza", 10))
    assert [one.title for one in found] == ["b.png", "kept.jpg"]
    assert found[1].path == shelf.resolve() / "cigüeña" / "stork 2.JPG"


def test_the_folder_itself_may_be_a_link(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shelf, target_is_directory=True)
    assert PictureFolder(tmp_path / "link").labels() == ["cigüeña", "garza"]


def test_what_is_no_regular_file_is_left_alone(shelf: Path) -> None:
    os.mkfifo(shelf / "garza" / "a pipe.jpg")
    assert names(PictureFolder(shelf), "garza") == ["b.png"]


def test_a_name_that_is_no_utf_8_can_be_recorded(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"gar\xe7a.jpg")).write_bytes(b"x")
    (found,) = PictureFolder(tmp_path).search("garza", 10)
    assert found.title == "gar\ufffda.jpg"
    assert found.url.endswith("gar%E7a.jpg")
    assert found.path is not None
    assert found.path.read_bytes() == b"x"


def test_a_label_without_files_is_no_result_and_says_what_there_is(shelf: Path) -> None:
    (shelf / "milano negro").mkdir()
    with pytest.raises(SourceError, match="cigüeña, garza") as stopped:
        list(PictureFolder(shelf).search("milano negro", 10))
    assert stopped.value.cause is Cause.NO_RESULTS


def test_a_missing_folder_or_a_file_says_so(shelf: Path) -> None:
    for path in (shelf / "none", shelf / "loose.jpg", Path("~no-such-user-here/pictures")):
        with pytest.raises(UsageError, match="cannot be read") as stopped:
            PictureFolder(path)
        assert "folder:DIR" in stopped.value.hint


def test_a_path_may_begin_with_the_home_folder(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shelf.parent))
    assert PictureFolder(Path("~/shelf")).labels() == ["cigüeña", "garza"]


def test_it_is_asked_by_label_and_shows_no_licences() -> None:
    assert (PictureFolder.name, PictureFolder.asks_by, PictureFolder.shows_licences) == ("folder", AsksBy.LABEL, False)
