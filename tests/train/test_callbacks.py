"""That early stopping, plateau and best-model saving do what their names say, watched inside fastai's own loop."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from birds.models.gate import fastai
from birds.progress import Bar
from birds.train.averaging import AverageWeights
from birds.train.callbacks import Epochs, FrozenBody, SaveBest, TrainingLoss
from birds.train.checkpoints import Checkpoint, last_checkpoint
from birds.train.phases import FINE_TUNE, HEAD, ONE_CYCLE, Phase, fit
from torch import nn


class Scripted(fastai.Callback):
    """Gives the epochs the validation losses of a script, after the Recorder has measured real ones."""

    order = 55

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def after_epoch(self) -> None:
        self.recorder.values[-1][1] = self.losses[self.epoch]


class Rates(fastai.Callback):
    """The learning rates that the optimizer's steps really used, by epoch."""

    order = 100

    def __init__(self) -> None:
        self.by_epoch: dict[int, list[float]] = {}

    def before_step(self) -> None:
        self.by_epoch.setdefault(self.epoch, []).append(self.opt.hypers[-1]["lr"])


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


def run(learner, one: Phase, losses: list[float], *more: object, schedule: str = "flat") -> dict[int, list[float]]:
    rates = Rates()
    callbacks = [*one.trackers(schedule), Scripted(losses), rates, *more]
    fit(learner, one, done=0, is_pretrained=False, callbacks=callbacks, schedule=schedule)
    return rates.by_epoch


def test_the_rate_used_in_the_epoch_after_a_plateau_is_the_reduced_one(learner) -> None:
    rates = run(learner, phase(patience=8), [1.0, 0.9, 0.89, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert [set(rates[epoch]) for epoch in range(1, 5)] == [{0.1}, {0.1}, {0.1 / 5}, {0.1 / 5}]


def test_the_rate_rises_over_the_first_epoch_and_is_whole_at_its_end(learner) -> None:
    rates = run(learner, phase(epochs=2), [1.0, 0.5])
    assert rates[0] == pytest.approx([0.0325, 0.055, 0.0775, 0.1])
    assert rates[1] == [0.1] * 4


def test_one_cycle_rises_and_falls_over_the_whole_phase_and_has_no_plateau(learner) -> None:
    rates = run(learner, phase(epochs=4, patience=4), [1.0, 1.0, 1.0, 1.0], schedule=ONE_CYCLE)
    course = [rate for epoch in range(4) for rate in rates[epoch]]
    assert course[0] == pytest.approx(0.1 / 25)
    assert max(course) == course[4] == pytest.approx(0.1), "at a quarter of the phase"
    assert course[4:] == sorted(course[4:], reverse=True)
    assert course[-1] < 0.005


def test_smoothed_labels_and_class_weights_are_of_training_only(learner) -> None:
    seen: dict[str, set[object]] = {"training": set(), "validation": set()}

    class Watch(fastai.Callback):
        def after_loss(self) -> None:
            seen["training" if self.training else "validation"].add(self.learn.loss_func)

    plain = learner.loss_func
    loss = TrainingLoss(0.1, torch.tensor([1.0, 3.0]))
    run(learner, phase(epochs=1), [1.0], loss, Watch())
    assert seen == {"training": {loss.loss}, "validation": {plain}}
    assert (loss.loss.func.label_smoothing, loss.loss.func.weight.tolist()) == (0.1, [1.0, 3.0])
    assert learner.loss_func is plain


def test_mixup_mixes_with_the_training_loss_and_leaves_the_plain_one(learner) -> None:
    plain = learner.loss_func
    run(learner, phase(epochs=2), [1.0, 0.5], TrainingLoss(0.1, None), fastai.MixUp(0.4))
    assert learner.loss_func is plain


def test_the_average_is_judged_and_saved_and_training_goes_on_from_the_last_step(learner, tmp_path: Path) -> None:
    judged, stepped = [], []

    class Watch(fastai.Callback):
        def before_validate(self) -> None:
            stepped.append(self.learn.model.head.weight.clone())

        def after_validate(self) -> None:
            judged.append(self.learn.model.head.weight.clone())

        def before_train(self) -> None:
            if stepped:
                assert torch.equal(self.learn.model.head.weight, stepped[-1])

    average = AverageWeights()
    run(learner, phase(epochs=3), [1.0, 0.5, 0.6], Watch(), average, SaveBest(tmp_path / "best.pth"))
    assert not torch.equal(judged[1], stepped[1])
    saved = torch.load(tmp_path / "best.pth", weights_only=True)
    assert torch.equal(saved["head.weight"], judged[1])
    assert torch.equal(learner.model.head.weight, judged[1])


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
    before = {k: v.clone() for k, v in learner.model.body.state_dict().items()}
    head = learner.model.head.weight.clone()
    run(learner, phase(HEAD, epochs=2), [1.0, 0.5], FrozenBody())
    for key, value in learner.model.body.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert not torch.equal(head, learner.model.head.weight)


@pytest.mark.parametrize("schedule", ["flat", ONE_CYCLE])
def test_going_on_from_a_checkpoint_gives_the_undisturbed_numbers(tmp_path: Path, schedule: str) -> None:
    one = phase(epochs=6, patience=6, plateau_min_delta=0.0)

    class Kill(fastai.Callback):
        order = 99

        def __init__(self, after: int | None) -> None:
            self.after = after

        def after_epoch(self) -> None:
            if self.epoch + 1 == self.after:
                raise KeyboardInterrupt

    def turn(folder: Path, kill_after: int | None) -> list[dict[str, object]]:
        fastai.set_seed(3, reproducible=True)
        items = [(torch.randn(3), torch.tensor(i % 2)) for i in range(32)]
        dls = fastai.DataLoaders.from_dsets(items, items, bs=8, device=torch.device("cpu"))
        net = fastai.Learner(
            dls, Net(), loss_func=fastai.CrossEntropyLossFlat(), metrics=fastai.accuracy, splitter=groups
        )
        resume = last_checkpoint(folder, print)
        rows = resume["rows"] if resume else ([], [])
        done = resume["epoch"] if resume else 0
        keep = Checkpoint(folder, one, rows, resume)
        epochs = Epochs(one.name, done + 1, Bar(), lambda row, timing: rows[0].append(row))
        callbacks = [*one.trackers(schedule), epochs, AverageWeights(), fastai.MixUp(0.4), keep, Kill(kill_after)]
        with suppress(KeyboardInterrupt):
            fit(net, one, done=done, is_pretrained=False, callbacks=callbacks, schedule=schedule)
        return rows[0]

    for folder in ("killed", "undisturbed"):
        (tmp_path / folder).mkdir()
    for _ in range(2):
        turn(tmp_path / "killed", kill_after=2)
    assert turn(tmp_path / "killed", None) == turn(tmp_path / "undisturbed", None)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(learner, tmp_path: Path) -> None:
    run(learner, phase(epochs=3), [1.0, 0.9, 0.8], Checkpoint(tmp_path, phase("head"), ([], []), None))
    assert len(list(tmp_path.iterdir())) == 2
    assert last_checkpoint(tmp_path, print)["is_over"]
    (tmp_path / "last.pt").write_bytes(b"half a fi")
    told: list[str] = []
    before = last_checkpoint(tmp_path, told.append)
    assert (before["epoch"], before["is_over"]) == (3, False)
    assert "last.pt cannot be read" in told[0]
    (tmp_path / "before-last.pt").unlink()
    assert last_checkpoint(tmp_path, told.append) is None
