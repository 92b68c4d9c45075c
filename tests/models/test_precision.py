"""Choosing how to run a network: what is picked, that choosing leaves no trace, and what training then really does."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from birds.errors import UsageError
from birds.models import precision, trial
from birds.models.autocast import Autocast
from birds.models.estimate import Part, estimate, estimate_seconds
from birds.models.gate import fastai
from birds.models.precision import Choice, choose
from birds.models.trial import PLAIN, Way, measure, pick, ways_on
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

FP32_LAST, BF16, BF16_LAST = Way("fp32", True), Way("bf16", False), Way("bf16", True)
WAYS = [PLAIN, BF16_LAST, FP32_LAST, BF16]
SHAPE = (4, 3, 8, 8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)
        )
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def native_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that multiplies bf16 itself, wherever the test runs."""
    monkeypatch.setattr(trial, "_has_bf16", lambda: True)


def scripted(monkeypatch: pytest.MonkeyPatch, seconds: dict[Way, float]) -> list[Way]:
    """Steps take what a script says; the list tells of every one that was taken."""
    taken: list[Way] = []

    def step(self: trial.Trial, way: Way) -> float:
        taken.append(way)
        return seconds[way]

    monkeypatch.setattr(trial.Trial, "step", step)
    return taken


def steps(script: dict[Way, Any], taken: list[Way]) -> Callable[[Way], float]:
    """Each way takes the seconds of its list in turn, the last one for ever; an exception is raised."""
    left: dict[Way, Iterator[Any]] = {way: iter(values) for way, values in script.items()}

    def step(way: Way) -> float:
        taken.append(way)
        value = next(left[way], script[way][-1])
        if isinstance(value, Exception):
            raise value
        return float(value)

    return step


def random_states() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, keys.tolist(), rest, torch.get_rng_state().tolist()


@pytest.mark.parametrize("is_training", [True, False])
def test_the_network_and_all_random_states_are_what_they_were(net: Net, native_bf16: None, is_training: bool) -> None:
    net.body.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    loader = make_learner(Net()).dls.train
    states, order = random_states(), loader.rng.getstate()
    choose(net, picture_shape=SHAPE, classes=2, is_training=is_training, loader=loader)
    assert random_states() == states
    assert loader.rng.getstate() == order
    assert net.training
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name
        assert tensor.is_contiguous(), name
    assert [p.requires_grad for p in net.parameters()] == [False] * 4 + [True] * 2
    assert all(p.grad is None for p in net.parameters())


def test_steps_of_training_train_and_steps_of_inference_do_not(net: Net) -> None:
    for is_training in (True, False):
        copied = trial.Trial(net, SHAPE, 2, is_training=is_training, device=torch.device("cpu"))
        assert copied.step(BF16_LAST) > 0
        changed = [not torch.equal(a, b) for a, b in zip(copied.model.parameters(), net.parameters(), strict=True)]
        assert any(changed) == is_training
        statistics = copied.model.body[1].num_batches_tracked
        assert bool(statistics) == is_training
        weight = copied.model.body[0].weight
        assert weight.dtype == torch.float32
        assert weight.is_contiguous(memory_format=torch.channels_last)


def test_the_fastest_is_chosen_and_said_in_words(
    net: Net, native_bf16: None, monkeypatch: pytest.MonkeyPatch, notes: Any
) -> None:
    scripted(monkeypatch, {PLAIN: 2.0, FP32_LAST: 1.5, BF16: 1.2, BF16_LAST: 0.5})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    choice = choose(net, picture_shape=SHAPE, classes=2, progress=notes)
    assert (choice.precision, choice.channels_last, choice.workers) == ("bf16", True, 0)
    assert notes.lines[-1] == "bf16, channels-last, 2 threads: 8.0 images/s against 2.0 in plain fp32"


def test_ties_go_to_the_simplest() -> None:
    assert pick({PLAIN: 1.0, FP32_LAST: 0.98, BF16: 0.95, BF16_LAST: 0.92}) == PLAIN
    assert pick({PLAIN: 1.5, FP32_LAST: 1.05, BF16: 1.02, BF16_LAST: 1.0}) == FP32_LAST
    assert pick({PLAIN: 1.5, FP32_LAST: 1.2, BF16: 1.15, BF16_LAST: 1.0}) == BF16_LAST


@given(st.dictionaries(st.sampled_from(WAYS), st.floats(0.01, 100), min_size=1))
def test_what_is_picked_is_never_more_than_a_tenth_slower(seconds: dict[Way, float]) -> None:
    assert seconds[pick(seconds)] <= 1.1 * min(seconds.values())


def test_the_first_step_does_not_count_and_the_median_does() -> None:
    assert measure([PLAIN], steps({PLAIN: [9.0, 1.0, 5.0, 2.0]}, [])) == {PLAIN: 2.0}


