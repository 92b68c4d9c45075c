"""A finished run -> ``runs/NAME/bundle/``: the network in three formats, what it is, and a card for people.

The bundle is made in a folder beside it and swapped in whole, so that nobody ever reads half of one. It is not swapped
in unless every format gives the probabilities of the run's own network.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from .. import files, images
from ..errors import ModelError, ProjectError, UsageError
from ..files import Project
from ..models import engine_choice, trust
from ..models import manifest as manifests
from ..models.architectures import Classifier
from ..models.bundle import FORMATS, LoadedModel, load
from ..models.held_out import Labelled, held_out, labelled, refuse_another_split
from ..models.manifest import Manifest
from ..models.network import as_classifier, write_tensors
from ..models.pickles import load_export, write_export
from ..models.runs import Run, find_run
from ..models.trained import open_run, probabilities
from ..progress import SILENT, Progress
from . import figures
from .description import describe, preprocess_of, reviewed_share
from .model_card import NAME as CARD
from .model_card import model_card
from .onnx_graph import write_onnx

PARITY_TOLERANCE = 1e-4
_PARITY_PICTURES = 32
_NEW, _OLD = ".bundle-new", ".bundle-old"


@dataclass(frozen=True)
class ExportResult:
    """The bundle's folder, the SHA-256 of each file in it, and the parity check.

    ``parity`` is the largest difference of a probability between the run's own network and any of the formats, on up to
    32 validation pictures; None where the dataset is gone.
    """

    bundle: str
    files: dict[str, str]
    parity: float | None


def export(
    project: Path,
    run: str | None = None,
    *,
    formats: Sequence[str] = tuple(FORMATS),
    only_if_changed: bool = False,
    progress: Progress = SILENT,
) -> ExportResult:
    """Export the best weights of a finished run (default: the newest) as ``runs/NAME/bundle/``.

    Parameters
    ----------
    formats : of ``fastai`` (export.pkl), ``safetensors`` and ``onnx``. Others that are there already go away.
    only_if_changed : keep a bundle that this run was exported to, has these formats, and that nobody touched.

    Raises
    ------
    UsageError : there is no such format.
    ModelError : no such run, or an exported file does not predict what the run's network does.
    """
    formats = _known(formats)
    place = Project(Path(project))
    chosen = find_run(place, run)
    with FileLock(chosen.folder / ".export.lock"):  # a second export waits for the first
        _clear_leftovers(chosen)
        if only_if_changed and (done := _current_export(chosen, formats)):
            progress.note("The export is up to date.")
            return done
        progress.note(f"Exporting {chosen.name}.")
        return _export(place, chosen, formats, progress)


def _export(project: Project, run: Run, formats: Sequence[str], progress: Progress) -> ExportResult:
    learner = open_run(run)
    network = as_classifier(learner.model.cpu()).eval()
    preprocess, labels = preprocess_of(run), list(run.config["classes"])
    validation, test = (
        figures.judge(network, listed, labels, preprocess, bar=f"judging {part}", progress=progress)
        for part in ("val", "test")
        for listed in (_of_its_split(project, run, part, progress),)
    )
    threshold = figures.abstain_threshold(validation)
    of_validation = of_test = None
    if validation:
        of_validation = {**figures.loss_and_accuracy(validation), **figures.where_sure(validation, threshold)}
    if test:
        share = reviewed_share(project, test.pictures)
        of_test = {**figures.all_figures(test, labels), **figures.where_sure(test, threshold), "reviewed_share": share}
    manifest = describe(project, run, validation=of_validation, test=of_test, threshold=threshold)
    new = run.folder / _NEW
    new.mkdir()
    for name in formats:
        progress.note(f"Writing {FORMATS[name]}.")
        _write(name, new / FORMATS[name], learner, network, manifest)
    manifest = replace(manifest, files=_digests(new))
    files.write_bytes(new / manifests.NAME, (manifest.to_json() + "\n").encode())
    files.write_bytes(new / CARD, model_card(manifest).encode())
    parity = _parity(load(new), validation) if validation else None
    files.sync_folder(new)
    files.swap_folder(new, run.bundle, run.folder / _OLD)
    if "fastai" in formats and not trust.add(manifest.files[FORMATS["fastai"]]):
        progress.note(f"{trust.trust_file()} cannot be written, so export.pkl will be opened with --trust only.")
    result = ExportResult(str(run.bundle), _digests(run.bundle), parity)
    if of_test:
        files.write_json(run.folder / "test.json", of_test)
    files.write_json(run.folder / "export.json", asdict(result))
    engine_choice.measure(load(run.bundle), progress=progress)
    return result


def _known(formats: Sequence[str]) -> list[str]:
    """`formats` in the order that the bundle lists them in."""
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"There is no format {name!r}.", f"Choose from {', '.join(FORMATS)}.")
    if not formats:
        raise UsageError("No format was given.", f"Choose from {', '.join(FORMATS)}.")
    return [name for name in FORMATS if name in formats]


def _clear_leftovers(run: Run) -> None:
    """What a killed export left: half a new bundle, or an old one that was on its way out."""
    shutil.rmtree(run.folder / _NEW, ignore_errors=True)
    old = run.folder / _OLD
    if old.is_dir() and not run.bundle.exists():  # killed between the two renames
        old.rename(run.bundle)
    shutil.rmtree(old, ignore_errors=True)
    for path in run.folder.iterdir():
        if files.is_temporary(path):
            path.unlink()


def _of_its_split(project: Project, run: Run, part: str, progress: Progress) -> Labelled:
    """The pictures of ``dataset/val`` or ``dataset/test``, where they are of the split that `run` was trained on."""
    try:
        refuse_another_split(project, run)
        return held_out(project).as_split if part == "test" else labelled(project.dataset / part)
    except ProjectError as error:
        progress.note(f"The bundle will have no figures of {part}: {error.message}")
        return []


def _write(name: str, path: Path, learner: Any, network: Classifier, manifest: Manifest) -> None:
    """Write the format called `name`."""
    description = manifest.to_json()
    if name == "fastai":
        write_export(learner, path, description)
    elif name == "safetensors":
        write_tensors(network, path, description)
    else:
        write_onnx(network, manifest.preprocess, path, description)


def _parity(bundle: LoadedModel, judged: figures.Judged) -> float:
    """The largest difference of a probability between the run's network and a format. Raises ModelError."""
    step = max(1, len(judged.pictures) // _PARITY_PICTURES)  # pictures are sorted by class: some of each
    chosen = slice(0, step * _PARITY_PICTURES, step)
    pictures, expected = judged.pictures[chosen], judged.probability[chosen]
    preprocess = bundle.manifest.preprocess
    prepared = np.stack([images.prepare(images.open_rgb(one), preprocess.size, preprocess.resize) for one in pictures])
    worst = 0.0
    for name, path in bundle.files.items():
        if name == "fastai":  # with its own opening and preparing of pictures
            answer = probabilities(load_export(path, trust=True), pictures).numpy()  # written a moment ago, by us
        else:
            answer = bundle.engine("onnx" if name == "onnx" else "torch").probabilities(prepared)
        difference = float(np.abs(answer - expected).max())
        if not difference <= PARITY_TOLERANCE:  # also true for NaN
            raise ModelError(f"The probabilities of {path.name} are off by {difference:.2g}.", "Please report it.")
        worst = max(worst, difference)
    return worst


def _digests(bundle: Path) -> dict[str, str]:
    return {path.name: files.sha256_of(path) for path in sorted(bundle.iterdir())}


def _current_export(run: Run, formats: Sequence[str]) -> ExportResult | None:
    """What the last export returned, where its bundle is as it was left and has these formats."""
    record = run.folder / "export.json"
    if not record.is_file() or not run.bundle.is_dir():
        return None
    try:
        done = ExportResult(**json.loads(record.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None
    now = _digests(run.bundle)
    needed = {manifests.NAME, CARD, *(FORMATS[name] for name in formats)}
    is_as_left = now.keys() == done.files.keys() and all(
        digest == done.files[name] for name, digest in now.items() if name != CARD
    )  # people write into the card
    return replace(done, bundle=str(run.bundle), files=now) if needed <= now.keys() and is_as_left else None
