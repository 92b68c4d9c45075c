"""Losses to train with; what is reported of any of them is cross-entropy."""

import csv
import math
from pathlib import Path

import pytest
import torch
from birds.train.losses import make_loss
from birds.train.stage import train

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


def by_hand(name: str) -> list[float]:
    losses = []
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        total = sum(map(math.exp, row))
        shares = [math.exp(one) / total for one in row]
        if name == "mse":
            losses.append(sum((share - (place == label)) ** 2 for place, share in enumerate(shares)) / 3)
        else:
            focus = (1 - shares[label]) ** 2 if name == "focal" else 1
            losses.append(-focus * math.log(shares[label]))
    return losses


@pytest.mark.parametrize("name", ["cross-entropy", "focal", "mse"])
def test_a_loss_is_what_it_is_by_hand(name: str) -> None:
    first, second = by_hand(name)
    assert make_loss(name, 0.0, None)(LOGITS, LABELS).item() == pytest.approx((first + second) / 2, rel=1e-5)
    weighted = (0.5 * first + 2.0 * second) / 2.5
    assert make_loss(name, 0.0, WEIGHTS)(LOGITS, LABELS).item() == pytest.approx(weighted, rel=1e-5)


def test_a_run_reports_cross_entropy_whatever_it_minimises(dataset: Path) -> None:
    """Of two classes and a network that knows nothing: ln 2, where the squared error is 0.25."""
    settings = {"arch": "base_net", "batch_size": 8, "epochs": (1,), "precision": "fp32", "workers": 0}
    result = train(dataset, loss="mse", lr=(1e-9,), **settings)
    with (dataset / "runs" / result.run / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["train_loss"]) == pytest.approx(math.log(2), abs=0.1)
    assert float(row["valid_loss"]) == pytest.approx(math.log(2), abs=0.1)


def test_another_loss_takes_other_steps(dataset: Path) -> None:
    settings = {"arch": "base_net", "batch_size": 8, "epochs": (2,), "precision": "fp32", "workers": 0}
    losses = {name: train(dataset, loss=name, **settings).valid_loss for name in ("cross-entropy", "focal", "mse")}
    assert len(set(losses.values())) == 3
