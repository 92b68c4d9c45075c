"""Comparing networks and runs, and repeating a training: real trainings of tiny networks on tiny pictures."""

import csv
import json
import shutil
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import typer
from birds.errors import ModelError, ProjectError, TrainError, UsageError
from birds.evaluation import evaluate
from birds.files import Project
from birds.models.gate import torchvision
from birds.models.runs import list_runs
from birds.models.statistics import wilson_interval
from birds.train import comparison
from birds.train.compare_command import compare as compare_command
from birds.train.comparison import compare
from birds.train.comparison_table import Entry, draw_table
from birds.train.repeats import repeat
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from typer.testing import CliRunner

VALID = 6  # pictures a class
TINY = {"size": 32, "batch_size": 8, "weights": "none", "epochs": (1,), "precision": "fp32", "averaging": False}
ARCHS = ("squeezenet1_1", "shufflenet_v2_x0_5")

app = typer.Typer()
app.command("compare")(compare_command)
app.command()(lambda: None)  # a second command: Typer would take a single one for the whole app


def write_dataset(root: Path) -> Path:
    for part, count in (("train", 8), ("val", VALID), ("test", 10)):
        for label, colour in (("claro", 200), ("oscuro", 60)):
            folder = root / "dataset" / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (40, 40), (colour, colour, 7 * number))
                ImageDraw.Draw(picture).ellipse((number, 5, 20 + number, 25), fill=(120, 20 * number, 90))
                picture.save(folder / f"{label} {part} {number}.png")
    return root


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, comparison.CompareResult]:
    """A project in which two networks were compared."""
    root = write_dataset(tmp_path_factory.mktemp("compared"))
    return root, compare(root, archs=ARCHS, **TINY)


