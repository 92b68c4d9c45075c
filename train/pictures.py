"""The pictures of a dataset as fastai DataLoaders, decoded once where they are large."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..models.augmentation import Augmentation
from ..models.data import make_dataloaders
from ..models.normalisation import COMPUTED, NONE, channel_statistics, normalisation_of
from ..models.presized import prepare_once, presize
from ..progress import SILENT, Progress
from .dataset import Dataset


def augmentation_of(config: Mapping[str, Any]) -> Augmentation:
    """What training does to pictures at random."""
    return Augmentation(**{name: config[name] for name in ("crop", "flip", "colour", "rotate")})


def picture_loaders(dataset: Dataset, config: Mapping[str, Any], *, workers: int = 0) -> Any:
    """DataLoaders of `dataset` as a run's config.json asks for them, see `data.make_dataloaders`."""
    mean, std = normalisation_of(config)
    return make_dataloaders(
        dataset.train,
        dataset.valid,
        dataset.classes,
        size=config["size"],
        evaluation_size=config["evaluation_size"],
        resize=config["resize"],
        batch_size=config["batch_size"],
        augmentation=augmentation_of(config),
        mean=mean,
        std=std,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )


def with_normalisation(config: Mapping[str, Any], dataset: Dataset, progress: Progress = SILENT) -> dict[str, Any]:
    """`config` with the ``mean`` and ``std`` that it asks for, where they are not those of the published weights."""
    if config["normalise"] == COMPUTED:
        mean, std = channel_statistics(dataset.train, size=config["size"], resize=config["resize"], progress=progress)
        progress.note(
            f"Mean of red, green and blue in training {_in_words(mean)}, standard deviation {_in_words(std)}."
        )
    elif config["normalise"] == NONE:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    else:
        return dict(config)
    return {**config, "mean": list(mean), "std": list(std)}


def _in_words(values: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def decoded_once(dataset: Dataset, config: Mapping[str, Any], cache: Path, progress: Progress = SILENT) -> Dataset:
    """`dataset` with copies in the place of its large photographs, which every epoch would decode anew."""
    train = presize(dataset.train_list, cache / "pictures", size=config["size"], progress=progress)
    valid = dataset.valid
    side, resize = config["evaluation_size"], config["resize"]
    if resize != "crop":  # which would cut a copy again
        valid = prepare_once(
            dataset.valid_list, cache / "pictures", evaluation_size=side, resize=resize, progress=progress
        )
    return Dataset(train, valid, dataset.classes, dataset.split)
