"""The formats of MNIST, CIFAR and CUB-200-2011, as they are and spoilt."""

import gzip
import os
import pickle
import shutil
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from birds.errors import UsageError
from birds.importing.dataset import Dataset
from birds.importing.formats import FORMATS, read_dataset


def _pixels(dataset: Dataset) -> dict[str, np.ndarray]:
    return {item.key: np.asarray(picture) for item, picture in dataset.pictures(dataset.items)}


def _counts(dataset: Dataset) -> Counter[tuple[str, str | None]]:
    return Counter((item.label, item.part) for item in dataset.items)


def test_what_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no format 'voc'"):
        read_dataset(tmp_path, "voc")
    for name in FORMATS:
        with pytest.raises(UsageError, match=r"There is no .*nowhere"):
            read_dataset(tmp_path / "nowhere", name)


# -- MNIST


def test_mnist_is_read_as_torchvision_reads_it(datasets: Path) -> None:
    import birds.models.gate  # noqa: F401 - lets torchvision be imported
    from torchvision.datasets import MNIST

    ours = _pixels(read_dataset(datasets / "MNIST", "mnist"))
    assert len(ours) == 70
    for is_train, name in ((True, "train-images-idx3-ubyte"), (False, "t10k-images-idx3-ubyte")):
        theirs = MNIST(str(datasets), train=is_train, download=False)
        labels = [int(item.label) for item in read_dataset(datasets, "mnist").items if item.key.startswith(name)]
        assert theirs.targets.tolist() == labels
        for row, picture in enumerate(theirs.data.numpy()):
            assert np.array_equal(ours[f"{name}#{row}"], picture)


def test_mnist_comes_in_two_parts_test_first(datasets: Path) -> None:
    dataset = read_dataset(datasets / "MNIST" / "raw", "mnist")
    assert dataset.classes == tuple("0123456789")
    assert _counts(dataset) == {**{(d, "train"): 6 for d in "0123456789"}, **{(d, "test"): 1 for d in "0123456789"}}
    assert [item.part for item in dataset.items] == ["test"] * 10 + ["train"] * 60
    assert [item.number for item in dataset.items] == list(range(70))


