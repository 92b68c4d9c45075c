import json
import random
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import splitfolders
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.record import Record
from birds.split import SplitResult, split
from birds.split.assignment import PARTS
from birds.split.settings import parse_ratio
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

WriteImages = Callable[..., list[Path]]
LABELS = ("cigüeña", "milano negro", "loro")
RATIOS = st.sampled_from(["70/15/15", "60/20/20", "50/25/25", "34/33/33"])


def _parts(root: Path) -> dict[str, str]:
    """``label/name`` -> part, of every file below ``dataset/``'s parts."""
    found: dict[str, str] = {}
    for path in sorted((root / "dataset").glob("*/*/*")):
        part, label, name = path.relative_to(root / "dataset").parts
        assert part in PARTS
        assert f"{label}/{name}" not in found, "a picture lies in two parts"
        found[f"{label}/{name}"] = part
    return found


def _document(root: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((root / "dataset" / "split.json").read_text(encoding="utf-8"))
    return document


def _of_split_folders(images: Path, output: Path, ratio: str, seed: int) -> set[str]:
    splitfolders.ratio(
        str(images), output=str(output), seed=seed, ratio=tuple(int(part) / 100 for part in ratio.split("/"))
    )
    return _relative_files(output)


def _divided(root: Path) -> set[str]:
    """What lies in ``dataset/``, but for what it says about itself."""
    return _relative_files(root / "dataset") - {"split.json", "split.csv", "leaks.csv"}


def _relative_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# -- plain


@pytest.mark.parametrize("seed", [0, 5, 1337, 2**32])
def test_a_plain_split_is_split_folders_own_file_by_file(tmp_path: Path, write_images: WriteImages, seed: int) -> None:
    write_images(tmp_path, {"cigüeña": 23, "milano negro": 40, "ñandú (macho)": 11})
    for i, path in enumerate(sorted((tmp_path / "images" / "milano negro").iterdir())):
        path.rename(path.with_name(f"Milano {i} añil{'.JPG' if i % 2 else '.jpeg'}"))
    (tmp_path / "images" / "cigüeña" / "no picture.txt").write_text("every file is split")
    result = split(tmp_path, seed=seed, plain=True)
    expected = _of_split_folders(tmp_path / "images", tmp_path / "theirs", "70/15/15", seed)
    assert _divided(tmp_path) == expected
    assert result.train + result.val + result.test == len(expected) == 75
    assert result.left_out == {}


# no leading dot, no separator, nothing that a file system would fold into another name
NAME = st.text(st.sampled_from("abzAZñüé 019_-.~()"), min_size=1, max_size=12).filter(
    lambda name: not name.startswith(".") and name.strip() == name
)


@given(
    classes=st.lists(st.lists(NAME, min_size=10, max_size=25, unique_by=str.casefold), min_size=2, max_size=3),
    labels=st.lists(NAME, min_size=3, max_size=3, unique_by=str.casefold),
    ratio=st.sampled_from(["70/15/15", "80/10/10", "57/29/14"]),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_plain_split_is_split_folders_own_whatever_the_names(
    classes: list[list[str]], labels: list[str], ratio: str, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for label, names in zip(labels, classes, strict=False):
            (root / "images" / label).mkdir(parents=True)
            for name in names:
                (root / "images" / label / name).write_bytes(f"{label}/{name}".encode())
        split(root, seed=seed, plain=True, ratio=ratio)
        expected = _of_split_folders(root / "images", root / "theirs", ratio, seed)
        assert _divided(root) == expected


def test_without_near_duplicates_the_default_is_split_folders_too(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, dict.fromkeys(LABELS, 20))
    result = split(tmp_path)
    assert _divided(tmp_path) == _of_split_folders(tmp_path / "images", tmp_path / "theirs", "70/15/15", 5)
    assert result == SplitResult(
        train=42, val=9, test=9, classes=3, seed=5, groups=0, left_out={}, leaks=0
    )  # fmt: skip


def test_folder_names_on_disk_may_be_decomposed(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {unicodedata.normalize("NFD", "cigüeña"): 10, "loro": 10})
    split(tmp_path, plain=True)
    assert {path.name for path in (tmp_path / "dataset" / "train").iterdir()} == {"cigüeña", "loro"}


# -- near-duplicates


@pytest.fixture
def with_copies(tmp_path: Path, make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]) -> Path:
    """Three classes of 12 shots; of every second shot a smaller, a recompressed or a mirrored copy, or all of them."""
    for c, label in enumerate(LABELS):
        folder = tmp_path / "images" / label
        folder.mkdir(parents=True)
        for shot in range(12):
            picture = make_picture(1000 * c + shot, (200, 150))
            copies = {
                "a": jpeg(picture),
                "small": jpeg(picture.resize((100, 75), Image.Resampling.LANCZOS)),
                "worse": jpeg(picture, quality=40),
                "mirrored": jpeg(ImageOps.mirror(picture)),
            }
            for kind, data in copies.items():
                if kind == "a" or (
                    shot % 2 == 0 and (shot % 8 == 0 or shot % 6 == {"small": 0, "worse": 2}.get(kind, 4))
                ):
                    (folder / f"{kind}-{shot}.jpg").write_bytes(data)
    return tmp_path


def _straddling(root: Path) -> list[str]:
    """Shots whose pictures, told by their names, lie in more than one part."""
    parts: dict[str, set[str]] = {}
    for name, part in _parts(root).items():
        label, _, file = name.partition("/")
        parts.setdefault(f"{label} {file.partition('-')[2]}", set()).add(part)
    return [shot for shot, sides in parts.items() if len(sides) > 1]


@pytest.mark.parametrize("seed", [0, 1, 5, 99])
def test_near_duplicates_never_straddle_the_split(with_copies: Path, seed: int) -> None:
    result = split(with_copies, seed=seed)
    assert _straddling(with_copies) == []
    assert result.groups == 6 * 3
    assert result.leaks == 0
    assert result.left_out == {}
    assert len(_parts(with_copies)) == len(list(with_copies.glob("images/*/*")))


def test_a_plain_split_counts_the_leaks_it_makes(with_copies: Path) -> None:
    result = split(with_copies, plain=True)
    assert _straddling(with_copies)
    assert result.groups == 0
    assert result.leaks > 0
    assert _document(with_copies)["leaks"] == result.leaks


def test_a_leak_is_a_test_picture_with_a_near_duplicate_in_train(
    tmp_path: Path, write_images: WriteImages, jpeg: Callable[..., bytes]
) -> None:
    write_images(tmp_path, {"loro": 20, "garza": 20})
    split(tmp_path, plain=True)
    before = _parts(tmp_path)
    (trained, *_), (tested, *_) = (sorted(n for n, p in before.items() if p == part) for part in ("train", "test"))
    with Image.open(tmp_path / "images" / tested) as picture:
        (tmp_path / "images" / trained).write_bytes(jpeg(picture.resize((80, 60))))
    assert split(tmp_path, plain=True).leaks == 1
    assert _parts(tmp_path) == before


# -- left out


@pytest.mark.parametrize("is_exact", [True, False])
def test_a_picture_under_two_labels_stays_out_until_a_person_decides(
    tmp_path: Path, write_images: WriteImages, jpeg: Callable[..., bytes], is_exact: bool
) -> None:
    paths = write_images(tmp_path, {"loro": 12, "garza": 12})
    conflict = tmp_path / "images" / "garza" / "conflict.jpg"
    if is_exact:
        shutil.copy(paths[0], conflict)
    else:
        with Image.open(paths[0]) as picture:
            conflict.write_bytes(jpeg(ImageOps.mirror(picture).resize((120, 90))))
    result = split(tmp_path)
    assert result.left_out == {"label_conflict": 2}
    both = {"loro/000.jpg", "garza/conflict.jpg"}
    assert not both & set(_parts(tmp_path))
    assert _document(tmp_path)["left_out_files"] == dict.fromkeys(both, "label_conflict")
    conflict.unlink()
    assert split(tmp_path).left_out == {}
    assert "loro/000.jpg" in _parts(tmp_path)


def test_of_many_copies_under_two_labels_all_stay_out(tmp_path: Path, write_images: WriteImages) -> None:
    paths = write_images(tmp_path, {"garza": 12, "loro": 12})
    for i in range(20):
        shutil.copy(paths[0], tmp_path / "images" / "garza" / f"copy{i:02}.jpg")
    for i in range(2):
        shutil.copy(paths[0], tmp_path / "images" / "loro" / f"copy{i}.jpg")
    assert split(tmp_path).left_out == {"label_conflict": 23}


def test_what_cannot_be_read_stays_out_with_its_reason(tmp_path: Path, write_images: WriteImages) -> None:
    paths = write_images(tmp_path, {"loro": 12, "garza": 12})
    paths[0].write_bytes(paths[0].read_bytes()[:500])
    paths[1].write_bytes(b"<html>")
    assert split(tmp_path).left_out == {"unreadable": 1, "not_an_image": 1}
    assert _document(tmp_path)["left_out_files"] == {"loro/000.jpg": "unreadable", "loro/001.jpg": "not_an_image"}
    assert not {"loro/000.jpg", "loro/001.jpg"} & set(_parts(tmp_path))


def test_rejected_pictures_are_in_no_part(tmp_path: Path, write_images: WriteImages) -> None:
    from birds.clean import clean

    paths = write_images(tmp_path, {"loro": 12, "garza": 12})
    shutil.copy(paths[0], tmp_path / "images" / "loro" / "copy.jpg")
    clean(tmp_path, auto=True)
    result = split(tmp_path)
    assert result.train + result.val + result.test == 24
    assert "loro/copy.jpg" not in _parts(tmp_path)


@pytest.fixture(scope="module")
def tiny(make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]) -> list[list[bytes]]:
    """Small pictures: of each shot the picture and a near copy."""
    pictures = [make_picture(seed, (48, 40)) for seed in range(60)]
    return [[jpeg(picture), jpeg(ImageOps.mirror(picture))] for picture in pictures]


@given(
    classes=st.lists(
        st.lists(st.tuples(st.integers(0, 14), st.integers(0, 1)), min_size=10, max_size=30, unique=True),
        min_size=2,
        max_size=4,
    ),
    conflicts=st.lists(st.integers(0, 59), max_size=3),
    broken=st.integers(0, 3),
    ratio=RATIOS,
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_every_picture_is_in_exactly_one_part_or_left_out_with_its_reason(
    *,
    tiny: list[list[bytes]],
    classes: list[list[tuple[int, int]]],
    conflicts: list[int],
    broken: int,
    ratio: str,
    seed: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shot_of = {f"c{n}/{15 * n + i}-{kind}.jpg": 15 * n + i for n, shots in enumerate(classes) for i, kind in shots}
        shot_of |= {f"c{i % len(classes)}/{shot}-0.jpg": shot for i, shot in enumerate(conflicts)}
        for name, shot in shot_of.items():
            (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "images" / name).write_bytes(tiny[shot]["-1." in name])
        for i in range(broken):
            (root / "images" / "c0" / f"broken{i}.jpg").write_bytes(bytes(i + 1))
        everything = {path.relative_to(root / "images").as_posix() for path in root.glob("images/*/*")}
        try:
            result = split(root, seed=seed, ratio=ratio)
        except ProjectError:
            assert not (root / "dataset").exists()
            assume(False)
        parts, left_out = _parts(root), _document(root)["left_out_files"]
        assert isinstance(left_out, dict)
        assert set(parts) | set(left_out) == everything
        assert not set(parts) & set(left_out)
        assert len(left_out) == sum(result.left_out.values())
        assert [result.train, result.val, result.test] == [list(parts.values()).count(part) for part in PARTS]
        assert result.leaks == 0
        labels = {shot: {n.split("/")[0] for n, s in shot_of.items() if s == shot} for shot in shot_of.values()}
        for name, shot in shot_of.items():
            if len(labels[shot]) > 1:
                assert left_out[name] == "label_conflict"
            elif name in parts:
                assert {parts[n] for n, s in shot_of.items() if s == shot and n in parts} == {parts[name]}
        for part in PARTS:
            assert {path.name for path in (root / "dataset" / part).iterdir()} == {f"c{i}" for i in range(len(classes))}
            assert all(any(label.iterdir()) for label in (root / "dataset" / part).iterdir())


# -- the same, another, none


def test_the_same_files_and_seed_give_the_same_split(tmp_path: Path, write_images: WriteImages) -> None:
    for folder in ("one", "other"):
        write_images(tmp_path / folder, dict.fromkeys(LABELS if folder == "one" else LABELS[::-1], 20))
        split(tmp_path / folder, seed=7)
    assert _parts(tmp_path / "one") == _parts(tmp_path / "other")
    assert _document(tmp_path / "one")["fingerprint"] == _document(tmp_path / "other")["fingerprint"]
    split(tmp_path / "one", seed=8, fresh=True)
    assert _parts(tmp_path / "one") != _parts(tmp_path / "other")
    assert _document(tmp_path / "one")["fingerprint"] != _document(tmp_path / "other")["fingerprint"]
    split(tmp_path / "one", seed=7, fresh=True)
    assert _parts(tmp_path / "one") == _parts(tmp_path / "other")


def test_a_class_too_small_is_told_how_many_it_needs(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 6, "garza": 20})
    with pytest.raises(ProjectError, match="needs 7 different pictures; 'loro' has 6") as caught:
        split(tmp_path)
    assert caught.value.hint
    assert not (tmp_path / "dataset").exists()
    write_images(tmp_path, {"loro": 1})
    split(tmp_path)
    assert {part for name, part in _parts(tmp_path).items() if name.startswith("loro")} == set(PARTS)


def test_copies_do_not_make_a_class_large_enough(tmp_path: Path, write_images: WriteImages) -> None:
    paths = write_images(tmp_path, {"loro": 6, "garza": 20})
    shutil.copy(paths[0], tmp_path / "images" / "loro" / "copy.jpg")
    with pytest.raises(ProjectError, match="'loro' has 6"):
        split(tmp_path)


def test_a_class_with_nothing_accepted_is_not_forgotten(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    (tmp_path / "images" / "notes").mkdir()
    (tmp_path / "images" / "notes" / "read me.txt").write_text("no picture")
    with pytest.raises(ProjectError, match="'notes' has 0") as caught:
        split(tmp_path)
    assert "move its folder out" in caught.value.hint


@pytest.mark.parametrize("counts", [{}, {"loro": 20}])
def test_less_than_two_classes_are_nothing_to_split(
    tmp_path: Path, write_images: WriteImages, counts: dict[str, int]
) -> None:
    (tmp_path / "images").mkdir()
    write_images(tmp_path, counts)
    with pytest.raises(ProjectError, match=f"holds {len(counts)} class") as caught:
        split(tmp_path)
    assert "birds scrape" in caught.value.hint


def test_without_images_there_is_nothing_to_split(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="images") as caught:
        split(tmp_path)
    assert "birds scrape" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "70", "70/31", "100/0", "70/15/16", "70/30/0", "-10/55/55", "0.7/0.15/0.15", "70/15/15/0", "a/b/c"]
)
def test_a_ratio_is_two_or_three_shares_of_a_hundred(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="70/15/15"):
        split(tmp_path, ratio=text)
    assert parse_ratio("80/10/10") == (80, 10, 10)


# -- on disk


def test_parts_are_hard_links_to_the_images(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    split(tmp_path)
    for name, part in _parts(tmp_path).items():
        path = tmp_path / "dataset" / part / name
        assert not path.is_symlink()
        assert path.samefile(tmp_path / "images" / name)


def test_an_older_dataset_is_replaced_and_nothing_is_left_in_between(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    split(tmp_path, seed=1)
    (tmp_path / "dataset" / "train" / "old class").mkdir()
    (tmp_path / "dataset" / "train" / "loro" / "stale.jpg").write_bytes(b"stale")
    split(tmp_path)
    assert set(_parts(tmp_path)) == {f"{label}/{i:03}.jpg" for label in ("loro", "garza") for i in range(10)}
    assert not (tmp_path / "dataset" / "train" / "old class").exists()
    assert list(Project(tmp_path).temporary.glob("*/*/*")) == []


def test_a_split_that_fails_leaves_the_older_one(
    tmp_path: Path, write_images: WriteImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    split(tmp_path, seed=1)
    before, document = _parts(tmp_path), _document(tmp_path)

    def fail(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(splitfolders, "ratio", fail)
    with pytest.raises(OSError, match="No space"):
        split(tmp_path, seed=2, fresh=True)
    assert (_parts(tmp_path), _document(tmp_path)) == (before, document)


def test_the_random_numbers_of_others_are_left_alone(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    random.seed(3)
    state = random.getstate()
    split(tmp_path)
    assert random.getstate() == state


def test_split_json_says_what_was_done(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"cigüeña": 20, "loro": 10})
    result = split(tmp_path, ratio="60/20/20", seed=3)
    document = _document(tmp_path)
    fingerprint = document.pop("fingerprint")
    assert document.pop("origin") == fingerprint
    assert isinstance(fingerprint, str)
    assert len(fingerprint) == 64
    assert document == {
        "format_version": 1,
        "ratio": "60/20/20",
        "seed": 3,
        "plain": False,
        "group_by": None,
        "kept": None,
        "folds": 0,
        "added": 0,
        "joined_by": {"near_duplicate": 0, "observation": 0, "page": 0, "camera": 0},
        "leaks_in_val": 0,
        "train": result.train,
        "val": result.val,
        "test": result.test,
        "classes": 2,
        "groups": 0,
        "left_out": {},
        "leaks": 0,
        "left_out_files": {},
        "counts": {"cigüeña": {"train": 12, "val": 4, "test": 4}, "loro": {"train": 6, "val": 2, "test": 2}},
    }


def test_the_record_knows_the_part_of_every_picture(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    split(tmp_path)
    with Record(Project(tmp_path)) as record:
        parts, names = record.split_parts(), {file.id: f"{file.label}/{file.name}" for file in record.files()}
    assert {names[file_id]: part for file_id, part in parts.items()} == _parts(tmp_path)


def _is_remade(root: Path, **options: object) -> bool:
    before = (root / "dataset" / "split.json").stat()
    result = split(root, only_if_changed=True, **options)  # type: ignore[arg-type]
    document = _document(root)
    assert all(document[name] == value for name, value in vars(result).items())
    return (root / "dataset" / "split.json").stat().st_ino != before.st_ino


def test_what_is_up_to_date_is_left_alone(tmp_path: Path, write_images: WriteImages) -> None:
    paths = write_images(tmp_path, {"loro": 10, "garza": 10})
    first = split(tmp_path, only_if_changed=True)
    assert not _is_remade(tmp_path)
    assert split(tmp_path, only_if_changed=True) == first
    assert _is_remade(tmp_path, seed=6, fresh=True)
    assert not _is_remade(tmp_path, seed=6)
    assert not _is_remade(tmp_path)
    assert _is_remade(tmp_path, kfold=2)
    assert not _is_remade(tmp_path)
    assert _is_remade(tmp_path, kfold=0)
    assert _is_remade(tmp_path, plain=True, fresh=True)
    assert not _is_remade(tmp_path)
    assert _is_remade(tmp_path, fresh=True)
    paths[0].rename(paths[0].with_name("renamed.jpg"))
    assert _is_remade(tmp_path)
    write_images(tmp_path, {"loro": 1})
    assert _is_remade(tmp_path)
    (tmp_path / "images" / "loro" / "page.jpg").write_bytes(b"<html>")
    assert _is_remade(tmp_path)  # nothing more is accepted, but it has to be listed as left out
    assert not _is_remade(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 99}'])
def test_a_split_json_of_another_kind_is_not_up_to_date(tmp_path: Path, write_images: WriteImages, text: str) -> None:
    write_images(tmp_path, {"loro": 10, "garza": 10})
    split(tmp_path)
    (tmp_path / "dataset" / "split.json").write_text(text)
    assert _is_remade(tmp_path)


# -- the real pictures


def _copied(folders: Iterable[Path], root: Path) -> None:
    for folder in folders:
        shutil.copytree(folder, root / "images" / folder.name)


def test_the_notebooks_pictures_are_split_as_in_the_notebook(real_data: Path, tmp_path: Path) -> None:
    _copied((path for path in (real_data / "birds8").iterdir() if path.is_dir()), tmp_path)
    plain = split(tmp_path, plain=True)
    assert (plain.train, plain.val, plain.test, plain.classes) == (506, 106, 120, 8)
    assert _divided(tmp_path) == _of_split_folders(tmp_path / "images", tmp_path / "theirs", "70/15/15", 5)
    assert plain.leaks > 0
    grouped = split(tmp_path, fresh=True)
    assert grouped.leaks == 0
    assert grouped.groups > 0
    assert not {"alimoche/alimoche99.jpg", "buitre leonado/buitre leonado39.jpg"} & set(_parts(tmp_path))
    assert len(_parts(tmp_path)) + sum(grouped.left_out.values()) == 732


def test_a_dataset_that_birds_did_not_make_is_not_replaced(project: Project, write_images: WriteImages) -> None:
    """It may hold the only copies: split-folders can move files instead of copying them."""
    write_images(project.root, {"garza": 10, "loro": 10})
    precious = project.dataset / "train" / "garza" / "only copy.jpg"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"mine")
    with pytest.raises(ProjectError, match="not made by `birds split`"):
        split(project.root)
    assert precious.read_bytes() == b"mine"
