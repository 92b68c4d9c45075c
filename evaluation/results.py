"""What an evaluation finds, as values: `stage.evaluate` returns them, ``--json`` prints them, the report shows them."""

from dataclasses import dataclass, field
from typing import Any

from ..models.statistics import ConfusedPair

HEAD, FINAL = "head", "final"  # phases
WILSON, BOOTSTRAP, TOO_FEW = "Wilson", "bootstrap", "too few"


@dataclass(frozen=True)
class Figure:
    """One figure of a test.

    Attributes
    ----------
    value : None where it is not defined.
    interval : at 95%; None where there are too few pictures.
    method : of the interval: ``Wilson``, ``bootstrap`` (over groups of near-duplicates), or ``too few``.
    n : pictures that it is made of.
    reviewed_share : of these a person decided about; None where there is no record that could know.
    """

    value: float | None
    interval: tuple[float, float] | None
    method: str
    n: int
    reviewed_share: float | None


@dataclass(frozen=True)
class ReliabilityBin:
    """Pictures whose confidence lies in (low, high]: what it was in the mean, and how many were judged rightly."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Calibration:
    """Before and after the temperature, which is folded into the model.

    Attributes
    ----------
    ece_by_chance : what ECE a perfectly calibrated model of the same confidences has in the mean, on so few pictures.
    before, after : bins of the reliability diagram.
    """

    temperature: float
    ece_before: float
    ece_after: float
    ece_after_interval: tuple[float, float] | None
    ece_by_chance: float
    loss_before: float
    loss_after: float
    before: list[ReliabilityBin]
    after: list[ReliabilityBin]


@dataclass(frozen=True)
class Coverage:
    """Accuracy on the pictures that the model answers, where it says 'unsure' below ``threshold``.

    ``curve`` has (threshold, coverage, accuracy) from every picture answered to the surest one.
    """

    threshold: float
    answered: int
    n: int
    accuracy: float | None
    interval: tuple[float, float] | None
    curve: list[tuple[float, float, float]]


@dataclass(frozen=True)
class TopLoss:
    """A picture with what the model says of it. ``loss`` is cross-entropy in nats."""

    file: str
    label: str
    predicted: str
    confidence: float
    loss: float
    url: str | None


@dataclass(frozen=True)
class Overlap:
    """Test pictures that the model knows from training or validation.

    Attributes
    ----------
    compared : ``exact and near copies``, ``exact copies``, or why nothing could be compared.
    exact, near : test picture -> the training picture.
    """

    compared: str
    exact: dict[str, str] = field(default_factory=dict)
    near: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluateResult:
    """Figures on ``n`` pictures. ``loss`` is cross-entropy in nats; intervals are at 95%, None below 20 pictures.

    Attributes
    ----------
    phase : ``final`` is what was exported, ``head`` the same network after phase 1.
    engine : that judged: ``onnx`` or ``torch``.
    data : the folder of the pictures.
    per_class : label -> n, precision, recall, recall_interval, f1, reviewed_share.
    figures : loss, accuracy, balanced_accuracy, top_3_accuracy, macro_f1, ece -> `Figure`.
    reviewed_share : of the pictures a person decided about; None where there is no record.
    groups : of near-duplicates and series; what the bootstrap draws.
    skipped : reason -> number of pictures that could not be judged (unreadable, or of a class the model has not).
    skipped_files : each of them with its reason.
    empty_classes : of the model, without a picture here.
    top_losses : the worst mistakes.
    confusion_matrix : path of the picture.
    warnings : what makes the figures worth less than they seem, in sentences.
    files : name -> path of all that was written.
    report : path of the page; None where none was asked for.
    phases : with ``--phase both``, the same figures after each phase.
    corrected : where a person decided about test pictures after a run was finished: the same figures with these
        decisions. The others are of the test set as it was split.
    """

    model: str
    phase: str
    engine: str
    data: str
    n: int
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float] | None
    per_class: dict[str, dict[str, Any]]
    figures: dict[str, Figure]
    reviewed_share: float | None
    groups: int
    skipped: dict[str, int]
    skipped_files: dict[str, str]
    empty_classes: list[str]
    most_confused: list[ConfusedPair]
    calibration: Calibration
    coverage: Coverage
    top_losses: list[TopLoss]
    overlap: Overlap
    warnings: list[str]
    confusion_matrix: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    report: str | None = None
    phases: dict[str, "EvaluateResult"] = field(default_factory=dict)
    corrected: "EvaluateResult | None" = None
