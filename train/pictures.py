"""The pictures of a dataset as fastai DataLoaders, decoded once where they are large."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..models import architectures
from ..models.augmentation import Augmentation
from ..models.data import make_dataloaders
from ..models.presized import prepare_once, presize
from ..progress import SILENT, Progress
from .dataset import Dataset


def augmentation_of(config: Mapping[str, Any]) -> Augmentation:
    """What training does to pictures at random."""
    return Augmentation(**{name: config[name] for name in ("crop", "flip", "colour", "rotate")})


def picture_loaders(dataset: Dataset, config: Mapping[str, Any], *, workers: int = 0) -> Any:
    """DataLoaders of `dataset` as a run's config.json asks for them, see `data.make_dataloaders`."""
    architecture = architectures.find(config["arch"])
    return make_dataloaders(
        dataset.train,
        dataset.valid,
        dataset.classes,
        size=config["size"],
        evaluation_size=config["evaluation_size"],
        resize=config["resize"],
        batch_size=config["batch_size"],
        augmentation=augmentation_of(config),
        mean=architecture.mean,
        std=architecture.std,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )


def decoded_once(dataset: Dataset, config: Mapping[str, Any], cache: Path, progress: Progress = SILENT) -> Dataset:
    """`dataset` with copies in the place of its large photographs, which every epoch would decode anew."""
    train = presize(dataset.train_list, cache / "pictures", size=config["size"], progress=progress)
    valid = dataset.valid
    if config["resize"] == "squish":  # a copy is squished already
        side = config["evaluation_size"]
        valid = prepare_once(dataset.valid_list, cache / "pictures", evaluation_size=side, progress=progress)
    return Dataset(train, valid, dataset.classes, dataset.split)
