"""What an evaluation leaves on disk: tables and charts, the result as JSON, and the page."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import files
from ..drawing import DARK, LIGHT, as_png
from ..models.charts import map_chart
from ..models.statistics import confusion_matrix
from ..progress import Progress
from ..tables import as_csv
from . import explain
from .charts import charts
from .comparison import ComparisonResult
from .judging import Judged
from .measuring import top_losses
from .origins import Origin
from .outdated import RESULT
from .page import Pictures, page
from .results import EvaluateResult
from .subject import Subject
from .tables import points_table, tables

if TYPE_CHECKING:
    from ..models.architectures import Classifier


@dataclass(frozen=True)
class Found:
    """A result, the pictures it is of, and where each came from."""

    result: EvaluateResult
    judged: Judged
    origins: Sequence[Origin | None]


def write(subject: Subject, found: Found, folder: Path) -> EvaluateResult:
    """Write tables and charts into `folder`; the result with their paths."""
    contents = _tables_and_charts(subject, found)
    return _written(found.result, folder, contents)


def write_with_page(
    subject: Subject,
    found: Found,
    folder: Path,
    page_path: Path,
    *,
    network: "Classifier | None",
    others: Mapping[str, EvaluateResult],
    progress: Progress,
) -> EvaluateResult:
    """The same, with a map of the features and the worst mistakes, and the page `page_path` of it all.

    Parameters
    ----------
    network : without it there is no map, and nothing that shows where it looked.
    others : results of other phases.
    """
    result, judged = found.result, found.judged
    manifest = subject.opened.manifest
    labels = manifest.labels
    contents = _tables_and_charts(subject, found)
    dark = charts(result, _matrix(found, labels), DARK)
    light = {name.removesuffix(".png"): data for name, data in contents.items() if name.endswith(".png")}
    progress.note("Making the page.")
    shown = explain.mistakes(network, manifest.preprocess, labels, result.top_losses, progress)
    for number, one in enumerate(shown, start=1):
        contents[f"mistakes/{number:02}.jpg"] = one.picture
        if one.heat:
            contents[f"mistakes/{number:02}-seen.jpg"] = one.heat
    if network is not None:
        chosen, points = explain.feature_map(network, manifest.preprocess, list(judged.files), progress)
        if len(points):
            some = judged.where(chosen)
            light["map"], dark["map"] = (
                as_png(map_chart(points, some.truth, some.is_right, labels, theme)) for theme in (LIGHT, DARK)
            )
            contents["map.png"] = light["map"]
            contents["map.csv"] = points_table(some.files, (labels[i] for i in some.truth), points)
    written = _written(result, folder, contents)
    written = replace(written, report=str(page_path))
    text = page(written, manifest, Pictures(light, dark, shown), others, _matrix(found, labels))
    files.write_bytes(page_path, text.encode())
    files.write_json(folder / RESULT, asdict(written))
    return written


def _matrix(found: Found, labels: Sequence[str]) -> np.ndarray:
    return confusion_matrix(found.judged.truth, found.judged.predicted, len(labels))


def _tables_and_charts(subject: Subject, found: Found) -> dict[str, bytes]:
    labels = subject.opened.labels
    matrix = _matrix(found, labels)
    contents = tables(found.result, matrix, top_losses(found.judged, labels, found.origins))
    return contents | {f"{name}.png": data for name, data in charts(found.result, matrix, LIGHT).items()}


def _written(result: EvaluateResult, folder: Path, contents: Mapping[str, bytes]) -> EvaluateResult:
    shutil.rmtree(folder / "mistakes", ignore_errors=True)  # of another evaluation, like what only a page comes with
    for name in ("map.png", "map.csv"):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    paths = {name: str(folder / name) for name in contents}
    written = replace(result, files=paths, confusion_matrix=paths["confusion.png"])
    files.write_json(folder / RESULT, asdict(written))
    return written


def write_comparison(subject: Subject, result: ComparisonResult) -> ComparisonResult:
    """``runs/comparisons/FIRST-SECOND.csv``: the pictures that one of the two gets right alone."""
    names = [Path(side.model).stem or side.model for side in (result.first, result.second)]
    path = subject.project.runs / "comparisons" / f"{names[0]}-{names[1]}.csv"
    rows = [(side.model, file) for side in (result.first, result.second) for file in side.only_right]
    files.write_bytes(path, as_csv(("only_right", "file"), rows).encode("utf-8-sig"))
    return replace(result, csv=str(path))
