"""The page of a run: the one that is there, or a new one where the bundle or the test set is another since."""

from pathlib import Path

from ..errors import ModelError
from ..files import Project
from ..models.runs import find_run
from ..progress import SILENT, Progress
from .outdated import is_current


def current_page(project: Path, run: str | None = None, *, progress: Progress = SILENT) -> Path:
    """The path of the report of a run (default: the newest finished one), made where it is not there or outdated.

    Raises
    ------
    ModelError : there is no such run, or it is not exported.
    """
    place = Project(Path(project))
    chosen = find_run(place, run)
    page = chosen.folder / "report.html"
    if page.is_file() and is_current(place, chosen):
        progress.note("The page is up to date.")
        return page
    from .stage import evaluate

    result = evaluate(place.root, chosen.name, report=True, progress=progress)
    if result.report is None:
        raise ModelError(f"The report of {chosen.name} could not be made.", "Run `birds evaluate`.")
    return Path(result.report)
