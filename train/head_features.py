"""Phase 1 on features: while the body is fixed, a picture's features are, so the head alone is trained, on these.

A view of a picture is drawn anew in every epoch, as augmentation would draw it. In validation features are those of the
whole picture, or the mean over it and its mirror image, just what the whole network sees in eval mode.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import TrainError
from ..models.feature_views import VIEWS, crop_views
from ..models.features import Features, features
from ..models.gate import fastai
from ..models.precision import Choice
from ..progress import SILENT, Progress
from .dataset import Dataset
from .pictures import augmentation_of


class FeatureLoader(fastai.DataLoader):  # type: ignore[misc]  # fastai ships no types
    """Batches of (features float32 [N, d], class indices [N]).

    Parameters
    ----------
    features : of n pictures, `labels` their class indices [n].
    is_training : each picture once an epoch in an order and a view drawn at random, an incomplete batch left out; else
        in order, the mean over its views.
    """

    def __init__(
        self, features: Features, labels: Sequence[int], *, batch_size: int, is_training: bool, device: Any
    ) -> None:
        size = max(1, min(batch_size, len(labels)))
        super().__init__(range(len(labels)), bs=size, shuffle=is_training, drop_last=is_training, device=device)
        self.features, self.labels, self.is_training = features, np.asarray(labels), is_training

    def create_batch(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        chosen, views = np.asarray(rows), len(self.features.views)
        if self.is_training:
            drawn = np.array([self.rng.randrange(views) for _ in rows])
            seen = self.features.gather(chosen, drawn)
        else:
            whole = [self.features.gather(chosen, np.full(len(chosen), view)) for view in range(views)]
            seen = np.mean(whole, axis=0, dtype=np.float32)
        return torch.from_numpy(seen), torch.from_numpy(self.labels[chosen])


def feature_loaders(
    learner: Any,
    dataset: Dataset,
    config: Mapping[str, Any],
    choice: Choice,
    *,
    cache: Path,
    progress: Progress = SILENT,
) -> tuple[FeatureLoader, FeatureLoader]:
    """Loaders of the features that the body of `learner` sees in `dataset`, for training and for validation.

    Those of validation are computed in fp32, whatever was chosen: the head is judged as the exported model will be.

    Raises
    ------
    TrainError : a picture cannot be read; it is named.
    """
    loaders = []
    for paths, listed, is_training in (
        (dataset.train, dataset.train_list, True),
        (dataset.valid, dataset.valid_list, False),
    ):
        whole = VIEWS if is_training or config["mirror"] else VIEWS[:1]
        found = features(
            listed,
            arch=config["arch"],
            body=learner.model.body,
            cache=cache,
            views=(*whole, *crop_views(config["views"])) if is_training else whole,
            size=config["size"],
            evaluation_size=config["evaluation_size"],
            resize=config["resize"],
            augmentation=augmentation_of(config),
            precision=choice.precision if is_training else "fp32",
            channels_last=choice.channels_last,
            progress=progress,
        )
        if not found.is_readable.all():
            unreadable = paths[int(np.flatnonzero(~found.is_readable)[0])]
            raise TrainError(f"{unreadable} cannot be read.", "Remove or replace it, then run `birds split` again.")
        loaders.append(
            FeatureLoader(
                found,
                dataset.labels_of(paths),
                batch_size=config["batch_size"],
                is_training=is_training,
                device=learner.dls.device,
            )
        )
    return loaders[0], loaders[1]


def head_learner(learner: Any, train: FeatureLoader, valid: FeatureLoader) -> Any:
    """A Learner of the head of `learner`, the same object, on features."""
    return fastai.Learner(
        fastai.DataLoaders(train, valid, device=learner.dls.device),
        learner.model.head,
        loss_func=learner.loss_func,
        metrics=fastai.accuracy,
    )
