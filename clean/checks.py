"""What automatic checks find among the stored pictures of a project: pure, from the record's figures.

Three findings are sure enough to act on alone (`automatic`): unreadable files, exact copies within a label, and a
shorter side under `images.MIN_SIDE` pixels. All others wait for a person; of these, `poor_quality` finds what has a
score of `quality.scores` under the check's threshold. Pictures of imported datasets are not too small: 28 pixels a side
are what the makers of MNIST chose.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from ..errors import UsageError
from ..images import MIN_SIDE
from ..reasons import Reason
from ..record import PictureFile
from ..record_review import Finding

Findings = dict[int, Reason]  # file id -> what is the matter

# Set by eye on 1,209 scraped pictures and on made ones: docs/cleaning.md has what they find and what they miss.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {
        Reason.TOO_SMALL.value: 0.1,  # MIN_SIDE
        Reason.ODD_ASPECT.value: 0.35,
        Reason.BLANK.value: 0.05,
        Reason.DARK.value: 0.37,
        Reason.OVER_EXPOSED.value: 0.57,
        Reason.BLURRED.value: 0.22,
        Reason.NOT_A_PHOTOGRAPH.value: 0.17,
    }
)


def automatic(stored: Sequence[PictureFile], kept: set[tuple[int, str]]) -> Findings:
    """Files that can go without asking. `kept` are (picture, label) pairs that a person looked at and kept.

    Of exact copies the one that came first into the record stays.
    """
    found: Findings = {}
    first: dict[tuple[str, str], int] = {}
    for file in sorted(stored, key=lambda file: file.id):
        copies = (file.sha256, file.label)  # as stored: what was re-encoded has another original than its copy
        first.setdefault(copies, file.id)
        content = file.content
        if (file.picture, file.label) in kept:
            continue
        if content.unreadable:
            found[file.id] = Reason.UNREADABLE
        elif first[copies] != file.id:
            found[file.id] = Reason.EXACT_COPY
        elif _is_too_small(file):
            found[file.id] = Reason.TOO_SMALL
    return found


def _is_too_small(file: PictureFile) -> bool:
    """Whether the shorter side is under `MIN_SIDE` pixels, unless the picture came with a dataset."""
    width, height = file.content.width, file.content.height
    return bool(width and height and min(width, height) < MIN_SIDE and not file.provenance.is_imported)


def poor_quality(
    files: Sequence[PictureFile],
    scores: Mapping[int, Mapping[str, float]],
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> list[Finding]:
    """Files with a score under its threshold: a finding for each such check, in the order of `files`.

    Parameters
    ----------
    scores : by picture id, then by check, as the record has them; a picture that could not be decoded has none.
    thresholds : by check, 0 (finds nothing) to 1; those not named are as in `THRESHOLDS`.
    """
    limits = {**THRESHOLDS, **thresholds}
    return [
        Finding(file.id, Reason(check), score)
        for file in files
        for check, score in scores.get(file.picture, {}).items()
        if score < limits[check] and not (check == Reason.TOO_SMALL and file.provenance.is_imported)
    ]


def parse_thresholds(texts: Iterable[str]) -> dict[str, float]:
    """Thresholds by check from texts like ``blurred=0.2``; of two for one check the later counts.

    Raises
    ------
    UsageError : the check is unknown, or the threshold is no number from 0 to 1.
    """
    thresholds = {}
    for text in texts:
        check, _, number = (part.strip() for part in text.partition("="))
        if check not in THRESHOLDS:
            raise UsageError(f"There is no check {check!r}.", f"The checks are {', '.join(THRESHOLDS)}.")
        try:
            threshold = float(number)
        except ValueError:
            threshold = -1.0
        if not 0 <= threshold <= 1:
            raise UsageError(
                f"The threshold of {check} cannot be {number!r}.",
                f"It is a number from 0, which finds nothing, to 1. Example: {check}={THRESHOLDS[check]:g}",
            )
        thresholds[check] = threshold
    return thresholds
