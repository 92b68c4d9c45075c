"""`import_dataset`: what lands on disk and in the record, and what a second import or a kill changes."""

import csv
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from birds.clean.stage import clean
from birds.cli import app
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.importing import import_dataset
from birds.importing.formats import read_dataset
from birds.reasons import Reason
from birds.record import PictureFile, Record, State
from birds.split import split
from PIL import Image
from typer.testing import CliRunner

from ..conftest import Notes, WriteImages


def _files(root: Path, *states: State) -> list[PictureFile]:
    with Record(Project(root)) as record:
        return record.files(*states)


def _on_disk(root: Path) -> dict[str, str]:
    """Every file below images/ and dataset/, and what is in it."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("images", "dataset")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


def _in_dataset(root: Path) -> Counter[str]:
    return Counter(path.relative_to(root / "dataset").parts[0] for path in (root / "dataset").glob("*/*/*"))


# -- what lands where


def test_cub_lands_in_the_record_with_its_division_and_boxes(tmp_path: Path, datasets: Path) -> None:
    result = import_dataset(tmp_path, datasets / "CUB_200_2011", format="cub200", classes="3", licence="CC BY-NC 4.0")
    assert result.classes == ["Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross"]
    assert (result.imported, result.known, result.refused, result.boxes) == (24, 0, {}, 24)
    assert result.parts == {"train": 9, "val": 3, "test": 12} == dict(_in_dataset(tmp_path))
    boxes = {
        (row["label"], row["file"]): row
        for row in csv.DictReader((tmp_path / ".birds" / "bounding_boxes.csv").open(encoding="utf-8"))
    }
    dataset = read_dataset(datasets, "cub200")
    part_of = {item.key: item.part for item in dataset.items}
    for file in _files(tmp_path, State.STORED):
        original = datasets / "CUB_200_2011" / (file.provenance.title or "")
        stored = tmp_path / "images" / file.label / file.name
        assert stored.read_bytes() == original.read_bytes()  # a plain JPEG stays as it is, byte for byte
        assert file.provenance.source == "import:cub200"
        assert file.provenance.licence == "cc-by-nc-4.0"
        assert (file.content.width, file.content.format) == (Image.open(original).width, "JPEG")
        row, box = boxes[file.label, file.name], dataset.boxes[file.provenance.title or ""]
        assert tuple(float(row[side]) for side in ("x", "y", "width", "height")) == (
            box.x, box.y, box.width, box.height,
        )  # fmt: skip
        parts = [
            part for part in ("train", "val", "test") if (tmp_path / "dataset" / part / file.label / file.name).exists()
        ]
        assert parts in ([part_of[file.provenance.title or ""]], ["val"])


def test_small_pictures_of_arrays_are_stored_without_loss(tmp_path: Path, datasets: Path) -> None:
    result = import_dataset(tmp_path, datasets / "MNIST", format="mnist")
    assert result.parts == {"train": 50, "val": 10, "test": 10}
    dataset = read_dataset(datasets, "mnist")
    original = {item.key: (item.label, picture) for item, picture in dataset.pictures(dataset.items)}
    for file in _files(tmp_path, State.STORED):
        label, pixels = original.pop(file.provenance.title or "")
        with Image.open(tmp_path / "images" / file.label / file.name) as picture:
            assert (file.label, picture.format, picture.mode) == (label, "PNG", "L")
            assert np.array_equal(np.asarray(picture), pixels)
    assert not original


def test_small_pictures_of_a_dataset_are_not_thrown_away(tmp_path: Path, datasets: Path) -> None:
    import_dataset(tmp_path, datasets, format="cifar10", limit=2)
    (tmp_path / "images" / "ship").joinpath("own.png").write_bytes(_png(np.full((32, 32, 3), 9, np.uint8)))
    cleaned = clean(tmp_path, auto=True)
    assert cleaned.rejected == {Reason.TOO_SMALL: 1}  # the one that a person put there
    assert Reason.TOO_SMALL not in cleaned.queued
    assert cleaned.accepted == 40


def _png(pixels: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_lose_nothing_and_tell_nothing_but_their_pixels(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    folder = tmp_path / "theirs"
    pixels = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    for label in ("garza", "loro"):
        (folder / label).mkdir(parents=True)
    text = PngInfo()
    text.add_text("Author", "somebody")
    Image.fromarray(pixels).save(folder / "loro" / "a.png", pnginfo=text, icc_profile=b"a profile")
    Image.fromarray(pixels[..., 0]).save(folder / "garza" / "b.bmp")
    Image.fromarray(pixels).save(folder / "garza" / "c.webp", quality=80)
    import_dataset(tmp_path, folder, format="folder")
    stored = {Path(file.provenance.title or "").name: file for file in _files(tmp_path)}
    assert {name: Path(file.name).suffix for name, file in stored.items()} == {
        "a.png": ".png", "b.bmp": ".png", "c.webp": ".jpg",
    }  # fmt: skip
    with Image.open(tmp_path / "images" / "loro" / stored["a.png"].name) as picture:
        assert np.array_equal(np.asarray(picture), pixels)
        assert picture.info == {}
    with Image.open(tmp_path / "images" / "garza" / stored["b.bmp"].name) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), pixels[..., 0])


def test_what_is_no_picture_is_refused_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    for label in ("garza", "loro"):
        (folder / label).mkdir(parents=True)
        (folder / label / "a.png").write_bytes(_png(np.full((9, 9), len(label), np.uint8)))
    (folder / "loro" / "b.jpg").write_text("<html>")
    (folder / "loro" / "c.png").write_bytes((folder / "loro" / "a.png").read_bytes()[:-30])
    (folder / "loro" / "d.png").write_bytes((folder / "loro" / "a.png").read_bytes())
    (folder / "loro" / "e.png").symlink_to("nowhere")
    result = import_dataset(tmp_path, folder, format="folder")
    assert result.imported == 2
    assert result.refused == {Reason.NOT_AN_IMAGE: 1, Reason.UNREADABLE: 1, Reason.EXACT_COPY: 1}
    assert result.parts == {"train": 0, "val": 0, "test": 0}
    assert not (tmp_path / "dataset").exists()


def test_labels_are_composed_as_they_are_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "some.pkl"
    names = [unicodedata.normalize("NFD", "cigüeña"), "loro"]
    path.write_bytes(pickle.dumps({"x": np.arange(18, dtype=np.uint8).reshape(2, 3, 3), "y": [0, 1], "classes": names}))
    assert import_dataset(tmp_path, path, format="pickle").classes == ["cigüeña", "loro"]
    assert {file.label for file in _files(tmp_path)} == {"cigüeña", "loro"}


# -- again, and after a kill


def test_a_second_import_changes_nothing(tmp_path: Path, datasets: Path) -> None:
    for source, name in (("CUB_200_2011", "cub200"), ("emoji.pkl", "pickle")):
        root = tmp_path / name
        first = import_dataset(root, datasets / source, format=name)
        before, files = _on_disk(root), _files(root)
        mtimes = {path: (root / path).stat().st_mtime_ns for path in before}
        again = import_dataset(root, datasets / source, format=name)
        assert (again.imported, again.known, again.refused) == (0, first.imported, {})
        assert again.parts == first.parts
        assert _on_disk(root) == before
        assert _files(root) == files
        assert {path: (root / path).stat().st_mtime_ns for path in before} == mtimes


def test_what_a_person_rejected_or_edited_stays_so(tmp_path: Path, datasets: Path) -> None:
    import_dataset(tmp_path, datasets / "emoji.pkl", format="pickle")
    rejected, edited, *_ = _files(tmp_path)
    (tmp_path / "images" / rejected.label / rejected.name).unlink()
    (tmp_path / "images" / edited.label / edited.name).write_bytes(_png(np.zeros((40, 40, 3), np.uint8)))
    again = import_dataset(tmp_path, datasets / "emoji.pkl", format="pickle", accept_missing=True)
    assert again.imported == 0
    assert again.known == 23
    assert not (tmp_path / "images" / rejected.label / rejected.name).exists()
    with Image.open(tmp_path / "images" / edited.label / edited.name) as picture:
        assert picture.size == (40, 40)


def test_more_of_a_dataset_is_added_to_what_is_there(tmp_path: Path, datasets: Path) -> None:
    import_dataset(tmp_path, datasets, format="cub200", classes="2", limit=3)
    parts = {file.id: part for file, part in _with_parts(tmp_path)}
    more = import_dataset(tmp_path, datasets, format="cub200", classes="3")
    assert (more.imported, more.known) == (12, 12)
    after = {file.id: part for file, part in _with_parts(tmp_path)}
    assert parts.items() <= after.items()
    assert sum(more.parts.values()) == 24 == _in_dataset(tmp_path).total()


def _with_parts(root: Path) -> list[tuple[PictureFile, str]]:
    with Record(Project(root)) as record:
        parts = record.split_parts()
        return [(file, parts[file.id]) for file in record.files() if file.id in parts]


_KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from birds import importing
from birds.importing import stage, storing

where, after, project, source = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
storing.AT_A_TIME, numbers = 16, count(1)
module = stage if where == "split" else storing
name = {"write": "_write", "rows": "_enter", "split": "split"}[where]
once = getattr(module, name)

def killed(*arguments, **keywords):
    number = next(numbers)
    result = once(*arguments, **keywords) if where != "rows" else list(once(*arguments, **keywords))
    if where != "split" and number == after:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

def before_split(*arguments, **keywords):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, name, before_split if where == "split" else killed)
importing.import_dataset(project, source, format="mnist")
"""