@pytest.fixture
def project(compared: tuple[Path, comparison.CompareResult], tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(compared[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def table_of(root: Path) -> list[dict[str, str]]:
    with (root / "runs" / "comparison.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def names(root: Path) -> set[str]:
    return {run.name for run in list_runs(Project(root))}


def run_of(root: Path, arch: str) -> str:
    return next(run.name for run in list_runs(Project(root)) if run.config["arch"] == arch)


def test_networks_are_ranked_by_validation_loss_with_intervals(compared: tuple[Path, comparison.CompareResult]) -> None:
    root, result = compared
    assert {entry.arch for entry in result.ranking} == set(ARCHS)
    first, second = result.ranking
    assert first.valid_loss <= second.valid_loss
    results = {run.name: run.result or {} for run in list_runs(Project(root))}
    for entry in result.ranking:
        (own,) = (results[name] for name in entry.runs)
        assert (entry.valid_loss, entry.valid_accuracy) == (own["valid_loss"], own["valid_accuracy"])
        right = round(entry.valid_accuracy * 2 * VALID)
        assert entry.valid_accuracy_interval == wilson_interval(right, 2 * VALID)
        assert entry.valid_loss_spread is None
    parameters = {entry.arch: entry.million_parameters for entry in result.ranking}
    assert parameters["squeezenet1_1"] == pytest.approx(1.2, abs=0.1)


def test_the_table_is_written_as_csv_and_picture(compared: tuple[Path, comparison.CompareResult]) -> None:
    root, result = compared
    rows = table_of(root)
    assert [row["arch"] for row in rows] == [entry.arch for entry in result.ranking]
    assert float(rows[0]["valid_loss"]) == result.ranking[0].valid_loss
    assert float(rows[0]["valid_accuracy_low"]) == result.ranking[0].valid_accuracy_interval[0]
    assert not [column for column in rows[0] if "test" in column], "the test set is asked for by --final only"
    with Image.open(str(result.picture)) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_every_accuracy_can_be_drawn(tmp_path: Path, accuracy: float) -> None:
    for n in (1, 7, 12, 106):
        interval = wilson_interval(round(accuracy * n), n)
        entry = Entry(["one"], "odd$name", "none", 0.5, None, accuracy, None, interval, 1.0, None)
        draw_table([entry], n, tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").stat().st_size > 1000


def test_the_same_comparison_again_trains_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(project)
    monkeypatch.setattr("birds.train.training.Training.carry_through", pytest.fail)
    compare(project, archs=ARCHS, **TINY)
    assert names(project) == before


def test_finished_runs_are_collected_and_counted_once(project: Path) -> None:
    one, other = (run_of(project, arch) for arch in ARCHS)
    collected = compare(project, [one, other, one])
    assert {tuple(entry.runs) for entry in collected.ranking} == {(one,), (other,)}
    mixed = compare(project, [one], archs=ARCHS, **TINY)
    assert sorted(entry.runs for entry in mixed.ranking) == sorted([[one], [other]])


@pytest.mark.parametrize("changed", [{"classes": ["claro", "pardo"]}, {"split": {"fingerprint": "another"}}])
def test_runs_on_another_split_or_other_classes_are_not_ranked_together(project: Path, changed: dict[str, Any]) -> None:
    one, other = (run_of(project, arch) for arch in ARCHS)
    path = project / "runs" / other / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ProjectError, match=rf"{other} was trained on another split, or on other classes"):
        compare(project, [one, other])


def test_what_cannot_be_compared_is_told_before_anything_is_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "train_each", pytest.fail)
    one = run_of(project, ARCHS[0])
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(project, [one, one])
    with pytest.raises(UsageError, match=r"no architecture 'resnet19'"):
        compare(project, archs=("resnet18", "resnet19"))
    with pytest.raises(ModelError, match="no run 'gone'"):
        compare(project, ["gone"], archs=["resnet18"])
    shutil.rmtree(project / "dataset" / "test")
    with pytest.raises(ProjectError, match="no folder"):
        compare(project, archs=ARCHS, final=True)


def test_final_adds_the_figures_of_the_test_set_and_keeps_the_order(project: Path) -> None:
    _, before = compare(project, archs=ARCHS, **TINY), table_of(project)
    flags = ["--project", str(project), "--final", *(run_of(project, arch) for arch in ARCHS)]
    answer = CliRunner().invoke(app, ["compare", *flags])
    assert answer.exit_code == 0, answer.exception
    assert "fitted to the test set" in answer.stderr
    assert "test accuracy" in answer.stdout
    rows = table_of(project)
    assert [row["arch"] for row in rows] == [row["arch"] for row in before]
    for row in rows:
        judged = evaluate(project, row["runs"])
        assert (float(row["test_loss"]), float(row["test_accuracy"])) == (judged.loss, judged.accuracy)
        assert float(row["test_accuracy_high"]) == judged.accuracy_interval[1]


def test_a_network_that_fails_is_listed_and_does_not_stop_the_others(project: Path) -> None:
    """A weights file that is one network's only."""
    (project / "birds.toml").write_text('[train]\nfeature_cache = false\nprecision = "fp32"\n')
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), project / "squeezenet.safetensors")
    weights = str(project / "squeezenet.safetensors")
    flags = ["--arch", "shufflenet_v2_x0_5", "--arch", "squeezenet1_1", "--weights", weights, "--epochs", "1"]
    flags += ["--size", "32", "--batch-size", "8", "--project", str(project)]
    answer = CliRunner().invoke(app, ["compare", *flags])
    assert isinstance(answer.exception, TrainError)
    assert "shufflenet_v2_x0_5: " in str(answer.exception)
    assert "does not fit" in str(answer.exception)
    assert "squeezenet1_1" in answer.stdout, "the table of the others"
    partial = answer.exception.partial
    assert set(partial["failed"]) == {"shufflenet_v2_x0_5"}
    assert [entry["arch"] for entry in partial["ranking"]] == ["squeezenet1_1"]
    as_json = CliRunner().invoke(app, ["compare", *flags, "--json"])
    assert as_json.stdout == "", "the object with the error in it is the command line's to print"
    assert as_json.exception.partial == partial


def test_the_command_takes_the_settings_of_birds_toml_and_its_flags_win(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "birds.toml").write_text('[train]\narch = "resnet18"\nweights = "none"\nepochs = [3]\nseed = 4\n')
    asked: dict[str, Any] = {}

    def watched(*args: object, **given: Any) -> comparison.CompareResult:
        asked.update(given)
        return comparison.CompareResult([], {}, None, None)

    monkeypatch.setattr(comparison, "compare", watched)
    answer = CliRunner().invoke(app, ["compare", "--project", str(project), "--arch", "alexnet", "--seed", "7"])
    assert answer.exit_code == 0, answer.exception
    assert (asked["archs"], asked["weights"], asked["epochs"], asked["seed"]) == (["alexnet"], "none", (3,), 7)
    assert "arch" not in asked


def test_repeats_give_mean_and_spread_over_seeds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**TINY, "arch": "shufflenet_v2_x0_5"}
    before = names(project)
    result = repeat(project, range(3), name="wieder", **settings)
    assert result.seeds == [0, 1, 2]
    losses = [run.valid_loss for run in result.runs]
    assert len(set(losses)) == 3, "each seed is another run"
    assert (result.valid_loss, result.valid_loss_spread) == (mean(losses), stdev(losses))
    assert names(project) - before == {"wieder-1", "wieder-2"}, "seed 0 was finished already"
    monkeypatch.setattr("birds.train.training.Training.carry_through", pytest.fail)
    assert repeat(project, range(3), **settings) == result
    entry = compare(project, [run_of(project, ARCHS[0])], archs=ARCHS[1:], repeats=3, **TINY)
    (repeated,) = (entry for entry in entry.ranking if len(entry.runs) == 3)
    assert (repeated.valid_loss, repeated.valid_loss_spread) == (mean(losses), stdev(losses))


def test_one_seed_has_no_spread_and_none_is_refused(project: Path) -> None:
    assert repeat(project, [0], arch=ARCHS[0], **TINY).valid_loss_spread is None
    with pytest.raises(UsageError, match="no seed"):
        repeat(project, [])
