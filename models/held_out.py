"""The held-out test set, as it was split and as a person corrected it since.

Throwing out test pictures after a model was seen makes its figures better, whatever the reason. So the record keeps
which decisions on test pictures were made after a run was finished, and evaluation gives both figures.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError, ProjectError
from ..files import Project, sha256_of
from ..moves import current_path
from ..record import DecisionAfterRun, Record, State
from .labelled_files import label_of, picture_files
from .runs import Run, find_run

Labelled = list[tuple[Path, str]]  # a picture file and its label


@dataclass(frozen=True)
class HeldOut:
    """Test pictures with their labels.

    Attributes
    ----------
    as_split : whatever was decided about them after a run was finished.
    corrected : with those decisions; None where they change nothing.
    """

    as_split: Labelled
    corrected: Labelled | None = None


def labelled(folder: Path) -> Labelled:
    """Every picture file of ``folder/<label>/``. Raises ProjectError where there is no such folder."""
    if not folder.is_dir():
        raise ProjectError(
            f"There is no folder {folder}.", "Run `birds split`, with a test part (70/15/15), or name --data FOLDER."
        )
    return [(path, label_of(path)) for path in picture_files(folder)]


def split_origin(project: Project) -> str | None:
    """What identifies the split in ``dataset/``, whatever was added to it since; None where `birds split` made none."""
    try:
        document = json.loads((project.dataset / "split.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    origin = document.get("origin") if isinstance(document, dict) else None
    return origin if isinstance(origin, str) else None


def refuse_another_split(project: Project, run: Run | None, *, takes_data: bool = True) -> None:
    """Raise ProjectError where `run` was trained on another split: today's test pictures may be its training ones.

    Parameters
    ----------
    takes_data : whether the command has ``--data`` as a way out.
    """
    ours, theirs = split_origin(project), run.split_origin if run else None
    if run and ours and theirs and ours != theirs:
        raise ProjectError(
            f"{run.name} was trained on another split than that in {project.dataset}, whose test pictures it may know.",
            "Train again with `birds train`"
            + (", or name a folder of pictures that it never saw with --data." if takes_data else "."),
        )


def _is_of_this_split(project: Project, run_name: str, origin: str | None) -> bool:
    try:
        return find_run(project, run_name).split_origin in (None, origin)
    except ModelError:  # the run is gone, and nobody knows
        return True


def held_out(project: Project) -> HeldOut:
    """The test set of `project`: what lies in ``dataset/test``, and what was taken out of it since it was judged."""
    on_disk = labelled(project.dataset / "test")
    if not project.record.is_file():
        return HeldOut(on_disk)
    origin = split_origin(project)
    with Record(project) as record:
        decisions = [d for d in record.decisions_after_runs() if _is_of_this_split(project, d.after_run, origin)]
    if not decisions:
        return HeldOut(on_disk)
    first: dict[int, DecisionAfterRun] = {}  # says what it was before anything was decided
    for decision in decisions:
        first.setdefault(decision.file.id, decision)
    untouched = {(sha256_of(path), label): path for path, label in on_disk}
    as_split, corrected = {}, {}
    for decision in first.values():
        file = decision.file
        path = untouched.pop((file.sha256, decision.label), None) or untouched.pop((file.sha256, file.label), None)
        path = path or current_path(project, file)
        if not path.is_file():
            continue
        if not decision.was_rejected:
            as_split[file.sha256, decision.label] = path
        if file.state is State.STORED:
            corrected[file.sha256, file.label] = path
    if as_split.keys() == corrected.keys():
        return HeldOut(on_disk)
    return HeldOut(
        *(sorted((path, label) for (_, label), path in (untouched | one).items()) for one in (as_split, corrected))
    )
