"""How a run is to train: every setting with its default, and what a run's config.json says of them.

Where the defaults come from is measured in docs/training.md. A setting of a phase takes one value for both phases or
two, one each.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from .. import images
from ..errors import UsageError
from ..models import architectures, small
from ..models.learner import RECIPES
from ..models.normalisation import COMPUTED, NORMALISATIONS, PUBLISHED
from ..models.padding import without as without_padding
from ..models.timm_networks import is_one as is_timm
from ..models.weights import IMAGENET, NONE
from .dataset import Dataset
from .discriminant import MOST_PICTURES
from .losses import CROSS_ENTROPY, LOSSES
from .optimizers import ADAMW, MOMENTUM, OPTIMIZERS
from .phases import FLAT, ONE_CYCLE, SCHEDULES, defaults_of, make_phases

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
FORMAT_VERSION = 3  # of config.json; 1 had no views, schedule, mirror, ...; 2 other vectors of some networks
_NOT_IN_2024 = ("calibrate", "averaging", "class_weights")
_OF_OURS = (
    "lr", "schedule", "optimizer", "momentum", "weight_decay", "loss", "label_smoothing", "mixup", "cutmix", "dropout",
    "activation", "normalise", "discriminant",
)  # fmt: skip
_RANDOM = ("flip", "crop", "colour", "rotate")
_ONE_CYCLE_PLATEAU = (
    "A one-cycle schedule sets the learning rate again at every batch, so a reduction on a plateau would be gone at "
    "the next one.",
    "Leave the --plateau flags out, or use --schedule flat.",
)


@dataclass(frozen=True)
class Settings:
    """What `train` may be told. None stands for a default that depends on the others.

    Attributes
    ----------
    arch : a name of `architectures.names`, or ``timm:NAME``.
    weights : ``imagenet``, ``imagenet-v1``, ``none`` (from scratch: no head phase), a file, or a URL with its digest;
        see `weights.load_pretrained`. Default ``imagenet``; ``none`` for the small networks, which have no published
        ones.
    epochs, lr, patience, plateau_min_delta, plateau_patience, plateau_factor, weight_decay, label_smoothing, mixup :
        of the phases, one value for both or one each; see `phases.Phase`. ``auto`` for the learning rate searches it.
        No epochs for the second leave the body as it is.
    schedule : ``flat`` (after a warm-up, reduced on plateaus) or ``one-cycle``.
    optimizer, momentum : see `optimizers.make_optimizer`.
    loss : what training minimises, see `losses`; what is judged and reported stays cross-entropy.
    dropout : share of the features that training leaves out in front of the head's linear layer; of a small network
        that has an option of this name.
    activation : of a small network that has an option of this name.
    cutmix : parameter of the Beta distribution of the pasted share (Yun et al. 2019); 0 for none. Fine-tuning only.
    class_weights : errors on classes with few pictures weigh more.
    averaging : the weights that are judged and kept are an average over the last epochs.
    feature_cache : while the body is frozen, compute its features once and train the head on these.
    views : random crops of each picture that features are computed of, beside the whole picture and its mirror image.
    discriminant : what is judged and kept of a head on features is the mean of it and their linear discriminant; by
        default where there are up to 2,000 training pictures.
    mirror : judge a picture by the mean over it and its mirror image; default as `flip`.
    calibrate : fit a temperature to the validation set at the end (Guo et al. 2017).
    size : pixels of a side in training; default what the architecture was published at. Whole pictures are judged at
        8/7 of it, see `architectures.evaluation_size`.
    resize : how whole pictures become square, see `images.prepare`.
    augment : False turns flip, crop, colour and rotate off.
    flip, crop, colour, rotate : what training does to pictures at random.
    normalise : ``published`` (what the weights expect), ``computed`` (of the training pictures; default from scratch)
        or ``none``; see `models.normalisation`.
    batch_size : pictures a step in fine-tuning, and in a classic head phase.
    precision : ``auto`` measures what is fastest on this machine, ``fp32``, ``bf16`` or ``fp16`` fixes it.
    compile : whether the network is compiled by ``torch.compile``.
    workers : processes that load pictures; default measured.
    seed : of weights, order and augmentation.
    recipe : ``default``, or ``2024`` for the notebook's own.
    """

    arch: str = "resnext50_32x4d"
    weights: str | None = None
    epochs: Sequence[int] | None = None
    lr: Sequence[float] | str | None = None
    patience: Sequence[int] | None = None
    plateau_min_delta: Sequence[float] | None = None
    plateau_patience: Sequence[int] | None = None
    plateau_factor: Sequence[float] | None = None
    weight_decay: Sequence[float] | None = None
    label_smoothing: Sequence[float] | None = None
    mixup: Sequence[float] | None = None
    cutmix: float = 0.0
    class_weights: bool = False
    schedule: str = FLAT
    optimizer: str = ADAMW
    momentum: float | None = None
    loss: str = CROSS_ENTROPY
    dropout: float | None = None
    activation: str | None = None
    averaging: bool = True
    feature_cache: bool = True
    views: int = 6
    discriminant: bool | None = None
    mirror: bool | None = None
    calibrate: bool = True
    size: int | None = None
    resize: str = images.DEFAULT_RESIZE
    augment: bool = True
    flip: bool = True
    crop: bool = True
    colour: bool = True
    rotate: bool = True
    normalise: str | None = None
    batch_size: int = 16
    precision: str = "auto"
    compile: bool = False
    workers: int | None = None
    seed: int = 0
    recipe: str = "default"

    def __post_init__(self) -> None:
        _choose("resize", self.resize, images.RESIZES)
        _choose("recipe", self.recipe, RECIPES)
        _choose("schedule", self.schedule, SCHEDULES)
        _choose("precision", self.precision, PRECISIONS)
        _choose("optimizer", self.optimizer, OPTIMIZERS)
        _choose("loss", self.loss, LOSSES)
        if self.normalise is not None:
            _choose("way to normalise", self.normalise, NORMALISATIONS)
        if self.batch_size < 2 or (self.size is not None and self.size < 16):
            raise UsageError("--batch-size is 2 or more and --size 16 or more.")
        if self.views < 0 or self.cutmix < 0 or (self.workers or 0) < 0:
            raise UsageError("--views, --cutmix and --workers are 0 or more.")
        for name in ("momentum", "dropout"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise UsageError(f"--{name} is {getattr(self, name):g}.", "It is 0 or more and below 1.")
        if self.loss != CROSS_ENTROPY and any((*(self.label_smoothing or ()), *(self.mixup or ()), self.cutmix)):
            raise UsageError(
                f"Smoothed and mixed labels go with cross-entropy, not with the loss {self.loss!r}.",
                "Leave out --loss, or --label-smoothing, --mixup and --cutmix.",
            )
        if self.schedule == ONE_CYCLE and self.momentum is not None:
            raise UsageError(
                "A one-cycle schedule sets the momentum at every batch.",
                "Leave --momentum out, or use --schedule flat.",
            )
        if self.schedule == ONE_CYCLE and (self.plateau_factor or self.plateau_patience or self.plateau_min_delta):
            raise UsageError(*_ONE_CYCLE_PLATEAU)
        if self.recipe == "2024":
            self._check_2024()

    def _check_2024(self) -> None:
        given = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        if own := [name for name in _OF_OURS if name in given]:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in own)
            raise UsageError(f"The recipe of 2024 has its own course: {flags} cannot be given.", "Leave --recipe out.")
        if is_timm(self.arch) or small.is_one(self.arch) or without_padding(self.arch) != self.arch:
            raise UsageError("The recipe of 2024 knows torchvision's networks only.", "Leave --recipe out.")
        if not self.is_pretrained:
            raise UsageError(
                "The recipe of 2024 fine-tunes a pretrained network.", "Give --weights imagenet or a file."
            )

    @property
    def source(self) -> str:
        """Where the weights come from."""
        return str(self.weights or (NONE if small.is_one(self.arch) else IMAGENET))

    @property
    def is_pretrained(self) -> bool:
        return self.source != NONE

    def _network(self) -> str:
        """The architecture, a small one with its options in its name."""
        own = {"dropout": self.dropout, "activation": self.activation}
        if not small.is_one(self.arch):
            if self.activation is not None:
                raise UsageError(
                    f"{self.arch} has its own activation.", "Leave --activation out, or take --arch emoji_cnn."
                )
            return self.arch
        arch = architectures.built_for(self.arch, self.size) if self.size else self.arch
        for option, value in own.items():
            if value is not None:
                arch = small.with_option(arch, option, value if isinstance(value, str) else f"{value:g}")
        return arch

    def config(self, dataset: Dataset) -> dict[str, Any]:
        """All of it as it stands in a run's config.json, defaults filled in.

        Raises
        ------
        UsageError : there is no such architecture, or phases cannot be like that.
        """
        arch = self._network()
        size = self.size or architectures.find(arch).size
        is_ours = self.recipe == "default"
        has_features = self.feature_cache and self.is_pretrained and is_ours
        is_few = len(dataset.train) <= MOST_PICTURES
        random = {name: getattr(self, name) and self.augment for name in _RANDOM}
        defaults = defaults_of(self.is_pretrained, self.optimizer, self.recipe)
        by_phase = {name: getattr(self, name) or default for name, default in defaults.items()}
        if isinstance(self.lr, str):
            by_phase["lr"] = defaults["lr"]  # until it is searched for
        if self.schedule == ONE_CYCLE and not self.patience:
            by_phase["patience"] = [max(1, n) for n in by_phase["epochs"]]  # else it ends before the low rates come
        phases = make_phases(self.is_pretrained, **by_phase)
        left_out = {*defaults, "augment", "activation"}
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        return {
            "format_version": FORMAT_VERSION,
            **plain,
            "arch": arch,
            "weights": self.source,
            "momentum": MOMENTUM if self.momentum is None else self.momentum,
            "dropout": None if small.is_one(arch) else self.dropout,
            "normalise": self.normalise or (PUBLISHED if self.is_pretrained else COMPUTED),
            **random,
            "views": self.views if random["flip"] or random["crop"] or random["colour"] else 0,
            "feature_cache": has_features,
            "discriminant": has_features and (is_few if self.discriminant is None else self.discriminant),
            "mirror": (random["flip"] if self.mirror is None else self.mirror) and is_ours,
            **{name: getattr(self, name) and is_ours for name in _NOT_IN_2024},
            "lr_is_searched": isinstance(self.lr, str),
            "classes": dataset.classes,
            "split": dataset.split,
            "size": size,
            "evaluation_size": architectures.evaluation_size(arch, size) if random["crop"] else size,
            "phases": [asdict(phase) for phase in phases],
        }


def _choose(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"There is no {name} {value!r}.", f"Choose from {', '.join(choices)}.")
