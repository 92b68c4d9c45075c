"""A model and the pictures it is to be judged on, with what is known to make its figures worth less than they seem."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UsageError
from ..files import Project
from ..models.bundle import FORMATS, LoadedModel, load
from ..models.held_out import HeldOut, held_out, labelled, refuse_another_split, split_origin
from ..models.manifest import Preprocess
from ..models.runs import Run
from ..progress import Progress
from .judging import Judge
from .overlap import Training, training_pictures
from .results import HEAD

if TYPE_CHECKING:
    from ..models.architectures import Classifier

_ENGINES = {"onnx": "onnx", "safetensors": "torch", "fastai": "torch"}
_ELSEWHERE = "nothing: the pictures it was trained on are not in this project"


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes
    ----------
    folder : of the pictures.
    is_held_out : whether it is ``dataset/test``.
    training : what the model has learnt from; None where that is not here.
    warnings : sentences.
    """

    project: Project
    opened: LoadedModel
    folder: Path
    listing: HeldOut
    is_held_out: bool
    training: Training | None
    warnings: tuple[str, ...] = ()

    @property
    def not_compared(self) -> str:
        return _ELSEWHERE if self.training is None else ""

    @property
    def outputs(self) -> Path:
        """The folder for tables and charts: of the held-out set by itself, of each other folder one of its own."""
        run = self.opened.run
        name = self.opened.path.stem if self.opened.path.is_file() else self.opened.path.name
        home = run.folder if run else self.project.root / "evaluations" / name
        return home / ("evaluation" if self.is_held_out else f"evaluation-{self.folder.resolve().name}")

    @property
    def page(self) -> Path:
        """Where the report of what was exported stands."""
        return (self.outputs.parent if self.is_held_out else self.outputs) / "report.html"


def open_subject(
    project: Path,
    model: str | Path | None,
    *,
    data: Path | None,
    exported: str | None,
    trust: bool,
    progress: Progress,
) -> Subject:
    """Open the model and list the pictures; see `stage.evaluate` for the parameters.

    Raises
    ------
    ModelError, UsageError, ProjectError
    """
    place = Project(Path(project))
    opened = open_model(place, model, exported, trust)
    folder = Path(data) if data else place.dataset / "test"
    warnings = []
    if not data:
        refuse_another_split(place, opened.run)
        warnings = _about_the_split(place, opened)
    listing = HeldOut(labelled(folder)) if data else held_out(place)
    training = training_pictures(place, progress) if _learnt_here(place, opened) else None
    return Subject(place, opened, folder, listing, not data, training, tuple(warnings))


def open_model(project: Project, model: str | Path | None, exported: str | None, trust: bool) -> LoadedModel:
    """The model, of its files only the one in the format `exported` where that is given."""
    opened = load(model, project=project.root, trust=trust)
    if exported is None:
        return opened
    if exported not in FORMATS:
        raise UsageError(f"There is no format {exported!r}.", f"Choose from {', '.join(FORMATS)}.")
    if exported not in opened.files:
        raise ModelError(f"{opened.path} has no {FORMATS[exported]}.", "Run `birds export`, or choose another format.")
    if exported == "fastai" and opened.learner is None:  # the only way to a pickle is to ask for it
        pickled = load(opened.files["fastai"], project=project.root, trust=trust)
        return replace(pickled, path=opened.path, run=opened.run)
    return replace(opened, files={exported: opened.files[exported]})


def open_judge(opened: LoadedModel) -> Judge:
    """The engine for what is there of the model: onnxruntime where it can be had."""
    return opened.engine(_ENGINES[next(name for name in _ENGINES if name in opened.files)])


@dataclass(frozen=True)
class NetworkJudge:
    """A network that was not exported, as an engine."""

    network: "Classifier"
    preprocess: Preprocess
    name: str = "torch"

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        import torch

        from ..models.network import normalised

        with torch.inference_mode():
            answer: np.ndarray = self.network(normalised(prepared, self.preprocess)).softmax(dim=1).numpy()
        return answer


def head_network(run: Run | None) -> "Classifier":
    """The network of `run` as it was after phase 1. Raises UsageError where there was no such phase."""
    if run is None or HEAD not in [phase["name"] for phase in run.config["phases"]]:
        raise UsageError("This model has no head phase.", "It was trained from scratch, or its run is gone.")
    from ..models.network import as_classifier
    from ..models.trained import open_run

    return as_classifier(open_run(run, HEAD).model).cpu().eval()


def _of_training(opened: LoadedModel, name: str) -> Any:
    return (opened.manifest.training.get("split") or {}).get(name)


def _learnt_here(project: Project, opened: LoadedModel) -> bool:
    """Whether the pictures that the model has learnt from are those of ``dataset/``."""
    if not (project.dataset / "train").is_dir():
        return False
    theirs, ours = _of_training(opened, "origin"), split_origin(project)
    if theirs and ours:
        return bool(theirs == ours)
    return opened.run is not None and opened.run.folder.resolve().parent == project.runs.resolve()


def _about_the_split(project: Project, opened: LoadedModel) -> list[str]:
    theirs, ours = _of_training(opened, "origin"), split_origin(project)
    if theirs and ours and theirs != ours:
        return [
            "The model was trained on another split than that in dataset/. If it was of the same pictures, it may know "
            "some of these, and the figures promise too much."
        ]
    fingerprint = _fingerprint(project)
    if fingerprint and _of_training(opened, "fingerprint") not in (None, fingerprint):
        return [
            "Pictures were added to the split, or taken out, since the model was trained: it was trained and chosen on "
            "other pictures than lie in dataset/ now, and its recorded figures are of another test set."
        ]
    return []


def _fingerprint(project: Project) -> str | None:
    try:
        document = json.loads((project.dataset / "split.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document.get("fingerprint") if isinstance(document, dict) else None
