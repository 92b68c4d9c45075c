"""How good the exported model is, on pictures it never saw.

What was exported is judged, by the engine that predicts with it: never features kept from training, never the run's
checkpoints (but for the network after phase 1, which is not exported).
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError, ProjectError, UsageError
from ..models.held_out import Labelled
from ..models.statistics import MIN_FOR_INTERVAL
from ..progress import SILENT, Progress
from . import comparison
from .comparison import ComparisonResult
from .judging import Judge, Judged, judge, printable
from .measuring import measured
from .origins import origins
from .outdated import remember
from .overlap import groups_and_overlap
from .results import FINAL, HEAD, EvaluateResult, Overlap
from .subject import NetworkJudge, Subject, head_network, open_judge, open_subject
from .writing import Found, write, write_comparison, write_with_page

if TYPE_CHECKING:
    from ..models.architectures import Classifier

__all__ = ["EvaluateResult", "compare_models", "evaluate"]

PHASES = (HEAD, FINAL, "both")


def evaluate(
    project: Path,
    model: str | Path | None = None,
    *,
    data: Path | None = None,
    phase: str = FINAL,
    exported: str | None = None,
    trust: bool = False,
    report: bool = False,
    progress: Progress = SILENT,
) -> EvaluateResult:
    """Evaluate an exported model on the held-out test set, or on another folder of labelled folders.

    Tables and charts are written to ``runs/NAME/evaluation/`` (of a model without a run to ``evaluations/NAME/``).

    Parameters
    ----------
    model : a bundle, a run's name or folder, or one exported file; default the newest finished run.
    data : a folder with one folder of pictures for each label; default ``dataset/test``.
    phase : ``final`` (what was exported), ``head`` (the same network after phase 1), or ``both``.
    exported : ``onnx``, ``safetensors`` or ``fastai``: which of the bundle's files to judge. Default the first there.
    trust : open an export.pkl from elsewhere, which can run any code.
    report : make the page ``report.html`` as well, with what needs the network itself.

    Raises
    ------
    ModelError, UsageError, ProjectError
    """
    if phase not in PHASES:
        raise UsageError(f"There is no phase {phase!r}.", f"Choose from {', '.join(PHASES)}.")
    subject = open_subject(project, model, data=data, exported=exported, trust=trust, progress=progress)
    heads = head_network(subject.opened.run) if phase != FINAL else None
    progress.note(f"Evaluating {subject.opened.path} on {subject.folder}.")
    found: dict[str, EvaluateResult] = {}
    if heads is not None:
        judged = NetworkJudge(heads, subject.opened.manifest.preprocess)
        found[HEAD] = _evaluated(subject, judged, HEAD, others={}, report=report and phase == HEAD, progress=progress)
    if phase != HEAD:
        found[FINAL] = _evaluated(
            subject, open_judge(subject.opened), FINAL, others=found, report=report, progress=progress
        )
    result = found.get(FINAL) or found[HEAD]
    return replace(result, phases=found) if phase == "both" else result


def _evaluated(
    subject: Subject, engine: Judge, phase: str, *, others: dict[str, EvaluateResult], report: bool, progress: Progress
) -> EvaluateResult:
    """Judge, measure and write: everything about one network.

    Parameters
    ----------
    others : results of other phases, for the page.
    """
    manifest, listing = subject.opened.manifest, subject.listing
    listed = list(dict.fromkeys([*listing.as_split, *(listing.corrected or ())]))
    judged, skipped = judge(engine, manifest.preprocess, manifest.labels, listed, progress)
    outputs = subject.outputs if phase == FINAL else subject.outputs / phase
    corrected = None
    if listing.corrected is not None:
        corrected = write(
            subject,
            _measured(subject, engine, phase, judged=judged, skipped=skipped, listing=listing.corrected),
            outputs / "corrected",
        )
    found = _measured(subject, engine, phase, judged=judged, skipped=skipped, listing=listing.as_split)
    found = replace(found, result=replace(found.result, corrected=corrected))
    if not report:
        return write(subject, found, outputs)
    page = subject.page if phase == FINAL else outputs / "report.html"
    written = write_with_page(
        subject, found, outputs, page, network=_network(subject, engine), others=others, progress=progress
    )
    if subject.opened.run is not None and page == subject.opened.run.folder / "report.html":
        remember(subject.project, subject.opened.run)
    return written


def _measured(
    subject: Subject, engine: Judge, phase: str, *, judged: Judged, skipped: dict[str, str], listing: Labelled
) -> Found:
    """The figures on the pictures of `listing`."""
    manifest = subject.opened.manifest
    wanted = {(str(path), label) for path, label in listing}
    names = {printable(path) for path, _ in listing}
    labels = [manifest.labels[index] for index in judged.truth]
    chosen = judged.where(np.array([pair in wanted for pair in zip(judged.files, labels, strict=True)], dtype=bool))
    if not len(chosen):
        raise ProjectError(f"No picture of {subject.folder} could be judged.", "Look at what was said of each.")
    groups, overlap = groups_and_overlap(subject.project, chosen, subject.training, subject.not_compared)
    sources = origins(subject.project, chosen)
    result = measured(
        chosen,
        manifest.labels,
        groups=groups,
        origins=sources,
        temperature=manifest.temperature if phase == FINAL else 1.0,
        threshold=manifest.abstain_threshold,
        skipped={file: reason for file, reason in skipped.items() if file in names},
        overlap=overlap,
        model=str(subject.opened.path),
        engine=engine.name,
        phase=phase,
        data=str(subject.folder),
        warnings=[*subject.warnings, *_warnings(overlap, len(chosen))],
    )
    return Found(result, chosen, sources)


def _warnings(overlap: Overlap, n: int) -> list[str]:
    found = []
    if overlap.exact or overlap.near:
        both = " and ".join(
            f"{len(some)} {kind}{'copy' if len(some) == 1 else 'copies'}"
            for some, kind in ((overlap.exact, ""), (overlap.near, "near "))
            if some
        )
        found.append(
            f"Of the {n} pictures the model has learnt from {both}: the figures promise too much. `birds split "
            "--fresh` and a new run keep copies apart."
        )
    if n < MIN_FOR_INTERVAL:
        found.append(f"{n} pictures are too few to tell how far to trust these figures; no interval is given below 20.")
    return found


def _network(subject: Subject, engine: Judge) -> "Classifier | None":
    """The network itself, for what an engine can't show; None where only another form of it is there."""
    if isinstance(engine, NetworkJudge):
        return engine.network
    from ..models.network import load_network

    try:
        return load_network(subject.opened)
    except ModelError:
        return None


