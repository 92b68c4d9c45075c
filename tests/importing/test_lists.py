"""Folders and tables of pictures, and what is chosen of a dataset."""

import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from birds.errors import UsageError
from birds.importing.dataset import Item, as_labels, choose, chosen_classes
from birds.importing.formats import read_dataset
from PIL import Image

Made = Callable[..., Image.Image]


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)


# -- folder


def test_a_folder_of_classes_is_not_divided(tmp_path: Path) -> None:
    _write(tmp_path, "loro/a.png", "garza/b.png", "garza/.hidden.png", ".git/c.png", "readme.png")
    (tmp_path / "vacía").mkdir()
    dataset = read_dataset(tmp_path, "folder")
    assert dataset.classes == ("garza", "loro")
    assert [(item.label, item.key, item.part) for item in dataset.items] == [
        ("garza", "garza/b.png", None), ("loro", "loro/a.png", None),
    ]  # fmt: skip


def test_folders_of_parts_are_a_division(tmp_path: Path) -> None:
    _write(tmp_path, "Training/loro/a.png", "Validation/loro/b.png", "test/loro/c.png", "other/loro/d.png")
    dataset = read_dataset(tmp_path, "folder")
    assert [(item.key, item.part) for item in dataset.items] == [
        ("test/loro/c.png", "test"), ("Validation/loro/b.png", "val"), ("Training/loro/a.png", "train"),
    ]  # fmt: skip


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    _write(tmp_path, "train/a.png", "bus/b.png")
    assert read_dataset(tmp_path, "folder").classes == ("bus", "train")


def test_a_label_decomposed_on_disk_is_composed(tmp_path: Path) -> None:
    _write(tmp_path, f"{unicodedata.normalize('NFD', 'cigüeña')}/a.png", "loro/a.png")
    assert read_dataset(tmp_path, "folder").classes == ("cigüeña", "loro")


def test_links_that_lead_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    _write(tmp_path, "in/loro/a.png", "out/secret/b.png")
    (tmp_path / "in" / "secret").symlink_to(tmp_path / "out" / "secret")
    (tmp_path / "in" / "loro" / "b.png").symlink_to(tmp_path / "out" / "secret" / "b.png")
    assert [item.key for item in read_dataset(tmp_path / "in", "folder").items] == ["loro/a.png"]


def test_a_folder_without_classes_is_told(tmp_path: Path) -> None:
    _write(tmp_path, "a.png")
    with pytest.raises(UsageError, match="holds no pictures in folders of classes"):
        read_dataset(tmp_path, "folder")


# -- csv


def test_a_table_names_files_labels_and_parts(tmp_path: Path) -> None:
    _write(tmp_path, "a.png", "sub/b.png", "c.png")
    table = tmp_path / "list.csv"
    table.write_text("Filename;taken;Label;Split\na.png;2026;cigüeña;train\nsub/b.png;;loro;Test\n\nc.png;;loro;\n")
    dataset = read_dataset(table, "csv")
    assert dataset.classes == ("cigüeña", "loro")
    assert [(item.label, item.key, item.part) for item in dataset.items] == [
        ("loro", "sub/b.png", "test"), ("cigüeña", "a.png", "train"), ("loro", "c.png", None),
    ]  # fmt: skip
    table.write_bytes('\ufefffile,label\r\n"a.png","cigüeña, blanca"\r\n'.encode())
    assert read_dataset(table, "csv").classes == ("cigüeña, blanca",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column file"),
        ("file,kind\na.png,x\n", "has no column label"),
        ("file,label\n", "names no pictures"),
        ("file,label\na.png\n", "line 2: 1 cells for 2 columns"),
        ("file,label,part\na.png,x,later\n", "line 2: 'later' is no part"),
        ("file,label\n../a.png,x\n", r"names '\.\./a\.png', which lies outside"),
        ("file,label\n/etc/passwd,x\n", "names '/etc/passwd', which lies outside"),
        ("file,label\na.png,../x\n", "cannot be a label"),
        ("file,label\na.png,\n", "cannot be a label"),
    ],
)
def test_a_spoilt_table_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    _write(tmp_path, "a.png")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        read_dataset(tmp_path / "list.csv", "csv")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"file,label\n\xff\xfe")
    with pytest.raises(UsageError, match="it is no UTF-8"):
        read_dataset(tmp_path / "list.csv", "csv")


# -- what is chosen


def test_classes_are_chosen_by_number_or_name() -> None:
    classes = ["Laysan_Albatross", "cigüeña", "8", "loro"]
    assert chosen_classes(classes, None) == classes
    assert chosen_classes(classes, "2") == ["Laysan_Albatross", "cigüeña"]
    assert chosen_classes(classes, "LORO, laysan albatross") == ["Laysan_Albatross", "loro"]
    assert chosen_classes(classes, "8,") == ["8"]


@pytest.mark.parametrize(
    ("wanted", "said"), [("0", "--classes is 0"), ("5", "has 4"), ("loro,gato", "no class 'gato'"), (",", "names none")]
)
def test_classes_that_are_not_there_are_told(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen_classes(["a", "b", "c", "loro"], wanted)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "a\\b", "C:x", ".x", "", "a\nb\x00", "x" * 300])
def test_hostile_names_are_no_labels(name: str) -> None:
    with pytest.raises(UsageError, match=r"here: .*(cannot be a label|too long)"):
        as_labels(["loro", name], "here")


def _items(**counts: int) -> list[Item]:
    parts = [part for part, n in counts.items() for _ in range(n)]
    return [
        Item(label, f"{label}/{number}", None if part == "none" else part, number)
        for number, (part, label) in enumerate((part, label) for part in parts for label in ("garza", "loro"))
    ]


def _sizes(items: list[Item]) -> Counter[tuple[str, str | None]]:
    return Counter((item.label, item.part) for item in items)


def test_a_share_of_train_becomes_validation_with_the_seed() -> None:
    items = _items(test=10, train=40)
    chosen = choose(items, ["garza", "loro"], None, seed=5)
    assert _sizes(chosen) == {
        (label, part): n for label in ("garza", "loro") for part, n in (("test", 10), ("train", 34), ("val", 6))
    }
    assert [item.key for item in chosen] == [item.key for item in items]
    assert choose(items, ["garza", "loro"], None, seed=5) == chosen
    assert choose(items, ["garza", "loro"], None, seed=6) != chosen
    assert _sizes(choose(_items(test=1, train=2), ["loro"], None, seed=5))["loro", "val"] == 1


def test_a_division_with_validation_stays_as_it_is() -> None:
    for items in (_items(test=3, val=3, train=9), _items(val=3, train=9)):
        assert choose(items, ["garza", "loro"], None, seed=5) == items


def test_train_alone_is_no_division() -> None:
    assert {item.part for item in choose(_items(train=5), ["loro"], None, seed=5)} == {None}


def test_a_limit_is_of_each_class_in_each_part() -> None:
    chosen = choose(_items(test=5, val=1, train=9), ["loro"], 3, seed=5)
    assert _sizes(chosen) == {("loro", "test"): 3, ("loro", "val"): 1, ("loro", "train"): 3}
