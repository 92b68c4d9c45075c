"""Splits without a test part: ``--ratio 80/20``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import splitfolders
from birds.cli import app
from birds.errors import ProjectError
from birds.split import split
from birds.split.assignment import add, pictures_needed
from birds.split.settings import parse_ratio
from typer.testing import CliRunner

WriteImages = Callable[..., list[Path]]


def _in_part(root: Path, part: str) -> set[str]:
    folder = root / "dataset" / part
    return {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}


def test_two_shares_leave_no_test_part(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 20, "loro": 10})
    result = split(tmp_path, ratio="80/20", seed=3)
    assert (result.train, result.val, result.test, result.leaks) == (24, 6, 0, 0)
    assert not (tmp_path / "dataset" / "test").exists()
    document = json.loads((tmp_path / "dataset" / "split.json").read_text(encoding="utf-8"))
    assert document["ratio"] == "80/20"
    assert document["counts"]["loro"] == {"train": 8, "val": 2, "test": 0}


def test_it_is_what_split_folders_makes_of_two_shares(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 23, "loro": 11})
    split(tmp_path, ratio="80/20", seed=7, plain=True)
    splitfolders.ratio(str(tmp_path / "images"), output=str(tmp_path / "theirs"), seed=7, ratio=(0.8, 0.2))
    for part in ("train", "val"):
        theirs = tmp_path / "theirs" / part
        assert _in_part(tmp_path, part) == {path.relative_to(theirs).as_posix() for path in theirs.glob("*/*")}


def test_later_pictures_go_to_train_and_val_alone(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 10, "loro": 10})
    split(tmp_path, ratio="80/20")
    train, val = _in_part(tmp_path, "train"), _in_part(tmp_path, "val")
    write_images(tmp_path, {"loro": 10})
    result = split(tmp_path)  # the ratio of the split that is there
    assert (result.train, result.val, result.test, result.added) == (24, 6, 0, 10)
    assert train < _in_part(tmp_path, "train")
    assert val < _in_part(tmp_path, "val")
    with pytest.raises(ProjectError, match="--fresh"):
        split(tmp_path, ratio="70/15/15")


def test_a_share_of_nothing_gets_no_newcomer() -> None:
    added = add(dict.fromkeys(range(40), "loro"), [], {}, parse_ratio("80/20"), seed=1)
    assert set(added.parts.values()) == {"train", "val"}
    assert len(added.parts) == 40


@pytest.mark.parametrize(("ratio", "needed"), [((80, 20, 0), 2), ((20, 80, 0), 5), ((70, 15, 15), 7)])
def test_how_many_pictures_fill_every_part_that_there_is(ratio: tuple[int, ...], needed: int) -> None:
    assert pictures_needed(ratio) == needed


def test_a_class_too_small_for_two_parts_is_told(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 5, "loro": 1})
    with pytest.raises(ProjectError, match="At 80/20 a class needs 2 different pictures; 'loro' has 1"):
        split(tmp_path, ratio="80/20")


def test_the_command_says_that_there_is_no_test_part(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 10, "loro": 10})
    answer = CliRunner().invoke(app, ["split", "--ratio", "80/20", "--project", str(tmp_path), "--quiet"])
    assert answer.exit_code == 0
    assert "16 train, 4 val, no test part in 2 classes" in answer.output
    assert "training picture shows" not in answer.output


def test_folds_take_both_parts(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 9, "loro": 9})
    split(tmp_path, ratio="80/20", kfold=3)
    validated = [path.name for path in (tmp_path / "dataset" / "folds").glob("*/val/loro/*")]
    assert sorted(validated) == sorted(path.name for path in (tmp_path / "images" / "loro").iterdir())
