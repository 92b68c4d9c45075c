"""Small datasets of drawn pictures in the real formats of CUB-200-2011, MNIST, CIFAR and a pickled dictionary.

    python benchmarks/generated_datasets.py DIR
    python benchmarks/generated_datasets.py DIR --format cub200 --pictures 50 --classes 20

makes DIR/CUB_200_2011, DIR/MNIST/raw, DIR/cifar-10-batches-py, DIR/cifar-10-batches-bin, DIR/cifar-100-python,
DIR/cifar-100-binary and DIR/emoji.pkl. For tests and for the guides: with the real files only the numbers differ. What
is drawn can be learnt, each class has a colour and a shape of its own.
"""

import argparse
import colorsys
import gzip
import pickle
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

BIRDS = (
    "Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross", "Groove_billed_Ani", "Crested_Auklet",
    "Least_Auklet", "Parakeet_Auklet", "Rhinoceros_Auklet", "Brewer_Blackbird", "Red_winged_Blackbird",
    "Rusty_Blackbird", "Yellow_headed_Blackbird", "Bobolink", "Indigo_Bunting", "Lazuli_Bunting", "Painted_Bunting",
    "Cardinal", "Spotted_Catbird", "Gray_Catbird", "Yellow_breasted_Chat",
)  # fmt: skip
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
EMOJI = ("enfado", "llanto", "risa", "sorpresa", "sueño")
_SIDES = {"triangle": 3, "square": 4, "ring": 30}


