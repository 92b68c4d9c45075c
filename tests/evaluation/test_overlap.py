"""Copies of training pictures among test pictures are found, and copies of each other are one group."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from birds.evaluation.judging import judge
from birds.evaluation.overlap import EXACT, EXACT_AND_NEAR, groups_and_overlap, training_pictures
from birds.files import Project
from birds.models.held_out import labelled
from birds.models.manifest import Preprocess
from birds.progress import SILENT
from birds.split import split
from PIL import Image

LABELS = ["garza", "loro"]


class Undecided:
    """An engine that finds every class equally likely."""

    name = "undecided"

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        return np.full((len(prepared), 2), 0.5, np.float32)


def look(project: Project, folder: Path | None = None):
    """Groups and overlap of the pictures in a folder, by default the test set."""
    listed = labelled(folder or project.dataset / "test")
    judged, _ = judge(Undecided(), Preprocess("squish", 32), LABELS, listed, SILENT)
    groups, overlap = groups_and_overlap(project, judged, training_pictures(project, SILENT))
    return judged, groups, overlap


@pytest.fixture
def divided(project: Project, write_images) -> Project:
    """A project of 40 different pictures, split."""
    write_images(project.root, dict.fromkeys(LABELS, 20))
    split(project.root)
    return project


def test_a_split_of_birds_has_no_overlap(divided: Project) -> None:
    judged, groups, overlap = look(divided)
    assert overlap.compared == EXACT_AND_NEAR
    assert (overlap.exact, overlap.near) == ({}, {})
    assert sorted(groups) == list(range(len(judged)))


def test_copies_of_training_and_validation_pictures_are_found_and_named(divided: Project, tmp_path: Path) -> None:
    folder = tmp_path / "more" / "garza"
    folder.mkdir(parents=True)
    (train, *_), (val, *_) = (sorted((divided.dataset / part / "garza").iterdir()) for part in ("train", "val"))
    (folder / "exact.jpg").write_bytes(train.read_bytes())
    with Image.open(val) as picture:
        picture.resize((120, 90)).save(folder / "near.jpg", quality=80)
    Image.effect_noise((100, 80), 90).convert("RGB").save(folder / "other.jpg")
    _, _, overlap = look(divided, tmp_path / "more")
    assert overlap.exact == {str(folder / "exact.jpg"): f"train/garza/{train.name}"}
    assert overlap.near == {str(folder / "near.jpg"): f"val/garza/{val.name}"}


def test_without_a_record_training_pictures_are_looked_at(
    divided: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a dataset/ that another tool made: neither a record nor split.csv."""
    divided.record.unlink()
    (divided.dataset / "split.csv").unlink()
    folder = tmp_path / "more" / "garza"
    folder.mkdir(parents=True)
    picture = min((divided.dataset / "train" / "garza").iterdir())
    with Image.open(picture) as opened:
        opened.resize((120, 90)).save(folder / "near.jpg", quality=80)
    _, _, overlap = look(divided, tmp_path / "more")
    assert overlap.compared == EXACT_AND_NEAR
    assert list(overlap.near.values()) == [f"train/garza/{picture.name}"]
    monkeypatch.setattr("birds.evaluation.overlap._MOST_LOOKED_AT", 3)
    (folder / "exact.jpg").write_bytes(picture.read_bytes())
    _, _, overlap = look(divided, tmp_path / "more")
    assert overlap.compared == EXACT, "too many to decode them all for this"
    assert set(overlap.exact) == {str(folder / "exact.jpg")}
    assert overlap.near == {}


def test_copies_among_test_pictures_are_one_group(tmp_path: Path, make_picture: Callable[..., Image.Image]) -> None:
    for label, number in (("garza", 1), ("loro", 2)):
        (tmp_path / "own" / label).mkdir(parents=True)
        make_picture(number).save(tmp_path / "own" / label / "a.png")
    make_picture(1).resize((120, 90)).save(tmp_path / "own" / "garza" / "b.jpg", quality=80)
    (tmp_path / "own" / "loro" / "c.png").write_bytes((tmp_path / "own" / "garza" / "a.png").read_bytes())
    judged, groups, _ = look(Project(tmp_path), tmp_path / "own")
    paths = [Path(str(file)) for file in judged.files]
    files = {f"{path.parent.name}/{path.name}": int(group) for path, group in zip(paths, groups, strict=True)}
    assert files["garza/a.png"] == files["garza/b.jpg"] == files["loro/c.png"] != files["loro/a.png"]
    assert set(files.values()) == {0, 1}


def test_what_birds_split_keeps_together_is_one_group(divided: Project) -> None:
    """As pictures of one observation, which look different."""
    path = divided.dataset / "split.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    of_test = [row for row in rows if row["part"] == "test"]
    of_test[0]["group"] = of_test[-1]["group"] = "7"
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    judged, groups, _ = look(divided)
    assert len(set(groups)) == len(judged) - 1


def test_nothing_is_compared_where_nobody_knows_the_training_pictures(divided: Project) -> None:
    judged, _ = judge(Undecided(), Preprocess("squish", 32), LABELS, labelled(divided.dataset / "test"), SILENT)
    _, overlap = groups_and_overlap(divided, judged, None, "nothing: they are elsewhere")
    assert overlap.compared == "nothing: they are elsewhere"
