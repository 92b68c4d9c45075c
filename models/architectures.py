"""Every classification network of torchvision, timm's as ``timm:NAME``, and the small ones, as a body and a head.

The body is torchvision's own network, forward pass and parameter names included, its last linear layer taken off (and
pooled by more than the mean, see `pooling`): a batch of pictures in, one feature vector a picture out. So every family
is treated alike, weights of torchvision's names fit as they are, and features are small enough to keep. The head is
new.
"""

import difflib
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import UsageError
from . import padding, small, timm_networks
from .gate import torchvision
from .pooling import ConcatPool, SecondOrderPool, directions

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HEAD_DROPOUT = 0.25
_ONE_SIZE = ("vit_", "maxvit_")  # take pictures of the size they were built for and no other
_CLASSIFIERS = ("fc", "classifier", "heads", "head")  # what torchvision's networks call theirs
_LEAST_ENLARGED = 128  # pixels
_PATCHES = 32  # pixels that most patch sizes divide
_MIXTURES = "classifier.0.mixtures"  # of SqueezeNet's pool
_AUXILIARY = ("aux1", "aux2", "AuxLogits")  # extra classifiers of GoogLeNet and Inception, used by neither phase


@dataclass(frozen=True)
class Architecture:
    """One network, by torchvision's name, as ``timm:NAME``, or by a name of `small`.

    Attributes
    ----------
    size : pixels of a side that its published weights were trained at, or it is built for; the default for training.
    is_one_size : whether it takes pictures of that size and no other.
    mean, std : of red, green and blue, what its published weights expect to be taken off and divided by.
    parameters : of the whole published network, in millions.
    accuracy : per cent, ImageNet top-1, as torchvision publishes it; timm keeps none where it can be asked.
    """

    name: str
    size: int
    is_one_size: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    parameters: float | None = None
    accuracy: float | None = None


def names() -> list[str]:
    """torchvision's classification models and the small networks, sorted."""
    return sorted([*torchvision.models.list_models(module=torchvision.models), *small.DESIGNS])


def find(name: str) -> Architecture:
    """The architecture called `name`. Raises UsageError that names the nearest ones, or says that timm is missing."""
    if timm_networks.is_one(name):
        _check_name(name, timm_networks.names(), "`birds archs timm:PART` lists timm's.")
        published = timm_networks.published(name)
        return Architecture(
            name=name,
            size=published.input_size[1],
            is_one_size=published.fixed_input_size,
            mean=published.mean,
            std=published.std,
            parameters=timm_networks.count_parameters(name) / 1e6,
        )
    if small.is_one(name):
        parameters = small.count_parameters(name) / 1e6
        return Architecture(name, small.size_of(name), True, small.MEAN, small.STD, parameters)
    base = padding.without(name)
    _check_name(base, names(), "`birds archs` lists them.")
    weights = torchvision.models.get_model_weights(base).DEFAULT
    expected = weights.transforms.keywords  # of functools.partial(ImageClassification, ...)
    return Architecture(
        name=name,
        size=expected["crop_size"],
        is_one_size=base.startswith(_ONE_SIZE),
        mean=expected.get("mean", IMAGENET_MEAN),
        std=expected.get("std", IMAGENET_STD),
        parameters=weights.meta["num_params"] / 1e6,
        accuracy=weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
    )


def _check_name(name: str, known: list[str], where: str) -> None:
    if name not in known:
        longer = [one for one in known if one.startswith(name.lower())]  # resnext50 for resnext50_32x4d
        near = (longer or difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5))[:3]
        raise UsageError(f"There is no architecture {name!r}.", f"Did you mean {', '.join(near)}?" if near else where)


class Classifier(nn.Module):
    """Body and head: float pictures [N, 3, size, size], normalised, to logits [N, classes].

    Parameters
    ----------
    mirror : in eval mode, the head sees the mean of the features of each picture and of its mirror image.
    """

    def __init__(self, body: nn.Module, head: nn.Sequential, mirror: bool = False) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.mirror = mirror

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        features = self.body(pictures)
        if self.mirror and not self.training:
            features = (features + self.body(pictures.flip(-1))) / 2
        logits: torch.Tensor = self.head(features)
        return logits


def make_body(name: str) -> tuple[nn.Module, int]:
    """The network `name` with random weights and without its last linear layer; and its number of features.

    The body maps float pictures [N, 3, size, size] to features [N, features].
    """
    if timm_networks.is_one(name):
        return timm_networks.make_body(name)
    if small.is_one(name):
        body = small.make_body(name)
        return body, body.features
    options: dict[str, object] = {}
    base = padding.without(name)
    if base in ("googlenet", "inception_v3"):
        # Their published weights expect inputs from -1 to 1; without the second they warn.
        options = {"transform_input": True, "init_weights": True}
    elif base.startswith("vit_"):  # a position embedding for the size of the published weights, not always 224
        options = {"image_size": find(name).size}
    network = torchvision.models.get_model(base, weights=None, **options)
    if padding.is_tensorflows(name):
        padding.pad_as_tensorflow(network)
    for auxiliary in _AUXILIARY:
        if hasattr(network, auxiliary):
            setattr(network, auxiliary, None)
            network.aux_logits = False
    return network, _take_classifier_off(network)


