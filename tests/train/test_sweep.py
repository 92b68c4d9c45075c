"""Sweeps: what they try, what they survive, what they say. Real trainings of a small network on tiny pictures."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from birds.errors import ProjectError, TrainError, UsageError
from birds.files import Project
from birds.models.runs import list_runs
from birds.train import sweep as sweep_module
from birds.train.comparison_table import Entry
from birds.train.sweep import SweepResult, sweep
from birds.train.sweep_command import sweep as sweep_command
from birds.train.sweep_plan import Plan, read_plan, values_of
from birds.train.sweep_table import Row, draw_courses, in_words
from PIL import Image
from typer.testing import CliRunner

TINY = {"arch": "base_net", "epochs": (2,), "precision": "fp32", "workers": 0, "optimizer": "sgd", "averaging": False}
EXPLODES = 1e9
SETTINGS = [{**TINY, "lr": (lr,), "batch_size": size} for lr in (EXPLODES, 0.1, 0.01) for size in (8, 12)]

app = typer.Typer()
app.command("sweep")(sweep_command)
app.command()(lambda: None)  # a second command: Typer would take a single one for the whole app


def table_of(root: Path, name: str = "sweep") -> list[dict[str, str]]:
    with (root / "runs" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def copy_of(root: Path, other: Path) -> Path:
    """Another project with the same dataset."""
    shutil.copytree(root / "dataset", other / "dataset")
    return other


def figures(root: Path) -> list[dict[str, str]]:
    """The table without what hangs on the clock."""
    return [{key: value for key, value in row.items() if key not in ("runs", "seconds")} for row in table_of(root)]


def asked_by(monkeypatch: pytest.MonkeyPatch, *flags: str) -> list[dict[str, Any]]:
    """The settings that the command would try."""
    asked: list[dict[str, Any]] = []

    def watched(_project: Path, settings: list[dict[str, Any]], **_rest: object) -> SweepResult:
        asked.extend(settings)
        raise TrainError("Enough.")

    monkeypatch.setattr(sweep_module, "sweep", watched)
    answer = CliRunner().invoke(app, ["sweep", *flags])
    if not asked:
        assert answer.exception is not None
        raise answer.exception
    return asked


def test_flags_make_a_grid_and_what_is_set_is_shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "birds.toml").write_text("[train]\nseed = 4\nepochs = [3]\n")
    flags = ["--arch", "emoji_cnn", "--vary", "lr=0.5,0.1/0.01", "--vary", "batch-size=5,10", "--set", "flip=false"]
    asked = asked_by(monkeypatch, *flags, "--project", str(tmp_path))
    shared = {"arch": "emoji_cnn", "seed": 4, "epochs": (3,), "flip": False}
    grid = [((0.5,), 5), ((0.5,), 10), ((0.1, 0.01), 5), ((0.1, 0.01), 10)]
    assert asked == [{**shared, "lr": lr, "batch_size": size} for lr, size in grid]


def test_a_file_holds_what_is_shared_a_grid_and_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "try.toml"
    path.write_text(
        '[all]\narch = "base_net"\nepochs = 20\n[vary]\nbatch-size = [5, 10]\n'
        '[[setting]]\noptimizer = "sgd"\nlr = [0.1, 0.01]\n[[setting]]\noptimizer = "adam"\n'
    )
    asked = asked_by(monkeypatch, str(path), "--set", "epochs=2")
    shared = {"arch": "base_net", "epochs": (2,)}
    tried = [{"optimizer": "sgd", "lr": (0.1, 0.01)}, {"optimizer": "adam"}]
    assert asked == [{**shared, **one, "batch_size": size} for one in tried for size in (5, 10)]


def test_the_options_of_a_network_do_not_part_it() -> None:
    assert values_of("bird_cnn:kernel=3,convs=2,bird_cnn,base_net:depth=3") == [
        "bird_cnn:kernel=3,convs=2", "bird_cnn", "base_net:depth=3"
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["0.1", "0.1/0.01", "true", "16", "adam"])
def test_values_are_told_as_they_are_given(value: str) -> None:
    from birds.config import train_arguments, train_value

    name = {"0.1": "lr", "0.1/0.01": "lr", "true": "flip", "16": "batch_size", "adam": "optimizer"}[value]
    assert in_words(train_arguments({name: train_value(name, value, "--set")})[name]) == value


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--vary", "learning=1,2"], r"--vary has no 'learning'"),
        (["--vary", "batch-sizes=1,2"], r"--vary has no 'batch_sizes'.*Did you mean batch_size"),
        (["--vary", "batch-size=5,many"], r"--vary batch_size cannot be 'many'.*whole number"),
        (["--vary", "lr"], "no NAME=VALUE"),
        (["--vary", "lr=1,2", "--vary", "lr=3"], "names lr twice"),
        (["--vary", "seed=1,2", "--seed", "3"], "seed is varied and set as well"),
        (["--set", "seed=1", "--seed", "3"], "seed is set twice"),
        (["nowhere.toml"], r"nowhere\.toml cannot be read"),
    ],
)
def test_what_cannot_be_tried_says_so(monkeypatch: pytest.MonkeyPatch, flags: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked_by(monkeypatch, *flags)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[al]\nlr = 1", "al cannot stand there"),
        ("lr = 1", "lr cannot stand there"),
        ("[vary]\nlr = []", "no value to try for lr"),
        ("[vary]\nlr = [1]\n[[setting]]\nlr = 2", "lr is varied and stands in a setting too"),
        ("[vary", "cannot be read"),
    ],
)
def test_a_file_that_is_no_plan_says_so(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_plan(tmp_path / "plan.toml").combinations()


def test_a_plan_of_nothing_is_one_training() -> None:
    assert Plan({"lr": 1}).combinations() == [{"lr": 1}]


def test_settings_that_cannot_work_are_told_before_anything_is_trained(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "train_each", pytest.fail)
    with pytest.raises(UsageError, match=r"With .*loss=hinge.*no loss 'hinge'"):
        sweep(dataset, [TINY, {**TINY, "loss": "hinge"}])
    with pytest.raises(UsageError, match="no two different settings"):
        sweep(dataset, [TINY, {**TINY, "momentum": 0.9}])  # which it has anyway
    with pytest.raises(UsageError, match="cannot be the name of a sweep"):
        sweep(dataset, SETTINGS, name="../up")
    for path in sorted((dataset / "dataset" / "test").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (dataset / "dataset" / "test").rmdir()
    with pytest.raises(ProjectError, match="no folder"):
        sweep(dataset, SETTINGS, final=True)


@pytest.mark.slow
def test_a_sweep_killed_on_its_way_ends_with_the_undisturbed_table(dataset: Path, tmp_path: Path) -> None:
    other = copy_of(dataset, tmp_path / "undisturbed")
    undisturbed = sweep(other, SETTINGS)
    vary = ["--vary", f"lr={EXPLODES:g},0.1,0.01", "--vary", "batch-size=8,12", "--set", "precision=fp32"]
    common = ["--arch", "base_net", "--epochs", "2", "--set", "workers=0", "--set", "optimizer=sgd", "--set"]
    command = [sys.executable, "-m", "birds", "sweep", *common, "averaging=false", *vary]
    process = subprocess.Popen(command, cwd=dataset, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while len(list((dataset / "runs").glob("*/config.json"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    begun = {run.name for run in list_runs(Project(dataset))}
    assert len(begun) >= 4
    assert len(begun) < len(SETTINGS), "it was not over"
    result = sweep(dataset, SETTINGS)
    assert figures(dataset) == figures(other)
    assert begun <= {run.name for run in list_runs(Project(dataset))}
    assert len(list_runs(Project(dataset))) == len(SETTINGS), "what was begun was taken up"
    assert [row.setting for row in result.rows] == [row.setting for row in undisturbed.rows]


def test_what_fails_is_a_row_with_its_reason_and_the_best_is_named(dataset: Path) -> None:
    flags = ["--arch", "base_net", "--epochs", "1", "--vary", f"lr={EXPLODES:g},0.1,0.01", "--set", "optimizer=sgd"]
    flags += ["--set", "precision=fp32", "--set", "workers=0", "--set", "averaging=no", "--project", str(dataset)]
    answer = CliRunner().invoke(app, ["sweep", *flags, "--name", "rates"])
    assert answer.exit_code == 0, answer.exception
    rows = table_of(dataset, "sweep-rates")
    assert [row["lr"] for row in rows][2] == "1e+09"
    assert "finite loss" in rows[2]["failed"]
    assert rows[2]["valid_loss"] == ""
    losses = [float(row["valid_loss"]) for row in rows[:2]]
    assert losses == sorted(losses)
    assert not [column for column in rows[0] if "test" in column]
    assert f"Best by validation loss: lr={rows[0]['lr']} (run {rows[0]['runs']}" in answer.stdout
    with Image.open(dataset / "runs" / "sweep-rates.png") as picture:
        assert picture.width > 1000


@pytest.fixture
def one_thread() -> Iterator[None]:
    """With more, sums are added in another order than in processes that share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