@pytest.mark.parametrize(("where", "after"), [("write", 21), ("rows", 3), ("split", 1)])
def test_after_a_kill_the_same_command_goes_on(tmp_path: Path, datasets: Path, where: str, after: int) -> None:
    root, source = tmp_path / "killed", datasets / "MNIST"
    arguments = [sys.executable, "-c", _KILLED, where, str(after), str(root), str(source)]
    assert subprocess.run(arguments, check=False, timeout=120).returncode == -signal.SIGKILL
    started = sum(file.state is State.STORED for file in _files(root))
    assert started == {"write": 16, "rows": 32, "split": 70}[where]
    result = import_dataset(root, source, format="mnist")
    assert result.imported + result.known == 70
    assert result.known >= started
    import_dataset(tmp_path / "whole", source, format="mnist")
    assert {file.state for file in _files(root)} == {State.STORED}
    whole, killed = _on_disk(tmp_path / "whole"), _on_disk(root)
    assert killed == whole


# -- divided as it came


def test_a_division_is_kept_though_it_leaks(tmp_path: Path, make_picture: object, jpeg: object) -> None:
    """Two labels for one shot, and one shot in train and test: a split of our own would leave them out."""
    folder = tmp_path / "theirs"
    for label in ("garza", "loro"):
        for part, numbers in (("train", range(8)), ("val", (8, 9)), ("test", (10, 11))):
            (folder / part / label).mkdir(parents=True)
            for number in numbers:
                seed = number if label == "garza" else 100 + number
                seed = {11: 0, 110: 101}.get(seed, seed)
                image = make_picture(seed)  # type: ignore[operator]
                (folder / part / label / f"{number}.jpg").write_bytes(jpeg(image, quality=60 + number))  # type: ignore[operator]
    (folder / "val" / "loro" / "shared.jpg").write_bytes((folder / "train" / "garza" / "3.jpg").read_bytes())
    result = import_dataset(tmp_path, folder, format="folder")
    assert result.parts == {"train": 16, "val": 5, "test": 4} == dict(_in_dataset(tmp_path))
    document = json.loads((tmp_path / "dataset" / "split.json").read_text(encoding="utf-8"))
    assert (document["kept"], document["leaks"], document["left_out"]) == ("import:folder", None, {})
    assert split(tmp_path).test == 4  # as it was
    anew = split(tmp_path, fresh=True)
    assert anew.left_out == {Reason.LABEL_CONFLICT: 2}
    assert anew.leaks is not None
    assert import_dataset(tmp_path, folder, format="folder").imported == 0
    assert json.loads((tmp_path / "dataset" / "split.json").read_text(encoding="utf-8"))["kept"] is None


