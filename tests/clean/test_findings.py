"""What waits for a person: bundles of duplicates, conflicts of labels, suspected labels."""

from dataclasses import replace

from birds.clean.findings import of_duplicates, of_guesses, unseen
from birds.duplicates import FilePair
from birds.images import Content
from birds.reasons import Reason
from birds.record import Author, PictureFile, Provenance, State
from birds.record_review import Finding, Guess


def _file(file_id: int, label: str = "loro", *, side: int = 100, author: Author | None = None) -> PictureFile:
    return PictureFile(
        id=file_id, label=label, name=f"{file_id}.jpg", state=State.STORED, sha256=f"{file_id:064x}", picture=file_id,
        mtime_ns=1, added_at="", provenance=Provenance("local"),
        content=Content(f"{file_id:064x}", 1000, "JPEG", side, side), reason=None, author=author,
    )  # fmt: skip


def _by_file(findings: list[Finding]) -> dict[int, set[Reason]]:
    return {file: {f.reason for f in findings if f.file == file} for file in {f.file for f in findings}}


def test_copies_are_one_bundle_with_the_largest_proposed_to_keep() -> None:
    files = [_file(1), _file(2, side=300), _file(3), _file(4)]
    found = of_duplicates(files, [FilePair(files[0], files[1], 2, 0.9), FilePair(files[1], files[2], 4, 0.8)])
    assert _by_file(found) == {n: {Reason.NEAR_DUPLICATE} for n in (1, 2, 3)}
    assert len({finding.bundle for finding in found}) == 1
    assert [finding.file for finding in found if finding.is_best] == [2]
    assert {f.file: round(f.score, 3) for f in found} == {1: 0.1, 2: 0.1, 3: 0.2}, "the surest come first"


def test_one_shot_under_two_labels_is_a_conflict_and_each_label_has_its_best() -> None:
    files = [_file(1), _file(2, side=300), _file(3, "garza")]
    found = of_duplicates(files, [FilePair(files[0], files[1], 0, 1.0), FilePair(files[1], files[2], 0, 1.0)])
    both = {Reason.NEAR_DUPLICATE, Reason.LABEL_CONFLICT}
    assert _by_file(found) == {1: both, 2: both, 3: {Reason.LABEL_CONFLICT}}
    assert {finding.file for finding in found if finding.is_best} == {2, 3}


def test_a_bundle_waits_until_all_of_it_was_looked_at() -> None:
    files = [_file(1, author=Author.PERSON), _file(2)]
    assert _by_file(of_duplicates(files, [FilePair(*files, 0, 1.0)])).keys() == {1, 2}
    files[1] = replace(files[1], author=Author.PERSON)
    assert of_duplicates(files, [FilePair(*files, 0, 1.0)]) == []


def test_what_a_person_decided_about_is_not_queued_again() -> None:
    files = [_file(1, author=Author.PERSON), _file(2), _file(3, author=Author.AUTO)]
    findings = [Finding(n, Reason.DARK, 0.1) for n in (1, 2, 3)]
    assert [finding.file for finding in unseen(files, findings)] == [2, 3]
    guesses = {n: Guess("garza", 0.9, 0.05, is_suspected=n != 3) for n in (1, 2, 3)}
    assert of_guesses(files, guesses) == [Finding(2, Reason.SUSPECTED_LABEL, 0.05)]
