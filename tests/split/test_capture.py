import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from birds.split.capture import Capture, capture_of, series
from PIL import Image

TAKEN = "2024:05:01 08:30:00"


def _photograph(path: Path, *, own: dict[int, Any] | None = None, details: dict[int, Any] | None = None) -> Path:
    """A JPEG with these EXIF tags in its first and its EXIF directory."""
    exif = Image.Exif()
    exif.update(own or {})
    exif.get_ifd(0x8769).update(details or {})
    Image.new("RGB", (64, 48)).save(path, "JPEG", exif=exif)
    return path


def test_camera_and_time_come_from_the_header(tmp_path: Path) -> None:
    path = _photograph(
        tmp_path / "a.jpg", own={0x010F: "Canon", 0x0110: "EOS R7\0"},
        details={0x9003: TAKEN, 0x9291: "25", 0xA431: "0123"},
    )  # fmt: skip
    found = capture_of(path)
    assert found is not None
    assert found.camera == "Canon EOS R7 0123"
    assert found.taken_s % 60 == 0.25
    path.write_bytes(path.read_bytes()[:-20])
    assert capture_of(path) == found, "its pixels are not read"


@pytest.mark.parametrize(
    ("own", "details"),
    [
        ({}, {0x9003: TAKEN}),  # which camera?
        ({0x0110: "EOS R7"}, {}),
        ({0x0110: "EOS R7"}, {0x9003: "0000:00:00 00:00:00"}),
        ({0x0110: "EOS R7"}, {0x9003: "yesterday"}),
    ],
)
def test_what_lacks_the_camera_or_the_time_is_in_no_series(
    tmp_path: Path, own: dict[int, Any], details: dict[int, Any]
) -> None:
    assert capture_of(_photograph(tmp_path / "a.jpg", own=own, details=details)) is None


def test_fractions_of_a_second_may_be_nonsense(tmp_path: Path) -> None:
    found = capture_of(_photograph(tmp_path / "a.jpg", own={0x0110: "R7"}, details={0x9003: TAKEN, 0x9291: "x-"}))
    assert found is not None
    assert found.taken_s % 1 == 0


def test_files_of_all_kinds_without_exif_have_no_capture(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    contents = {"page": b"<html>", "empty": b"", "picture": jpeg(Image.new("RGB", (64, 64)))}
    png = io.BytesIO()
    Image.new("RGB", (64, 64)).save(png, "PNG")
    contents |= {"png": png.getvalue(), "cut": contents["picture"][:30]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert capture_of(tmp_path / name) is None, name
    assert capture_of(tmp_path / "missing") is None


def test_hostile_files_have_no_capture_and_do_no_harm(real_data: Path) -> None:
    for path in (real_data / "hostile").iterdir():
        found = capture_of(path) if path.is_file() else None
        assert found is None or found.camera


def test_a_series_goes_on_while_one_photograph_follows_another_within_a_minute() -> None:
    shots = [
        (1, "a", 0.0),
        (2, "a", 60.0),
        (3, "a", 120.0),
        (4, "a", 180.5),
        (5, "b", 10.0),
        (6, "b", 69.9),
        (7, "c", 0),
    ]
    captures = [(picture, Capture(camera, taken_s)) for picture, camera, taken_s in shots]
    assert series(captures) == series(captures[::-1]) == [[1, 2, 3], [5, 6]]


def test_a_phones_heic_has_its_capture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x8769] = "Apple", "iPhone", {0x9003: "2026:05:01 10:00:00"}
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.new("RGB", (80, 80), "red")).save(path, exif=exif.tobytes())
    found = capture_of(path)
    assert found is not None
    assert found.camera == "Apple iPhone"