def test_hopeless_and_impossible_ways_are_given_up() -> None:
    taken: list[Way] = []
    script = {PLAIN: [1.0], BF16_LAST: [3.5], FP32_LAST: [2.0, 1.6], BF16: [RuntimeError("no such operation")]}
    found = measure(WAYS, steps(script, taken))
    assert pick(found) == PLAIN
    assert [taken.count(way) for way in WAYS] == [4, 1, 2, 1]
    with pytest.raises(RuntimeError, match="no such operation"):
        measure([BF16], steps(script, taken))


def test_slow_steps_are_shared_out_over_the_ways_until_the_budget_is_used_up() -> None:
    taken: list[Way] = []
    script = {way: [4.0] for way in WAYS}
    assert list(measure(WAYS, steps(script, taken), budget_s=100.0)) == WAYS
    assert len(taken) == 16
    taken.clear()
    assert list(measure(WAYS, steps(script, taken), budget_s=30.0)) == WAYS
    assert len(taken) == 8  # no figure without one step beside the first
    taken.clear()
    assert list(measure(WAYS, steps(script, taken), budget_s=10.0)) == WAYS[:2]
    assert len(taken) == 4


def test_a_fixed_precision_is_kept_to_and_its_layout_measured(
    net: Net, native_bf16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = scripted(monkeypatch, {PLAIN: 2.0, FP32_LAST: 1.0, BF16: 0.2, BF16_LAST: 0.1})
    assert choose(net, picture_shape=SHAPE, classes=2, fixed="fp32").way == FP32_LAST
    assert set(taken) == {PLAIN, FP32_LAST}
    choice = choose(net, picture_shape=SHAPE, classes=2, fixed="bf16")
    assert (choice.way, choice.plain_images_per_second) == (BF16_LAST, None)


def test_what_a_device_cannot_compute_is_refused_or_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, mps = torch.device("cpu"), torch.device("mps")
    with pytest.raises(UsageError, match="fp16 cannot be had on a device cpu"):
        ways_on(cpu, "fp16")
    monkeypatch.setattr(trial, "_has_bf16", lambda: False)
    assert ways_on(cpu, None) == [PLAIN, FP32_LAST]
    assert ways_on(cpu, "bf16") == [BF16, BF16_LAST]  # on request it is, slowly
    monkeypatch.setattr(trial, "_has_bf16", lambda: True)
    assert set(ways_on(cpu, None)) == set(WAYS)
    assert ways_on(mps, None) == [PLAIN, FP32_LAST]


def test_a_choice_is_kept_for_the_next_run_and_a_damaged_store_is_as_good_as_none(
    net: Net, native_bf16: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = tmp_path / "cache" / "precision.json"
    seconds = {PLAIN: 2.0, FP32_LAST: 1.5, BF16: 1.2, BF16_LAST: 0.5}
    taken = scripted(monkeypatch, seconds)

    def ask(model: nn.Module = net, **changes: Any) -> tuple[Choice, bool]:
        taken.clear()
        return choose(model, **{"picture_shape": SHAPE, "classes": 2, "store": store, **changes}), bool(taken)

    first, is_measured = ask()
    assert is_measured
    for other in ({"picture_shape": (4, 3, 9, 9)}, {"is_training": False}, {"fixed": "fp32"}, {"workers": 1}):
        assert ask(**other)[1], other
    assert ask(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)))[1]
    monkeypatch.setattr(trial.Trial, "__init__", None)  # not even a copy is made
    assert ask() == (first, False)
    monkeypatch.undo()
    monkeypatch.setattr(trial, "_has_bf16", lambda: True)
    taken = scripted(monkeypatch, seconds)
    sound = json.loads(store.read_text())
    for damaged in ("{", "[]", '"x"', json.dumps({key: {"precision": "fp7"} for key in sound}), json.dumps({"k": 1})):
        store.write_text(damaged)
        assert ask() == (first, True), damaged
        assert ask() == (first, False), damaged


def test_what_loading_takes_decides_about_processes(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    loader, clock = make_learner(net).dls.train, [0.0]
    scripted(monkeypatch, {PLAIN: 2.0, FP32_LAST: 2.0, BF16: 2.0, BF16_LAST: 2.0})
    monkeypatch.setattr(precision.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: clock[0])

    def processes(item_s: float, **options: Any) -> int:
        def load(_index: int) -> None:
            clock[0] += item_s

        monkeypatch.setattr(loader, "do_item", load)
        return choose(net, picture_shape=(8, 3, 8, 8), classes=2, loader=loader, **options).workers

    assert [processes(0.01), processes(0.4), processes(0.4, workers=0), processes(0.01, workers=3)] == [0, 1, 0, 3]


def test_loading_gets_processes_only_where_steps_would_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision.os, "cpu_count", lambda: 8)
    assert [precision._workers_for(load, 1.0, "cpu") for load in (0.05, 0.45, 0.8, 1.7, 9.0)] == [0, 0, 1, 2, 2]
    assert [precision._workers_for(load, 1.0, "cuda") for load in (0.05, 0.8, 2.5, 99.0)] == [0, 1, 3, 8]
    monkeypatch.setattr(precision.os, "cpu_count", lambda: 1)
    assert precision._workers_for(9.0, 1.0, "cpu") == 0


