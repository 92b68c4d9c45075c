"""``export.pkl``: fastai's pickled learner, which ``fastai.load_learner`` opens wherever birds is installed.

It is made with plain ``pickle`` and holds nothing of the machine it was made on. A pickle runs code when it is opened,
so one from elsewhere is not opened unless the user says so (`trust.py`), and nothing else in birds needs one. What it
is can be read without opening it: the archive that torch makes has the model's description beside the pickle.
"""

import contextlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .. import images
from ..errors import ModelError
from . import trust as trusted
from .gate import fastai
from .manifest import Manifest, ModelClass, Preprocess
from .transforms import Prepare

NAME = "export.pkl"
_DESCRIPTION = "birds.json"
_MATTERS = ("fastai", "torch")  # of these another major version pickles otherwise
_AGAIN = "Run `birds export` again, or use its model.onnx or model.safetensors."


def write_export(learner: Any, path: Path, description: str) -> None:
    """Pickle `learner` as `path`, on the CPU and without a path of this machine; `description` is the manifest's JSON.

    `path` is new: the archive is called after it, so that the same learner makes the same file.
    """
    learner.model.cpu()
    learner.dls.cpu()
    learner.birds, learner.path = description, Path()
    with without_pickle_warning():
        learner.export(path.resolve(), pickle_module=pickle)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(f"{path.stem}/{_DESCRIPTION}"), description)


def load_export(path: Path, *, trust: bool = False) -> Any:
    """The learner pickled in `path`, which runs code from it.

    Parameters
    ----------
    trust : open it although it was not exported on this machine.

    Raises
    ------
    ModelError : no such file, not trusted, damaged, no learner, or of versions that do not fit.
    """
    if not path.is_file():
        raise ModelError(f"There is no exported model {path}.", "Run `birds export` first.")
    data = path.read_bytes()  # once: what was checked is what is opened
    trusted.check(path, images.sha256(data), trust=trust)
    versions = _versions(data, path)
    _refuse_other_versions(versions, path)
    try:
        learner = torch.load(io.BytesIO(data), map_location="cpu", pickle_module=pickle, weights_only=False)
    except (ImportError, AttributeError) as error:
        made_by = ", ".join(f"{name} {versions[name]}" for name in ("birds", *_MATTERS) if name in versions)
        raise ModelError(
            f"{path} was exported by other versions ({made_by or 'unknown ones'}): {error}.",
            "Install those, or use its model.onnx or model.safetensors.",
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        detail = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
        raise ModelError(f"{path} is damaged or no exported model: {detail}.", _AGAIN) from error
    if not isinstance(learner, fastai.Learner):
        raise ModelError(f"{path} holds no learner.", "Run `birds export` to make one.")
    learner.dls.cpu()
    learner.model.eval()
    return learner


def _versions(data: bytes, path: Path) -> dict[str, str]:
    """Package -> version that the archive says it was made by; empty where it does not say."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = next(name for name in archive.namelist() if name.partition("/")[2] == _DESCRIPTION)
            return Manifest.from_json(archive.read(inside), path).versions
    except (zipfile.BadZipFile, StopIteration, ModelError, NotImplementedError, RuntimeError, OSError, EOFError):
        return {}  # exports of before format 1 say nothing; a damaged one is told by opening it


def _refuse_other_versions(versions: dict[str, str], path: Path) -> None:
    for name in _MATTERS:
        theirs, ours = versions.get(name), version(name)
        if theirs and theirs.partition(".")[0] != ours.partition(".")[0]:
            raise ModelError(
                f"{path} was exported with {name} {theirs}, and here is {ours}: pickles do not last that long.",
                f'Run: pip install "{name}=={theirs}", or use its model.onnx or model.safetensors.',
            )


def manifest_of(learner: Any, path: Path) -> Manifest:
    """What a learner opened from `path` says of itself; of one from before format 1, what can be seen.

    Raises
    ------
    ModelError : birds did not export it.
    """
    description = getattr(learner, "birds", None)
    if isinstance(description, str):
        return Manifest.from_json(description, path)
    prepare = next((step for step in learner.dls.valid.after_item.fs if isinstance(step, Prepare)), None)
    normalise = next((step for step in learner.dls.valid.after_batch.fs if isinstance(step, fastai.Normalize)), None)
    if prepare is None or normalise is None:
        raise ModelError(f"{path} was not exported by birds.", "Open it with fastai's load_learner.")
    mean, std = (values.flatten().tolist() for values in (normalise.mean, normalise.std))
    return Manifest(
        classes=tuple(ModelClass(str(label)) for label in learner.dls.vocab),
        preprocess=Preprocess(prepare.resize, prepare.size, mean=tuple(mean), std=tuple(std)),
        architecture="unknown",
        recipe="default",
        mirror=bool(getattr(learner.model, "mirror", False)),
        temperature=1.0,
        abstain_threshold=0.0,
    )


@contextlib.contextmanager
def without_pickle_warning() -> Iterator[None]:
    """fastai warns at every opening that a pickle can run code; the help and the docs of birds say so instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
