from collections.abc import Callable

import numpy as np
import pytest
from birds import alignment
from birds.alignment import similarities
from birds.fingerprints import gray_of
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

Make = Callable[..., Image.Image]
WHOLE = (0.0, 0.0, 1.0, 1.0)


def _photograph(make_picture: Make, seed: int, size: tuple[int, int] = (300, 240)) -> Image.Image:
    """Patches with detail, which `make_picture` alone has none of."""
    grain = np.random.default_rng(seed).integers(0, 256, (24, 30), np.uint8)
    detail = Image.fromarray(grain).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    return Image.blend(make_picture(seed, size), detail, 0.5)


def _similarity(
    one: Image.Image, other: Image.Image, box: tuple[float, ...] = WHOLE, other_box: tuple[float, ...] = WHOLE
) -> float:
    boxes = np.array([box]), np.array([other_box])
    return float(similarities(gray_of(one)[None], boxes[0], gray_of(other)[None], boxes[1])[0])


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_a_picture_is_fully_like_itself_and_its_brighter_self(make_picture: Make, seed: int) -> None:
    picture = _photograph(make_picture, seed)
    assert _similarity(picture, picture) > 0.9999
    assert _similarity(picture, Image.eval(picture, lambda value: 40 + value * 3 // 4)) > 0.98


@given(st.integers(0, 10_000), st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_other_pictures_are_not_alike(make_picture: Make, one: int, other: int) -> None:
    if one != other:
        assert _similarity(_photograph(make_picture, one), _photograph(make_picture, other)) < 0.6


@given(st.integers(0, 10_000), st.lists(st.floats(0, 0.05), min_size=4, max_size=4), st.booleans())
@settings(deadline=None, max_examples=40)
def test_edges_that_are_only_about_right_are_set_right(
    make_picture: Make, seed: int, cut: list[float], is_mirrored: bool
) -> None:
    picture = _photograph(make_picture, seed)
    width, height = picture.size
    left, top, right, bottom = cut
    cropped = picture.crop((left * width, top * height, (1 - right) * width, (1 - bottom) * height))
    box = (0.025, 0.025, 0.975, 0.975)
    if is_mirrored:
        cropped, box = ImageOps.mirror(cropped), (0.975, 0.025, 0.025, 0.975)
    assert _similarity(picture, cropped, box) > 0.9


def test_without_moving_the_edges_that_would_fail(make_picture: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_STEPS", 0)
    picture = _photograph(make_picture, 3)
    assert _similarity(picture, picture.crop((15, 12, 300, 240)), WHOLE) < 0.8


def test_what_lies_outside_the_parts_does_not_count(make_picture: Make) -> None:
    picture = _photograph(make_picture, 4)
    captioned = picture.copy()
    captioned.paste((10, 10, 10), (0, 205, 300, 240))
    part = (0.0, 0.0, 1.0, 0.85)
    assert _similarity(picture, captioned, part, part) > 0.99
    assert _similarity(picture, captioned) < _similarity(picture, captioned, part, part) - 0.05


def test_two_silhouettes_before_a_sky_are_told_apart_by_their_detail() -> None:
    def bird(feathers: int, tail: int) -> Image.Image:
        sky = Image.new("L", (300, 240), 190)
        draw = ImageDraw.Draw(sky)
        draw.polygon([(60, 70), (150, 100), (245, 60), (175, 140), (tail, 190), (130, 145)], fill=50)
        for x in range(100, 220, feathers):
            draw.line([(x, 70), (x + 12, 150)], fill=140, width=7)
        return sky

    one, other = bird(22, 150), bird(31, 180)
    shades = np.corrcoef(*(gray_of(picture).ravel().astype(float) for picture in (one, other)))[0, 1]
    assert _similarity(one, other) < shades - 0.1


def test_one_caption_on_two_pictures_does_not_make_them_alike(make_picture: Make) -> None:
    def captioned(seed: int) -> Image.Image:
        pale = Image.new("RGB", (300, 240), (200, 200, 200))
        picture = Image.blend(make_picture(seed, pale.size), pale, 0.7)  # the caption is nearly all the detail there is
        ImageDraw.Draw(picture).rectangle((0, 205, 300, 240), fill=(0, 0, 0))
        ImageDraw.Draw(picture).text((20, 210), "birdstock.com", fill=(255, 255, 255), font_size=24)
        return picture

    assert _similarity(captioned(1), captioned(1)) > 0.99
    assert _similarity(captioned(1), captioned(2)) < 0.6


def test_pictures_without_detail_are_alike_but_not_like_one_with_detail(make_picture: Make) -> None:
    blank = Image.new("L", (300, 240), 128)
    faint = Image.fromarray(128 + np.random.default_rng(0).integers(0, 2, (32, 32), np.uint8))
    assert _similarity(blank, Image.new("L", (300, 240), 100)) > 0.99
    assert _similarity(blank, faint) > 0.85
    assert _similarity(blank, _photograph(make_picture, 5)) < 0.5


def test_many_pairs_at_once_are_as_alike_as_each(make_picture: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_ROWS", 3)
    grays = np.stack([gray_of(_photograph(make_picture, seed)) for seed in range(8)])
    boxes = np.tile(np.array(WHOLE), (8, 1))
    others = np.roll(grays, 1, axis=0)
    others[::2] = grays[::2]
    together = similarities(grays, boxes, others, boxes)
    alone = [similarities(grays[i, None], boxes[:1], others[i, None], boxes[:1])[0] for i in range(8)]
    assert np.allclose(together, alone, atol=1e-4)
    assert similarities(grays[:0], boxes[:0], grays[:0], boxes[:0]).shape == (0,)
