"""What stands in which queue, and that nothing of the test part follows from a classifier or a score."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from birds.clean.cards import cards
from birds.clean.queues import QUEUES, Listing, Stock, View
from birds.clean.session import Session
from birds.errors import UsageError
from birds.files import Project
from birds.fingerprints import Fingerprint
from birds.looks import Looks
from birds.moves import image_path
from birds.reasons import Reason
from birds.reconcile import reconcile
from birds.record import Author, Record
from birds.record_review import Finding, Guess

SUSPECTED, DARK, NEAR, CONFLICT = Reason.SUSPECTED_LABEL, Reason.DARK, Reason.NEAR_DUPLICATE, Reason.LABEL_CONFLICT


@pytest.fixture
def flock(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Twelve pictures, ids 1 to 12: 1-4 ``Águila``, 5-8 ``garza``, 9-12 ``loro``."""
    write_images(project.root, {"Águila": 4, "garza": 4, "loro": 4})
    with Record(project) as record:
        reconcile(project, record)
        ids = {f"{file.label}/{file.name}": file.id for file in record.files()}
        by_place = [ids[f"{label}/{i:03}.jpg"] for label in ("Águila", "garza", "loro") for i in range(4)]
        for new, old in enumerate(by_place, 101):
            record._db.execute("UPDATE files SET id = ? WHERE id = ?", (new, old))
        record._db.execute("UPDATE files SET id = id - 100")
    return project


def _find(project: Project, *findings: Finding) -> None:
    with Record(project) as record:
        record.review.replace_findings(findings)


def _guess(project: Project, **quality: float) -> None:
    """``_guess(p, f3=0.2)``: the label of file 3 fits by 0.2."""
    with Record(project) as record:
        label = {file.id: file.label for file in record.files()}
        guesses = {int(name[1:]): Guess("garza", 1 - one, one, is_suspected=True) for name, one in quality.items()}
        record.review.replace_guesses((file, label[file], guess) for file, guess in guesses.items())


def _score(project: Project, **score: float) -> None:
    """``_score(p, f3=0.2)``: file 3 is sharp by 0.2."""
    with Record(project) as record:
        pictures = {file.id: file.picture for file in record.files()}
        fingerprint = Fingerprint(hashes=bytes(8), gray=bytes(4))
        record.looks.remember((pictures[int(f[1:])], Looks({"sharp": one}, fingerprint)) for f, one in score.items())


def _split(project: Project, *test: int) -> None:
    with Record(project) as record:
        record.remember_split((one, "test" if one in test else "train") for one in range(1, 13))


def _listing(project: Project, queue: str = "all", **wishes: str) -> Listing:
    with Record(project) as record:
        view = View(queue, **wishes)
        return Stock(record, view).listing(view)


def _ids(project: Project, queue: str = "all", **wishes: str) -> list[int]:
    return _listing(project, queue, **wishes).ids


def _cards(project: Project, *ids: int) -> list[dict[str, Any]]:
    with Record(project) as record:
        return sorted(cards(record, ids), key=lambda card: ids.index(card["id"]))


def _counts(project: Project) -> dict[str, int]:
    with Record(project) as record:
        return dict(Stock(record).overview()["queues"])


# -- which pictures


def test_all_pictures_stand_in_the_order_of_classes_and_counted_names(flock: Project) -> None:
    assert _ids(flock) == list(range(1, 13))  # Águila before garza, accent and capital aside
    with Record(flock) as record:
        record.update_file(9, name="loro10.jpg")
        record.update_file(10, name="loro9.jpg")
    assert _ids(flock, label="loro", sort="name") == [11, 12, 10, 9]
    assert _ids(flock, label="loro", sort="-name") == [9, 10, 12, 11]


def test_suspected_labels_come_worst_first_and_leave_once_decided(flock: Project) -> None:
    _find(flock, Finding(3, SUSPECTED, 0.3), Finding(6, SUSPECTED, 0.1), Finding(9, SUSPECTED, 0.2))
    assert _ids(flock, "suspected") == [6, 9, 3]
    session = Session(flock)
    session.keep([6])
    session.move([9], "garza")
    session.reject([3])
    assert _ids(flock, "suspected") == []
    session.undo()
    assert _ids(flock, "suspected") == [3]


def test_poor_quality_is_every_other_finding(flock: Project) -> None:
    _find(
        flock, Finding(1, DARK, 0.3), Finding(2, Reason.TOO_SMALL, 0.1), Finding(1, Reason.BLURRED, 0.05),
        Finding(4, SUSPECTED, 0.0), Finding(5, NEAR, 0.0, 1), Finding(6, NEAR, 0.0, 1),
    )  # fmt: skip
    assert _ids(flock, "quality") == [1, 2]
    assert _ids(flock, "quality", reason="dark") == [1]