def test_gzipped_or_with_a_dot_in_its_name_mnist_is_the_same(datasets: Path) -> None:
    raw = datasets / "MNIST" / "raw"
    plain = list(_pixels(read_dataset(raw, "mnist")).values())
    for path in list(raw.iterdir()):
        (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert np.array_equal(list(_pixels(read_dataset(raw, "mnist")).values()), plain)
    for path in list(raw.iterdir()):
        with gzip.open(path) as file:
            (raw / path.name.removesuffix(".gz").replace("-idx", ".idx")).write_bytes(file.read())
        path.unlink()
    assert np.array_equal(list(_pixels(read_dataset(raw, "mnist")).values()), plain)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _pack_and_cut(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()


def _pack_and_spoil(path: Path) -> None:
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[len(packed) // 2] ^= 255
    path.with_name(f"{path.name}.gz").write_bytes(packed)
    path.unlink()


def _begin(head: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(head + path.read_bytes()[len(head) :]) and None


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("t10k-labels-idx1-ubyte", os.remove, "has no t10k-labels-idx1-ubyte, plain or .gz"),
        ("train-images-idx3-ubyte", _cut, "train-images-idx3-ubyte is cut short: its header promises 47040 bytes"),
        ("train-labels-idx1-ubyte", _cut, "train-labels-idx1-ubyte is cut short"),
        ("train-images-idx3-ubyte", _lengthen, "is longer than it says"),
        ("train-images-idx3-ubyte", _pack_and_cut, r"train-images-idx3-ubyte\.gz is cut short"),
        ("train-images-idx3-ubyte", _pack_and_spoil, r"train-images-idx3-ubyte\.gz cannot be read"),
        (
            "train-images-idx3-ubyte",
            _begin(b"\x89PNG"),
            "no IDX file of bytes in 3 dimensions.* 89 50 4e",
        ),
        ("train-labels-idx1-ubyte", _begin(b"\0\0\x08\x03"), "no IDX file of bytes in 1 dimension"),
        ("train-images-idx3-ubyte", _begin(b"\0\0\x08\x03" + bytes(4)), "holds no pictures"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(b"\0\0\x08\x03\0\0"), "is cut short"),
        (
            "train-labels-idx1-ubyte",
            _begin(struct.pack(">4BIB", 0, 0, 8, 1, 60, 10)),
            "label 10 of picture 0 is none of",
        ),
        (
            "train-labels-idx1-ubyte",
            lambda path: path.write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 3) + bytes(3)),
            "train-images-idx3-ubyte has 60 pictures, train-labels-idx1-ubyte 3 labels",
        ),
    ],
)
def test_a_spoilt_mnist_is_told_in_one_line(
    datasets: Path, name: str, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(datasets / "MNIST" / "raw" / name)
    with pytest.raises(UsageError, match=said) as caught:
        read_dataset(datasets / "MNIST", "mnist")
    assert "\n" not in str(caught.value)


# -- CIFAR


@pytest.mark.parametrize(
    ("name", "pickled", "binary", "classes", "first"),
    [
        ("cifar10", "cifar-10-batches-py", "cifar-10-batches-bin", 10, "airplane"),
        ("cifar100", "cifar-100-python", "cifar-100-binary", 100, "thing_00"),
    ],
)
def test_both_versions_of_cifar_hold_the_same(
    datasets: Path, name: str, pickled: str, binary: str, classes: int, first: str
) -> None:
    one, other = read_dataset(datasets / pickled, name), read_dataset(datasets / binary, name)
    assert one.classes == other.classes
    assert (len(one.classes), one.classes[0]) == (classes, first)
    assert [(item.label, item.part) for item in one.items] == [(item.label, item.part) for item in other.items]
    pictures = list(_pixels(one).values())
    assert pictures[0].shape == (32, 32, 3)
    assert np.array_equal(pictures, list(_pixels(other).values()))
    assert read_dataset(datasets, name).items == one.items  # from the folder above: the version for Python


def test_cifar_is_what_its_makers_say_it_is(datasets: Path) -> None:
    """Their page: rows of 3,072 numbers, red, green and blue, 32 rows of 32 each."""
    with (datasets / "cifar-10-batches-py" / "data_batch_2").open("rb") as file:
        theirs = pickle.load(file, encoding="bytes")
    ours = _pixels(read_dataset(datasets, "cifar10"))
    dataset = read_dataset(datasets, "cifar10")
    labels = [dataset.classes.index(item.label) for item in dataset.items if item.key.startswith("data_batch_2#")]
    assert theirs[b"labels"] == labels
    for row, data in enumerate(theirs[b"data"]):
        assert np.array_equal(ours[f"data_batch_2#{row}"].transpose(2, 0, 1), data.reshape(3, 32, 32))


class _Payload:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._marker),)


def _batch(labels: list[int], data: np.ndarray, key: bytes = b"labels") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(pickle.dumps({b"data": data, key: labels}))


_DATA = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("py/data_batch_3", os.remove, "has no data_batch_3"),
        ("py/batches.meta", os.remove, "has no batches.meta"),
        ("py/data_batch_3", _cut, "data_batch_3 is (cut short|no pickle, or is damaged)"),
        ("py/data_batch_3", _batch([0, 10], _DATA), "data_batch_3: label 10 of picture 1 is none of 0 to 9"),
        ("py/data_batch_3", _batch([0, -1], _DATA), "data_batch_3: label -1 of picture 1"),
        ("py/data_batch_3", _batch([0], _DATA), "data_batch_3 has 2 pictures and 1 labels"),
        ("py/data_batch_3", _batch([0, 1], _DATA, b"fine_labels"), "data_batch_3 has 2 pictures and 0 labels"),
        ("py/data_batch_3", _batch([0, 1], _DATA[:, :99]), r"data is uint8 \(2, 99\), not uint8 \(n, 3072\)"),
        ("py/data_batch_3", _batch([0, 1], _DATA.astype(float)), "data is float64"),
        ("bin/data_batch_3.bin", _cut, "data_batch_3.bin is cut short"),
        ("bin/data_batch_3.bin", lambda path: path.write_bytes(b""), "data_batch_3.bin is cut short"),
        ("bin/data_batch_3.bin", _begin(b"\x0a"), "data_batch_3.bin: label 10 of picture 0"),
        ("bin/batches.meta.txt", lambda path: path.write_text("a\nb\n"), "batches.meta.txt has 2 names, not 10"),
        ("bin/batches.meta.txt", lambda path: path.write_text("a\n../b\n"), "'../b' cannot be a label"),
        ("bin/batches.meta.txt", lambda path: path.write_text("a\na\n"), "has the class 'a' twice"),
    ],
)
def test_a_spoilt_cifar_is_told_in_one_line(
    datasets: Path, file: str, spoil: Callable[[Path], object], said: str
) -> None:
    path = datasets / f"cifar-10-batches-{file}"
    spoil(path)
    with pytest.raises(UsageError, match=said) as caught:
        read_dataset(path.parent, "cifar10")
    assert "\n" not in str(caught.value)


