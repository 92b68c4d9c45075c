"""Later splits add to the first: on real files, with rejections, restorations, kills and a record that is lost."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from birds.cli import app
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.moves import reject, restore
from birds.reasons import Reason
from birds.record import Author, Record, State
from birds.split import split
from birds.split.assignment import PARTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from typer.testing import CliRunner

WriteImages = Callable[..., list[Path]]
Jpeg = Callable[..., bytes]


def _parts(root: Path) -> dict[str, str]:
    """``label/name`` -> part, of every file below ``dataset/``'s parts."""
    return {f"{path.parent.name}/{path.name}": part for part in PARTS for path in (root / "dataset" / part).glob("*/*")}


def _document(root: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((root / "dataset" / "split.json").read_text(encoding="utf-8"))
    return document


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}


def _reject(root: Path, *names: str) -> None:
    with Record(Project(root)) as record:
        for file in record.files(State.STORED):
            if f"{file.label}/{file.name}" in names:
                reject(Project(root), record, file, Reason.BY_HAND, Author.PERSON)


def _restore(root: Path, *names: str) -> None:
    with Record(Project(root)) as record:
        for file in record.files(State.REJECTED):
            if f"{file.label}/{file.name}" in names:
                restore(Project(root), record, file)


def _set_provenance(record: Record, file_id: int, **columns: str) -> None:
    """As a scrape would have written it."""
    changes = ", ".join(f"{column} = ?" for column in columns)
    record._db.execute(f"UPDATE files SET {changes} WHERE id = ?", (*columns.values(), file_id))


def _near_copy(source: Path, target: Path, jpeg: Jpeg, quality: int = 60) -> None:
    with Image.open(source) as picture:
        target.write_bytes(jpeg(ImageOps.mirror(picture), quality=quality))


def _first(root: Path, part: str, label: str = "loro") -> str:
    return min(name for name, its_part in _parts(root).items() if its_part == part and name.startswith(label))


@pytest.fixture
def divided(tmp_path: Path, write_images: WriteImages) -> Path:
    """Two classes of 20, split 14/3/3."""
    write_images(tmp_path, {"loro": 20, "garza": 20})
    split(tmp_path)
    return tmp_path


# -- what has a part keeps it


def test_new_pictures_are_added_and_none_moves(divided: Path, write_images: WriteImages) -> None:
    before = _parts(divided)
    write_images(divided, {"loro": 20, "garza": 5, "cigüeña": 20})
    result = split(divided)
    after = _parts(divided)
    assert before.items() <= after.items()
    assert (result.added, len(after)) == (45, 85)
    counts = Counter((name.split("/")[0], part) for name, part in after.items())
    assert [counts["loro", part] for part in PARTS] == [28, 6, 6]
    assert [counts["cigüeña", part] for part in PARTS] == [14, 3, 3]


def test_a_copy_joins_its_original_and_one_of_two_parts_stays_out(divided: Path, jpeg: Jpeg) -> None:
    for part in PARTS:
        _near_copy(divided / "images" / _first(divided, part), divided / "images" / "loro" / f"of {part}.jpg", jpeg)
    before = _parts(divided)
    split(divided)
    after = _parts(divided)
    assert {part: after[f"loro/of {part}.jpg"] for part in PARTS} == {part: part for part in PARTS}
    assert before.items() <= after.items()


def test_a_bridge_is_counted_and_comes_in_when_one_of_its_sides_goes(divided: Path, jpeg: Jpeg) -> None:
    trained, tested = _first(divided, "train"), _first(divided, "test")
    with Record(Project(divided)) as record:
        # pages tie as near-duplicates do, and can tie one picture to two others that are not alike
        for file in record.files():
            if f"{file.label}/{file.name}" in (trained, tested):
                _set_provenance(record, file.id, page_url="https://example.org", author="Ana")
    result = split(divided)
    assert result.left_out == {"bridge": 1}
    assert _document(divided)["left_out_files"] == {trained: "bridge"}, "the test set stays as it was"
    _reject(divided, tested)
    assert split(divided).left_out == {}
    assert _parts(divided)[trained] == "train"


