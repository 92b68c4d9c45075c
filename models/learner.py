"""A fastai Learner for a dataset: the network, its weights and the DataLoaders put together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..progress import SILENT, Progress
from .architectures import IMAGENET_MEAN, IMAGENET_STD, Classifier, make_body, make_head, parameter_groups
from .gate import fastai, torchvision
from .weights import NONE, load_pretrained

RECIPES = ("default", "2024")


def make_learner(
    dls: Any,
    arch: str,
    weights: str,
    *,
    recipe: str = "default",
    mirror: bool = False,
    dropout: float | None = None,
    progress: Progress = SILENT,
) -> tuple[Any, str]:
    """A Learner of `arch` on `dls`, and in words where its weights come from.

    Parameters
    ----------
    dls : see `data.make_dataloaders`; ``dls.vocab`` gives the classes.
    arch : a name of `architectures.names`.
    weights : ``imagenet``, ``none`` or a file, see `weights.load_pretrained`.
    mirror : the network judges a picture by the mean over it and its mirror image, see `architectures.Classifier`.
    dropout : of the head; None for the usual one. A small network has its own, see `small`.
    recipe : ``2024`` builds the network as the notebook did, by fastai's ``vision_learner``.

    The loss is cross-entropy in nats. ``train_bn=False``: frozen layers stay as they are, batch norm included.
    """
    body, features = make_body(arch)
    source = "random weights" if weights == NONE else load_pretrained(body, arch, weights, progress)
    if recipe == "2024":
        return _vision_learner(dls, arch, body.state_dict()), source
    model = Classifier(body, make_head(features, len(dls.vocab), body, dropout), mirror=mirror)
    learner = fastai.Learner(
        dls,
        model,
        loss_func=fastai.CrossEntropyLossFlat(),
        metrics=fastai.accuracy,
        splitter=parameter_groups,
        train_bn=False,
    )
    return learner, source


def make_2024_model(arch: str, classes: int) -> Any:
    """The network of ``recipe="2024"`` with random weights, as an nn.Sequential of body and head."""
    with _known_to_fastai(arch, torchvision.models.get_model(arch, weights=None)) as architecture:
        return fastai.create_vision_model(architecture, classes, pretrained=True)  # there is nothing it would load


def _vision_learner(dls: Any, arch: str, body_weights: dict[str, Any]) -> Any:
    """fastai's own cut and head (average and maximum pooled, 512 units, two dropouts) on the same body weights."""
    network = torchvision.models.get_model(arch, weights=None)
    network.load_state_dict(body_weights, strict=False)
    with _known_to_fastai(arch, network) as architecture:
        learner = fastai.vision_learner(dls, architecture, pretrained=True, normalize=False, metrics=fastai.accuracy)
    learner.arch = arch  # fastai keeps what it called, which cannot be pickled
    return learner


@contextmanager
def _known_to_fastai(arch: str, network: Any) -> Iterator[Callable[..., Any]]:
    """What fastai calls for the network that it then cuts; it is told how to cut `arch`."""

    def architecture(**_kwargs: Any) -> Any:
        return network

    meta = fastai.model_meta.get(getattr(torchvision.models, arch), {"cut": -2, "split": fastai.default_split})
    if arch == "mobilenet_v2":  # no pooling layer of its own to cut at
        meta = {"cut": -1, "split": fastai.default_split}
    fastai.model_meta[architecture] = meta | {"stats": (IMAGENET_MEAN, IMAGENET_STD)}
    try:
        yield architecture
    finally:
        del fastai.model_meta[architecture]