def test_a_payload_in_a_batch_is_refused_and_not_run(datasets: Path, tmp_path: Path) -> None:
    (datasets / "cifar-100-python" / "train").write_bytes(pickle.dumps({b"data": _Payload(tmp_path / "ran")}))
    with pytest.raises(UsageError, match="train is refused: it asks for"):
        read_dataset(datasets, "cifar100")
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_cifar_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no CIFAR-100.*cifar-100-python or cifar-100-binary"):
        read_dataset(tmp_path, "cifar100")


# -- CUB-200-2011


def test_cub_is_read_with_its_division_and_boxes(datasets: Path) -> None:
    dataset = read_dataset(datasets / "CUB_200_2011", "cub200")
    assert dataset.classes == ("Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross", "Groove_billed_Ani")
    assert set(_counts(dataset).values()) == {4}
    assert len(dataset.boxes) == 32
    for item, path in dataset.pictures(dataset.items):
        assert isinstance(path, Path)
        assert path.is_file()
        assert item.key == path.relative_to(datasets / "CUB_200_2011").as_posix()
        assert item.label in path.parent.name
    line = (datasets / "CUB_200_2011" / "bounding_boxes.txt").read_text().splitlines()[2]
    box = next(box for key, box in dataset.boxes.items() if key.endswith("_3.jpg"))
    assert f"3 {box.x} {box.y} {box.width} {box.height}" == line
    assert read_dataset(datasets, "cub200").items == dataset.items  # from the folder above


def _line(number: int, text: str) -> Callable[[Path], object]:
    """Puts `text` in the place of one line, from 0, or takes that away."""

    def spoil(path: Path) -> None:
        lines = path.read_text().splitlines()
        lines[number : number + 1] = [text] if text else []
        path.write_text("\n".join(lines))

    return spoil


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("images.txt", os.remove, "has no images.txt"),
        ("train_test_split.txt", os.remove, "has no train_test_split.txt"),
        ("bounding_boxes.txt", _line(4, ""), "bounding_boxes.txt has no line for image 5"),
        ("bounding_boxes.txt", _line(4, "5 1 2 3 x"), "bounding_boxes.txt: image 5 has '1 2 3 x'"),
        ("image_class_labels.txt", _line(4, "5 9"), "image 5 is of class 9, which is none"),
        ("train_test_split.txt", _line(4, "5 2"), "image 5 has '2', neither 0 nor 1"),
        ("train_test_split.txt", _line(4, "5"), "the line '5' is not understood"),
        ("classes.txt", _line(0, "1 001.../../etc"), "cannot be a label"),
        ("images.txt", _line(0, "1 ../../../etc/passwd"), "names '../../../etc/passwd', which lies outside"),
        ("images.txt", lambda path: path.write_bytes(b"1 \xff\xfe"), "images.txt cannot be read"),
    ],
)
def test_a_spoilt_cub_is_told_in_one_line(
    datasets: Path, file: str, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(datasets / "CUB_200_2011" / file)
    with pytest.raises(UsageError, match=said) as caught:
        read_dataset(datasets / "CUB_200_2011", "cub200")
    assert "\n" not in str(caught.value)


def test_missing_images_are_counted_and_the_first_is_named(datasets: Path) -> None:
    shutil.rmtree(datasets / "CUB_200_2011" / "images" / "002.Laysan_Albatross")
    dataset = read_dataset(datasets, "cub200")
    with pytest.raises(UsageError, match=r"8 of 32 pictures that images\.txt names are missing.*002\.Laysan"):
        dataset.refuse_missing(dataset.items)
    dataset.refuse_missing([item for item in dataset.items if item.label != "Laysan_Albatross"])


def test_the_generator_is_a_script(generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["generated_datasets.py", str(tmp_path), "--format", "cub200", "--pictures", "2", "--classes", "2"]
    monkeypatch.setattr("sys.argv", arguments)
    generator.main()
    assert len(read_dataset(tmp_path, "cub200").items) == 4