def test_what_was_rejected_comes_back_to_its_part_and_so_does_a_better_copy(divided: Path, jpeg: Jpeg) -> None:
    trained, tested = _first(divided, "train"), _first(divided, "test")
    _reject(divided, trained, tested)
    _near_copy(divided / ".birds" / "rejected" / tested, divided / "images" / "loro" / "better.jpg", jpeg)
    split(divided)
    assert not {trained, tested} & _parts(divided).keys()
    assert _parts(divided)["loro/better.jpg"] == "test"
    _restore(divided, trained, tested)
    split(divided)
    assert (_parts(divided)[trained], _parts(divided)[tested]) == ("train", "test")


def test_a_picture_whose_other_label_was_rejected_joins_its_part(divided: Path) -> None:
    tested = _first(divided, "test")
    shutil.copy(divided / "images" / tested, divided / "images" / "garza" / "copy.jpg")
    assert split(divided).left_out == {"label_conflict": 2}
    _reject(divided, tested)
    assert split(divided).left_out == {}
    assert _parts(divided)["garza/copy.jpg"] == "test"


def test_what_moves_to_another_label_keeps_its_part(divided: Path) -> None:
    for part in PARTS:
        (divided / "images" / _first(divided, part)).rename(divided / "images" / "garza" / f"was {part}.jpg")
    split(divided)
    assert {part: _parts(divided)[f"garza/was {part}.jpg"] for part in PARTS} == {part: part for part in PARTS}


def test_a_fresh_split_forgets(
    divided: Path, write_images: WriteImages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_images(divided, {"loro": 13, "garza": 13})
    split(divided)
    added = _parts(divided)
    result = split(divided, fresh=True)
    assert result.added == 0
    other = tmp_path_factory.mktemp("other")
    write_images(other, {"loro": 33, "garza": 33})
    split(other)
    assert _parts(divided) == _parts(other) != added


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 6}, "with --seed 5, .* with --seed 6 would move"),
        ({"ratio": "60/20/20"}, "with --ratio 70/15/15"),
        ({"group_by": "source"}, "without --group-by, .* with --group-by source would move"),
    ],
)
def test_other_settings_take_a_fresh_split(divided: Path, options: dict[str, object], said: str) -> None:
    before, document = _parts(divided), _document(divided)
    with pytest.raises(ProjectError, match=said) as caught:
        split(divided, **options)  # type: ignore[arg-type]
    assert "birds split --fresh" in caught.value.hint
    assert (_parts(divided), _document(divided)) == (before, document)


def test_settings_that_are_not_given_stay(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 20, "garza": 20})
    split(tmp_path, seed=9, ratio="60/20/20", kfold=3)
    before = _parts(tmp_path)
    result = split(tmp_path)
    assert (result.seed, result.folds, _parts(tmp_path)) == (9, 3, before)
    split(tmp_path, seed=9, ratio="60/20/20")
    assert (_document(tmp_path)["seed"], _document(tmp_path)["ratio"]) == (9, "60/20/20")
    assert split(tmp_path, fresh=True).seed == 5
    assert _document(tmp_path)["folds"] == 0


def test_a_plain_split_is_made_anew_each_time_and_a_grouped_one_does_not_build_on_it(
    divided: Path, write_images: WriteImages
) -> None:
    split(divided, plain=True)
    write_images(divided, {"loro": 7, "garza": 1})
    split(divided)
    assert _document(divided)["plain"] is True
    expected = divided / "expected"
    import splitfolders

    splitfolders.ratio(str(divided / "images"), str(expected), seed=5, ratio=(0.7, 0.15, 0.15))
    assert _parts(divided) == {f"{path.parent.name}/{path.name}": path.parts[-3] for path in expected.glob("*/*/*")}
    with pytest.raises(ProjectError, match="with --plain, "):
        split(divided, plain=False)
    with pytest.raises(UsageError, match="--plain and --group-by"):
        split(divided, plain=True, group_by="author", fresh=True)


def test_a_class_whose_part_was_emptied_is_refused(divided: Path) -> None:
    _reject(divided, *(name for name, part in _parts(divided).items() if part == "val" and name.startswith("loro")))
    with pytest.raises(ProjectError, match="'loro' has 17, none for val") as caught:
        split(divided)
    assert "--fresh" in caught.value.hint


