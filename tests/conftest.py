"""What several tests share: drawn pictures, project folders, the real data where it lies beside the checkout."""

import io
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from birds.files import Project
from PIL import Image

MakePicture = Callable[..., Image.Image]
WriteImages = Callable[[Path, Mapping[str, int]], list[Path]]


def _make_picture(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of soft colour patches, another for each seed; their hashes differ in about half the bits."""
    patches = random.Random(seed).randbytes(8 * 6 * 3)
    return Image.frombytes("RGB", (8, 6), patches).resize(size, Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 92, **options})
    return buffer.getvalue()


def _write_images(root: Path, counts: Mapping[str, int]) -> list[Path]:
    """``images/<label>/000.jpg``, ... under `root`: so many new pictures a label, no two alike, none overwritten."""
    paths = []
    for label, n in counts.items():
        folder = root / "images" / label
        folder.mkdir(parents=True, exist_ok=True)
        start = len(list(folder.iterdir()))
        for i in range(start, start + n):
            path = folder / f"{i:03}.jpg"
            path.write_bytes(_jpeg(_make_picture(_stable_seed(label, i))))
            paths.append(path)
    return paths


def _stable_seed(label: str, i: int) -> int:
    """A seed that is the same in every process, which ``hash`` of a text is not."""
    return int.from_bytes(f"{label}/{i}".encode(), "big")


@pytest.fixture(scope="session")
def make_picture() -> MakePicture:
    """``make_picture(seed, size=(160, 120))``: a distinct RGB image for each seed."""
    return _make_picture


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """``jpeg(image, **options)``: the bytes of a JPEG file."""
    return _jpeg


@pytest.fixture(scope="session")
def write_images() -> WriteImages:
    """``write_images(root, {"label": n})``: n distinct pictures a label under ``root/images``; returns their paths."""
    return _write_images


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of third-party material to test against; the test is skipped where it is not there."""
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("BIRDS_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}; BIRDS_TEST_DATA may name another")
    return folder