def test_settings_do_not_move_what_came_divided(tmp_path: Path, datasets: Path) -> None:
    import_dataset(tmp_path, datasets, format="cub200")
    with pytest.raises(ProjectError, match=r"divided as import:cub200 brought it.*--fresh"):
        split(tmp_path, ratio="80/20")
    result = split(tmp_path, ratio="80/20", fresh=True)
    assert (result.test, result.train > result.val) == (0, True)


def test_pictures_added_to_a_division_go_where_they_belong(
    tmp_path: Path, datasets: Path, jpeg: object, write_images: WriteImages
) -> None:
    import_dataset(tmp_path, datasets, format="cub200")
    before = dict(_with_parts_by_name(tmp_path))
    file = next(file for file, part in _with_parts(tmp_path) if part == "test")
    with Image.open(tmp_path / "images" / file.label / file.name) as picture:
        copy = jpeg(picture.convert("RGB"), quality=50)  # type: ignore[operator]
    (tmp_path / "images" / file.label / "copy.jpg").write_bytes(copy)
    write_images(tmp_path, {"Laysan_Albatross": 3})
    result = split(tmp_path)
    assert result.added == 4
    assert result.leaks is not None
    after = _with_parts_by_name(tmp_path)
    assert before.items() <= after.items()
    assert after[file.label, "copy.jpg"] == "test"


def _with_parts_by_name(root: Path) -> dict[tuple[str, str], str]:
    return {(file.label, file.name): part for file, part in _with_parts(root)}


