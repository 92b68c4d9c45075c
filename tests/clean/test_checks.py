from dataclasses import replace

from birds.clean.checks import automatic, for_a_person
from birds.images import Content
from birds.reasons import Reason
from birds.record import PictureFile, Provenance, State

ALTERNATING = int("01" * 32, 2)


def _file(file_id: int, label: str = "loro", *, sha256: str = "", **content: object) -> PictureFile:
    """A stored file whose hashes are far from those of every other, unless they are given."""
    known = {"format": "JPEG", "width": 160, "height": 120, "phash": (2**13 - 1) << (13 * (file_id % 4)),
             "mirror_phash": ALTERNATING, **content}  # fmt: skip
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
    assert for_a_person(files) == {}


def test_unreadable_small_and_copied_pictures_go() -> None:
    files = [
        _file(1), _unreadable(2), _unreadable(3, Reason.NOT_AN_IMAGE), _file(4, width=63), _file(5, height=63),
        _file(6, sha256=f"{1:064x}"),
    ]  # fmt: skip
    assert automatic(files, set()) == {
        2: Reason.UNREADABLE, 3: Reason.UNREADABLE, 4: Reason.TOO_SMALL, 5: Reason.TOO_SMALL, 6: Reason.EXACT_COPY,
    }  # fmt: skip


def test_of_exact_copies_the_first_in_the_record_stays_whatever_their_names() -> None:
    copies = [replace(_file(n, sha256="c" * 64), name=name) for n, name in ((9, "a.jpg"), (4, "b.jpg"), (7, "c.jpg"))]
    assert automatic(copies, set()) == {7: Reason.EXACT_COPY, 9: Reason.EXACT_COPY}


def test_a_copy_of_what_was_stored_anew_is_a_copy() -> None:
    scraped = replace(_file(1, sha256="5" * 64), content=_file(1).content)  # its original was a PNG
    assert automatic([scraped, _file(2, sha256="5" * 64)], set()) == {2: Reason.EXACT_COPY}


def test_the_same_picture_under_two_labels_is_for_a_person() -> None:
    files = [_file(1, "loro", sha256="c" * 64, phash=5), _file(2, "garza", sha256="c" * 64, phash=5)]
    assert automatic(files, set()) == {}
    assert for_a_person(files) == {1: Reason.LABEL_CONFLICT, 2: Reason.LABEL_CONFLICT}


def test_near_duplicates_are_for_a_person() -> None:
    files = [_file(1, phash=0), _file(2, phash=0xFF), _file(3, phash=2**64 - 1)]
    assert for_a_person(files) == {1: Reason.NEAR_DUPLICATE, 2: Reason.NEAR_DUPLICATE}


def test_a_conflict_weighs_more_than_a_near_duplicate() -> None:
    files = [_file(1, phash=0), _file(2, phash=1), _file(3, "garza", phash=3)]
    assert set(for_a_person(files).values()) == {Reason.LABEL_CONFLICT}
    assert set(for_a_person(files[::-1]).values()) == {Reason.LABEL_CONFLICT}


def test_what_a_person_kept_is_not_touched() -> None:
    files = [_unreadable(1), _file(2, width=10), _file(3, sha256="c" * 64), _file(4, sha256="c" * 64)]
    assert automatic(files, {(n, "loro") for n in (1, 2, 4)}) == {}
    assert set(automatic(files, {(n, "garza") for n in (1, 2, 4)})) == {1, 2, 4}
