"""What automatic checks find among the stored pictures of a project: pure, from the record's figures.

Three findings are sure enough to act on alone (``AUTOMATIC``): unreadable files, exact copies within a label, and a
shorter side under `images.MIN_SIDE` pixels. All others wait for a person.
"""

from collections.abc import Sequence

from .. import duplicates
from ..images import MIN_SIDE
from ..reasons import Reason
from ..record import PictureFile

Findings = dict[int, Reason]  # file id -> what is the matter


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
        elif content.width and content.height and min(content.width, content.height) < MIN_SIDE:
            found[file.id] = Reason.TOO_SMALL
    return found


def for_a_person(stored: Sequence[PictureFile]) -> Findings:
    """Files of near-duplicate pairs; where the pair stands under two labels, that is the finding."""
    found: Findings = {}
    for a, b in duplicates.near_duplicates(stored):
        for file in (a, b):
            if a.label != b.label:
                found[file.id] = Reason.LABEL_CONFLICT
            else:
                found.setdefault(file.id, Reason.NEAR_DUPLICATE)
    return found