def test_duplicates_stand_together_the_best_first(flock: Project) -> None:
    _find(
        flock, Finding(1, NEAR, 0.1, 1), Finding(4, NEAR, 0.1, 1, is_best=True), Finding(4, Reason.EXACT_COPY, 0.0, 1),
        Finding(2, NEAR, 0.1, 2, is_best=True), Finding(3, NEAR, 0.1, 2), Finding(7, NEAR, 0.1, 2),
        Finding(8, CONFLICT, 0.0, 3), Finding(9, CONFLICT, 0.0, 3),
    )  # fmt: skip
    assert _listing(flock, "duplicates") == Listing([4, 1, 2, 3, 7], [2, 3])
    assert _listing(flock, "conflicts") == Listing([8, 9], [2])
    assert _listing(flock, "duplicates", label="garza") == Listing([2, 3, 7], [3])  # whole, of other classes too
    assert [card["isBest"] for card in _cards(flock, 4, 1, 2)] == [True, False, True]


def test_a_bundle_leaves_when_nothing_is_left_to_decide(flock: Project) -> None:
    _find(
        flock, Finding(1, NEAR, 0.1, 1, is_best=True), Finding(2, NEAR, 0.1, 1), Finding(3, NEAR, 0.1, 2),
        Finding(4, NEAR, 0.1, 2), Finding(8, CONFLICT, 0.0, 3), Finding(9, CONFLICT, 0.0, 3),
    )  # fmt: skip
    session = Session(flock)
    session.act("best", [1, 2])
    assert _ids(flock, "duplicates") == [3, 4]
    session.keep([3])
    assert _ids(flock, "duplicates") == [3, 4]
    session.keep([4])
    assert _ids(flock, "duplicates") == []
    assert _ids(flock, "conflicts") == [8, 9]
    session.move([9], "garza")
    assert _ids(flock, "conflicts") == []


def test_rejected_ones_stand_in_their_own_queue_too(flock: Project) -> None:
    Session(flock).reject([2, 5])
    assert _ids(flock, "rejected") == [2, 5]
    assert _ids(flock) == list(range(1, 13))


def test_filters_narrow_a_queue(flock: Project) -> None:
    session = Session(flock)
    session.reject([2, 5])
    session.keep([3])
    with Record(flock) as record:
        record._db.execute("UPDATE files SET source = 'gbif' WHERE id IN (3, 4)")
    assert _ids(flock, state="rejected") == [2, 5]
    assert _ids(flock, state="reviewed") == [2, 3, 5]
    assert _ids(flock, state="unreviewed", label="Águila") == [1, 4]
    assert _ids(flock, state="kept", source="gbif") == [3, 4]
    assert _ids(flock, reason="by_hand") == [2, 5]


