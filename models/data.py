"""Files and labels -> fastai DataLoaders."""

import contextlib
import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ImageError, TrainError
from . import transforms
from .architectures import IMAGENET_MEAN, IMAGENET_STD
from .augmentation import Augmentation
from .gate import fastai

_ROTATION, _ROTATION_CHANCE = 10, 0.75  # degrees at most, as in fastai's aug_transforms


class RepeatableDL(fastai.TfmdDL):  # type: ignore[misc]  # fastai ships no types
    """fastai's DataLoader, whose random views hang on the seed, the epoch and the picture's place in the list alone.

    So loader workers, and how many there are, change nothing. For a picture that cannot be read a TrainError comes in
    the place of its batch: an exception would leave a worker as another one, with a traceback for a message.
    """

    epoch_seed = 0

    def before_iter(self) -> None:
        super().before_iter()
        self.epoch_seed = self.rng.getrandbits(64)

    def do_item(self, place: int | None) -> Any:
        for transform in self.after_item.fs:
            if isinstance(transform, transforms.RandomCrop):
                transform.chance = random.Random(f"{self.epoch_seed} {place}")
        try:
            return super().do_item(place)
        except ImageError as error:
            return TrainError(error.message, "Remove or replace it, then run `birds split` again.")

    def do_batch(self, items: Sequence[Any]) -> Any:
        return next((item for item in items if isinstance(item, TrainError)), None) or super().do_batch(items)


class RaiseError(fastai.Transform):  # type: ignore[misc]
    """Raises what came in the place of a batch, back in the process that trains."""

    order = -1

    def encodes(self, error: TrainError) -> None:
        raise error


def make_dataloaders(
    train: Sequence[Path],
    valid: Sequence[Path],
    classes: Sequence[str],
    *,
    size: int,
    evaluation_size: int,
    resize: str,
    batch_size: int,
    augmentation: Augmentation | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> Any:
    """fastai DataLoaders over picture files whose folder names are their labels.

    Parameters
    ----------
    train, valid : files; they are opened when a batch asks for them.
    classes : labels in the order of the outputs.
    size : pixels of a side in training.
    evaluation_size, resize : what `images.prepare` makes of whole pictures for validation and ever after.
    batch_size : lowered to the number of training pictures, so that no epoch is empty.
    augmentation : what training does to pictures at random; default everything.
    mean, std : of red, green and blue, taken off and divided by.
    num_workers : processes that open pictures; 0 is this one. The same seed gives the same batches with any number.
    pin_memory : for a GPU, see torch's DataLoader.

    Returns
    -------
    DataLoaders that give float pictures [N, 3, size, size], normalised, and class indices.

    Raises
    ------
    ImageError : the first picture cannot be read, which fastai opens to learn its type.
    TrainError : another one cannot be read, while the loaders are iterated.
    """
    augmentation = augmentation or Augmentation()
    files = [*train, *valid]
    pipelines = [[transforms.open_picture], [transforms.label_of, fastai.Categorize(vocab=list(classes), sort=False)]]
    splits = [list(range(len(train))), list(range(len(train), len(files)))]
    datasets = fastai.Datasets(files, tfms=pipelines, splits=splits)
    with contextlib.redirect_stdout(io.StringIO()):  # fastai prints what it raises; standard output is for results
        return datasets.dataloaders(
            bs=max(1, min(batch_size, len(train))),
            val_bs=batch_size,
            num_workers=num_workers,
            pin_memory=pin_memory,
            dl_type=RepeatableDL,
            after_item=[
                transforms.RandomCrop(size, augmentation),
                transforms.Prepare(evaluation_size, resize),
                fastai.ToTensor(),
            ],
            after_batch=[
                RaiseError(),
                fastai.IntToFloatTensor(),
                *([fastai.Rotate(max_deg=_ROTATION, p=_ROTATION_CHANCE)] if augmentation.rotate else []),
                fastai.Normalize.from_stats(mean, std),
            ],
        )
