import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from birds.clean.checks import THRESHOLDS, automatic, parse_thresholds, poor_quality
from birds.errors import UsageError
from birds.images import HASHED_SIDE, Content, decode
from birds.quality import quality, scores
from birds.reasons import Reason
from birds.record import PictureFile, Provenance, State
from birds.record_review import Finding
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont


def _file(file_id: int, label: str = "loro", *, sha256: str = "", **content: object) -> PictureFile:
    known = {"format": "JPEG", "width": 160, "height": 120, **content}
    sha256 = sha256 or f"{file_id:064x}"
    return PictureFile(
        id=file_id, label=label, name=f"{file_id}.jpg", state=State.STORED, sha256=sha256, picture=file_id, mtime_ns=1,
        added_at="2026-11-22T00:00:00+00:00",
        provenance=Provenance("local"), content=Content(sha256, 1000, **known), reason=None, author=None,  # type: ignore[arg-type]
    )  # fmt: skip


def _unreadable(file_id: int, reason: Reason = Reason.UNREADABLE) -> PictureFile:
    file = _file(file_id)
    return replace(file, content=Content(file.sha256, 1000, unreadable=reason))


def test_good_pictures_stay() -> None:
    files = [_file(1), _file(2), _file(3, width=64, height=64)]
    assert automatic(files, set()) == {}


def test_unreadable_small_and_copied_pictures_go() -> None:
    files = [
        _file(1), _unreadable(2), _unreadable(3, Reason.NOT_AN_IMAGE), _file(4, width=63), _file(5, height=63),
        _file(6, sha256=f"{1:064x}"),
    ]  # fmt: skip
    assert automatic(files, set()) == {
        2: Reason.UNREADABLE, 3: Reason.UNREADABLE, 4: Reason.TOO_SMALL, 5: Reason.TOO_SMALL, 6: Reason.EXACT_COPY,
    }  # fmt: skip


def test_small_pictures_of_an_imported_dataset_are_meant_to_be_small() -> None:
    small = {"width": 28, "height": 28}
    imported = replace(_file(1, **small), provenance=Provenance("import:mnist"))
    assert automatic([imported, _file(2, **small)], set()) == {2: Reason.TOO_SMALL}
    low = {Reason.TOO_SMALL.value: 0.04, Reason.DARK.value: 0.1}
    found = poor_quality([imported, _file(2, **small)], {1: low, 2: low})
    assert [(one.file, one.reason) for one in found] == [(1, Reason.DARK), (2, Reason.TOO_SMALL), (2, Reason.DARK)]


def test_of_exact_copies_the_first_in_the_record_stays_whatever_their_names() -> None:
    copies = [replace(_file(n, sha256="c" * 64), name=name) for n, name in ((9, "a.jpg"), (4, "b.jpg"), (7, "c.jpg"))]
    assert automatic(copies, set()) == {7: Reason.EXACT_COPY, 9: Reason.EXACT_COPY}


def test_a_copy_of_what_was_stored_anew_is_a_copy() -> None:
    scraped = replace(_file(1, sha256="5" * 64), content=_file(1).content)  # its original was a PNG
    assert automatic([scraped, _file(2, sha256="5" * 64)], set()) == {2: Reason.EXACT_COPY}


def test_the_same_picture_under_two_labels_does_not_go_by_itself() -> None:
    files = [_file(1, "loro", sha256="c" * 64), _file(2, "garza", sha256="c" * 64)]
    assert automatic(files, set()) == {}


def test_what_a_person_kept_is_not_touched() -> None:
    files = [_unreadable(1), _file(2, width=10), _file(3, sha256="c" * 64), _file(4, sha256="c" * 64)]
    assert automatic(files, {(n, "loro") for n in (1, 2, 4)}) == {}
    assert set(automatic(files, {(n, "garza") for n in (1, 2, 4)})) == {1, 2, 4}


FINE = dict.fromkeys(THRESHOLDS, 1.0)


@given(
    found=st.fixed_dictionaries(dict.fromkeys(THRESHOLDS, st.floats(0, 1))),
    given_limits=st.dictionaries(st.sampled_from(list(THRESHOLDS)), st.floats(0, 1)),
)
def test_a_score_under_its_threshold_is_a_finding(found: dict[str, float], given_limits: dict[str, float]) -> None:
    limits = {**THRESHOLDS, **given_limits}
    findings = poor_quality([_file(7)], {7: found}, given_limits)
    assert [(f.file, f.reason.value, f.score) for f in findings] == [
        (7, check, score) for check, score in found.items() if score < limits[check]
    ]


