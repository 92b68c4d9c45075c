"""Files and labels -> fastai DataLoaders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import transforms
from .architectures import IMAGENET_MEAN, IMAGENET_STD
from .gate import fastai


def make_dataloaders(
    train: Sequence[Path],
    valid: Sequence[Path],
    classes: Sequence[str],
    *,
    size: int,
    evaluation_size: int,
    resize: str,
    batch_size: int,
) -> Any:
    """fastai DataLoaders over picture files whose folder names are their labels.

    Parameters
    ----------
    train, valid : files; they are opened when a batch asks for them.
    classes : labels in the order of the outputs.
    size : pixels of a side in training, which crops at random, flips, rotates and changes light.
    evaluation_size, resize : what `images.prepare` makes of whole pictures for validation and ever after.
    batch_size : lowered to the number of training pictures, so that no epoch is empty.

    Returns
    -------
    DataLoaders that give float pictures [N, 3, size, size], normalised by ImageNet's mean and spread, and class
    indices.
    """
    files = [*train, *valid]
    pipelines = [[transforms.open_picture], [transforms.label_of, fastai.Categorize(vocab=list(classes), sort=False)]]
    splits = [list(range(len(train))), list(range(len(train), len(files)))]
    datasets = fastai.Datasets(files, tfms=pipelines, splits=splits)
    return datasets.dataloaders(
        bs=max(1, min(batch_size, len(train))),
        val_bs=batch_size,
        num_workers=0,  # the two cores are busy computing; and it keeps the random states in one process
        after_item=[transforms.RandomCrop(size), transforms.Prepare(evaluation_size, resize), fastai.ToTensor()],
        after_batch=[
            fastai.IntToFloatTensor(),
            *fastai.aug_transforms(max_warp=0.0),
            fastai.Normalize.from_stats(IMAGENET_MEAN, IMAGENET_STD),
        ],
    )
