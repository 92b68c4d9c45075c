"""The learning-rate finder: what it suggests, and that nothing else can tell it was there."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from birds.errors import TrainError, UsageError
from birds.models.gate import fastai
from birds.train.compare_command import lr_find
from birds.train.finder import BATCHES, search, suggest_lr, suggestion
from birds.train.phases import BODY_RATE
from torch import nn
from typer.testing import CliRunner

app = typer.Typer()
app.command("lr-find")(lr_find)
app.command()(lambda: None)  # a second command: Typer would take a single one for the whole app


class Network(nn.Module):
    """Body and head, as `Classifier` has them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(6, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(x))
        return logits


def make_learner(*, pictures: int = 64, head_only: bool = False, labels: torch.Tensor | None = None):
    fastai.set_seed(1, reproducible=True)
    x = torch.randn(pictures, 4)
    y = (x[:, 0] + x[:, 1] > 0).long() if labels is None else labels
    items = list(zip(x, y, strict=True))
    train = fastai.DataLoader(items, bs=8, shuffle=True, drop_last=True)
    dls = fastai.DataLoaders(train, fastai.DataLoader(items, bs=8))
    network = nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 2)) if head_only else Network()
    splitter = (lambda model: [list(model.parameters())]) if head_only else _body_and_head
    return fastai.Learner(dls, network, loss_func=nn.CrossEntropyLoss(), splitter=splitter, train_bn=False)


def _body_and_head(model):
    return [list(model.body.parameters()), list(model.head.parameters())]


class Rates(fastai.Callback):
    """The rates of every group, and whether the body was in training mode, at each batch."""

    order = 61  # after the finder has set them

    def __init__(self) -> None:
        self.rates, self.body_trains = [], []

    def before_batch(self) -> None:
        self.rates.append([group["lr"] for group in self.opt.hypers])
        self.body_trains.append(self.learn.model.body.training)


class Draws(fastai.Callback):
    """An augmentation that draws from every generator there is."""

    def before_batch(self) -> None:
        self.drawn = random.random(), np.random.rand(), torch.rand(1)


def everything_random(learner) -> list[object]:
    return [
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().tolist(),
        learner.dls.train.rng.getstate(),
    ]


