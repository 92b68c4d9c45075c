"""What an explanation leaves on disk: charts, tables, the page, and the result as JSON."""

from dataclasses import asdict, replace
from pathlib import Path

from .. import files
from ..drawing import DARK, LIGHT, Theme, as_png
from ..models.charts import confusion_chart, map_chart, recall_chart
from ..models.curves import curves_chart
from .filters import filters_chart
from .found import Found, file_name
from .page import page
from .results import ExplainResult
from .tables import tables
from .words import silhouette

RESULT, PAGE = "explanation.json", "index.html"


def write(found: Found, folder: Path) -> ExplainResult:
    """Write everything into `folder`; the result with the paths."""
    light, dark = (_charts(found, theme) for theme in (LIGHT, DARK))
    contents = {f"{name}.png": data for name, data in light.items()} | tables(found)
    contents[PAGE] = page(found.result, found.matrix, light, dark).encode()
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    for path in folder.glob("map-*"):  # of layers that were asked for another time
        if path.name not in contents:
            path.unlink()
    paths = {name: str(folder / name) for name in contents}
    written = replace(found.result, files=paths, page=paths[PAGE])
    files.write_json(folder / RESULT, asdict(written))
    return written


def _charts(found: Found, theme: Theme) -> dict[str, bytes]:
    """PNGs by the names they have in the folder, without ``.png``."""
    result, seen = found.result, found.seen
    figures = {
        "confusion": confusion_chart(found.matrix, found.labels, theme),
        "classes": recall_chart(result.per_class, result.accuracy, theme),
    }
    if found.history:
        figures["curves"] = curves_chart(found.history, theme)
    if found.filters is not None:
        figures["filters"] = filters_chart(found.filters, theme)
    for one in result.layers:
        if laid := found.maps.get(one.asked):
            title = one.layer if one.silhouette is None else f"{one.layer}: silhouette {silhouette(one.silhouette)}"
            figures[file_name(one)] = map_chart(
                laid.places, seen.truth, seen.is_right, found.labels, theme, title=title
            )
    return {name: as_png(figure) for name, figure in figures.items()}
