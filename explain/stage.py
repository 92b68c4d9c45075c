"""`birds explain`: a finished run looked into, in ``runs/NAME/explanation/`` and on one page of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import ProjectError, UsageError
from ..files import Project
from ..models.architectures import Classifier
from ..models.embedding import MOST_POINTS, drawn, lay_out, silhouettes
from ..models.held_out import Labelled, held_out, labelled, refuse_another_split
from ..models.layer_outputs import LAST, Layer, check_layer, layers_of, middle_of
from ..models.manifest import Preprocess
from ..models.network import as_classifier
from ..models.normalisation import normalisation_of
from ..models.runs import Run, find_run
from ..models.statistics import confusion_matrix, interval_of, most_confused, per_class
from ..models.trained import open_run
from ..models.verdict import verdict
from ..progress import SILENT, Progress
from .filters import first_filters
from .found import Found, Laid
from .looking import Seen, look
from .results import EUCLIDEAN, ExplainResult, LayerFound
from .writing import write

__all__ = ["ExplainResult", "LayersResult", "explain", "list_layers"]

VAL, TEST, TRAIN = "val", "test", "train"
PARTS = (VAL, TEST, TRAIN)
FOLDER = "explanation"
PAIRS, SEED = 10, 5
ASKED_LAST, ASKED_MIDDLE = "last", "middle"


@dataclass(frozen=True)
class LayersResult:
    """The layers of a run's network, in the order in which a picture leaves them; ``last`` and ``middle`` by name."""

    run: str
    last: str
    middle: str
    layers: list[Layer]


def list_layers(project: Path, run: str | None = None) -> LayersResult:
    """Which layers `explain` can look at. Raises ModelError where there is no such finished run."""
    chosen = find_run(Project(Path(project)), run)
    network, preprocess = _network(chosen)
    layers = layers_of(network, preprocess.size)
    return LayersResult(chosen.name, LAST, middle_of(network, layers), layers)


def explain(
    project: Path,
    run: str | None = None,
    *,
    layers: Sequence[str] = (ASKED_LAST, ASKED_MIDDLE),
    part: str = VAL,
    pairs: int = PAIRS,
    most: int = MOST_POINTS,
    seed: int = SEED,
    progress: Progress = SILENT,
) -> ExplainResult:
    """Look into a finished run and write ``runs/NAME/explanation/`` (of another part than val ``explanation-PART/``).

    Parameters
    ----------
    run : its name; default the newest finished one. It need not be exported.
    layers : names of modules, ``last`` or ``middle``; see `layer_outputs`.
    part : of the dataset: ``val``, ``test`` or ``train``.
    pairs : how many of the most confused pairs are told.
    most : of more pictures than these, so many are drawn with `seed`, for everything here.
    seed : of that draw and of the maps.

    Raises
    ------
    ModelError, ProjectError, UsageError
    """
    if part not in PARTS:
        raise UsageError(f"There is no part {part!r}.", f"Choose from {', '.join(PARTS)}.")
    place = Project(Path(project))
    chosen = find_run(place, run)
    listed = _pictures(place, chosen, part)
    some = [listed[index] for index in drawn(len(listed), most, seed=seed)]
    network, preprocess = _network(chosen)
    known = layers_of(network, preprocess.size)
    names = _names(layers, network, known)
    progress.note(f"Looking into {chosen.name} on {len(some):,} pictures of {place.dataset / part}.")
    labels = [str(label) for label in chosen.config["classes"]]
    modules = list(dict.fromkeys(names.values()))
    seen, skipped = look(network, preprocess, labels, some, layers=modules, progress=progress)
    maps, found = {}, []
    with progress.bar("maps", len(names)) as bar:
        for asked, name in names.items():
            layer = next(one for one in known if one.name == name)
            laid, one = _laid_out(asked, layer, seen, labels, seed)
            found.append(one)
            if one.is_mapped:
                maps[asked] = laid
            bar.advance()
    matrix = confusion_matrix(seen.truth, seen.predicted, len(labels))
    hits, n = int(seen.is_right.sum()), len(seen.files)
    filters = first_filters(network)
    result = ExplainResult(
        run=chosen.name,
        part=part,
        n=n,
        of=len(listed),
        seed=seed,
        accuracy=hits / n,
        accuracy_interval=interval_of(hits, n),
        per_class={label: asdict(one) for label, one in zip(labels, per_class(matrix), strict=True)},
        most_confused=most_confused(matrix, labels, pairs),
        layers=found,
        verdict=verdict(chosen.history),
        filters=filters.about if filters else None,
        skipped=skipped,
    )
    folder = chosen.folder / (FOLDER if part == VAL else f"{FOLDER}-{part}")
    return write(Found(result, matrix, seen, maps, filters, chosen.history), folder)


def _network(run: Run) -> tuple[Classifier, Preprocess]:
    """The best network of `run`, and how pictures are made ready for it."""
    config = run.config
    mean, std = normalisation_of(config)
    preprocess = Preprocess(config["resize"], config["evaluation_size"], mean=mean, std=std)
    return as_classifier(open_run(run).model).cpu().eval(), preprocess


def _pictures(project: Project, run: Run, part: str) -> Labelled:
    refuse_another_split(project, run, takes_data=False)
    if not (project.dataset / part).is_dir():
        raise ProjectError(
            f"There is no folder {project.dataset / part}.", "Run `birds split`, or choose another --part."
        )
    listed = held_out(project).as_split if part == TEST else labelled(project.dataset / part)
    if not listed:
        raise ProjectError(f"There is no picture in {project.dataset / part}.", "Choose another --part.")
    return listed


def _names(asked: Sequence[str], network: Classifier, known: Sequence[Layer]) -> dict[str, str]:
    """How each layer was asked for -> name of its module."""
    meant = {ASKED_LAST: LAST, ASKED_MIDDLE: middle_of(network, known)}
    names = {one: meant.get(one, one) for one in asked}
    for name in names.values():
        check_layer(name, known)
    return names


def _laid_out(asked: str, layer: Layer, seen: Seen, labels: Sequence[str], seed: int) -> tuple[Laid, LayerFound]:
    """Where the pictures lie in one layer, and what is said of it."""
    vectors = seen.vectors[layer.name]
    places = lay_out(vectors, seed=seed)
    each = silhouettes(vectors, seen.truth)
    values = np.full(len(vectors), np.nan) if each is None else each
    found = LayerFound(
        asked=asked,
        layer=layer.name,
        kind=layer.kind,
        shape=layer.shape,
        features=vectors.shape[1],
        silhouette=None if each is None else float(each.mean()),
        metric=EUCLIDEAN,
        silhouette_per_class={}
        if each is None
        else {labels[index]: float(each[seen.truth == index].mean()) for index in np.unique(seen.truth)},
        is_mapped=len(places) > 0,
    )
    return Laid(places, values), found