def with_derived(body: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`tensors`, and what the body has that follows from the classifier among them: SqueezeNet's mixtures."""
    if type(body).__name__ != "SqueezeNet":
        return tensors
    classifier = tensors.get("classifier.1.weight")
    mixtures = body.state_dict()[_MIXTURES] if classifier is None else directions(classifier)
    return {**tensors, _MIXTURES: mixtures}


def head_names(body: nn.Module) -> set[str]:
    """First parts of the parameter names that weights for `body` may have besides its own: of what was taken off."""
    if timm_networks.made(body):
        return timm_networks.head_names(body)
    if small.made(body):
        return {"head"}
    return {_classifier_of(body), *_AUXILIARY}


def _classifier_of(network: nn.Module) -> str:
    return next(name for name in _CLASSIFIERS if hasattr(network, name))


def _take_classifier_off(network: nn.Module) -> int:
    """Replace the last linear layer, and the dropout just before it, by nothing; returns the size of its input."""
    if type(network).__name__ == "SqueezeNet":  # classifies by a 1x1 convolution and averages afterwards
        pool = SecondOrderPool(network.classifier[1].in_channels)  # type: ignore[index,union-attr]
        network.classifier = nn.Sequential(pool)
        return pool.length
    attribute = _classifier_of(network)
    classifier = getattr(network, attribute)
    if isinstance(classifier, nn.Linear):
        setattr(network, attribute, nn.Identity())
        if attribute == "fc" and hasattr(network, "avgpool"):  # ResNet, ResNeXt, RegNet, GoogLeNet, Inception
            network.avgpool = ConcatPool()
            return 2 * classifier.in_features
        return classifier.in_features
    last = len(classifier) - 1
    linear = classifier[last]
    assert isinstance(linear, nn.Linear), f"{type(network).__name__} ends in {linear}"
    classifier[last] = nn.Identity()
    if last and isinstance(classifier[last - 1], nn.Dropout):  # the head brings its own
        classifier[last - 1] = nn.Identity()
    if type(network).__name__ == "MobileNetV2":  # it takes the mean in its forward pass: of what is pooled already
        network.features.append(ConcatPool())  # type: ignore[operator,union-attr]
        return 2 * linear.in_features
    return linear.in_features


def make_head(
    features: int, classes: int, body: nn.Module | None = None, dropout: float | None = None
) -> nn.Sequential:
    """A new head: features [N, features] to logits [N, classes]. Standardises, drops out, classifies linearly.

    A `body` of `small` has a head of its own, with which it is the network that it is named after. `dropout` is by
    default 0.25.
    """
    if isinstance(body, small.SmallNetwork):
        return body.make_head(classes)
    linear = nn.Linear(features, classes)
    nn.init.zeros_(linear.weight)  # every class equally likely at the start: loss ln(classes)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.BatchNorm1d(features), nn.Dropout(HEAD_DROPOUT if dropout is None else dropout), linear)


def built_for(name: str, size: int) -> str:
    """The name of the network `name` for pictures of `size` pixels: a small one is built for one size."""
    return small.with_size(name, size) if small.is_one(name) else name


def evaluation_size(name: str, size: int) -> int:
    """Pixels of a side for pictures that are judged, where the network was trained on random crops of `size`.

    Random crops show things larger than whole pictures do; a larger whole picture makes up for it (Touvron et al. 2019,
    "Fixing the train-test resolution discrepancy"). On birds8 with SqueezeNet 1.1 features of crops of 224 pixels, mean
    of split seeds 5 to 7: validation loss 0.468 and accuracy 0.844 at 256 pixels, 0.506 and 0.816 at 224. Small ones
    stay as they are: where the last map has 2x2 places, one more row and column make it another map.
    """
    if size < _LEAST_ENLARGED or find(name).is_one_size:
        return size
    if timm_networks.is_one(name):  # some of timm's cut pictures into patches without a rest
        return round(size * 8 / 7 / _PATCHES) * _PATCHES
    return round(size * 8 / 7)


def parameter_groups(model: Classifier) -> list[list[nn.Parameter]]:
    """Early half of the body, late half, head: what discriminative learning rates tell apart. fastai's splitter."""
    body = list(model.body.parameters())
    middle = len(body) // 2
    return [body[:middle], body[middle:], list(model.head.parameters())]
