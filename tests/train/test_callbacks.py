"""That early stopping, plateau and best-model saving do what their names say, watched inside fastai's own loop."""

from pathlib import Path

import pytest
import torch
from birds.models.gate import fastai
from birds.train.callbacks import Checkpoint, Epochs, SaveBest
from birds.train.phases import FINE_TUNE, HEAD, Phase, fit, make_phases
from torch import nn


class Scripted(fastai.Callback):
    """Gives the epochs the validation losses of a script, after the Recorder has measured real ones."""

    order = 55

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def after_epoch(self) -> None:
        self.recorder.values[-1][1] = self.losses[self.epoch]


class Rates(fastai.Callback):
    """The learning rate that each optimizer step really used."""

    order = 100

    def __init__(self) -> None:
        self.by_epoch: dict[int, set[float]] = {}

    def before_step(self) -> None:
        self.by_epoch.setdefault(self.epoch, set()).add(self.opt.hypers[-1]["lr"])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def groups(model: Net) -> list[list[nn.Parameter]]:
    return [list(model.body.parameters()), list(model.head.parameters())]


@pytest.fixture
def learner(tmp_path: Path) -> object:
    fastai.set_seed(0, reproducible=True)
    rows = [(torch.randn(3), torch.tensor(i % 2)) for i in range(32)]
    dls = fastai.DataLoaders.from_dsets(rows, rows, bs=8, device=torch.device("cpu"))
    return fastai.Learner(
        dls, Net(), loss_func=fastai.CrossEntropyLossFlat(), metrics=fastai.accuracy, splitter=groups, train_bn=False
    )


def phase(name: str = FINE_TUNE, **changes: float) -> Phase:
    settings = {"epochs": 8, "lr": 0.1, "patience": 3, "plateau_min_delta": 0.05, "plateau_factor": 5.0} | changes
    return Phase(name, **settings)


def run(learner, one: Phase, losses: list[float], *more: object) -> dict[int, set[float]]:
    rates = Rates()
    callbacks = [*one.trackers(), Scripted(losses), rates, *more]
    fit(learner, one, done=0, is_pretrained=False, callbacks=callbacks)
    return rates.by_epoch


def test_the_rate_used_in_the_epoch_after_a_plateau_is_the_reduced_one(learner) -> None:
    rates = run(learner, phase(patience=8), [1.0, 0.9, 0.89, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert [rates[epoch] for epoch in range(5)] == [{0.1}, {0.1}, {0.1}, {0.1 / 5}, {0.1 / 5}]


def test_early_stopping_waits_its_patience_and_ends_only_its_own_phase(learner) -> None:
    rates = run(learner, phase(HEAD, patience=2), [1.0, 0.5, 0.6, 0.7, 0.1, 0.1, 0.1, 0.1])
    assert sorted(rates) == [0, 1, 2, 3]
    rates = run(learner, phase(epochs=3), [1.0, 0.5, 0.4])
    assert sorted(rates) == [0, 1, 2]


def test_the_best_epoch_is_kept_and_loaded_at_the_end(learner, tmp_path: Path) -> None:
    states = []

    class Keep(fastai.Callback):
        order = 59

        def after_epoch(self) -> None:
            states.append({k: v.clone() for k, v in self.learn.model.state_dict().items()})

    run(learner, phase(epochs=4), [1.0, 0.2, 0.6, 0.7], Keep(), SaveBest(tmp_path / "best.pth"))
    for key, value in learner.model.state_dict().items():
        assert torch.equal(value, states[1][key])
    assert not torch.equal(states[1]["head.weight"], states[3]["head.weight"])


def test_nothing_is_saved_or_loaded_where_no_loss_was_finite(learner, tmp_path: Path) -> None:
    run(learner, phase(epochs=2), [float("nan")] * 2, SaveBest(tmp_path / "best.pth"))
    assert not (tmp_path / "best.pth").exists()


def test_a_frozen_body_keeps_its_weights_and_its_batch_norm(learner) -> None:
    from birds.train.callbacks import FrozenBody

    before = {k: v.clone() for k, v in learner.model.body.state_dict().items()}
    head = learner.model.head.weight.clone()
    run(learner, phase(HEAD, epochs=2), [1.0, 0.5], FrozenBody())
    for key, value in learner.model.body.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert not torch.equal(head, learner.model.head.weight)


def test_going_on_from_a_checkpoint_gives_the_undisturbed_numbers(learner, tmp_path: Path) -> None:
    from birds.progress import Bar

    def trained(stop_after: int | None) -> list[dict[str, object]]:
        one, rows, file = phase(epochs=6, patience=6, plateau_min_delta=0.0), ([], []), tmp_path / f"{stop_after}.pt"

        def tell(row, timing) -> None:
            rows[0].append(row)
            if len(rows[0]) == stop_after:
                pass

        class Kill(fastai.Callback):
            order = 99

            def after_epoch(self) -> None:
                if stop_after and self.epoch + 1 == stop_after:
                    raise fastai.CancelFitException

        def turn(resume):
            fastai.set_seed(3, reproducible=True)
            items = [(torch.randn(3), torch.tensor(i % 2)) for i in range(32)]
            dls = fastai.DataLoaders.from_dsets(items, items, bs=8, device=torch.device("cpu"))
            net = fastai.Learner(
                dls, Net(), loss_func=fastai.CrossEntropyLossFlat(), metrics=fastai.accuracy, splitter=groups
            )
            done = resume["epoch"] if resume else 0
            keep = Checkpoint(file, one.name, rows, resume)
            extra = [] if resume else [Kill()]
            epochs = Epochs(one.name, done + 1, Bar(), tell)
            fit(net, one, done=done, is_pretrained=False, callbacks=[*one.trackers(), epochs, keep, *extra])

        turn(None)
        if stop_after:
            rows[0].clear()
            state = torch.load(file, weights_only=False)
            rows[0].extend(state["rows"][0])
            turn(state)
        return rows[0]

    assert trained(stop_after=3) == trained(stop_after=None)


def test_settings_take_one_value_or_two_and_from_scratch_the_second_counts() -> None:
    settings = {
        "epochs": (3, 7), "lr": (0.1,), "patience": (3,), "plateau_min_delta": (0.1, 0.05), "plateau_factor": (3.5, 7.5)
    }  # fmt: skip
    head, fine_tune = make_phases(True, **settings)
    assert (head.name, head.epochs, head.plateau_factor, head.lr) == ("head", 3, 3.5, 0.1)
    assert (fine_tune.name, fine_tune.epochs, fine_tune.plateau_factor, fine_tune.lr) == ("fine_tune", 7, 7.5, 0.1)
    (only,) = make_phases(False, **settings)
    assert (only.name, only.epochs, only.plateau_min_delta) == ("fine_tune", 7, 0.05)
