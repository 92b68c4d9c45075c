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
from ..models.normalisation import normalisation_of
from ..models.picture_list import PictureList
from ..models.precision import Choice
from ..progress import SILENT, Progress
from .dataset import Dataset
from .discriminant import Discriminant, discriminant_of
from .pictures import augmentation_of

_WHOLE_EPOCHS, _WHOLE_SHARE = 8, 3  # whole pictures alone are shown for 8 epochs, but for no more than a third of all


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


class FeatureSource:
    """The features that the body of `learner` sees in `dataset`, as a run's config.json asks for them.

    Those for validation are computed in fp32, whatever was chosen: the head is judged as the exported model will be.
    """

    def __init__(
        self,
        learner: Any,
        dataset: Dataset,
        config: Mapping[str, Any],
        choice: Choice,
        *,
        cache: Path,
        progress: Progress = SILENT,
    ) -> None:
        self.learner, self.dataset, self.config, self.choice = learner, dataset, config, choice
        self.cache, self.progress = cache, progress

    @property
    def whole(self) -> tuple[str, ...]:
        """Views of whole pictures to train on."""
        return VIEWS if self.config["flip"] else VIEWS[:1]

    def train(self, views: Sequence[str]) -> Features:
        """`views` of the training pictures. Raises TrainError: a picture cannot be read; it is named."""
        return self._look(self.dataset.train, self.dataset.train_list, views, self.choice.precision)

    def valid(self) -> Features:
        """What the network will judge the validation pictures by."""
        views = VIEWS if self.config["mirror"] else VIEWS[:1]
        return self._look(self.dataset.valid, self.dataset.valid_list, views, "fp32")

    def discriminant(self, valid: FeatureLoader) -> Discriminant:
        """That of whole training pictures, as sure as fits those of `valid`."""
        labels = np.asarray(self.dataset.labels_of(self.dataset.train))
        is_balanced = self.config["class_weights"]
        return discriminant_of(self.train(self.whole), labels, valid, is_balanced=is_balanced)

    def loaders(self) -> tuple[FeatureLoader, FeatureLoader]:
        """Of whole pictures; random views join them later, see `RandomViews`."""
        labels_of, device = self.dataset.labels_of, self.learner.dls.device
        size = self.config["batch_size"]
        train = FeatureLoader(
            self.train(self.whole), labels_of(self.dataset.train), batch_size=size, is_training=True, device=device
        )
        valid = FeatureLoader(
            self.valid(), labels_of(self.dataset.valid), batch_size=size, is_training=False, device=device
        )
        return train, valid

    def _look(self, paths: Sequence[Path], listed: PictureList, views: Sequence[str], precision: str) -> Features:
        return features_of(
            paths,
            listed,
            self.config,
            self.learner.model.body,
            views=views,
            cache=self.cache,
            precision=precision,
            channels_last=self.choice.channels_last,
            progress=self.progress,
        )


def features_of(
    paths: Sequence[Path],
    listed: PictureList,
    config: Mapping[str, Any],
    body: torch.nn.Module,
    *,
    views: Sequence[str],
    cache: Path,
    precision: str = "fp32",
    channels_last: bool = True,
    progress: Progress = SILENT,
) -> Features:
    """Features of the pictures at `paths`, shown to `body` as a run's config.json asks for it; see `features`.

    Parameters
    ----------
    listed : the same pictures with their digests.

    Raises
    ------
    TrainError : a picture cannot be read; it is named.
    """
    found = features(
        listed,
        arch=config["arch"],
        body=body,
        cache=cache,
        views=views,
        size=config["size"],
        evaluation_size=config["evaluation_size"],
        resize=config["resize"],
        augmentation=augmentation_of(config),
        normalisation=normalisation_of(config),
        precision=precision,
        channels_last=channels_last,
        progress=progress,
    )
    if not found.is_readable.all():
        unreadable = paths[int(np.flatnonzero(~found.is_readable)[0])]
        raise TrainError(f"{unreadable} cannot be read.", "Remove or replace it, then run `birds split` again.")
    return found


class RandomViews(fastai.Callback):  # type: ignore[misc]
    """After some epochs of whole pictures the head sees random views as well.

    Whole pictures are a quarter of the work: after a quarter of the time there is a first model, and a first figure.

    Parameters
    ----------
    epochs : of the phase.
    done : of these, trained before this fit.
    """

    order = 0  # before the epoch's clock starts

    def __init__(self, source: FeatureSource, epochs: int, done: int) -> None:
        self.source, self.done = source, done
        self.first = min(_WHOLE_EPOCHS, epochs // _WHOLE_SHARE)
        self.are_missing = source.config["views"] > 0

    def before_epoch(self) -> None:
        if self.are_missing and self.done + self.epoch >= self.first:
            self.learn.dls.train.features = self.source.train(
                (*self.source.whole, *crop_views(self.source.config["views"]))
            )
            self.are_missing = False


def head_learner(source: FeatureSource) -> Any:
    """A Learner of the head of the source's learner, the same object, on features."""
    learner = source.learner
    return fastai.Learner(
        fastai.DataLoaders(*source.loaders(), device=learner.dls.device),
        learner.model.head,
        loss_func=learner.loss_func,
        opt_func=learner.opt_func,
        metrics=fastai.accuracy,
    )