class Seen(fastai.Callback):
    """What reaches the first convolution and the loss."""

    order = 20

    def __init__(self) -> None:
        self.conv: list[tuple[bool, torch.dtype, bool]] = []
        self.losses: set[torch.dtype] = set()

    def before_fit(self) -> None:
        self.hook = self.learn.model.body[0].register_forward_hook(self.look)

    def look(self, conv: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        is_last = inputs[0].is_contiguous(memory_format=torch.channels_last)
        is_last &= conv.weight.is_contiguous(memory_format=torch.channels_last)
        self.conv.append((self.training, output.dtype, is_last))

    def after_loss(self) -> None:
        assert not torch.is_autocast_enabled("cpu")
        self.losses |= {self.pred.dtype, self.learn.loss_grad.dtype}

    def after_fit(self) -> None:
        self.hook.remove()


class Noisy(fastai.Transform):
    """Augmentation, as far as random states are concerned."""

    def encodes(self, x: torch.Tensor) -> torch.Tensor:
        noise = random.random() + np.random.rand() + torch.rand(())
        return x + noise if x.ndim else x


def make_learner(net: Net) -> Any:
    rows = [(torch.randn(3, 8, 8), torch.tensor(i % 2)) for i in range(16)]
    dls = fastai.DataLoaders.from_dsets(rows, rows, bs=8, device=torch.device("cpu"), after_item=[Noisy()])
    return fastai.Learner(dls, net, loss_func=fastai.CrossEntropyLossFlat(), metrics=fastai.accuracy, lr=1e-2)


def fit(learner: Any, *callbacks: Any) -> None:
    with learner.no_bar(), learner.no_logging():
        learner.fit(1, cbs=callbacks)


@pytest.mark.parametrize("channels_last", [False, True])
def test_training_runs_in_bf16_with_fp32_losses_and_validation_in_fp32(net: Net, channels_last: bool) -> None:
    seen, threads = Seen(), torch.get_num_threads()
    before = net.head.weight.clone()
    fit(make_learner(net), seen, Autocast(Choice("bf16", channels_last, threads=threads)))
    expected = [(True, torch.bfloat16, channels_last)] * 2 + [(False, torch.float32, channels_last)] * 2
    assert seen.conv == expected
    assert seen.losses == {torch.float32}
    assert not torch.equal(net.head.weight, before)
    assert all(p.dtype == torch.float32 and p.is_contiguous() for p in net.parameters())


def test_in_plain_fp32_every_number_is_that_of_a_fit_without_it() -> None:
    weights = []
    for callbacks in ([], [Autocast(Choice(threads=torch.get_num_threads()))]):
        fastai.set_seed(1)
        learner = make_learner(Net())
        fit(learner, *callbacks)
        weights.append(learner.model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_threads_of_the_choice_hold_during_the_fit_only(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    fit(make_learner(net), Autocast(Choice(threads=3)))
    assert told == [3, 7]


def test_a_cancelled_batch_leaves_no_autocast_behind(net: Net) -> None:
    class Cancel(fastai.Callback):
        order = 15

        def before_batch(self) -> None:
            if self.iter == 1:
                raise fastai.CancelBatchException

        def after_cancel_batch(self) -> None:
            cancelled.append(torch.is_autocast_enabled("cpu"))

    cancelled: list[bool] = []
    fit(make_learner(net), Cancel(), Autocast(Choice("bf16")))
    assert cancelled == [False, False]  # one batch in training, one in validation


def test_judging_alone_works_without_a_fit_and_in_fp32(net: Net) -> None:
    learner, losses = make_learner(net), []
    for callbacks in ([], [Autocast(Choice("bf16"))]):
        fastai.set_seed(2)
        with learner.no_bar(), learner.no_logging():
            losses.append(learner.validate(cbs=callbacks))
    assert losses[0] == losses[1]


def test_what_is_saved_in_the_middle_fits_a_network_of_any_layout(net: Net, tmp_path: Path) -> None:
    class Save(fastai.Callback):
        order = 61

        def after_epoch(self) -> None:
            torch.save(self.learn.model.state_dict(), tmp_path / "best.pth")

    fit(make_learner(net), Save(), Autocast(Choice(channels_last=True)))
    other = Net()
    other.load_state_dict(torch.load(tmp_path / "best.pth", weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert other.body[0].weight.is_contiguous()


def test_the_estimate_in_words() -> None:
    parts = [Part("features", 1000, 50.0), Part("head", 200, 40.0), Part("fine-tuning", 1000, 5.0, is_limit=True)]
    assert estimate_seconds(parts) == 225.0
    assert estimate(parts) == "about 4 minutes: features 20 s, head 5 s, fine-tuning up to 200 s"
    assert estimate([Part("head", 1, 40.0)]) == "about 1 s: head 1 s"
    assert estimate([Part("fine-tuning", 10_800, 1.0)]) == "about 3.0 hours: fine-tuning 11000 s"
