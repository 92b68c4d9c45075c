"""A finished run -> ``runs/NAME/bundle/``."""

import json
import pickle
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import files
from ..errors import ModelError
from ..files import Project
from ..models.bundle import EXPORT, load_export, open_run, probabilities, without_pickle_warning
from ..models.runs import Run, find_run
from ..models.transforms import picture_files
from ..progress import SILENT, Progress

PARITY_TOLERANCE = 1e-4
_PARITY_PICTURES = 32


@dataclass(frozen=True)
class ExportResult:
    """The bundle's folder, the SHA-256 of each file in it, and the parity check.

    ``parity`` is the largest difference of a probability between the run's learner and the reopened file, on up to 32
    validation pictures; None where the dataset is gone.
    """

    bundle: str
    files: dict[str, str]
    parity: float | None


def export(
    project: Path, run: str | None = None, *, only_if_changed: bool = False, progress: Progress = SILENT
) -> ExportResult:
    """Export the best weights of a finished run (default: the newest) as ``bundle/export.pkl``.

    Parameters
    ----------
    only_if_changed : keep a bundle that this run was exported to and nobody touched.

    Raises
    ------
    ModelError : no such run, or the exported file does not predict what the run's learner does.
    """
    place = Project(Path(project))
    chosen = find_run(place, run)
    if only_if_changed and (done := _current_export(chosen)):
        progress.note("The export is up to date.")
        return done
    learner = open_run(chosen)
    progress.note(f"Exporting {chosen.name}.")
    new = Path(chosen.folder / ".bundle-new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    with files.replacing(new / EXPORT) as temporary, without_pickle_warning():
        learner.path = temporary.parent
        learner.export(temporary.name, pickle_module=pickle)
    pictures = picture_files(place.dataset / "val")[:_PARITY_PICTURES]
    parity = None
    if pictures:
        difference = probabilities(learner, pictures) - probabilities(load_export(new / EXPORT), pictures)
        parity = float(difference.abs().max())
        if not parity <= PARITY_TOLERANCE:  # also true for NaN
            raise ModelError(f"The exported model's probabilities are off by {parity:.2g}.", "Please report it.")
    files.swap_folder(new, chosen.bundle, chosen.folder / ".bundle-old")
    result = ExportResult(str(chosen.bundle), _digests(chosen.bundle), parity)
    files.write_json(chosen.folder / "export.json", asdict(result))
    return result


def _digests(bundle: Path) -> dict[str, str]:
    return {path.name: files.sha256_of(path) for path in sorted(bundle.iterdir())}


def _current_export(run: Run) -> ExportResult | None:
    record = run.folder / "export.json"
    if not record.is_file() or not run.bundle.is_dir():
        return None
    values = json.loads(record.read_text(encoding="utf-8"))
    return ExportResult(**values) if values["files"] == _digests(run.bundle) else None
