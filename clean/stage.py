"""The stage: pictures -> pictures a person agrees with. Nothing is deleted: rejected files rest in .birds/rejected/."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import duplicates
from ..errors import ProjectError, WeightsError
from ..files import Project
from ..moves import image_path, reject
from ..progress import SILENT, Progress
from ..reconcile import inspect_stored, reconcile
from ..record import Author, PictureFile, Record, State
from ..record_review import Finding, Guess
from . import checks, findings


@dataclass(frozen=True)
class CleanResult:
    """Numbers of pictures: checked, rejected now and queued for a person by reason, reviewed, left in images/."""

    checked: int
    rejected: dict[str, int]
    queued: dict[str, int]
    reviewed: int
    accepted: int


def clean(
    project: Path,
    *,
    auto: bool = False,
    thresholds: Mapping[str, float] = checks.THRESHOLDS,
    weights: str | None = None,
    arch: str | None = None,
    accept_missing: bool = False,
    progress: Progress = SILENT,
) -> CleanResult:
    """Check every picture of ``images/``, queue what a person should look at, with `auto` reject what is beyond doubt.

    Parameters
    ----------
    auto : reject unreadable files, exact copies within a label and pictures under 64 pixels (undoable); without it
        they are queued like all other findings.
    thresholds : check -> score from 0 (never) to 1 below which a picture is queued; those not named are as they are in
        `checks.THRESHOLDS`.
    weights, arch : of the pretrained network that looks for wrong labels, see `labels.suspect_labels`. Without weights
        that is not done; what it found before stays.
    accept_missing : pictures that vanished from images/ were removed on purpose.

    Raises
    ------
    ProjectError : there is no images/, or no picture in it.
    WeightsError : a weights file that cannot be read or does not fit.
    """
    place = Project(Path(project))
    if not place.images.is_dir():
        raise ProjectError(
            f"There is no folder {place.images}.",
            "Run `birds scrape`, or put one folder of pictures for each class there.",
        )
    with place.locked("clean"), Record(place) as record:
        changes = reconcile(place, record, accept_missing=accept_missing)
        if str(changes):
            progress.note(f"By hand since last time: {changes}.")
        stored = inspect_stored(place, record, progress)
        if not record.files():
            raise ProjectError(
                f"{place.images} holds no pictures in folders of classes.", "Put them into images/<class>/, no deeper."
            )
        sure = checks.automatic(stored, record.accepted_by_a_person())
        rejected: Counter[str] = Counter()
        for file in stored:
            if file.id in sure and auto and reject(place, record, file, sure[file.id], Author.AUTO):
                rejected[sure[file.id]] += 1
        left = record.files(State.STORED)
        pairs = duplicates.near_duplicates(record, left)
        if weights and (guesses := _guesses(place, left, pairs, weights=weights, arch=arch, progress=progress)):
            with record.transaction():
                record.review.replace_guesses((f.id, f.label, guesses[f.id]) for f in left if f.id in guesses)
        found = findings.of_duplicates(left, pairs)
        found += findings.unseen(left, checks.poor_quality(left, record.looks.scores(), thresholds))
        found += findings.of_guesses(left, record.review.guesses())
        found += [Finding(id_, reason, 0.0) for id_, reason in sure.items() if not auto]
        with record.transaction():
            record.review.replace_findings(found)
        return CleanResult(
            checked=len(stored),
            rejected=dict(rejected),
            queued=dict(Counter(finding.reason for finding in record.review.findings())),
            reviewed=record.reviewed(),
            accepted=len(left),
        )


def _guesses(
    project: Project,
    files: Sequence[PictureFile],
    pairs: Sequence[duplicates.FilePair],
    *,
    weights: str,
    arch: str | None,
    progress: Progress,
) -> dict[int, Guess]:
    """What a classifier takes the files for, by id. Where ImageNet weights cannot be had, it says so and goes on."""
    from .labels import suspect_labels  # torch: not before it is needed

    bundle_of = {file.id: n for n, bundle in enumerate(duplicates.bundles(files, pairs)) for file in bundle}
    try:
        return suspect_labels(
            files,
            [image_path(project, file) for file in files],
            [bundle_of[file.id] for file in files],
            weights=weights,
            arch=arch,
            cache=project.cache / "features",
            progress=progress,
        )
    except WeightsError as error:
        if weights not in ("imagenet", "imagenet-v1"):
            hint = "Give a file of torchvision's parameter names with its --arch, or leave --weights out."
            raise WeightsError(error.message, hint) from error
        progress.note(f"Wrong labels were not looked for. {error.message} Give a file of weights with --weights FILE.")
        return {}
