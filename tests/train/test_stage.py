"""The stage on a real dataset of tiny pictures: runs, determinism, kills, and what cannot work."""

import csv
import json
import subprocess
import sys
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
import torch
from birds.errors import ModelError, ProjectError, TrainError, UsageError, WeightsError
from birds.files import Project
from birds.models import architectures
from birds.models.gate import torchvision
from birds.models.runs import find_run, list_runs
from birds.train.stage import resume, train
from PIL import Image
from safetensors.torch import save_file

TINY = {"arch": "squeezenet1_1", "size": 32, "batch_size": 8}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of torchvision's names, with another head than any dataset here asks for."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    torch.manual_seed(0)
    save_file(torchvision.models.squeezenet1_1(weights=None).half().state_dict(), path)
    return path


def history(root: Path, name: str) -> list[dict[str, str]]:
    with (root / "runs" / name / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_everything_it_promises(dataset: Path, weights: Path) -> None:
    result = train(dataset, weights=str(weights), epochs=(2, 2), **TINY)
    folder = dataset / "runs" / result.run
    rows = history(dataset, result.run)
    assert [(row["phase"], row["epoch"]) for row in rows] == [
        ("head", "1"), ("head", "2"), ("fine_tune", "1"), ("fine_tune", "2")
    ]  # fmt: skip
    assert set(rows[0]) == {"phase", "epoch", "train_loss", "valid_loss", "valid_accuracy", "lr"}
    assert "seconds" in (folder / "timing.csv").read_text().splitlines()[0]
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"head.pth", "fine_tune.pth"}
    with Image.open(folder / "curves.png") as picture:
        assert picture.width > 400
    config = json.loads((folder / "config.json").read_text())
    assert config["classes"] == ["a rayas", "redondo"]
    assert config["versions"]["torch"]
    best = min(rows, key=lambda row: float(row["valid_loss"]))
    assert result.valid_loss == float(best["valid_loss"])
    assert find_run(Project(dataset)).name == result.run


def test_the_same_seed_gives_the_same_history_and_another_seed_another(dataset: Path) -> None:
    settings = {"weights": "none", "epochs": (2,), **TINY}
    first, second, other = (train(dataset, seed=seed, fresh=True, **settings).run for seed in (1, 1, 2))
    read = [(dataset / "runs" / name / "history.csv").read_bytes() for name in (first, second, other)]
    assert read[0] == read[1] != read[2]


def test_runs_begun_in_one_second_each_get_a_folder(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from birds.train import run_folders

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 11, 22, 3, 23, 14, tzinfo=tz)

    monkeypatch.setattr(run_folders, "datetime", Clock)
    names = [train(dataset, weights="none", epochs=(1,), fresh=True, **TINY).run for _ in range(3)]
    assert names == [f"20261122-032314-squeezenet1_1{ending}" for ending in ("", "-2", "-3")]
    assert [run.name for run in list_runs(Project(dataset))] == names[::-1]


def test_from_scratch_skips_the_head_phase_and_says_so(dataset: Path, notes) -> None:
    result = train(dataset, weights="none", epochs=(1,), progress=notes, **TINY)
    assert {row["phase"] for row in history(dataset, result.run)} == {"fine_tune"}
    assert any("head phase is skipped" in line for line in notes.lines)


