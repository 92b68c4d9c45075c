"""What the measures say of pictures made so that one thing is the matter with them."""

import math
from collections.abc import Callable
from dataclasses import astuple, replace

import numpy as np
import pytest
from birds.clean.checks import THRESHOLDS
from birds.images import MIN_SIDE, decode
from birds.quality import Quality, quality, scores
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter


def _photograph(size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Patches of colour, shading and hard outlines: what photographs have, at every brightness."""
    random = np.random.default_rng(5)
    shades = np.asarray(Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8)).resize(size, 2), float)
    texture = np.asarray(
        Image.fromarray(random.integers(0, 60, (size[1] // 4, size[0] // 4), np.uint8)).resize(size, 0)
    )
    return Image.fromarray((shades + texture[..., None] - 30).clip(0, 255).astype(np.uint8))


PHOTOGRAPH = _photograph()


def _brighter(factor: float) -> Image.Image:
    return PHOTOGRAPH.point(lambda level: min(255, round(level * factor)))


def _drawing(paper: str = "white") -> Image.Image:
    drawing = Image.new("RGB", (480, 360), paper)
    pen = ImageDraw.Draw(drawing)
    for n in range(12):
        pen.arc((40 + 20 * n, 60 + 9 * n, 240 + 15 * n, 250 + 5 * n), 20 * n, 200 + 20 * n, fill="black", width=4)
    return drawing


def test_brightness_follows_the_exposure() -> None:
    exposures = [quality(_brighter(factor)) for factor in (0.1, 0.3, 1, 3)]
    assert [q.highlights for q in exposures] == sorted(q.highlights for q in exposures)
    assert exposures[0].highlights < 0.11
    assert [q.glare for q in exposures] == sorted(q.glare for q in exposures)
    assert exposures[2].glare < 0.5 < exposures[3].glare


def test_black_and_white_are_the_ends_of_brightness() -> None:
    black, white = (quality(Image.new("RGB", (300, 200), colour)) for colour in ("black", "white"))
    assert (black.highlights, black.glare) == (0, 0)
    assert (white.highlights, white.glare) == (1, 2)


@pytest.mark.parametrize("radius", [4, 8, 16])
def test_blur_takes_sharpness_and_leaves_softness(radius: int) -> None:
    blurred = quality(PHOTOGRAPH.filter(ImageFilter.GaussianBlur(radius)))
    assert blurred.sharpness < 0.4 < quality(PHOTOGRAPH).sharpness
    assert blurred.softness > 0.5 > quality(PHOTOGRAPH).softness


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_blur_in_one_direction_alone_is_seen(*, is_turned: bool) -> None:
    pixels = np.asarray(PHOTOGRAPH, float)
    pixels = pixels.swapaxes(0, 1) if is_turned else pixels
    sums = pixels.cumsum(axis=0)
    shaken = ((sums[20:] - sums[:-20]) / 20).astype(np.uint8)
    measured = quality(Image.fromarray(shaken))
    assert measured.sharpness < 0.4
    assert measured.softness > 0.5


def test_a_sharp_subject_before_a_blurred_background_is_sharp() -> None:
    portrait = PHOTOGRAPH.filter(ImageFilter.GaussianBlur(12))
    portrait.paste(PHOTOGRAPH.crop((160, 120, 320, 240)), (160, 120))
    assert quality(portrait).sharpness > 0.5


def test_what_shows_nothing_has_no_contrast() -> None:
    slope = Image.linear_gradient("L").resize((480, 360)).convert("RGB")
    noise = np.random.default_rng(1).normal(120, 3, (360, 480, 3)).astype(np.uint8)
    for blank in (Image.new("RGB", (480, 360), "teal"), slope, Image.fromarray(noise)):
        assert quality(blank).contrast < 0.05
    assert quality(PHOTOGRAPH).contrast > 0.15


@pytest.mark.parametrize("is_turned", [False, True])
def test_stripes_are_no_blank(*, is_turned: bool) -> None:
    stripes = np.tile(np.uint8([0, 0, 0, 0, 200, 200, 200, 200]), (120, 20))
    stripes = stripes.T if is_turned else stripes
    assert quality(Image.fromarray(stripes).convert("RGB")).contrast > 0.5


def test_a_drawing_has_few_tones_and_hard_outlines() -> None:
    drawing = quality(_drawing())
    assert drawing.entropy < 3 < quality(PHOTOGRAPH).entropy
    assert drawing.softness < 0.15 < quality(PHOTOGRAPH).softness


@pytest.mark.parametrize(
    ("paper", "least", "most"), [("white", 0.95, 1), ("linen", 0.9, 1), ("grey", 0, 0), ("navy", 0, 0)]
)
def test_a_bright_even_border_is_paper(paper: str, least: float, most: float) -> None:
    assert least <= quality(_drawing(paper)).paper <= most
    assert quality(PHOTOGRAPH).paper < 0.2


def test_a_bright_border_of_many_levels_is_no_paper() -> None:
    levels = np.random.default_rng(3).integers(200, 256, (120, 160), np.uint8)
    assert quality(Image.fromarray(levels).convert("RGB")).paper < 0.4


def test_entropy_is_that_of_the_grey_levels() -> None:
    quarters = Image.new("L", (160, 100))
    for n in range(4):
        quarters.paste(80 * n, (40 * n, 0, 40 * n + 40, 100))
    assert quality(quarters.convert("RGB")).entropy == pytest.approx(2)


def test_a_jpeg_decoded_at_a_fraction_measures_the_same(jpeg: Callable[..., bytes]) -> None:
    data = jpeg(PHOTOGRAPH.resize((2400, 1800), Image.Resampling.BICUBIC))
    whole, reduced = quality(decode(data).image), quality(decode(data, least_side=256).image)
    assert decode(data, least_side=256).image.width < 2400
    assert astuple(reduced) == pytest.approx(astuple(whole), abs=0.06)


@given(width=st.integers(1, 300), height=st.integers(1, 300), seed=st.integers(0, 99), levels=st.integers(1, 256))
@settings(max_examples=80, deadline=None)
def test_every_picture_has_measures_within_their_limits(width: int, height: int, seed: int, levels: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), np.uint16).astype(np.uint8)
    measured = quality(Image.fromarray(pixels))
    limits = Quality(highlights=1, glare=2, contrast=1, entropy=8, sharpness=1, softness=1, paper=1)
    assert all(type(value) is float and math.isfinite(value) for value in astuple(measured))
    assert all(0 <= value <= limit for value, limit in zip(astuple(measured), astuple(limits), strict=True))
    assert measured.sharpness >= 0.25


FINE = Quality(highlights=0.8, glare=0.1, contrast=0.4, entropy=7, sharpness=0.6, softness=0.3, paper=0)


def _under_threshold(measured: Quality = FINE, width: int = 640, height: int = 480) -> set[str]:
    return {check for check, score in scores(measured, width, height).items() if score < THRESHOLDS[check]}


def test_a_good_photograph_passes_and_each_fault_has_its_own_check() -> None:
    assert _under_threshold() == set()
    assert _under_threshold(width=300, height=1000) == _under_threshold(width=1000, height=300) == {"odd_aspect"}
    assert _under_threshold(replace(FINE, contrast=0.02)) == {"blank"}
    assert _under_threshold(replace(FINE, highlights=0.2)) == {"dark"}
    assert _under_threshold(replace(FINE, glare=0.8)) == {"over_exposed"}
    assert _under_threshold(replace(FINE, sharpness=0.35)) == {"blurred"}
    assert _under_threshold(replace(FINE, paper=0.95)) == {"not_a_photograph"}
    assert _under_threshold(replace(FINE, entropy=2, softness=0.1)) == {"not_a_photograph"}


def test_too_small_is_what_clean_rejects_by_itself() -> None:
    assert _under_threshold(width=MIN_SIDE - 1, height=MIN_SIDE - 1) == {"too_small"}
    assert _under_threshold(width=MIN_SIDE, height=MIN_SIDE) == set()


def test_white_paper_is_not_called_over_exposed() -> None:
    assert _under_threshold(replace(FINE, glare=1.2, paper=1)) == {"not_a_photograph"}


def test_few_tones_alone_or_hard_outlines_alone_make_no_drawing() -> None:
    assert _under_threshold(replace(FINE, entropy=3)) == _under_threshold(replace(FINE, softness=0.15)) == set()


_MEASURES = st.builds(
    Quality,
    highlights=st.floats(0, 1),
    glare=st.floats(0, 2),
    contrast=st.floats(0, 1),
    entropy=st.floats(0, 8),
    sharpness=st.floats(0.25, 1),
    softness=st.floats(0, 1),
    paper=st.floats(0, 1),
)


@given(measured=_MEASURES, width=st.integers(1, 65_500), height=st.integers(1, 65_500))
def test_scores_lie_between_0_and_1(measured: Quality, width: int, height: int) -> None:
    found = scores(measured, width, height)
    assert found.keys() == THRESHOLDS.keys()
    assert all(0 <= score <= 1 for score in found.values())
