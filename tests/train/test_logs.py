"""--log: fastai's own callbacks, where the extra is installed, and a plain sentence where it is not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from birds.errors import UsageError
from birds.models.gate import fastai
from birds.models.runs import Run
from birds.train.logs import callbacks_for
from torch import nn

BATCHES = 3


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    config = {"name": "one", "created_at": "2026-11-24T10:00:00.000+00:00", "arch": "resnet18"}
    (folder / "config.json").write_text(json.dumps(config))
    return Run(folder)


def make_learner() -> Any:
    """On features: no pictures that a callback could show."""
    fastai.set_seed(2, reproducible=True)
    items = [(torch.randn(4), torch.tensor(number % 2)) for number in range(8 * BATCHES)]
    loaders = [fastai.DataLoader(items, bs=8, shuffle=shuffle) for shuffle in (True, False)]
    network = nn.Sequential(nn.Dropout(0.2), nn.Linear(4, 2))
    return fastai.Learner(
        fastai.DataLoaders(*loaders), network, loss_func=nn.CrossEntropyLoss(), metrics=fastai.accuracy
    )


def fit(callbacks: list[Any], epochs: int = 2, learner: Any = None) -> Any:
    learner = learner or make_learner()
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, lr=1e-2, cbs=callbacks)
    return learner


def scalars(run: Run) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_without_a_log_there_is_no_callback_and_other_names_are_refused(run: Run) -> None:
    assert callbacks_for(None, run) == []
    with pytest.raises(UsageError, match=r"no log 'excel'.*tensorboard, wandb"):
        callbacks_for("excel", run)


@pytest.mark.parametrize("log", ["tensorboard", "wandb"])
def test_a_missing_package_names_the_extra(run: Run, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == log or name.endswith(f"callback.{log}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, log, None)  # as if it were not installed
    with pytest.raises(UsageError, match=rf'pip install "birds\[{log}\]"'):
        callbacks_for(log, run)
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]


def test_tensorboard_gets_losses_and_rates_and_both_phases_are_one_log(run: Run) -> None:
    pytest.importorskip("tensorboard")
    callbacks = callbacks_for("tensorboard", run)
    first = fit(callbacks, epochs=2)
    second = fit(callbacks, epochs=3)
    logged = scalars(run)
    assert [step for step, _ in logged["train_loss"]] == list(range(1, 5 * BATCHES + 1)), "once a training batch"
    losses = [values[1] for learner in (first, second) for values in learner.recorder.values]
    assert [step for step, _ in logged["valid_loss"]] == [BATCHES * epoch for epoch in range(1, 6)]
    assert [value for _, value in logged["valid_loss"]] == pytest.approx(losses)
    assert [value for _, value in logged["lr_0"]] == pytest.approx([1e-2] * 5 * BATCHES)
    assert "accuracy" in logged


def test_a_resumed_run_goes_on_in_the_same_log_without_what_the_broken_epoch_left(run: Run) -> None:
    pytest.importorskip("tensorboard")

    class Killed(fastai.Callback):
        def after_batch(self) -> None:
            if self.learn.train_iter == 2 * BATCHES + 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit([*(killed := callbacks_for("tensorboard", run)), Killed()], epochs=4)
    killed[0].writer.close()  # the process that was killed had written these by then
    fit(callbacks_for("tensorboard", run), epochs=2)  # as another process would
    logged = scalars(run)
    assert [step for step, _ in logged["train_loss"]] == list(range(1, 4 * BATCHES + 1))
    assert [step for step, _ in logged["valid_loss"]] == [BATCHES * epoch for epoch in range(1, 5)]


@pytest.mark.parametrize("log", ["tensorboard", "wandb"])
def test_a_log_changes_no_number(run: Run, log: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip(log)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    plain = fit([])
    logged = fit(callbacks_for(log, run))
    assert [float(x) for x in logged.recorder.losses] == [float(x) for x in plain.recorder.losses]
    assert logged.recorder.values == plain.recorder.values
    assert capsys.readouterr().out == "", "standard output is for results"


def test_weights_and_biases_writes_into_the_runs_folder_and_both_phases_are_one_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # nobody is logged in there
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    callbacks = callbacks_for("wandb", run)
    assert wandb.run.settings.mode == "offline"
    fit(callbacks, epochs=1)
    after_first = wandb.run.step
    fit(callbacks, epochs=2)
    assert wandb.run.step > after_first >= BATCHES
    assert wandb.run.summary["epoch"] == 3
    assert 0 < wandb.run.summary["valid_loss"] < 10
    wandb.finish()
    (written,) = (run.folder / "wandb").glob("offline-run-*")
    assert list(written.glob("*.wandb"))