@pytest.mark.parametrize("phase", ["head", "fine_tune"])
def test_it_suggests_a_rate_on_the_descent_and_leaves_the_learner_as_it_was(
    phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learner = make_learner()
    weights = {name: value.clone() for name, value in learner.model.state_dict().items()}
    chance = everything_random(learner)
    found = search(learner, phase, callbacks=[Draws()])
    at = next(i for i, rate in enumerate(found.rates) if rate >= found.lr)
    assert min(found.losses) < found.losses[at] < found.losses[0], "between the start and the lowest point"
    assert all(torch.equal(value, weights[name]) for name, value in learner.model.state_dict().items())
    assert everything_random(learner) == chance
    assert learner.opt is None
    assert list(tmp_path.iterdir()) == [], "fastai's temporary file would lie in the working directory"


def test_training_goes_on_as_if_nobody_had_searched() -> None:
    def losses_after(search_first: bool) -> list[float]:
        learner = make_learner()
        if search_first:
            suggest_lr(learner, "fine_tune")
        with learner.no_bar(), learner.no_logging():
            learner.fit(2, lr=1e-2)
        return [float(loss) for loss in learner.recorder.losses]

    assert losses_after(search_first=True) == losses_after(search_first=False)


def test_the_same_seed_gives_the_same_suggestion_and_another_start_may_not() -> None:
    assert suggest_lr(make_learner(), "fine_tune") == suggest_lr(make_learner(), "fine_tune")
    other = make_learner()
    torch.manual_seed(99)
    other.model.head[1].reset_parameters()
    assert search(other, "fine_tune").losses != search(make_learner(), "fine_tune").losses


def test_the_head_phase_leaves_the_body_in_eval_mode_and_untrained() -> None:
    learner, watch = make_learner(), Rates()
    search(learner, "head", callbacks=[watch])
    assert not any(watch.body_trains)
    assert [p.requires_grad for p in learner.model.body[0].parameters()] == [False, False]


@pytest.mark.parametrize(("is_pretrained", "share"), [(True, BODY_RATE), (False, 1.0)])
def test_a_pretrained_body_is_tried_at_the_share_of_the_rate_it_will_train_at(
    is_pretrained: bool, share: float
) -> None:
    watch = Rates()
    found = search(make_learner(), "fine_tune", is_pretrained=is_pretrained, callbacks=[watch])
    assert all(body == pytest.approx(share * head) for body, head in watch.rates)
    assert found.rates == [head for _, head in watch.rates][: len(found.rates)], "the rates told are the head's"


def test_a_head_on_features_is_a_learner_too() -> None:
    learner = make_learner(head_only=True)
    assert 1e-7 < suggest_lr(learner, "head") < 10


def test_an_epoch_of_one_batch_is_repeated_until_there_are_enough() -> None:
    found = search(make_learner(pictures=9, head_only=True), "head")
    assert BATCHES // 2 < len(found.rates) <= BATCHES


def test_it_says_so_where_no_rate_lowers_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_to_learn = make_learner(head_only=True)
    nothing_to_learn.loss_func = lambda logits, y: (logits * 0).sum() + 0.7
    with pytest.raises(TrainError, match=r"no rate at which the loss falls.*--lr"):
        suggest_lr(nothing_to_learn, "head")
    not_a_number = make_learner(head_only=True)
    not_a_number.loss_func = lambda logits, y: (logits * float("nan")).sum()
    weights = {name: value.clone() for name, value in not_a_number.model.state_dict().items()}
    with pytest.raises(TrainError, match="no rate at which the loss falls"):
        suggest_lr(not_a_number, "head")
    assert all(torch.equal(value, weights[name]) for name, value in not_a_number.model.state_dict().items())


def test_a_trifling_fall_before_the_real_one_does_not_count() -> None:
    """As a head of zeros shows it; fastai's valley alone would suggest the rate in the middle of it."""
    rates = [10 ** (-7 + 8 * i / 100) for i in range(90)]
    losses = [2.0 - 1e-6 * i for i in range(60)] + [2.0 - 0.05 * i for i in range(20)] + [3.0 + i for i in range(10)]
    assert fastai.valley(rates[10:-5], losses[10:-5], 100)[0] < rates[60]
    assert rates[60] < suggestion(rates, losses) < rates[80]


def test_an_error_in_the_middle_leaves_optimizer_folder_and_chance_as_they_were() -> None:
    class Breaks(fastai.Callback):
        def after_batch(self) -> None:
            if self.learn.train_iter > 20:
                raise RuntimeError("disk full")

    learner = make_learner()
    chance, path = everything_random(learner), learner.path
    with pytest.raises(RuntimeError, match="disk full"):
        search(learner, "fine_tune", callbacks=[Breaks()])
    assert everything_random(learner) == chance
    assert (learner.opt, learner.path) == (None, path)


def test_the_command_leaves_a_picture_and_no_run(dataset: Path) -> None:
    (dataset / "birds.toml").write_text('[train]\nlr = "auto"\nsize = 224\nweights = "none"\nbatch_size = 8\n')
    flags = ["--project", str(dataset), "--arch", "squeezenet1_1", "--size", "32", "--json", "--quiet"]
    torch.manual_seed(5)
    chance = torch.get_rng_state()
    answer = CliRunner().invoke(app, ["lr-find", *flags])
    assert answer.exit_code == 0, answer.exception
    found = json.loads(answer.stdout)
    assert found["phase"] == "fine_tune", "from scratch there is no head phase"
    assert 1e-7 < found["lr"] < 10
    assert [path.name for path in (dataset / "runs").iterdir()] == ["lr-find.png"]
    assert (dataset / "runs" / "lr-find.png").read_bytes().startswith(b"\x89PNG")
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize(("phase", "said"), [("body", "no phase 'body'"), ("head", "no head phase")])
def test_phases_that_cannot_be_say_so(dataset: Path, phase: str, said: str) -> None:
    flags = ["--project", str(dataset), "--arch", "squeezenet1_1", "--weights", "none", "--phase", phase]
    answer = CliRunner().invoke(app, ["lr-find", *flags])
    assert isinstance(answer.exception, UsageError)
    assert said in str(answer.exception)
