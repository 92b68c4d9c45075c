"""What waits for a person after the automatic checks, as the review page's queues show it: pure, values in and out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .. import duplicates
from ..duplicates import FilePair
from ..reasons import Reason
from ..record import Author, PictureFile
from ..record_review import Finding, Guess


def of_duplicates(files: Sequence[PictureFile], pairs: Sequence[FilePair]) -> list[Finding]:
    """Bundles of the same shot: `NEAR_DUPLICATE` within a label, `LABEL_CONFLICT` where it stands under several.

    The best copy of each label is proposed to keep. A bundle that a person has looked at, each of its files, is no
    finding any more.
    """
    likeness: dict[int, float] = defaultdict(float)
    for pair in pairs:
        for file in (pair.first, pair.second):
            likeness[file.id] = max(likeness[file.id], pair.similarity)
    found: list[Finding] = []
    for number, bundle in enumerate(duplicates.bundles(files, pairs)):
        if len(bundle) == 1 or all(file.author is Author.PERSON for file in bundle):
            continue
        labels = {file.label for file in bundle}
        for label in labels:
            copies = [file for file in bundle if file.label == label]
            best = duplicates.best_copy(copies)
            reasons = [Reason.NEAR_DUPLICATE] if len(copies) > 1 else []
            reasons += [Reason.LABEL_CONFLICT] if len(labels) > 1 else []
            found += [
                Finding(file.id, reason, 1 - likeness[file.id], number, is_best=file is best)
                for file in copies
                for reason in reasons
            ]
    return found


def of_guesses(files: Sequence[PictureFile], guesses: Mapping[int, Guess]) -> list[Finding]:
    """`SUSPECTED_LABEL` for the guesses that say so, the least fitting label first."""
    return [
        Finding(file.id, Reason.SUSPECTED_LABEL, guesses[file.id].label_quality)
        for file in files
        if file.id in guesses and guesses[file.id].is_suspected and file.author is not Author.PERSON
    ]


def unseen(files: Sequence[PictureFile], findings: Iterable[Finding]) -> list[Finding]:
    """Those about files that no person has decided about."""
    seen = {file.id for file in files if file.author is Author.PERSON}
    return [finding for finding in findings if finding.file not in seen]