@pytest.mark.parametrize("wishes", [{"queue": "x"}, {"state": "x"}, {"sort": "x"}, {"sort": "__class__"}])
def test_unknown_words_are_refused(flock: Project, wishes: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        _ids(flock, **wishes)


def test_pictures_are_sorted_by_size_date_guess_and_score(flock: Project) -> None:
    with Record(flock) as record:
        record._db.execute("UPDATE pictures SET width = 10, height = 1000 - id")
        record._db.execute("UPDATE files SET added_at = CASE id WHEN 4 THEN '2020' WHEN 2 THEN '2021' ELSE '2022' END")
        pictures = {file.picture: file.id for file in record.files()}
    by_size = [pictures[one] for one in sorted(pictures, reverse=True)]
    assert _ids(flock, sort="size") == by_size
    assert _ids(flock, sort="-size") == by_size[::-1]
    assert _ids(flock, sort="added") == [4, 2, 1, 3, *range(5, 13)]
    _guess(flock, f3=0.2, f7=0.1, f9=0.9)
    assert _ids(flock, sort="label_quality")[:3] == [7, 3, 9]
    assert _ids(flock, sort="-confidence")[:3] == [7, 3, 9]
    _score(flock, f5=0.5, f6=0.1)
    assert _ids(flock, sort="score:sharp")[:2] == [6, 5]
    assert _ids(flock, sort="-score:sharp")[:2] == [5, 6]


def test_what_was_guessed_under_another_label_is_not_shown(flock: Project) -> None:
    _guess(flock, f9=0.1)
    assert _cards(flock, 9)[0]["predicted"] == "garza"
    Session(flock).move([9], "garza")
    assert _cards(flock, 9)[0]["predicted"] == ""


# -- the test part


def test_the_test_part_comes_in_an_order_that_says_nothing_and_stays(flock: Project) -> None:
    _split(flock, *range(1, 11))
    _score(flock, **{f"f{one}": one / 20 for one in range(1, 13)})
    order = _ids(flock, "test")
    assert sorted(order) == list(range(1, 11))
    assert order not in (sorted(order), sorted(order, reverse=True))
    assert _ids(flock, "test", sort="score:sharp") == order
    with Record(flock) as record:
        file = record.file(order[0])
        assert file
        image_path(flock, file).rename(flock.images / file.label / "zzz.jpg")
        record.update_file(file.id, name="zzz.jpg")
    Session(flock).reject(order[:1])
    assert _ids(flock, "test") == order


def test_a_test_picture_is_no_suspect(flock: Project) -> None:
    _split(flock, 3)
    _find(flock, Finding(3, SUSPECTED, 0.0), Finding(4, SUSPECTED, 0.5))
    assert _ids(flock, "suspected") == [4]
    assert _ids(flock, reason="suspected_label") == [4]
    assert _counts(flock)["suspected"] == 1


def test_no_queue_and_no_card_tells_a_guess_or_a_score_of_a_test_picture(flock: Project) -> None:
    """Whatever the classifier and the checks say of test pictures, the page shows the same."""
    _split(flock, 1, 2, 5, 6, 9)
    sorts = ("", "name", "-added", "size", "label_quality", "-confidence", "score:sharp", "-score:sharp")

    def seen(high: float, low: float) -> Any:
        _guess(flock, f1=high, f2=low, f3=0.5, f5=high, f6=low, f7=0.4)
        _score(flock, f1=high, f2=low, f3=0.5, f5=high, f6=low, f7=0.4)
        _find(
            flock, Finding(1, DARK, high), Finding(2, DARK, low), Finding(3, DARK, 0.5), Finding(5, SUSPECTED, high),
            Finding(6, SUSPECTED, low), Finding(5, NEAR, high, 1), Finding(6, NEAR, high, 1),
            Finding(7, NEAR, low, 2), Finding(2, NEAR, low, 2),
        )  # fmt: skip
        lists = {(queue, sort): _ids(flock, queue, sort=sort) for queue in QUEUES for sort in sorts}
        return lists, _cards(flock, 1, 2, 5, 6, 9), _counts(flock)

    one, other = seen(0.9, 0.1), seen(0.1, 0.9)
    assert one == other
    for card in one[1]:
        assert (card["predicted"], card["confidence"], card["labelQuality"], card["scores"]) == ("", None, None, {})
        assert [reason["score"] for reason in card["reasons"]] == [None] * len(card["reasons"])
    (train,) = _cards(flock, 3)
    assert (train["predicted"], train["scores"], train["reasons"][0]["score"]) == ("garza", {"sharp": 0.5}, 0.5)


# -- in numbers


def test_the_overview_counts_classes_and_queues(flock: Project) -> None:
    session = Session(flock)
    session.reject([2])
    session.keep([3])
    with Record(flock) as record:
        (file,) = [file for file in record.files() if file.id == 4]
        record.decide(file, "reject", Reason.TOO_SMALL, Author.AUTO)
    _find(flock, Finding(5, DARK, 0.3), Finding(6, SUSPECTED, 0.1), Finding(8, NEAR, 0, 3), Finding(9, NEAR, 0, 3))
    _split(flock, 10, 11)
    with Record(flock) as record:
        overview = Stock(record).overview()
    first = overview["classes"][0]
    assert {name: first[name] for name in ("label", "kept", "rejected", "reviewed", "waiting")} == {
        "label": "Águila", "kept": 2, "rejected": 2, "reviewed": 2, "waiting": 1,
    }  # fmt: skip
    assert [one["label"] for one in overview["classes"]] == ["Águila", "garza", "loro"]
    assert overview["queues"] == {
        "all": 12, "suspected": 1, "duplicates": 2, "conflicts": 0, "quality": 1, "test": 2, "rejected": 2,
    }  # fmt: skip
    assert overview["reasons"] == ["dark", "near_duplicate", "suspected_label"]


def test_a_card_says_what_became_of_a_picture(flock: Project) -> None:
    session = Session(flock)
    session.reject([1])
    session.keep([2])
    with Record(flock) as record:
        record.decide(record.files(label="loro")[0], "reject", Reason.TOO_SMALL, Author.AUTO)
    assert [card["verdict"] for card in _cards(flock, 1, 2, 3, 9)] == [
        "rejected · by hand", "reviewed", "", "rejected · too small (automatic)",
    ]  # fmt: skip