def test_phase_2_starts_from_the_best_of_phase_1(dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from birds.train import training

    starts: dict[str, dict[str, torch.Tensor]] = {}
    real = training.fit

    def watched(learner, phase, **rest: object) -> None:
        starts[phase.name] = {key: value.clone() for key, value in learner.model.state_dict().items()}
        real(learner, phase, **rest)

    monkeypatch.setattr(training, "fit", watched)
    result = train(dataset, weights=str(weights), epochs=(3, 1), lr=(3e-1, 1e-3), **TINY)
    best_head = torch.load(dataset / "runs" / result.run / "checkpoints" / "head.pth", weights_only=True)
    assert all(torch.equal(value, best_head[key]) for key, value in starts["fine_tune"].items())
    assert not torch.equal(starts["head"]["2.weight"], best_head["head.2.weight"]), "of the head alone, on features"


def test_the_default_architecture_runs_on_weights_in_torch_home(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = tmp_path / "torch-home" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch-home"))
    network = torchvision.models.resnext50_32x4d(weights=None)
    name = torchvision.models.ResNeXt50_32X4D_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(network.state_dict(), checkpoints / name)
    command = [sys.executable, "-m", "birds", "train", "--epochs", "1", "--size", "32", "--precision", "fp32", "--json"]
    answer = subprocess.run(command, cwd=dataset, capture_output=True, text=True, timeout=280, check=False)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert set(result) == {"run", "best_epoch", "valid_loss", "valid_accuracy", "seconds", "images_per_second"}
    config = json.loads((dataset / "runs" / result["run"] / "config.json").read_text())
    assert (config["arch"], config["size"], len(config["phases"])) == ("resnext50_32x4d", 32, 2)
    assert name in answer.stderr


def test_weights_that_cannot_be_had_name_the_ways_out(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))

    def no_network(*_args: object, **_kwargs: object) -> None:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(WeightsError, match=r"could not be downloaded.*--weights FILE.*--no-pretrained"):
        train(dataset, **TINY)
    assert list_runs(Project(dataset)) == [], "nothing is left behind"


def test_weights_of_another_architecture_are_refused_with_the_first_misfits(dataset: Path, weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"does not fit resnet18: conv1.weight is missing"):
        train(dataset, arch="resnet18", weights=str(weights), size=32)


def test_a_weights_file_that_would_run_code_is_refused_without_running_it(dataset: Path, tmp_path: Path) -> None:
    import pickle

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "it ran",)  # type: ignore[return-value]

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(WeightsError, match="cannot be read"):
        train(dataset, weights=str(tmp_path / "evil.pth"), **TINY)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arch": "resnet19"}, r"no architecture 'resnet19'.*resnet1"),
        ({"arch": "resnext50"}, r"no architecture 'resnext50'.*resnext50_32x4d"),
        ({"epochs": (0,)}, "--epochs is 0"),
        ({"epochs": (1, 2, 3)}, "--epochs is 1,2,3"),
        ({"plateau_factor": (0.5,)}, "--plateau-factor is 0.5"),
        ({"resize": "stretch"}, "no resize 'stretch'"),
        ({"recipe": "1999"}, "no recipe '1999'"),
        ({"name": "../up"}, "cannot be the name of a run"),
        ({"arch": "vit_b_32", "size": 48}, "cannot take pictures of 48 pixels"),
    ],
)
def test_settings_that_cannot_work_say_so(dataset: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        train(dataset, **({"weights": "none", **TINY} | settings))


def test_a_missing_or_poor_dataset_says_so(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(ProjectError, match="no dataset"):
        train(tmp_path / "elsewhere", weights="none", **TINY)
    for path in (dataset / "dataset" / "train" / "redondo").iterdir():
        path.unlink()
    with pytest.raises(ProjectError, match="1 class"):
        train(dataset, weights="none", **TINY)


def test_a_corrupt_picture_is_named(dataset: Path) -> None:
    (dataset / "dataset" / "train" / "redondo" / "redondo 3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(Exception, match=r"redondo 3\.png"):
        train(dataset, weights="none", epochs=(1,), **TINY)


def test_a_loss_that_is_no_number_ends_with_an_error(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("birds.models.learner.make_head", Explodes)
    with pytest.raises(TrainError, match="finite loss"):
        train(dataset, weights="none", epochs=(2,), **TINY)
    with pytest.raises(ModelError, match="no finished run"):
        find_run(Project(dataset))


class Explodes(torch.nn.Module):
    def __init__(self, features: int, classes: int, *_: object) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(features, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * float("nan")


@pytest.mark.parametrize(
    ("place", "epochs"),
    [("_complete", (1, 2)), ("_complete", (6, 2)), ("_check_parity", (6, 2)), ("_see_to_pictures", (1, 2))],
)
def test_a_run_killed_between_its_phases_goes_on_to_the_undisturbed_history(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, place: str, epochs: tuple[int, int]
) -> None:
    from birds.train import training

    settings = {"weights": str(weights), "epochs": epochs, "patience": (1,), "lr": (0.1, 1e-3), "seed": 4, **TINY}
    train(dataset, name="undisturbed", **settings)

    def cut(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        cutting.setattr(training.Training, place, cut)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, name="cut", **settings)
    assert train(dataset, **settings).run == "cut"
    assert history(dataset, "cut") == history(dataset, "undisturbed")


def test_resume_goes_on_with_the_recorded_settings_and_choices(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, notes
) -> None:
    from birds.train import training

    settings = {"weights": str(weights), "epochs": (2, 3), "seed": 4, **TINY}
    undisturbed = train(dataset, name="undisturbed", **settings)
    with monkeypatch.context() as cutting:
        cutting.setattr(training, "draw_curves", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(dataset, name="cut", **settings)
    checkpoints = dataset / "runs" / "cut" / "checkpoints"
    (checkpoints / ".head-abc.birds-tmp").write_bytes(b"half of it")  # a kill in the middle of writing
    monkeypatch.setattr("birds.train.stage.choose", lambda *_args, **_kwargs: pytest.fail("measured again"))
    resumed = resume(dataset, progress=notes)
    assert sorted(path.name for path in checkpoints.iterdir()) == ["fine_tune.pth", "head.pth"]
    assert (resumed.run, resumed.valid_loss) == ("cut", undisturbed.valid_loss)
    assert history(dataset, "cut") == history(dataset, "undisturbed")
    with pytest.raises(ModelError, match="no unfinished run"):
        resume(dataset)
    with pytest.raises(ModelError, match="'cut' is finished"):
        resume(dataset, "cut")


def test_a_second_run_on_the_same_body_computes_no_feature(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"weights": str(weights), "epochs": (2, 0), **TINY}
    first = train(dataset, **settings)
    monkeypatch.setattr("birds.models.features.compute", lambda *_: pytest.fail("a feature was computed"))
    second = train(dataset, lr=(1e-2,), **settings)
    assert second.run != first.run


@pytest.mark.parametrize(("epochs", "whole_alone"), [(2, 0), (7, 2), (30, 8)])
def test_random_views_join_the_whole_pictures_of_the_first_epochs(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, epochs: int, whole_alone: int
) -> None:
    from birds.train import training

    views: list[int] = []

    class Watched(training.Epochs):
        def after_epoch(self) -> None:
            super().after_epoch()
            views.append(len(self.dls.train.features.views))

    monkeypatch.setattr(training, "Epochs", Watched)
    train(dataset, weights=str(weights), epochs=(epochs, 0), patience=(99,), **TINY | {"views": 3})
    assert views == [2] * whole_alone + [5] * (epochs - whole_alone)


def test_head_on_features_and_whole_network_must_agree(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from birds.train import head_features

    real = head_features.FeatureLoader.create_batch

    def shifted(loader, rows):
        seen, labels = real(loader, rows)
        return seen + (0.0 if loader.is_training else 0.01), labels

    monkeypatch.setattr(head_features.FeatureLoader, "create_batch", shifted)
    with pytest.raises(TrainError, match="on cached features"):
        train(dataset, weights=str(weights), epochs=(2, 1), **TINY)


def test_without_the_feature_cache_the_head_trains_on_pictures(dataset: Path, weights: Path) -> None:
    result = train(dataset, weights=str(weights), epochs=(2, 1), feature_cache=False, **TINY)
    assert [row["phase"] for row in history(dataset, result.run)] == ["head", "head", "fine_tune"]
    assert not (dataset / ".birds" / "cache" / "features").exists()


def test_a_rate_that_was_searched_for_is_kept_over_a_kill_whatever_the_schedule(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from birds.train import training

    monkeypatch.setattr(training, "suggest_lr", lambda *_args, **_kwargs: 7e-3)
    settings = {"weights": str(weights), "epochs": (6, 0), "lr": "auto", "schedule": "one-cycle", **TINY}
    train(dataset, name="undisturbed", **settings)
    real = training.Training._tell

    def tell_and_die(run, row, timing) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt
        real(run, row, timing)

    with monkeypatch.context() as cutting:
        cutting.setattr(training.Training, "_tell", tell_and_die)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, name="cut", **settings)
    resume(dataset, "cut")
    assert history(dataset, "cut") == history(dataset, "undisturbed")


def test_a_head_on_features_is_kept_as_the_mean_of_it_and_their_discriminant(dataset: Path, weights: Path) -> None:
    settings = {"weights": str(weights), "epochs": (1, 0), "lr": (1e-9,), "averaging": False, **TINY}
    blended, plain = (train(dataset, discriminant=yes, fresh=True, **settings) for yes in (True, False))
    heads = [
        torch.load(dataset / "runs" / result.run / "checkpoints" / "head.pth", weights_only=True)["head.2.weight"]
        for result in (blended, plain)
    ]
    assert heads[0].abs().max() > 1e-3 > heads[1].abs().max(), "the head itself has not learnt"
    assert blended.valid_loss < plain.valid_loss


def test_averaging_works_on_a_network_whose_state_has_a_version(dataset: Path) -> None:
    result = train(dataset, weights="none", epochs=(2,), **TINY | {"arch": "mnasnet0_5"})
    assert len(history(dataset, result.run)) == 2


def test_a_run_of_the_head_alone_makes_no_copies_of_pictures(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("birds.train.training.decoded_once", lambda *_: pytest.fail("pictures were pre-sized"))
    train(dataset, weights=str(weights), epochs=(2, 0), **TINY)


def test_a_class_without_pictures_is_named(dataset: Path) -> None:
    (dataset / "dataset" / "train" / "vacía").mkdir()
    with pytest.raises(ProjectError, match="class 'vacía' has no picture"):
        train(dataset, weights="none", **TINY)


def test_a_loss_that_never_changes_ends_with_an_error(dataset: Path, weights: Path) -> None:
    with pytest.raises(TrainError, match="never changed"):
        train(dataset, weights=str(weights), epochs=(3, 1), lr=(1e-9,), averaging=False, **TINY)


def test_a_loss_that_cannot_fall_is_no_error(dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from birds.train import training

    monkeypatch.setattr(
        training.Training, "_tell", lambda run, row, timing: run.history.append(row | {"valid_loss": 0})
    )
    monkeypatch.setattr(training.Training, "_check_parity", lambda *_: None)
    monkeypatch.setattr(training.Training, "_finish", lambda run: run.history)
    assert len(train(dataset, weights=str(weights), epochs=(2, 0), **TINY)) == 2


def test_recipe_2024_warns_that_its_plateau_has_no_effect_and_trains(dataset: Path, weights: Path, notes) -> None:
    result = train(dataset, weights=str(weights), epochs=(1, 1), recipe="2024", progress=notes, **TINY)
    assert any("ReduceLROnPlateau has no effect" in line for line in notes.lines)
    assert {row["phase"] for row in history(dataset, result.run)} == {"head", "fine_tune"}


def test_a_run_with_the_same_settings_is_reused_only_when_asked(dataset: Path) -> None:
    settings = {"weights": "none", "epochs": (1,), **TINY}
    first = train(dataset, name="first", **settings)
    assert train(dataset, only_if_changed=True, **settings) == first
    assert train(dataset, only_if_changed=True, seed=9, **settings).run != "first"


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5"]
)
def test_every_family_is_cut_at_its_last_linear_layer(name: str) -> None:
    body, features = architectures.make_body(name)
    body.eval()
    with torch.no_grad():
        assert body(torch.zeros(1, 3, 64, 64)).shape == (1, features)
    published = torchvision.models.get_model(name, weights=None).state_dict()
    assert set(body.state_dict()) < set(published), "torchvision's own parameter names"