def test_of_exact_copies_that_of_the_test_part_stays(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (12, 9, 9), dtype=np.uint8)
    path = tmp_path / "some.pkl"
    labels = [0, 1] * 6
    test = {"x": np.concatenate([pixels[:1], pixels[6:7] // 2, pixels[7:8]]), "y": [0, 0, 1]}
    path.write_bytes(pickle.dumps({"train": {"x": pixels, "y": labels}, "test": test}))
    result = import_dataset(tmp_path, path, format="pickle")
    assert result.refused == {Reason.EXACT_COPY: 2}
    assert result.parts["test"] == 3
    assert sum(result.parts.values()) == 13


def test_a_project_that_is_split_already_stays_split_so(
    tmp_path: Path, datasets: Path, write_images: WriteImages, notes: Notes
) -> None:
    write_images(tmp_path, {"cigüeña": 10, "loro": 10})
    split(tmp_path)
    before = _with_parts_by_name(tmp_path)
    result = import_dataset(tmp_path, datasets, format="cub200", progress=notes)
    assert any("dataset/ is split already" in line for line in notes.lines)
    assert before.items() <= _with_parts_by_name(tmp_path).items()
    assert result.imported == 32
    assert result.parts["test"] == 16
    assert json.loads((tmp_path / "dataset" / "split.json").read_text(encoding="utf-8"))["kept"] is None


def test_a_dataset_of_another_tool_is_not_replaced(tmp_path: Path, datasets: Path) -> None:
    (tmp_path / "dataset" / "train" / "loro").mkdir(parents=True)
    with pytest.raises(ProjectError, match="was not made by `birds split`"):
        import_dataset(tmp_path, datasets, format="mnist")
    assert not (tmp_path / "images").exists()


# -- what stops it


def test_nothing_is_imported_where_something_is_missing(tmp_path: Path, datasets: Path) -> None:
    root = datasets / "CUB_200_2011" / "images" / "004.Groove_billed_Ani"
    next(root.iterdir()).unlink()
    with pytest.raises(UsageError, match=r"1 of 32 pictures that images\.txt names are missing"):
        import_dataset(tmp_path, datasets, format="cub200")
    assert not (tmp_path / "images").exists()
    assert import_dataset(tmp_path, datasets, format="cub200", classes="3").imported == 24  # not of those asked for


@pytest.mark.parametrize(("options", "said"), [({"limit": 0}, "--limit is 0"), ({"licence": "mine"}, "is no licence")])
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, datasets: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        import_dataset(tmp_path, datasets, format="mnist", **options)  # type: ignore[arg-type]


# -- the command


def _birds(*arguments: str | Path) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [str(one) for one in arguments])
    return answer.exit_code, answer.stdout if answer.exit_code == 0 else answer.output


def test_the_command_says_what_became_of_the_dataset(tmp_path: Path, datasets: Path) -> None:
    code, said = _birds("import", datasets, "--format", "cub200", "--classes", "2", "-p", tmp_path, "--quiet")
    assert code == 0
    assert "16 pictures imported in 2 classes, 0 were there already; refused: none." in said
    assert "16 bounding boxes: .birds/bounding_boxes.csv" in said
    assert "Divided as the dataset came: 6 train, 2 val, 8 test." in said
    assert "Next: birds train" in said
    code, said = _birds("import", datasets / "emoji.pkl", "--format", "pickle", "-p", tmp_path / "other", "--json")
    assert code == 0
    assert json.loads(said) == {
        "format": "pickle", "classes": ["enfado", "llanto", "risa"], "imported": 24, "refused": {},
        "parts": {"train": 0, "val": 0, "test": 0}, "known": 0, "boxes": 0,
    }  # fmt: skip


def test_the_command_refuses_a_payload_in_one_line(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"data": Payload(), "labels": [0]}))
    code, said = _birds("import", tmp_path / "evil.pkl", "--format", "pickle", "-p", tmp_path)
    assert code == 1
    assert said.startswith("Error: evil.pkl is refused: it asks for")
    assert said.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_import_split_and_train_follow_each_other(tmp_path: Path, datasets: Path) -> None:
    """As a user types them: the kept division, and an emoji pickle without one, split 80/20."""
    quick = ("--arch", "squeezenet1_1", "--weights", "none", "--size", "32", "--epochs", "1", "--json", "--quiet")
    assert _birds("import", datasets, "--format", "mnist", "-p", tmp_path / "digits", "--quiet")[0] == 0
    assert _birds("import", datasets / "emoji.pkl", "--format", "pickle", "-p", tmp_path / "emoji", "--quiet")[0] == 0
    code, said = _birds("split", "--ratio", "80/20", "-p", tmp_path / "emoji", "--json", "--quiet")
    assert code == 0
    assert json.loads(said)["test"] == 0
    for name in ("digits", "emoji"):
        code, said = _birds("train", "-p", tmp_path / name, *quick)
        assert code == 0, said
        assert json.loads(said)["best_epoch"]
