"""What lies in ``dataset/`` for training: files, labels, classes, and what identifies the split."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ProjectError, TrainError
from ..files import Project
from ..models.picture_list import PictureList
from ..models.transforms import label_of, picture_files

_HINT = "Run `birds split` again."


@dataclass(frozen=True)
class Dataset:
    """Picture files whose folder names are their labels.

    Attributes
    ----------
    classes : labels, in the order of the network's outputs.
    split : what identifies the split; None for a dataset that `birds split` did not make.
    """

    train: list[Path]
    valid: list[Path]
    classes: list[str]
    split: dict[str, Any] | None

    @cached_property
    def train_list(self) -> PictureList:
        """The training pictures with the digests that caches find them by. Raises TrainError: one cannot be opened."""
        return _with_digests(self.train)

    @cached_property
    def valid_list(self) -> PictureList:
        """The same of those for validation."""
        return _with_digests(self.valid)

    def labels_of(self, pictures: list[Path]) -> list[int]:
        """Class index of each picture."""
        index = {label: number for number, label in enumerate(self.classes)}
        return [index[label_of(path)] for path in pictures]

    def weights(self) -> list[float]:
        """A weight a class, of mean 1 over the training pictures: the fewer pictures it has, the more each counts."""
        counts = Counter(self.labels_of(self.train))
        return [len(self.train) / (len(self.classes) * counts[index]) for index in range(len(self.classes))]


def read_dataset(project: Project) -> Dataset:
    """The dataset of `project`. Raises ProjectError where nothing can be trained on it."""
    train, valid = (picture_files(project.dataset / part) for part in ("train", "val"))
    classes = sorted({label_of(path) for path in train})
    if not project.dataset.is_dir() or not train:
        raise ProjectError(f"There is no dataset in {project.dataset}.", "Run `birds split` first.")
    if len(classes) < 2 or not valid:
        raise ProjectError(f"{project.dataset} has {len(classes)} class and {len(valid)} validation pictures.", _HINT)
    if unknown := sorted({label_of(path) for path in valid} - set(classes)):
        raise ProjectError(f"The class {unknown[0]!r} has pictures in val/ but none in train/.", _HINT)
    folders = {folder.name for folder in (project.dataset / "train").iterdir() if folder.is_dir()}
    if empty := sorted(name for name in folders - {path.parent.name for path in train} if not name.startswith(".")):
        hint = "Put pictures into it, or remove the folder and run `birds split` again."
        raise ProjectError(f"The class {empty[0]!r} has no picture in {project.dataset / 'train'}.", hint)
    return Dataset(train, valid, classes, _split_fingerprint(project))


def _with_digests(paths: list[Path]) -> PictureList:
    try:
        return PictureList(paths)
    except OSError as error:
        raise TrainError(f"{error.filename} cannot be opened: {error.strerror}.", _HINT) from error


def _split_fingerprint(project: Project) -> dict[str, Any] | None:
    path = project.dataset / "split.json"
    if not path.is_file():
        return None
    split = json.loads(path.read_text(encoding="utf-8"))
    return {key: split.get(key) for key in ("fingerprint", "origin", "seed", "ratio", "plain")}
