"""An exported model, opened: a bundle, a run, or one of its files alone. Without torch, and without a pickle.

    model = birds.load()                       # the newest run's bundle
    model.predict("photo.jpg")                 # [("cigüeña", 0.97), ...]

A pickle is opened only where a lone ``export.pkl`` is what was asked for, and only one that was exported on this
machine, or that the user trusts (`trust.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from .. import images
from ..errors import ModelError
from ..files import Project, sha256_of
from . import descriptions
from .manifest import NAME, Manifest
from .runs import Run, find_run

if TYPE_CHECKING:
    from .engines import Engine

FORMATS = {"fastai": "export.pkl", "safetensors": "model.safetensors", "onnx": "model.onnx"}
_MOST_MANIFEST_BYTES = 20_000_000
_KNOWN = "a bundle's folder, a run's name or folder, or a file .onnx, .safetensors or .pkl"


@dataclass(frozen=True)
class LoadedModel:
    """An exported model and what is known of it.

    Attributes
    ----------
    path : what was asked for: the bundle's folder, or the file.
    manifest : see `manifest.Manifest`.
    files : format -> file; of a lone file that one.
    run : whose bundle it is, where that is here.
    learner : fastai's, where a lone export.pkl was opened.
    """

    path: Path
    manifest: Manifest
    files: Mapping[str, Path]
    run: Run | None = None
    learner: Any = field(default=None, repr=False, compare=False)

    @property
    def labels(self) -> list[str]:
        """In the order of the outputs."""
        return self.manifest.labels

    def engine(self, name: str = "auto", threads: int | None = None) -> "Engine":
        """What judges prepared pictures; ``auto`` is onnxruntime where there is a model.onnx, else torch.

        Raises
        ------
        UsageError, ModelError : see `engines.open_engine`.
        """
        from .engines import open_engine

        if name == "auto":
            name = "onnx" if "onnx" in self.files else "torch"
        return open_engine(self, name, threads=threads)

    def predict(self, picture: Image.Image | str | Path, top: int = 5) -> list[tuple[str, float]]:
        """The `top` most probable classes of a picture, best first, with their probabilities.

        Raises
        ------
        ImageError : the file is no picture that can be read.
        """
        preprocess = self.manifest.preprocess
        image = picture if isinstance(picture, Image.Image) else images.open_rgb(Path(picture))
        prepared = images.prepare(image.convert("RGB"), preprocess.size, preprocess.resize)
        (row,) = self._engine.probabilities(prepared[None])
        return [(self.labels[index], float(row[index])) for index in row.argsort()[::-1][:top]]

    def is_unsure(self, confidence: float) -> bool:
        """Whether the most probable class is too improbable to be given as an answer."""
        return confidence < self.manifest.abstain_threshold

    @cached_property
    def _engine(self) -> "Engine":
        return self.engine()


def load(model: str | Path | None = None, *, project: Path = Path(), trust: bool = False) -> LoadedModel:
    """Open an exported model.

    Parameters
    ----------
    model : a bundle's folder, a run's name or folder, or a file ``.onnx``, ``.safetensors`` or ``.pkl`` alone; None is
        the newest finished run of `project`.
    trust : open a lone ``.pkl`` although it was not exported on this machine. It can run any code.

    Raises
    ------
    ModelError : there is none, it is damaged or not what its manifest says, a newer birds made it, or it is a pickle
        from elsewhere.
    """
    path = Path(model) if model is not None else None
    if path is None or not path.exists():
        if path is not None and (path.suffix in _OPEN or len(path.parts) > 1):
            raise ModelError(f"There is no exported model {path}.", "Give a file, or the name of a run (`birds runs`).")
        run = find_run(Project(Path(project)), None if model is None else str(model))
        return _of_run(run)
    if path.is_dir():
        if (path / NAME).is_file():
            return _of_bundle(path, _run_of(path))
        if (path / "config.json").is_file():
            return _of_run(Run(path))
        raise ModelError(f"{path} is no bundle: it has no {NAME}.", f"Give {_KNOWN}.")
    if path.suffix.lower() not in _OPEN:
        raise ModelError(f"{path} is no exported model.", f"Give {_KNOWN}.")
    return _OPEN[path.suffix.lower()](path, trust)


def _of_run(run: Run) -> LoadedModel:
    if not run.bundle.is_dir():
        raise ModelError(f"The run {run.name} is not exported yet.", f"Run `birds export {run.name}`.")
    if not (run.bundle / NAME).is_file():
        raise ModelError(f"The run {run.name} was exported by an older birds.", f"Run `birds export {run.name}` again.")
    return _of_bundle(run.bundle, run)


def _run_of(folder: Path) -> Run | None:
    """The run whose bundle `folder` is."""
    run = Run(folder.resolve().parent)
    return run if run.bundle.name == folder.resolve().name and (run.folder / "config.json").is_file() else None


def _of_bundle(folder: Path, run: Run | None) -> LoadedModel:
    description = folder / NAME
    if description.stat().st_size > _MOST_MANIFEST_BYTES:
        raise ModelError(f"{description} is too large to describe a model.", "Get the bundle anew.")
    manifest = Manifest.from_json(description.read_bytes(), description)
    found = {kind: folder / name for kind, name in FORMATS.items() if name in manifest.files}
    if not found.get("fastai", folder).exists():  # a published bundle has no pickle, and needs none
        del found["fastai"]
    for kind, path in found.items():
        if not path.is_file():
            raise ModelError(f"{folder} lacks {path.name}, which its {NAME} lists.", "Get the bundle anew.")
        if kind != "fastai" and sha256_of(path) != manifest.files[path.name]:  # which is not opened from here
            raise ModelError(
                f"{path} is not the file that {NAME} lists: its SHA-256 differs.", "Export it again, or get it anew."
            )
    if not found:
        raise ModelError(f"{folder} has no model that its {NAME} lists.", "Export it again, or get the bundle anew.")
    return LoadedModel(folder.resolve(), manifest, found, run)


def _of_onnx(path: Path, trust: bool) -> LoadedModel:
    del trust
    return LoadedModel(path.resolve(), descriptions.manifest_in_onnx(path), {"onnx": path}, _run_of(path.parent))


def _of_safetensors(path: Path, trust: bool) -> LoadedModel:
    del trust
    manifest = descriptions.manifest_in_safetensors(path)
    return LoadedModel(path.resolve(), manifest, {"safetensors": path}, _run_of(path.parent))


def _of_pickle(path: Path, trust: bool) -> LoadedModel:
    from .pickles import load_export, manifest_of

    learner = load_export(path, trust=trust)
    return LoadedModel(
        path.resolve(), manifest_of(learner, path), {"fastai": path}, _run_of(path.parent), learner=learner
    )


_OPEN = {".onnx": _of_onnx, ".safetensors": _of_safetensors, ".pkl": _of_pickle}