def draw(kind: int, kinds: int, number: int, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Picture `number` of class `kind` of so many, and the box of what it shows: left, top, width, height."""
    chance = random.Random(f"{kind}/{number}/{size}")
    ground = tuple(chance.randint(90, 140) for _ in range(3))
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    side = round(min(size) * chance.uniform(0.45, 0.7))
    left, top = (chance.randint(1, max(1, length - side - 1)) for length in size)
    colour = tuple(round(255 * c) for c in colorsys.hsv_to_rgb(kind / kinds, 0.9, (0.55, 0.95)[kind % 2]))
    corners = tuple(_SIDES.values())[kind % len(_SIDES)]
    turn = chance.uniform(0, 360)
    pen.regular_polygon((left + side / 2, top + side / 2, side / 2), corners, rotation=turn, fill=colour)
    noise = np.random.default_rng(chance.randrange(1 << 32)).integers(-12, 13, (size[1], size[0], 3))
    noisy = (np.asarray(picture).astype(np.int16) + noise).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noisy), (left, top, side, side)


def _digit(digit: int, number: int) -> np.ndarray:
    chance = random.Random(f"{digit}/{number}")
    picture = Image.new("L", (28, 28))
    size = chance.randint(18, 23)
    ImageDraw.Draw(picture).text(
        (chance.randint(6, 10), chance.randint(0, 4)), str(digit), fill=chance.randint(180, 255), font_size=size
    )
    picture = picture.rotate(chance.uniform(-12, 12), Image.Resampling.BILINEAR)
    noise = np.random.default_rng(chance.randrange(1 << 32)).integers(0, 20, (28, 28))
    return np.maximum(np.asarray(picture), noise.astype(np.uint8))


def write_cub200(folder: Path, *, classes: int = 20, pictures: int = 12) -> Path:
    """``CUB_200_2011`` in `folder`: half of the pictures of each class for train, half for test."""
    root = folder / "CUB_200_2011"
    lists: dict[str, list[str]] = {
        name: [] for name in ("classes", "images", "image_class_labels", "train_test_split", "bounding_boxes")
    }
    n = 0
    for kind in range(classes):
        name = f"{kind + 1:03}.{BIRDS[kind] if kind < len(BIRDS) else f'Bird_{kind + 1}'}"
        lists["classes"].append(f"{kind + 1} {name}")
        (root / "images" / name).mkdir(parents=True, exist_ok=True)
        for number in range(pictures):
            n += 1
            size = random.Random(n).choice(((125, 94), (125, 83), (100, 125)))
            picture, box = draw(kind, classes, number, size)
            file = f"{name}/{name[4:]}_{number + 1:04}_{n}.jpg"
            picture.save(root / "images" / file, quality=90)
            lists["images"].append(f"{n} {file}")
            lists["image_class_labels"].append(f"{n} {kind + 1}")
            lists["train_test_split"].append(f"{n} {int(number % 2 == 0)}")
            lists["bounding_boxes"].append(f"{n} " + " ".join(f"{side:.1f}" for side in box))
    for name, lines in lists.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def write_mnist(folder: Path, *, pictures: int = 12, packed: bool = False) -> Path:
    """``MNIST/raw`` in `folder`, as torchvision lays it out; a sixth as many pictures for test, one at least."""
    root = folder / "MNIST" / "raw"
    root.mkdir(parents=True, exist_ok=True)
    for stem, first, n in (("train", 0, pictures), ("t10k", pictures, max(1, pictures // 6))):
        labels = [digit for _ in range(n) for digit in range(10)]
        images = np.stack([_digit(digit, first + i // 10) for i, digit in enumerate(labels)])
        idx3 = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
        idx1 = struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels)
        for kind, data in (("images-idx3", idx3), ("labels-idx1", idx1)):
            path = root / f"{stem}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return root


def _cifar(n: int, classes: int, first: int) -> tuple[np.ndarray, list[int]]:
    """`n` rows of 3,072 bytes, red, green and blue one after the other, and their labels."""
    labels = [i % classes for i in range(n)]
    pictures = [draw(label, classes, first + i // classes, (32, 32))[0] for i, label in enumerate(labels)]
    return np.stack([np.asarray(one).transpose(2, 0, 1).reshape(-1) for one in pictures]), labels


def _ten_batches(pictures: int) -> dict[str, tuple[np.ndarray, list[int]]]:
    each = 10 * max(1, pictures // 5)
    batches = {f"data_batch_{n}": _cifar(each, 10, 1000 * n) for n in range(1, 6)}
    return {**batches, "test_batch": _cifar(each, 10, 9000)}


def write_cifar10(folder: Path, *, pictures: int = 10) -> Path:
    """``cifar-10-batches-py`` in `folder`: pickles as Python 2 wrote them; a fifth of `pictures` a class and batch."""
    root = folder / "cifar-10-batches-py"
    root.mkdir(parents=True, exist_ok=True)
    for name, (data, labels) in _ten_batches(pictures).items():
        names = [f"{THINGS[label]}_{i:06}.png" for i, label in enumerate(labels)]
        batch = {"batch_label": name, "labels": labels, "data": data, "filenames": names}
        (root / name).write_bytes(pickle_of_python_2(batch))
    meta = {"num_cases_per_batch": 10000, "label_names": list(THINGS), "num_vis": 3072}
    (root / "batches.meta").write_bytes(pickle_of_python_2(meta))
    return root


def write_cifar10_binary(folder: Path, *, pictures: int = 10) -> Path:
    """``cifar-10-batches-bin`` in `folder`, of the same pictures."""
    root = folder / "cifar-10-batches-bin"
    root.mkdir(parents=True, exist_ok=True)
    for name, (data, labels) in _ten_batches(pictures).items():
        rows = np.concatenate([np.array(labels, np.uint8)[:, None], data], axis=1)
        (root / f"{name}.bin").write_bytes(rows.tobytes())
    (root / "batches.meta.txt").write_text("\n".join([*THINGS, ""]) + "\n")
    return root


def _hundred_batches(pictures: int) -> dict[str, tuple[np.ndarray, list[int]]]:
    n = max(1, pictures // 5)
    return {"train": _cifar(100 * pictures, 100, 0), "test": _cifar(100 * n, 100, 9000)}


def write_cifar100(folder: Path, *, pictures: int = 3) -> Path:
    """``cifar-100-python`` in `folder`: so many pictures a class for train."""
    root = folder / "cifar-100-python"
    root.mkdir(parents=True, exist_ok=True)
    fine, coarse = _hundred_names()
    for name, (data, labels) in _hundred_batches(pictures).items():
        names = [f"{fine[label]}_s_{i:06}.png" for i, label in enumerate(labels)]
        batch = {
            "filenames": names, "batch_label": f"{name} batch", "fine_labels": labels,
            "coarse_labels": [label // 5 for label in labels], "data": data,
        }  # fmt: skip
        (root / name).write_bytes(pickle_of_python_2(batch))
    (root / "meta").write_bytes(pickle_of_python_2({"fine_label_names": fine, "coarse_label_names": coarse}))
    return root


def write_cifar100_binary(folder: Path, *, pictures: int = 3) -> Path:
    """``cifar-100-binary`` in `folder`, of the same pictures."""
    root = folder / "cifar-100-binary"
    root.mkdir(parents=True, exist_ok=True)
    fine, coarse = _hundred_names()
    for name, (data, labels) in _hundred_batches(pictures).items():
        both = np.array([(label // 5, label) for label in labels], np.uint8)
        (root / f"{name}.bin").write_bytes(np.concatenate([both, data], axis=1).tobytes())
    (root / "fine_label_names.txt").write_text("\n".join(fine) + "\n")
    (root / "coarse_label_names.txt").write_text("\n".join(coarse) + "\n")
    return root


def _hundred_names() -> tuple[list[str], list[str]]:
    return [f"thing_{n:02}" for n in range(100)], [f"group_{n:02}" for n in range(20)]


def write_pickle(folder: Path, *, classes: int = 5, pictures: int = 12) -> Path:
    """``emoji.pkl`` in `folder`: a dictionary of pictures [n, 32, 32, 3], labels and the names of the classes."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = [kind for kind in range(classes) for _ in range(pictures)]
    data = np.stack([np.asarray(draw(kind, classes, i, (32, 32))[0]) for i, kind in enumerate(labels)])
    names = [EMOJI[kind] if kind < len(EMOJI) else f"emoji {kind}" for kind in range(classes)]
    path = folder / "emoji.pkl"
    path.write_bytes(pickle.dumps({"data": data, "labels": np.array(labels), "classes": names}))
    return path


def pickle_of_python_2(value: object) -> bytes:
    """`value` (texts, whole numbers, lists, dictionaries, uint8 arrays) as Python 2 and old numpy pickled it."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value: object) -> bytes:
    if isinstance(value, bytes | str):  # one and the same there: BINSTRING
        raw = value.encode() if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(raw)) + raw
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_opcodes, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_opcodes, value)) + b"t"
    if isinstance(value, dict):
        return b"}(" + b"".join(_opcodes(key) + _opcodes(one) for key, one in value.items()) + b"u"
    assert isinstance(value, np.ndarray)
    assert value.dtype == np.uint8
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _opcodes((0,)) + _opcodes("b") + b"\x87R"
    type_ = b"cnumpy\ndtype\n" + _opcodes(("u1", 0, 1)) + b"R"
    type_ += b"(" + _opcodes(3) + _opcodes("|") + b"NNN" + _opcodes(-1) + _opcodes(-1) + _opcodes(0) + b"tb"
    state = b"(" + _opcodes(1) + _opcodes(value.shape) + type_ + b"\x89" + _opcodes(value.tobytes()) + b"t"
    return empty + state + b"b"


WRITERS: dict[str, Sequence[Callable[..., Path]]] = {
    "cub200": (write_cub200,),
    "mnist": (write_mnist,),
    "cifar10": (write_cifar10, write_cifar10_binary),
    "cifar100": (write_cifar100, write_cifar100_binary),
    "pickle": (write_pickle,),
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", choices=WRITERS, help="one of them; all by default")
    parser.add_argument("--pictures", type=int, help="of each class")
    parser.add_argument("--classes", type=int, help="of cub200 and pickle; the others have theirs")
    given = parser.parse_args()
    for name, writers in WRITERS.items():
        if given.format not in (None, name):
            continue
        options = {"pictures": given.pictures, "classes": given.classes if name in ("cub200", "pickle") else None}
        for write in writers:
            print(write(given.folder, **{key: value for key, value in options.items() if value}))


if __name__ == "__main__":
    main()
