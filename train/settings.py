"""How a run is to train: every setting with its default, and what a run's config.json says of them.

Where the defaults come from is measured in docs/training.md. A setting of a phase takes one value for both phases or
two, one each.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from .. import images
from ..errors import UsageError
from ..models import architectures
from ..models.learner import RECIPES
from ..models.timm_networks import is_one as is_timm
from ..models.weights import IMAGENET, NONE
from .dataset import Dataset
from .phases import FLAT, FROM_SCRATCH, ONE_CYCLE, PRETRAINED, RECIPE_2024, SCHEDULES, make_phases

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
FORMAT_VERSION = 3  # of config.json; 1 had no views, schedule, mirror, ...; 2 other vectors of some networks
_NOT_IN_2024 = ("mirror", "calibrate", "averaging", "class_weights")
_OF_OURS = ("lr", "schedule", "weight_decay", "label_smoothing", "mixup", "cutmix")
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
        see `weights.load_pretrained`.
    epochs, lr, patience, plateau_min_delta, plateau_patience, plateau_factor, weight_decay, label_smoothing, mixup :
        of the phases, one value for both or one each; see `phases.Phase`. ``auto`` for the learning rate searches it.
        No epochs for the second leave the body as it is.
    schedule : ``flat`` (after a warm-up, reduced on plateaus) or ``one-cycle``.
    cutmix : parameter of the Beta distribution of the pasted share (Yun et al. 2019); 0 for none. Fine-tuning only.
    class_weights : errors on classes with few pictures weigh more.
    averaging : the weights that are judged and kept are an average over the last epochs.
    feature_cache : while the body is frozen, compute its features once and train the head on these.
    views : random crops of each picture that features are computed of, beside the whole picture and its mirror image.
    mirror : judge a picture by the mean over it and its mirror image.
    calibrate : fit a temperature to the validation set at the end (Guo et al. 2017).
    size : pixels of a side in training; default what the architecture was published at. Whole pictures are judged at
        8/7 of it, see `architectures.evaluation_size`.
    resize : how whole pictures become square, ``squish`` or ``crop``.
    flip, crop, colour, rotate : what training does to pictures at random.
    batch_size : pictures a step in fine-tuning, and in a classic head phase.
    precision : ``auto`` measures what is fastest on this machine, ``fp32``, ``bf16`` or ``fp16`` fixes it.
    compile : whether the network is compiled by ``torch.compile``.
    workers : processes that load pictures; default measured.
    seed : of weights, order and augmentation.
    recipe : ``default``, or ``2024`` for the notebook's own.
    """

    arch: str = "resnext50_32x4d"
    weights: str = IMAGENET
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
    averaging: bool = True
    feature_cache: bool = True
    views: int = 6
    mirror: bool = True
    calibrate: bool = True
    size: int | None = None
    resize: str = "squish"
    flip: bool = True
    crop: bool = True
    colour: bool = True
    rotate: bool = True
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
        if self.batch_size < 2 or (self.size is not None and self.size < 16):
            raise UsageError("--batch-size is 2 or more and --size 16 or more.")
        if self.views < 0 or self.cutmix < 0 or (self.workers or 0) < 0:
            raise UsageError("--views, --cutmix and --workers are 0 or more.")
        if self.schedule == ONE_CYCLE and (self.plateau_factor or self.plateau_patience or self.plateau_min_delta):
            raise UsageError(*_ONE_CYCLE_PLATEAU)
        if self.recipe == "2024" and (
            own := [name for name in _OF_OURS if getattr(self, name) not in (None, FLAT, 0.0)]
        ):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in own)
            raise UsageError(f"The recipe of 2024 has its own course: {flags} cannot be given.", "Leave --recipe out.")
        if self.recipe == "2024" and is_timm(self.arch):
            raise UsageError("The recipe of 2024 knows torchvision's networks only.", "Leave --recipe out.")
        if self.recipe == "2024" and self.weights == NONE:
            raise UsageError(
                "The recipe of 2024 fine-tunes a pretrained network.", "Give --weights imagenet or a file."
            )

    @property
    def is_pretrained(self) -> bool:
        return self.weights != NONE

    def config(self, dataset: Dataset) -> dict[str, Any]:
        """All of it as it stands in a run's config.json, defaults filled in.

        Raises
        ------
        UsageError : there is no such architecture, or phases cannot be like that.
        """
        size = self.size or architectures.find(self.arch).size
        defaults = PRETRAINED if self.is_pretrained else FROM_SCRATCH
        if self.recipe == "2024":
            defaults = RECIPE_2024
        by_phase = {name: getattr(self, name) or default for name, default in defaults.items()}
        if isinstance(self.lr, str):
            by_phase["lr"] = defaults["lr"]  # until it is searched for
        if self.schedule == ONE_CYCLE and not self.patience:
            by_phase["patience"] = [max(1, n) for n in by_phase["epochs"]]  # else it ends before the low rates come
        phases = make_phases(self.is_pretrained, **by_phase)
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in defaults}
        return {
            "format_version": FORMAT_VERSION,
            **plain,
            "weights": str(self.weights),
            "feature_cache": self.feature_cache and self.is_pretrained and self.recipe == "default",
            **{name: getattr(self, name) and self.recipe == "default" for name in _NOT_IN_2024},
            "lr_is_searched": isinstance(self.lr, str),
            "classes": dataset.classes,
            "split": dataset.split,
            "size": size,
            "evaluation_size": architectures.evaluation_size(self.arch, size),
            "phases": [asdict(phase) for phase in phases],
        }


def _choose(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"There is no {name} {value!r}.", f"Choose from {', '.join(choices)}.")