@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 1), st.integers(0, 25), st.booleans()), max_size=8),
            st.lists(st.integers(0, 60), max_size=4), st.lists(st.integers(0, 60), max_size=3),
        ), min_size=1, max_size=3,
    ), seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_rounds_of_additions_rejections_and_restorations(
    rounds: list[tuple[list[tuple[int, int, bool]], list[int], list[int]]],
    seed: int,
    shots: list[tuple[bytes, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for label in (0, 1):
            (root / "images" / f"c{label}").mkdir(parents=True)
            for shot in range(8):
                (root / "images" / f"c{label}" / f"{26 * label + shot}-a.jpg").write_bytes(shots[26 * label + shot][0])
        split(root, seed=seed)
        ever = _parts(root)
        for added, rejected, restored in rounds:
            for label, shot, is_copy in added:
                path = root / "images" / f"c{label}" / f"{26 * label + shot}-{'b' if is_copy else 'a'}.jpg"
                if not (root / ".birds" / "rejected" / path.relative_to(root / "images")).exists():
                    path.write_bytes(shots[26 * label + shot][is_copy])
            names = sorted(path.relative_to(root / "images").as_posix() for path in root.glob("images/*/*"))
            gone = sorted(
                path.relative_to(root / ".birds/rejected").as_posix() for path in root.glob(".birds/rejected/*/*")
            )
            for i in rejected:
                left = Counter((name[:2], ever[name]) for name in _names_in(root / "images") & ever.keys())
                if i < len(names) and left[names[i][:2], ever.get(names[i], "")] > 1:  # no part may be empty
                    _reject(root, names[i])
            _restore(root, *(gone[i] for i in restored if i < len(gone)))
            on_disk = _names_in(root / "images")
            result = split(root)
            parts, left_out = _parts(root), _document(root)["left_out_files"]
            assert isinstance(left_out, dict)
            assert parts.keys() | left_out.keys() == on_disk
            assert not parts.keys() & left_out.keys()
            assert set(left_out.values()) <= {"bridge"}
            assert sum(result.left_out.values()) == len(left_out)
            assert all(ever.get(name, part) == part for name, part in parts.items()), "a picture moved"
            sides: dict[str, set[str]] = {}
            for name, part in parts.items():
                sides.setdefault(name.split("-")[0].split("/")[1], set()).add(part)
            assert all(len(one) == 1 for one in sides.values()), "a copy straddles"
            assert result.leaks == 0
            ever |= parts


@pytest.fixture(scope="module")
def shots(make_picture: Callable[..., Image.Image], jpeg: Jpeg) -> list[tuple[bytes, bytes]]:
    """52 small pictures, each with a mirrored copy."""
    pictures = [make_picture(seed, (96, 72)) for seed in range(52)]
    return [(jpeg(picture), jpeg(ImageOps.mirror(picture))) for picture in pictures]


# -- what can go wrong


def test_without_its_record_a_project_keeps_its_parts(divided: Path, write_images: WriteImages) -> None:
    before = _parts(divided)
    shutil.rmtree(divided / ".birds")
    write_images(divided, {"loro": 7})
    (divided / "images" / _first(divided, "test")).rename(divided / "images" / "loro" / "renamed.jpg")
    split(divided)
    after = _parts(divided)
    assert after.pop("loro/renamed.jpg") == before.pop(_first_of(before, "test")) == "test"
    assert before.items() <= after.items()


def test_without_its_dataset_a_project_keeps_its_parts_and_takes_no_new_settings(divided: Path) -> None:
    before = _parts(divided)
    shutil.rmtree(divided / "dataset")
    with pytest.raises(ProjectError, match="is gone") as caught:
        split(divided, seed=6)
    assert "--fresh" in caught.value.hint
    split(divided)
    assert _parts(divided) == before


def _first_of(parts: dict[str, str], part: str) -> str:
    return min(name for name, its_part in parts.items() if its_part == part and name.startswith("loro"))


_KILLED = """
import os, signal, sys
from pathlib import Path
from birds import files, record, split
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
moment, root, fresh = sys.argv[1:]
if moment == "before the record":
    record.Record.remember_split = kill
elif moment == "before the swap":
    files.swap_folder = kill
elif moment == "within the swap":
    files.swap_folder = lambda new, target, resting: (target.rename(resting), kill())
else:
    swap = files.swap_folder
    files.swap_folder = lambda *folders: (swap(*folders), kill())
split.split(Path(root), seed=6 if fresh else None, fresh=bool(fresh))
"""


def _killed(root: Path, moment: str, *, fresh: bool) -> None:
    arguments = [sys.executable, "-c", _KILLED, moment, str(root), "yes" if fresh else ""]
    done = subprocess.run(arguments, check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("moment", ["before the record", "before the swap", "within the swap", "after the swap"])
def test_a_kill_at_any_moment_of_an_addition_moves_nothing(
    divided: Path, write_images: WriteImages, moment: str
) -> None:
    before = _parts(divided)
    write_images(divided, {"loro": 9, "garza": 4})
    _killed(divided, moment, fresh=False)
    assert moment == "within the swap" or before.items() <= _parts(divided).items(), "never a mixture"
    result = split(divided)
    assert before.items() <= _parts(divided).items()
    assert result.train + result.val + result.test == len(_parts(divided)) == 53
    with Record(Project(divided)) as record:
        names = {file.id: f"{file.label}/{file.name}" for file in record.files()}
        assert {names[id_]: part for id_, part in record.split_parts().items()} == _parts(divided)


@pytest.mark.parametrize(("moment", "seed"), [("before the record", 5), ("before the swap", 5), ("after the swap", 6)])
def test_after_a_kill_of_a_fresh_split_the_old_one_stands_or_the_new(divided: Path, moment: str, seed: int) -> None:
    """Whichever it is, its parts are those of the seed that it names."""
    _killed(divided, moment, fresh=True)
    split(divided)
    assert _document(divided)["seed"] == seed
    stands = _parts(divided)
    split(divided, seed=seed, fresh=True)
    assert _parts(divided) == stands


# -- what it says of itself


def test_the_table_lists_every_picture_with_its_part_group_or_reason(divided: Path, jpeg: Jpeg) -> None:
    images = divided / "images"
    _near_copy(images / "loro/000.jpg", images / "loro/copy.jpg", jpeg)
    (images / "loro/page.jpg").write_bytes(b"<html>")
    split(divided)
    rows = {f"{row['label']}/{row['file']}": row for row in _table(divided / "dataset" / "split.csv")}
    assert len(rows) == 42
    assert {name: row["part"] for name, row in rows.items() if row["part"]} == _parts(divided)
    assert rows["loro/copy.jpg"]["group"] == rows["loro/000.jpg"]["group"]
    assert len({row["group"] for row in rows.values()}) == 40 + 1
    assert (rows["loro/page.jpg"]["left_out"], rows["loro/page.jpg"]["group"]) == ("not_an_image", "")


def test_the_leak_report_finds_copies_that_a_plain_split_put_on_both_sides(
    tmp_path: Path, write_images: WriteImages, jpeg: Jpeg
) -> None:
    write_images(tmp_path, {"loro": 40, "garza": 40})
    split(tmp_path, plain=True)
    parts = _parts(tmp_path)
    of = {part: sorted(name for name, its in parts.items() if its == part) for part in PARTS}
    for trained, held in (
        (of["train"][0], of["test"][0]),
        (of["train"][1], of["test"][1]),
        (of["train"][2], of["val"][0]),
    ):
        _near_copy(tmp_path / "images" / trained, tmp_path / "images" / held, jpeg)
    result = split(tmp_path, plain=True)
    assert result.leaks == 2
    assert _document(tmp_path)["leaks_in_val"] == 1
    rows = _table(tmp_path / "dataset" / "leaks.csv")
    assert {row["file"]: row["nearest_in_train"] for row in rows if row["verdict"] == "leak"} == {
        of["test"][0]: of["train"][0], of["test"][1]: of["train"][1], of["val"][0]: of["train"][2],
    }  # fmt: skip
    assert {row["file"] for row in rows} == {*of["test"], *of["val"]}
    assert [row["part"] for row in rows] == ["test"] * len(of["test"]) + ["val"] * len(of["val"])


# -- folds, groups, the command


def test_folds_are_hard_links_that_divide_train_and_val(divided: Path, jpeg: Jpeg) -> None:
    _near_copy(divided / "images/loro/000.jpg", divided / "images/loro/copy.jpg", jpeg)
    result = split(divided, kfold=4)
    assert result.folds == 4
    outside_test = {name for name, part in _parts(divided).items() if part != "test"}
    seen: Counter[str] = Counter()
    for fold in range(1, 5):
        train, val = (
            {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
            for folder in (divided / f"dataset/folds/{fold}/train", divided / f"dataset/folds/{fold}/val")
        )
        assert train | val == outside_test
        assert not train & val
        seen.update(val)
        copies = {"loro/000.jpg", "loro/copy.jpg"} & outside_test
        assert copies <= train or copies <= val
    assert set(seen.values()) == {1}
    linked = next((divided / "dataset/folds/1/val/loro").iterdir())
    assert linked.samefile(divided / "images" / "loro" / linked.name)
    split(divided, kfold=0)
    assert not (divided / "dataset" / "folds").exists()


@pytest.mark.parametrize("k", [-1, 1])
def test_one_fold_is_none(divided: Path, k: int) -> None:
    with pytest.raises(UsageError, match=f"--kfold cannot be {k}"):
        split(divided, kfold=k)


@pytest.mark.parametrize("group_by", [None, "folder"])
def test_pages_and_folders_stay_together_across_labels(divided: Path, group_by: str | None) -> None:
    """Every third file is of one of 15 sets, 4 files each."""
    with Record(Project(divided)) as record:
        set_of = {file: number // 3 % 5 if number % 3 == 0 else None for number, file in enumerate(record.files())}
        for file, number in set_of.items():
            if number is not None and group_by:
                origin = {"source": "folder", "image_url": f"file:///own/{number}/{file.name}"}
            else:
                origin = {
                    "author": "Ana",
                    "page_url": f"https://example.org/{number if number is not None else file.id}",
                }
            _set_provenance(record, file.id, **origin)
    result = split(divided, fresh=True, group_by=group_by)
    parts = _parts(divided)
    assert (result.groups, len(parts)) == (5, 40)
    for number in range(5):
        together = [file for file, its_number in set_of.items() if its_number == number]
        assert {file.label for file in together} == {"loro", "garza"}
        assert len({parts[f"{file.label}/{file.name}"] for file in together}) == 1
    assert _document(divided)["joined_by"]["group_by" if group_by else "page"] == 5  # type: ignore[index]


def test_series_that_leave_a_part_empty_are_refused(divided: Path) -> None:
    with pytest.raises(ProjectError, match=r"'garza' has 1, none for .* 'loro' has 1, none for"):
        split(divided, fresh=True, group_by="source")


def test_a_series_that_makes_the_parts_lopsided_is_named(divided: Path, notes: Any) -> None:
    with Record(Project(divided)) as record:
        for file in record.files(label="loro")[:8]:
            _set_provenance(record, file.id, page_url="https://example.org", author="Ana")
    split(divided, fresh=True, progress=notes)
    assert [line for line in notes.lines if "belong together" in line] == [
        "8 of the 20 pictures of 'loro' belong together, so its parts cannot have their shares."
    ]


@pytest.fixture
def birds(monkeypatch: pytest.MonkeyPatch, divided: Path) -> Callable[..., str]:
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: str, exit_code: int = 0) -> str:
        answer = CliRunner().invoke(app, ["split", "--project", str(divided), *arguments])
        assert answer.exit_code == exit_code, answer.output
        return answer.output

    return call


def test_the_command_says_what_was_added_and_what_it_would_take_to_change(
    divided: Path, birds: Callable[..., str], write_images: WriteImages
) -> None:
    write_images(divided, {"loro": 5})
    assert "5 were added" in birds("--quiet")
    assert "dataset/folds/ holds 3 folds" in birds("--kfold", "3")
    assert "--fresh" in birds("--seed", "6", exit_code=1)
    assert json.loads(birds("--seed", "6", "--fresh", "--json", "--quiet"))["seed"] == 6
    (divided / "birds.toml").write_text('[split]\nkfold = 2\ngroup-by = "photographer"\n')
    assert "'photographer'" in birds(exit_code=1)
    (divided / "birds.toml").write_text("[split]\nkfold = 2\nplain = true\n")
    assert json.loads(birds("--fresh", "--json", "--quiet"))["folds"] == 2
    assert _document(divided)["plain"] is True