def test_each_file_has_the_scores_of_its_own_picture() -> None:
    unreadable, shown_twice = _unreadable(1), [_file(2), replace(_file(3, "garza"), picture=2)]
    found = poor_quality([unreadable, *shown_twice, _file(4)], {2: {**FINE, "dark": 0.125}, 4: FINE})
    assert found == [Finding(2, Reason.DARK, 0.125), Finding(3, Reason.DARK, 0.125)]


def test_thresholds_are_read_from_texts() -> None:
    assert parse_thresholds(["blurred=0.2", " dark = 1", "blurred=.3"]) == {"blurred": 0.3, "dark": 1.0}
    assert parse_thresholds([]) == {}


@pytest.mark.parametrize("text", ["blured=0.2", "near_duplicate=0.2", "=0.2", ""])
def test_an_unknown_check_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError, match="too_small, odd_aspect, blank, dark, over_exposed, blurred, not_a_photograph"):
        parse_thresholds([text])


@pytest.mark.parametrize("text", ["dark", "dark=", "dark=high", "dark=-0.1", "dark=1.5", "dark=nan", "dark=20%"])
def test_a_threshold_that_is_no_number_from_0_to_1_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"Example: dark=0\.37"):
        parse_thresholds([text])


# -- real photographs, and what can be made of them


def _measured(image: Image.Image) -> set[Reason]:
    """What is found in `image` once it went through JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    decoded = decode(buffer.getvalue(), least_side=HASHED_SIDE)
    found = poor_quality([_file(1)], {1: scores(quality(decoded.image), decoded.width, decoded.height)})
    return {finding.reason for finding in found}


def _page_of_text() -> Image.Image:
    page = Image.new("RGB", (600, 800), "navy")  # not white: to be seen by its letters, not by its border
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(26)
    for line in range(22):
        pen.text((30, 20 + 35 * line), "the kite soars over fields of barley", fill="ivory", font=font)
    return page


def _map() -> Image.Image:
    sea = Image.new("RGB", (1200, 900), "powderblue")
    pen = ImageDraw.Draw(sea)
    for n, colour in enumerate(("wheat", "palegreen", "wheat", "darkseagreen", "khaki")):
        pen.ellipse((200 * n, 90 * n, 200 * n + 420, 90 * n + 380), fill=colour, outline="dimgrey", width=3)
        pen.line((0, 150 * n, 1200, 900 - 170 * n), fill="orangered", width=7)
    return sea.resize((600, 450), Image.Resampling.LANCZOS)


def _logo() -> Image.Image:
    ground = Image.new("RGB", (500, 500), "gold")
    pen = ImageDraw.Draw(ground)
    pen.ellipse((120, 60, 380, 320), fill="crimson")
    pen.text((90, 360), "BARLEY", fill="black", font=ImageFont.load_default(80))
    return ground


def _line_drawing() -> Image.Image:
    paper = Image.new("RGB", (600, 500), "oldlace")
    pen = ImageDraw.Draw(paper)
    for n in range(14):
        pen.arc((60 + 20 * n, 60 + 9 * n, 300 + 18 * n, 280 + 12 * n), 25 * n, 190 + 20 * n, fill="black", width=4)
    return paper


@pytest.mark.parametrize("draw", [_page_of_text, _map, _logo, _line_drawing])
def test_text_maps_logos_and_drawings_are_found(draw: Callable[[], Image.Image]) -> None:
    assert Reason.NOT_A_PHOTOGRAPH in _measured(draw())


@pytest.fixture(scope="module")
def photographs(real_data: Path) -> list[Image.Image]:
    """Every fifth picture of two species that have photographs only."""
    folders = [real_data / "birds8" / label for label in ("alimoche", "milano negro")]
    return [decode(path.read_bytes()).image for folder in folders for path in sorted(folder.iterdir())[::5]]


def test_good_photographs_are_left_alone(photographs: list[Image.Image]) -> None:
    assert sum(bool(_measured(image)) for image in photographs) <= len(photographs) / 20


def test_blurred_photographs_are_found(photographs: list[Image.Image]) -> None:
    for image in photographs:
        assert Reason.BLURRED in _measured(image.filter(ImageFilter.GaussianBlur(max(image.size) / 100)))


def test_darkened_photographs_are_found(photographs: list[Image.Image]) -> None:
    for image in photographs:
        assert Reason.DARK in _measured(image.point(lambda level: level // 3))


def test_washed_out_photographs_are_found(photographs: list[Image.Image]) -> None:
    for image in photographs:
        found = _measured(image.point(lambda level: min(255, level + 120)))
        assert found & {Reason.OVER_EXPOSED, Reason.NOT_A_PHOTOGRAPH}  # before a white sky it may pass for a cut-out
