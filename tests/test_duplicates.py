import io
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from birds import images
from birds.duplicates import (
    CAP,
    MIN_SIMILARITY,
    FilePair,
    Pair,
    best_copy,
    between,
    bundles,
    groups,
    near_duplicates,
    near_pairs,
)
from birds.files import Project
from birds.fingerprints import gray_of, hashes_of
from birds.hamming import SAME
from birds.images import Content
from birds.reconcile import inspect_stored, reconcile
from birds.record import PictureFile, Provenance, Record, State
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

Make = Callable[..., Image.Image]
Jpeg = Callable[..., bytes]


def photograph(seed: int, size: tuple[int, int] = (300, 240)) -> Image.Image:
    """Noise of several scales, as detailed as photographs are."""
    grains = np.random.default_rng(seed)
    layers = [
        Image.fromarray(grains.integers(0, 256, (side, side, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        for side in (3, 7, 24)
    ]
    return Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.3)


def _paired(pictures: list[Image.Image]) -> list[Pair]:
    grays = np.stack([gray_of(picture) for picture in pictures])
    return near_pairs(hashes_of(grays), lambda wanted: grays[wanted])


def _cut(picture: Image.Image, *shares: float) -> Image.Image:
    (width, height), (left, top, right, bottom) = picture.size, shares
    return picture.crop((left * width, top * height, (1 - right) * width, (1 - bottom) * height))


def _recompressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return images.decode(buffer.getvalue()).image


def _captioned(picture: Image.Image) -> Image.Image:
    captioned = picture.copy()
    captioned.paste((15, 15, 15), (0, round(picture.height * 0.86), *picture.size))
    captioned.paste(
        (250, 250, 250), (20, round(picture.height * 0.90), picture.width // 2, round(picture.height * 0.95))
    )
    return captioned


def _with_caption_below(picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture, (0, 0, 0, round(picture.height * 0.14)), (240, 240, 240))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "recompressed": _recompressed,
    "cropped": lambda picture: _cut(picture, 0.05, 0.05, 0.05, 0.05),
    "cropped at one side": lambda picture: _cut(picture, 0, 0, 0.09, 0),
    "cropped off centre": lambda picture: _cut(picture, 0.05, 0.01, 0, 0.04),
    "mirrored": ImageOps.mirror,
    "mirrored and cropped": lambda picture: ImageOps.mirror(_cut(picture, 0.05, 0.05, 0.05, 0.05)),
    "captioned": _captioned,
    "mirrored and captioned": lambda picture: _captioned(ImageOps.mirror(picture)),
    "with a caption below": _with_caption_below,
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_nothing_else(kind: str) -> None:
    originals = [photograph(seed) for seed in range(20)]
    copies = [COPIES[kind](picture) for picture in originals]
    found = _paired(originals + copies)
    assert {(pair.first, pair.second) for pair in found} == {(i, 20 + i) for i in range(20)}
    assert all(pair.distance <= 8 and MIN_SIMILARITY <= pair.similarity <= 1 for pair in found)


def test_it_does_not_matter_which_of_the_two_is_the_copy() -> None:
    originals = [photograph(seed) for seed in range(6)]
    copies = [copy(picture) for copy in COPIES.values() for picture in originals]
    one, other = _paired(originals + copies), _paired((originals + copies)[::-1])
    last = len(originals + copies) - 1
    assert {(last - pair.second, last - pair.first) for pair in other} == {(p.first, p.second) for p in one}


def test_pairs_come_strongest_first() -> None:
    picture = photograph(1)
    found = _paired([_captioned(picture), picture, _cut(picture, 0.02, 0.05, 0, 0), picture.copy()])
    assert found[0] == Pair(1, 3, 0, 1.0)
    assert found[0].is_identical
    assert len(found) > 3
    similarities = [pair.similarity for pair in found]
    assert similarities == sorted(similarities, reverse=True)
    assert not any(pair.is_identical for pair in found[1:])


def test_hashes_alone_make_no_pair() -> None:
    """The second measure has the last word: here are other pictures under the hashes of copies."""
    hashes = hashes_of(np.stack([gray_of(photograph(1))] * 2))
    others = np.stack([gray_of(photograph(seed)) for seed in (2, 3)])
    assert near_pairs(hashes, lambda wanted: others[wanted]) == []


def test_ten_thousand_blank_pictures_are_one_group_and_few_pairs() -> None:
    grays = np.full((10_000, 32, 32), 200, np.uint8)
    asked: list[int] = []

    def some(wanted: np.ndarray) -> np.ndarray:
        asked.append(len(wanted))
        assert (np.diff(wanted) > 0).all()
        return grays[wanted]

    found = near_pairs(np.tile(hashes_of(grays[:1]), (10_000, 1)), some)
    assert len(found) < 11_000
    assert groups(10_000, found) == [list(range(10_000))]
    assert max(asked) <= 8192


def test_no_pictures_have_no_pairs() -> None:
    grays = np.empty((0, 32, 32), np.uint8)
    assert near_pairs(hashes_of(grays), lambda wanted: grays[wanted]) == []


def test_real_photographs_that_only_look_alike_are_told_apart(real_data: Path) -> None:
    """Kites and vultures before a plain sky, two parrots of one engraver, and the next shot of a cockatoo."""
    alike = [
        "buitre leonado/buitre leonado11", "milano negro/milano negro6", "milano negro/milano negro1",
        "milano negro/milano negro98", "milano negro/milano negro86", "milano negro/milano negro9",
        "cigüeña/cigüeña13", "cigüeña/cigüeña39", "loro/loro20", "loro/loro62",
        "cacatúa/cacatúa43", "cacatúa/cacatúa91",
    ]  # fmt: skip
    same = ["alimoche/alimoche31", "buitre leonado/buitre leonado60", "loro/loro38", "periquito/periquito22"]
    found = _paired([images.open_rgb(real_data / "birds8" / f"{name}.jpg") for name in alike + same])
    assert [(pair.first, pair.second) for pair in found] in ([(12, 13), (14, 15)], [(14, 15), (12, 13)])


# -- groups

SIMILARITIES = st.sampled_from([0.86, 0.9, 0.99, 1.0])


@st.composite
def _drawn_pairs(draw: st.DrawFn) -> tuple[int, list[Pair]]:
    n = draw(st.integers(1, 14))
    ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda ends: ends[0] < ends[1])
    links = draw(st.lists(st.tuples(ends, st.sampled_from([0, 0, 6]), SIMILARITIES), max_size=20)) if n > 1 else []
    return n, [Pair(*ends, distance, similarity) for ends, distance, similarity in links]


def _connected(n: int, pairs: list[Pair]) -> list[list[int]]:
    """The slow way."""
    group_of = list(range(n))
    for _ in range(n):
        for pair in pairs:
            group_of[pair.first] = group_of[pair.second] = min(group_of[pair.first], group_of[pair.second])
    return [[i for i in range(n) if group_of[i] == number] for number in sorted(set(group_of))]


@given(_drawn_pairs())
def test_without_a_cap_groups_are_the_connected_parts(drawn: tuple[int, list[Pair]]) -> None:
    n, pairs = drawn
    assert groups(n, pairs, cap=None) == _connected(n, pairs)
    assert between(groups(n, pairs, cap=None), pairs) == []


@given(_drawn_pairs(), st.integers(1, 6), st.randoms())
def test_a_capped_group_is_no_larger_unless_its_pictures_are_identical(
    drawn: tuple[int, list[Pair]], cap: int, chance: random.Random
) -> None:
    n, pairs = drawn
    found = groups(n, pairs, cap=cap)
    assert sorted(i for group in found for i in group) == list(range(n))
    assert all(group == sorted(group) for group in found)
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    identical = _connected(n, [pair for pair in pairs if pair.is_identical])
    assert all(any(set(same) <= set(group) for group in found) for same in identical), "never cut apart"
    assert all(len(group) <= cap or group in identical for group in found)
    whole = _connected(n, pairs)
    assert all(any(set(group) <= set(one) for one in whole) for group in found), "nothing is together without a chain"
    shuffled = chance.sample(pairs, len(pairs))
    assert groups(n, shuffled, cap=cap) == found
    kept_apart = between(found, pairs)
    assert all(pair in kept_apart or any({pair.first, pair.second} <= set(one) for one in found) for pair in pairs)
    assert not any({pair.first, pair.second} <= set(one) for pair in kept_apart for one in found)


def test_a_chain_of_weak_pairs_breaks_where_it_is_weakest_first() -> None:
    pairs = [Pair(0, 1, 4, 0.90), Pair(1, 2, 4, 0.86), Pair(2, 3, 4, 0.95)]
    assert groups(4, pairs, cap=2) == [[0, 1], [2, 3]]
    assert between(groups(4, pairs, cap=2), pairs) == [pairs[1]]
    assert groups(4, pairs) == [[0, 1, 2, 3]]
    long = [Pair(i, i + 1, 2, 0.9) for i in range(3 * CAP)]
    assert max(map(len, groups(3 * CAP + 1, long))) <= CAP


# -- files


def _file(file_id: int, width: int | None, height: int | None, size: int) -> PictureFile:
    content = Content(f"{file_id:064x}", size, width=width, height=height)
    return PictureFile(
        file_id, "loro", f"{file_id}.jpg", State.STORED, content.sha256, file_id, 1, "2026-01-01T00:00:00+00:00",
        Provenance("local"), content, None, None,
    )  # fmt: skip


def test_the_best_copy_has_most_pixels_then_most_bytes_for_each_then_came_first() -> None:
    small, heavy, light, later = _file(1, 100, 90, 90_000), _file(2, 200, 90, 9000), _file(3, 90, 200, 8000), None
    later = _file(4, 200, 90, 9000)
    for copies in itertools.permutations([small, heavy, light, later]):
        assert best_copy(copies) is heavy
    assert best_copy([light, small]) is light
    assert best_copy([_file(7, None, None, 10**6), small]) is small


@pytest.fixture
def of_one_shot(project: Project) -> tuple[Project, dict[str, bytes]]:
    """A project: two photographs, a crop of the first, its identical file under another label, and a broken file."""
    first, second = photograph(1), photograph(2)

    def png(picture: Image.Image) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    crop = png(_cut(first, 0.05, 0.05, 0.05, 0.05))
    contents = {
        "loro/first.png": png(first), "loro/second.png": png(second), "loro/crop.png": crop, "garza/crop.png": crop,
        "garza/broken.png": png(first)[:500],
    }  # fmt: skip
    for name, data in contents.items():
        path = project.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return project, contents


def _names(pair: FilePair) -> set[str]:
    return {f"{file.label}/{file.name}" for file in (pair.first, pair.second)}


def test_pairs_of_files_hold_crops_and_identical_files(of_one_shot: tuple[Project, dict[str, bytes]]) -> None:
    project, contents = of_one_shot
    with project.locked("test"), Record(project) as record:
        reconcile(project, record)
        stored = inspect_stored(project, record)
        found = near_duplicates(record, stored)
        assert len(stored) == len(contents)
        assert sorted(map(sorted, map(_names, found))) == [
            ["garza/crop.png", "loro/crop.png"], ["garza/crop.png", "loro/first.png"],
            ["loro/crop.png", "loro/first.png"],
        ]  # fmt: skip
        identical = next(pair for pair in found if _names(pair) == {"garza/crop.png", "loro/crop.png"})
        assert (identical.distance, identical.similarity) == (0, 1.0)
        together = [{f"{file.label}/{file.name}" for file in group} for group in bundles(stored, found)]
        assert {"loro/first.png", "loro/crop.png", "garza/crop.png"} in together
        assert len(together) == 3
        only = [file for file in stored if file.label == "garza"]
        assert near_duplicates(record, only) == []


def test_what_a_person_called_different_is_no_pair(of_one_shot: tuple[Project, dict[str, bytes]]) -> None:
    project, _ = of_one_shot
    with project.locked("test"), Record(project) as record:
        reconcile(project, record)
        stored = inspect_stored(project, record)
        pictures = {f"{file.label}/{file.name}": file.picture for file in stored}
        record.review.remember_different([(pictures["loro/crop.png"], pictures["loro/first.png"])])
        assert [_names(pair) for pair in near_duplicates(record, stored)] == [{"garza/crop.png", "loro/crop.png"}]


def test_a_hundred_files_of_one_picture_are_few_pairs_and_one_group(project: Project, jpeg: Jpeg) -> None:
    folder = project.images / "loro"
    folder.mkdir(parents=True)
    for i in range(100):
        (folder / f"{i:03}.jpg").write_bytes(jpeg(photograph(1)))
    (folder / "small.jpg").write_bytes(jpeg(photograph(1, (200, 160))))
    with project.locked("test"), Record(project) as record:
        reconcile(project, record)
        stored = inspect_stored(project, record)
        found = near_duplicates(record, stored)
        assert len(found) == SAME * (SAME - 1) // 2 + (100 - SAME) + SAME
        assert [len(group) for group in bundles(stored, found)] in ([100, 1], [101])