def test_trainings_side_by_side_give_the_same_table(dataset: Path, tmp_path: Path) -> None:
    other = copy_of(dataset, tmp_path / "in turn")
    some = SETTINGS[:1] + SETTINGS[-2:]
    sweep(other, some)
    sweep(dataset, some, jobs=2)
    assert figures(dataset) == figures(other)


def test_where_nothing_could_be_trained_the_reason_is_the_error(dataset: Path) -> None:
    with pytest.raises(TrainError, match=r"None could be trained: .*finite loss"):
        sweep(dataset, SETTINGS[:2])


def test_only_the_best_is_judged_on_the_test_set(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def with_figures(entry: Entry, *_: object) -> Entry:
        judged.append(entry)
        return Entry(**{**vars(entry), "test_loss": 0.5, "test_accuracy": 0.8, "test_accuracy_interval": (0.6, 0.9)})

    monkeypatch.setattr(sweep_module, "with_test_figures", with_figures)
    result = sweep(dataset, SETTINGS[2:4], final=True)
    assert [entry.runs[0] for entry in judged] == [result.best]
    assert [row["test_loss"] for row in table_of(dataset)] == ["0.5", ""]


def test_many_long_names_can_be_drawn(tmp_path: Path) -> None:
    rows, histories = [], []
    for number in range(20):
        entry = Entry(["run"], "odd$name", "none", 0.1 + number, None, 0.5, None, (0.4, 0.6), 1.0, None)
        rows.append(Row({"arch": f"cigüeña blanca de la marisma {number} " * 4, "lr": (0.1, 0.01)}, entry))
        losses = [1.0 + number, float("nan"), 0.1 + number]
        histories.append([{"valid_loss": one, "valid_accuracy": 0.5} for one in losses])
    rows.append(Row({"arch": "x", "lr": None}, None, "failed"))
    draw_courses(rows, [*histories, []], 4, tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as picture:
        assert picture.format == "PNG"
