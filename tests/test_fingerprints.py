from collections.abc import Callable

import imagehash
import numpy as np
import pytest
from birds import fingerprints, images
from birds.fingerprints import GRAY_SIDE, HASHES, PARTS, fingerprint, gray_of, hashes_of, perceptual_hashes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

Make = Callable[..., Image.Image]


def _hashes(image: Image.Image) -> np.ndarray:
    return np.frombuffer(fingerprint(image).hashes, dtype="<u8")


def _library(image: Image.Image) -> tuple[int, int]:
    return int(str(imagehash.phash(image)), 16), int(str(imagehash.phash(ImageOps.mirror(image))), 16)


@given(st.integers(0, 10_000), st.integers(0, 60))
@settings(deadline=None, max_examples=50)
def test_the_first_two_hashes_are_the_librarys(make_picture: Make, seed: int, noise: int) -> None:
    size = (GRAY_SIDE, GRAY_SIDE)  # so that both work on the same pixels
    picture = Image.blend(make_picture(seed, size), Image.effect_noise(size, noise).convert("RGB"), 0.5)
    assert perceptual_hashes(picture) == tuple(_hashes(picture)[:2]) == _library(picture)
    assert fingerprint(picture).whole == perceptual_hashes(picture)


def test_a_fingerprint_is_of_a_fixed_size_whatever_the_picture(make_picture: Make) -> None:
    for picture in (make_picture(1, (1, 1)), make_picture(1, (700, 31)).convert("L"), make_picture(1).convert("P")):
        found = fingerprint(picture)
        assert (len(found.hashes), len(found.gray)) == (8 * HASHES, GRAY_SIDE**2)


def test_the_grey_copy_is_the_squeezed_luminance(make_picture: Make) -> None:
    picture = make_picture(2, (320, 200))
    small = np.asarray(picture.convert("L").resize((GRAY_SIDE, GRAY_SIDE), Image.Resampling.BOX), dtype=int)
    gray = np.frombuffer(fingerprint(picture).gray, np.uint8).reshape(GRAY_SIDE, GRAY_SIDE).astype(int)
    assert np.abs(gray - small).max() <= 6
    assert np.ptp(gray) > 60


@given(st.integers(0, 10_000), st.sampled_from(range(len(PARTS))))
@settings(deadline=None, max_examples=80)
def test_the_hash_of_a_part_is_the_hash_of_the_picture_cut_to_it(make_picture: Make, seed: int, part: int) -> None:
    picture = make_picture(seed, (400, 400))
    cut = picture.crop(tuple(round(edge * 400) for edge in PARTS[part]))
    of_parts = _hashes(picture)
    for hash_of_part, of_cut in zip(of_parts[2 * part : 2 * part + 2], perceptual_hashes(cut), strict=True):
        assert (int(hash_of_part) ^ of_cut).bit_count() <= 8


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_mirrored_hashes_are_those_of_the_mirror_image(make_picture: Make, seed: int) -> None:
    """The mirror image of a part is the opposite part of the mirror image."""
    hashes, mirrored = _hashes(make_picture(seed)), _hashes(ImageOps.mirror(make_picture(seed)))
    for part, (left, top, right, bottom) in enumerate(PARTS):
        opposite = (1 - right, top, 1 - left, bottom)
        twin = next((i for i, one in enumerate(PARTS) if np.allclose(one, opposite)), None)
        assert twin is not None
        assert (int(hashes[2 * part + 1]) ^ int(mirrored[2 * twin])).bit_count() <= 2  # Lanczos rounds, and ties


@pytest.mark.parametrize("shade", [0, 1, 128, 255])
def test_blank_pictures_have_one_hash_in_all_parts_not_rounding_noise(shade: int) -> None:
    assert set(_hashes(Image.new("RGB", (90, 70), (shade,) * 3)).tolist()) == {2**63 if shade else 0}


def test_many_pictures_at_once_have_the_hashes_of_each(monkeypatch: pytest.MonkeyPatch, make_picture: Make) -> None:
    monkeypatch.setattr(fingerprints, "_ROWS", 3)
    grays = np.stack([gray_of(make_picture(seed)) for seed in range(7)])
    assert (hashes_of(grays) == [_hashes(make_picture(seed)) for seed in range(7)]).all()
    assert hashes_of(grays[:0]).shape == (0, HASHES)


def test_a_picture_decoded_at_a_fraction_of_its_size_has_about_the_same_fingerprint(
    make_picture: Make, jpeg: Callable[..., bytes]
) -> None:
    data = jpeg(make_picture(5, (1600, 1200)))
    whole, reduced = (fingerprint(images.decode(data, least_side=side).image) for side in (None, images.HASHED_SIDE))
    bits = np.bitwise_count(np.frombuffer(whole.hashes, np.uint64) ^ np.frombuffer(reduced.hashes, np.uint64))
    assert bits.max() <= 4
