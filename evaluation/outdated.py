"""What a page was made from, so that `birds report` and `birds run` know whether it still tells the truth."""

import json
from typing import Any

from .. import files
from ..files import Project
from ..models import manifest as manifests
from ..models.runs import Run
from ..record import Record

_MADE_FROM = "evaluation/page.json"
RESULT = "evaluation.json"


def remember(project: Project, run: Run) -> None:
    """Write down what the page of `run`, written just now, was made from."""
    files.write_json(run.folder / _MADE_FROM, _made_from(project, run))


def is_current(project: Project, run: Run) -> bool:
    """Whether bundle, split and a person's decisions are what the page of `run` was made from."""
    try:
        known = json.loads((run.folder / _MADE_FROM).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(known == _made_from(project, run))


def current_evaluation(project: Project, run: Run) -> dict[str, Any] | None:
    """The last evaluation of `run`, as its JSON has it; None where there is none with a page, or something changed."""
    if not (run.folder / "report.html").is_file() or not is_current(project, run):
        return None
    try:
        found: dict[str, Any] = json.loads((run.folder / "evaluation" / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("report") else None  # a later evaluation without a page is another


def _made_from(project: Project, run: Run) -> dict[str, Any]:
    paths = {"model": run.bundle / manifests.NAME, "split": project.dataset / "split.json"}
    found: dict[str, Any] = {name: files.sha256_of(path) if path.is_file() else None for name, path in paths.items()}
    if project.record.is_file():
        with Record(project) as record:
            found |= {"reviewed": record.reviewed(), "decisions": len(record.decisions_after_runs())}
    return found
