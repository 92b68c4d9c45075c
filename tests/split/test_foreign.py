import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from birds.cli import app
from birds.errors import UsageError
from birds.split.foreign import check
from PIL import Image, ImageOps
from typer.testing import CliRunner

MakePicture = Callable[..., Image.Image]
Jpeg = Callable[..., bytes]


@pytest.fixture
def dataset(tmp_path: Path, make_picture: MakePicture, jpeg: Jpeg) -> Path:
    """As another tool might have made it: six pictures a part of two classes, none of them alike."""
    for number, (part, label) in enumerate((p, c) for p in ("train", "valid", "test") for c in ("garza", "loro")):
        folder = tmp_path / "theirs" / part / label
        folder.mkdir(parents=True)
        for i in range(6):
            (folder / f"{i}.jpg").write_bytes(jpeg(make_picture(100 * number + i)))
    return tmp_path / "theirs"


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}


def test_a_clean_dataset_has_no_leaks_and_is_left_as_it_is(dataset: Path) -> None:
    before = _state(dataset)
    found = check(dataset)
    assert found.parts == {"train": 12, "val": 12, "test": 12}
    assert (found.exact, found.near, found.label_conflicts, found.pairs) == (0, 0, 0, [])
    assert found.leaking == {"val": 0, "test": 0}
    assert _state(dataset) == before


def test_copies_in_two_parts_are_told_from_near_duplicates(dataset: Path, jpeg: Jpeg) -> None:
    shutil.copy(dataset / "train/loro/0.jpg", dataset / "test/loro/copy.png")
    with Image.open(dataset / "train/garza/1.jpg") as picture:
        (dataset / "valid/garza/near.jpg").write_bytes(jpeg(ImageOps.mirror(picture).resize((120, 90)), quality=60))
        (dataset / "train/garza/within.jpg").write_bytes(jpeg(picture, quality=60))
    found = check(dataset)
    assert (found.exact, found.near, found.label_conflicts) == (1, 2, 0)
    assert found.leaking == {"val": 1, "test": 1}
    sides = {(leak.kind, leak.first, leak.second) for leak in found.pairs}
    assert ("exact_copy", "train/loro/0.jpg", "test/loro/copy.png") in sides
    assert {frozenset(pair[1:]) for pair in sides if pair[0] == "near_duplicate"} == {
        frozenset({"valid/garza/near.jpg", "train/garza/1.jpg"}),
        frozenset({"valid/garza/near.jpg", "train/garza/within.jpg"}),
    }


def test_one_picture_under_two_labels_is_a_conflict_in_whatever_parts(dataset: Path) -> None:
    shutil.copy(dataset / "train/loro/0.jpg", dataset / "train/garza/copy.jpg")
    shutil.copy(dataset / "train/loro/1.jpg", dataset / "test/garza/copy.jpg")
    found = check(dataset)
    assert (found.exact, found.label_conflicts, found.leaking["test"]) == (1, 2, 1)
    assert {leak.parts for leak in found.pairs} == {("train",), ("train", "test")}
    assert all(set(leak.labels) == {"loro", "garza"} for leak in found.pairs)


def test_many_copies_are_one_line_each(dataset: Path) -> None:
    for i in range(20):
        shutil.copy(dataset / "train/loro/0.jpg", dataset / f"test/loro/copy{i}.jpg")
    found = check(dataset)
    assert (found.exact, found.near, found.leaking["test"]) == (20, 0, 20)


def test_copies_without_one_in_train_are_leaks_between_the_others(dataset: Path) -> None:
    shutil.copy(dataset / "valid/loro/0.jpg", dataset / "test/loro/copy.jpg")
    found = check(dataset)
    assert (found.exact, found.leaking) == (1, {"val": 0, "test": 0})


def test_files_that_are_no_pictures_are_counted_and_passed_over(dataset: Path) -> None:
    (dataset / "train" / "loro" / "notes.txt").write_text("none")
    (dataset / "train" / "loro" / ".DS_Store").write_text("hidden")
    (dataset / "test" / "loro" / "cut.jpg").write_bytes((dataset / "test/loro/0.jpg").read_bytes()[:600])
    found = check(dataset)
    assert found.skipped == {"not_an_image": 1, "unreadable": 1}
    assert found.parts["train"] == found.parts["test"] == 12


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("Training", "dev", "Testing"), ["train", "val", "test"]),
        (("train", "validation", "other"), ["train", "val"]),
        (("other", "val", "test"), ["val", "test"]),
    ],
)
def test_parts_go_by_many_names(dataset: Path, names: tuple[str, str, str], parts: list[str]) -> None:
    for old, new in zip(("train", "valid", "test"), names, strict=True):
        (dataset / old).rename(dataset / new)
    assert list(check(dataset).parts) == parts


def test_links_of_another_tool_are_read(dataset: Path, tmp_path: Path) -> None:
    """split-folders can link instead of copying."""
    (dataset / "test/loro/link.jpg").symlink_to(dataset / "train/loro/0.jpg")
    assert check(dataset).exact == 1


def test_what_is_not_divided_is_refused(dataset: Path, tmp_path: Path) -> None:
    for folder, said in ((dataset / "train", "none"), (tmp_path / "missing", "no folder")):
        with pytest.raises(UsageError, match=said) as caught:
            check(folder)
        assert caught.value.hint
    (dataset / "val").mkdir()
    with pytest.raises(UsageError, match="both val and valid"):
        check(dataset)
    shutil.rmtree(dataset / "val")
    shutil.rmtree(dataset / "valid")
    shutil.rmtree(dataset / "test")
    with pytest.raises(UsageError, match="only train"):
        check(dataset)


def test_the_command_reports_leaks_and_exits_with_0(dataset: Path, tmp_path: Path) -> None:
    shutil.copy(dataset / "train/loro/0.jpg", dataset / "test/garza/copy.jpg")
    answer = CliRunner().invoke(app, ["split", "--check", str(dataset), "--json", "--project", str(tmp_path)])
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert found["exact"] == found["label_conflicts"] == 1
    assert found["pairs"][0]["first"] == "train/loro/0.jpg"
    text = CliRunner().invoke(app, ["split", "--check", str(dataset), "--project", str(tmp_path)]).stdout
    assert "test/garza/copy.jpg" in text
    assert "In two parts: 1 identical pairs, 0 near-duplicates." in text
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}, "it makes no project"
