"""What takes the steps: the names mean what they mean elsewhere, and a run takes its steps by what was asked for."""

from pathlib import Path

import pytest
import torch
from birds.train import training
from birds.train.optimizers import make_optimizer
from birds.train.phases import defaults_of
from birds.train.stage import train

TINY = {"arch": "base_net", "batch_size": 8, "epochs": (1,), "precision": "fp32", "workers": 0}


def after_steps(optimizer: object, parameter: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """A parameter after steps down the slope of its fourth powers."""
    for _ in range(steps):
        (parameter**4).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return parameter.detach()


def a_parameter() -> torch.Tensor:
    return torch.tensor([0.9, -0.4, 0.1], requires_grad=True)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_torchs(momentum: float) -> None:
    ours, theirs = a_parameter(), a_parameter()
    own = make_optimizer("sgd", momentum)([ours], lr=0.01, wd=0.1)
    other = torch.optim.SGD([theirs], lr=0.01, momentum=momentum, weight_decay=0.1)
    assert after_steps(own, ours) == pytest.approx(after_steps(other, theirs).numpy(), abs=1e-6)


@pytest.mark.parametrize(("name", "theirs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_decays_with_the_gradient_and_adamw_apart(name: str, theirs: type) -> None:
    ours, others = a_parameter(), a_parameter()
    own = make_optimizer(name, 0.8)([ours], lr=0.01, wd=0.1)
    other = theirs([others], lr=0.01, betas=(0.8, 0.99), eps=1e-5, weight_decay=0.1)
    assert after_steps(own, ours) == pytest.approx(after_steps(other, others).numpy(), abs=1e-5)


def test_what_is_not_said_depends_on_the_optimizer() -> None:
    adamw, adam, sgd = (defaults_of(False, name) for name in ("adamw", "adam", "sgd"))
    assert [one["weight_decay"] for one in (adamw, adam, sgd)] == [(0.01,), (0.0,), (0.0,)]
    assert adamw["lr"] == adam["lr"]
    assert sgd["lr"] == (10 * adamw["lr"][0],)


def test_a_run_takes_its_steps_by_the_optimizer_asked_for(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = training.fit

    def watched(learner, phase, **rest: object) -> None:
        real(learner, phase, **rest)
        seen.append((learner.opt.hypers[-1]["mom"], learner.opt.hypers[-1]["wd"], "sqr_mom" in learner.opt.hypers[-1]))

    monkeypatch.setattr(training, "fit", watched)
    train(dataset, **TINY)
    train(dataset, optimizer="sgd", momentum=0.5, weight_decay=(0.003,), **TINY)
    assert seen == [(0.9, 0.01, True), (0.5, 0.003, False)]
