"""The folds of ``birds split --kfold K`` as projects of their own, so that their runs are not among the others.

A run of a fold was trained on pictures of ``dataset/val``: whoever opened it beside other runs would judge it by them.
"""

import json
import shutil
from pathlib import Path

from .. import files
from ..errors import ProjectError
from ..files import Project


def fold_projects(project: Project) -> list[Project]:
    """``.birds/transfer/fold-1`` and so on, each with a ``dataset/`` of hard links to one fold's train and val.

    One that is there of the same split stays, with its runs.

    Raises
    ------
    ProjectError : the split has no folds.
    """
    source = project.dataset / "folds"
    numbers = sorted(int(folder.name) for folder in source.glob("*") if folder.name.isdigit())
    if not numbers:
        raise ProjectError(f"There are no folds in {source}.", "Run `birds split --kfold 5` first.")
    split = json.loads((project.dataset / "split.json").read_text(encoding="utf-8"))
    return [_fold(project, source / str(number), split, f"fold {number} of {len(numbers)}") for number in numbers]


def _fold(project: Project, source: Path, split: dict[str, object], name: str) -> Project:
    fold = Project(project.hidden / "transfer" / f"fold-{source.name}")
    about = {key: split.get(key) for key in ("fingerprint", "origin", "seed", "ratio", "plain")}
    about["fingerprint"] = f"{split.get('fingerprint')}, {name}"
    document = fold.dataset / "split.json"
    if document.is_file() and json.loads(document.read_text(encoding="utf-8")) == about:
        return fold
    new = fold.root / "new-dataset"
    shutil.rmtree(new, ignore_errors=True)  # of one that was killed
    for path in source.glob("*/*/*"):
        target = new / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.link_or_copy(path, target)
    files.write_json(new / "split.json", about)
    files.swap_folder(new, fold.dataset, fold.root / "old-dataset")
    return fold