def compare_models(
    project: Path,
    first: str | Path,
    second: str | Path,
    *,
    data: Path | None = None,
    exported: str | None = None,
    trust: bool = False,
    progress: Progress = SILENT,
) -> ComparisonResult:
    """Judge two models on the same pictures and test whether one is better; parameters as of `evaluate`.

    Pictures whose label only one of them has are left out.
    """
    subjects = [
        open_subject(project, model, data=data, exported=exported, trust=trust, progress=progress)
        for model in (first, second)
    ]
    shared = set(subjects[0].opened.labels) & set(subjects[1].opened.labels)
    listed = [(path, label) for path, label in subjects[0].listing.as_split if label in shared]
    if not listed:
        raise ProjectError("The two models have no class in common that has pictures here.", "Name other ones.")
    sides, judged = [], []
    for name, subject in zip((first, second), subjects, strict=True):
        manifest = subject.opened.manifest
        one, _ = judge(open_judge(subject.opened), manifest.preprocess, manifest.labels, listed, progress)
        sides.append((str(name), one.is_right, one.losses))
        judged.append(one)
    groups, _ = groups_and_overlap(subjects[0].project, judged[0], None)
    result = comparison.compared([str(file) for file in judged[0].files], sides[0], sides[1], groups)
    warnings = list(dict.fromkeys(warning for subject in subjects for warning in subject.warnings))
    return write_comparison(subjects[0], replace(result, data=str(subjects[0].folder), warnings=warnings))
