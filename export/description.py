"""The manifest of a run: what it was made of, how good it is, and with which versions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from ..files import Project
from ..models.held_out import split_origin
from ..models.manifest import Manifest, ModelClass, Preprocess
from ..models.normalisation import normalisation_of
from ..models.runs import Run
from ..models.timm_networks import is_one as is_timm
from ..models.transforms import label_of, picture_files
from ..models.weights import NONE, PUBLISHED
from ..record import Author, PictureFile, Record
from ..species import find

_PACKAGES = ("birds", "torch", "torchvision", "fastai", "onnx", "onnxruntime", "safetensors", "numpy", "pillow")
_LEARNT_FROM = ("train", "val")


def preprocess_of(run: Run) -> Preprocess:
    """How pictures are made ready for the network of `run`."""
    size, resize = run.config["evaluation_size"], run.config["resize"]
    mean, std = normalisation_of(run.config)
    shorter_side = round(size * 8 / 7) if resize == "crop" else None
    return Preprocess(resize, size, shorter_side, mean=mean, std=std)


def describe(
    project: Project, run: Run, *, validation: dict[str, Any] | None, test: dict[str, Any] | None, threshold: float
) -> Manifest:
    """The manifest of what `run` is exported as.

    Parameters
    ----------
    validation, test : figures of the exported network; None where there are no such pictures.
    threshold : of confidence, below which it is unsure.
    """
    config, result = run.config, run.result or {}
    is_of_this_split = split_origin(project) == run.split_origin
    return Manifest(
        classes=tuple(ModelClass(label, _scientific_name(label)) for label in config["classes"]),
        preprocess=preprocess_of(run),
        architecture=config["arch"],
        recipe=config["recipe"],
        mirror=bool(config.get("mirror", False)),
        temperature=float(result.get("temperature", 1.0)),
        abstain_threshold=threshold,
        test=test,
        training={
            "run": run.name,
            "seed": config["seed"],
            "weights": _weights(str(config["weights"])),
            "best_phase": result.get("best_phase"),
            "best_epoch": result.get("best_epoch"),
            "split": {**(config.get("split") or {}), "counts": _counts(project) if is_of_this_split else None},
            "validation": validation,
            **(_origins(project) if is_of_this_split else {"licences": {}, "sources": {}, "reviewed_share": None}),
        },
        versions=_versions(config["arch"]),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def reviewed_share(project: Project, pictures: Sequence[Path]) -> float | None:
    """Share of these files of ``dataset/`` that a person looked at and kept; None where there is no record."""
    if not project.record.is_file() or not pictures:
        return None
    with Record(project) as record:
        reviewed = {(file.label, file.name) for file in record.files() if file.author is Author.PERSON}
    return sum((label_of(path), path.name) in reviewed for path in pictures) / len(pictures)


def _scientific_name(label: str) -> str | None:
    species = find(label)
    return species.scientific if species else None


def _weights(name: str) -> str:
    """Where training started from; of a file its name alone, since its folder is nobody's business."""
    if name in (*PUBLISHED, NONE) or "://" in name:
        return name
    return Path(name).name


def _counts(project: Project) -> dict[str, dict[str, int]]:
    """label -> part -> pictures."""
    counts: dict[str, dict[str, int]] = {}
    for part in ("train", "val", "test"):
        for path in picture_files(project.dataset / part):
            of_label = counts.setdefault(label_of(path), {"train": 0, "val": 0, "test": 0})
            of_label[part] += 1
    return dict(sorted(counts.items()))


def _origins(project: Project) -> dict[str, Any]:
    """Licences, sources and the share looked at by a person, of the pictures that were learnt from."""
    learnt: list[PictureFile] = []
    if project.record.is_file():
        with Record(project) as record:
            part_of = record.split_parts()
            learnt = [file for file in record.files() if part_of.get(file.id) in _LEARNT_FROM]
    return {
        "licences": _tally(file.provenance.licence or "unknown" for file in learnt),
        "sources": _tally(file.provenance.source for file in learnt),
        "reviewed_share": sum(file.author is Author.PERSON for file in learnt) / len(learnt) if learnt else None,
    }


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _versions(arch: str) -> dict[str, str]:
    found = {"python": python_version()}
    for package in (*_PACKAGES, *(("timm",) if is_timm(arch) else ())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # birds itself, where it runs from its folder
            found[package] = "unknown"
    return found
