"""`birds export`: what a bundle holds, that its formats agree, and that nothing of the machine is in it."""

import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import birds
import numpy as np
import pytest
import torch
from birds import images
from birds.cli import app
from birds.errors import ModelError, UsageError
from birds.export import export
from birds.export import stage as module
from birds.files import sha256_of
from birds.models import trust
from birds.models.engine_choice import choose
from birds.models.held_out import labelled
from birds.models.network import load_network
from birds.models.runs import Run
from birds.models.statistics import wilson_interval
from birds.models.trained import open_run, probabilities
from typer.testing import CliRunner

Notes = Callable[..., object]
FILES = {"export.pkl", "model.safetensors", "model.onnx", "model.json", "MODEL_CARD.md"}


@pytest.fixture
def project(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported project, to be changed."""
    shutil.copytree(exported, tmp_path / "project")
    return tmp_path / "project"


def prepared_test_pictures(root: Path) -> tuple[list[Path], np.ndarray, np.ndarray]:
    listed = labelled(root / "dataset" / "test")
    prepared = np.stack([images.prepare(images.open_rgb(path), 16, "squish") for path, _ in listed])
    return [path for path, _ in listed], prepared, np.array([label == "garza" for _, label in listed], dtype=int)


def test_a_bundle_holds_three_formats_a_description_and_a_card(exported: Path) -> None:
    bundle = exported / "runs" / "one" / "bundle"
    assert {path.name for path in bundle.iterdir()} == FILES
    document = json.loads((bundle / "model.json").read_text())
    assert document["format_version"] == 1
    assert document["classes"] == [
        {"label": "cigüeña", "scientific_name": "Ciconia ciconia"},
        {"label": "garza", "scientific_name": "Ardea cinerea"},
    ]
    assert document["preprocess"]["resize"] == "squish"
    assert document["preprocess"]["size"] == 16
    assert document["files"] == {
        name: sha256_of(bundle / name) for name in ("export.pkl", "model.onnx", "model.safetensors")
    }
    assert {"birds", "torch", "fastai", "onnxruntime", "python"} <= document["versions"].keys()
    assert document["training"]["weights"] == "weights.pth", "its folder is nobody's business"
    assert document["training"]["split"]["counts"]["garza"] == {"train": 2, "val": 12, "test": 6}
    assert {path.stat().st_mode & 0o777 for path in bundle.iterdir()} == {
        (bundle / "model.json").stat().st_mode & 0o777
    }


def test_every_format_gives_the_recorded_figures_of_the_runs_own_network(exported: Path) -> None:
    recorded = json.loads((exported / "runs" / "one" / "test.json").read_text())
    bundle = birds.load("one", project=exported)
    pictures, prepared, truth = prepared_test_pictures(exported)
    learner = birds.load(bundle.files["fastai"]).learner
    answers = {
        "own": probabilities(open_run(Run(exported / "runs" / "one")), pictures).numpy(),
        "onnx": bundle.engine("onnx").probabilities(prepared),
        "safetensors": bundle.engine("torch").probabilities(prepared),
        "fastai": probabilities(learner, pictures).numpy(),
    }
    assert recorded["n"] == len(truth) == 12
    for name, answer in answers.items():
        right = int((answer.argmax(axis=1) == truth).sum())
        loss = -np.log(answer[np.arange(12), truth].astype(float)).mean()
        assert loss == pytest.approx(recorded["loss"], abs=1e-4), name
        assert right / 12 == pytest.approx(recorded["accuracy"], abs=1e-4), name
    assert answers["onnx"].std(axis=0).min() > 1e-4, "the pictures are told apart, so that agreement says something"
    assert bundle.manifest.test == recorded
    assert sum(one["n"] for one in recorded["per_class"].values()) == 12


def test_the_temperature_is_in_the_weights_and_the_figures_are_those_with_it(exported: Path) -> None:
    run = Run(exported / "runs" / "one")
    bundle = birds.load("one", project=exported)
    assert bundle.manifest.temperature == 2.0
    raw = torch.load(run.weights_of("fine_tune"), weights_only=True)
    exported_weights = load_network(bundle).state_dict()
    torch.testing.assert_close(exported_weights["head.0.weight"], raw["head.0.weight"] / 2)
    torch.testing.assert_close(exported_weights["body.layers.0.weight"], raw["body.layers.0.weight"])


def test_any_number_of_pictures_at_once_gives_the_same(exported: Path) -> None:
    engine = birds.load("one", project=exported).engine("onnx")
    _, prepared, _ = prepared_test_pictures(exported)
    together = engine.probabilities(prepared)
    one_by_one = np.concatenate([engine.probabilities(prepared[i : i + 1]) for i in range(len(prepared))])
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_nothing_of_the_machine_is_in_any_file(exported: Path) -> None:
    bundle = exported / "runs" / "one" / "bundle"
    ours = [exported, Path.home(), Path(birds.__file__).parent, Path(torch.__file__).parent]
    parts = {str(path) for path in ours} | {exported.name} | {exported.parent.name}
    for path in bundle.iterdir():
        data = path.read_bytes()
        assert not [part for part in parts if len(part) > 5 and part.encode() in data], path.name
    with zipfile.ZipFile(bundle / "export.pkl") as archive:
        inside = archive.read("export/data.pkl")
    # a path is pickled as its parts
    assert not {part for path in (exported, Path.home()) for part in path.parts[2:] if part.encode() in inside}
    assert b"<lambda>" not in inside


def test_plain_fastai_opens_the_pickle_in_another_process(exported: Path, tmp_path: Path) -> None:
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from fastai.learner import load_learner\n"
        "learner = load_learner(sys.argv[1])\n"
        "with learner.no_bar(): label, _, shares = learner.predict(sys.argv[2])\n"
        "print('\\n' + label, float(shares.max()))"
    )
    file = exported / "runs" / "one" / "bundle" / "export.pkl"
    command = [sys.executable, "-c", code, str(file), str(picture)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    label, share = answer.stdout.split("\n")[-2].split()
    ((expected, expected_share),) = birds.load("one", project=exported).predict(picture, top=1)
    assert (label, float(share)) == (expected, pytest.approx(expected_share, abs=1e-4))


def test_the_pickle_is_known_as_our_own_and_no_other(exported: Path, tmp_path: Path) -> None:
    file = exported / "runs" / "one" / "bundle" / "export.pkl"
    assert trust.is_known(sha256_of(file))
    other = tmp_path / "export.pkl"
    other.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not exported on this machine"):
        birds.load(other)


@pytest.mark.parametrize(("recipe", "resize"), [("2024", "squish"), ("default", "crop")])
def test_other_recipes_and_ways_of_resizing_agree_too(
    write_run: Callable[..., Path], tmp_path: Path, recipe: str, resize: str
) -> None:
    old = {"arch": "resnet18", "temperature": 1.0} if recipe == "2024" else {}  # which had none
    write_run(tmp_path, recipe=recipe, resize=resize, **old)
    result = export(tmp_path, formats=("fastai", "safetensors"))
    assert result.parity is not None
    assert result.parity <= 1e-4


def test_formats_that_are_not_asked_for_are_left_out(project: Path) -> None:
    result = export(project, formats=("safetensors",))
    assert result.files.keys() == FILES - {"export.pkl", "model.onnx"}
    assert {path.name for path in (project / "runs" / "one" / "bundle").iterdir()} == set(result.files)
    assert birds.load("one", project=project).engine().name == "torch"
    with pytest.raises(UsageError, match=r"no format 'tflite'.*fastai, safetensors, onnx"):
        export(project, formats=("tflite",))


def test_an_export_that_is_up_to_date_is_not_repeated(project: Path) -> None:
    file = project / "runs" / "one" / "bundle" / "model.onnx"
    before = file.stat().st_mtime_ns
    kept = export(project, only_if_changed=True)
    assert kept.files.keys() == FILES
    assert export(project, formats=("onnx",), only_if_changed=True) == kept, "it has more than was asked for"
    assert file.stat().st_mtime_ns == before
    card = project / "runs" / "one" / "bundle" / "MODEL_CARD.md"
    card.write_text("with a licence that a person chose")
    export(project, formats=("safetensors",), only_if_changed=True)
    assert card.read_text() == "with a licence that a person chose"
    file.write_bytes(b"touched")
    assert "model.onnx" not in export(project, formats=("safetensors",), only_if_changed=True).files


def test_at_its_end_the_engines_are_measured_once_for_this_machine(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: Any
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    export(project, "one", progress=notes)
    assert choose(birds.load("one", project=project), 1000, progress=notes) in {"onnx", "openvino", "torch"}
    assert [line for line in notes.lines if "Trying the engines" in line] == [
        "Trying the engines on this machine, which is remembered."
    ]
    assert "torch" in notes.lines[-1], "an engine that is slow to open is measured too"


def test_what_a_killed_export_left_goes_away(project: Path) -> None:
    run = project / "runs" / "one"
    (run / "bundle").rename(run / ".bundle-old")  # killed between the two renames
    (run / ".bundle-new").mkdir()
    (run / ".bundle-new" / "model.onnx").write_bytes(b"half")
    (run / ".export-abc.birds-tmp").write_bytes(b"half")
    kept = export(project, only_if_changed=True)
    assert kept.files.keys() == FILES, "the old bundle is back in its place"
    (run / ".bundle-old").mkdir()  # killed while it was being removed
    (run / ".bundle-old" / "model.onnx").write_bytes(b"half")
    export(project, formats=("safetensors",))
    assert not list(run.glob(".bundle*")) + list(run.glob("*.birds-tmp"))


def test_a_format_that_predicts_something_else_is_not_exported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.write_tensors

    def write_other(network: torch.nn.Module, path: Path, description: str) -> None:
        changed = pickle.loads(pickle.dumps(network))
        with torch.no_grad():
            changed.head[-1].bias.add_(torch.tensor([0.1, 0.0]))
        real(changed, path, description)

    monkeypatch.setattr(module, "write_tensors", write_other)
    before = sha256_of(project / "runs" / "one" / "bundle" / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors are off by 0\.0"):
        export(project, formats=("safetensors",))
    assert sha256_of(project / "runs" / "one" / "bundle" / "model.safetensors") == before, "the old one stays"


def test_without_a_dataset_there_are_no_figures_and_the_card_says_so(project: Path) -> None:
    shutil.rmtree(project / "dataset")
    result = export(project, formats=("safetensors",))
    assert result.parity is None
    manifest = birds.load("one", project=project).manifest
    assert (manifest.test, manifest.abstain_threshold) == (None, 0.5)
    assert "nobody knows how good it is" in (project / "runs" / "one" / "bundle" / "MODEL_CARD.md").read_text()


def test_figures_are_not_taken_from_another_split_than_the_runs_own(project: Path) -> None:
    config = project / "runs" / "one" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "split": {"origin": "first"}}))
    (project / "dataset" / "split.json").write_text(json.dumps({"origin": "fresh"}))
    export(project, formats=("safetensors",))
    manifest = birds.load("one", project=project).manifest
    assert manifest.test is None
    assert manifest.training["split"] == {"origin": "first", "counts": None}


def test_a_picture_that_cannot_be_read_is_told_and_left_out(project: Path, notes: Notes) -> None:
    (project / "dataset" / "test" / "garza" / "000.jpg").write_text("no picture")
    export(project, formats=("safetensors",), progress=notes)  # type: ignore[arg-type]
    assert birds.load("one", project=project).manifest.test["n"] == 11  # type: ignore[index]
    assert [line for line in notes.lines if "Not judged" in line and "000.jpg" in line]  # type: ignore[attr-defined]


def test_a_run_whose_network_is_built_otherwise_today_is_refused_in_one_line(project: Path) -> None:
    file = Run(project / "runs" / "one").weights_of("fine_tune")
    state = torch.load(file, weights_only=True)
    torch.save({key: value[..., :20] if key == "head.0.weight" else value for key, value in state.items()}, file)
    with pytest.raises(ModelError, match="do not fit base_net:size=16 as this version of birds builds it"):
        export(project)
    with pytest.raises(ModelError, match="birds train"):
        export(project / "nowhere")


def test_the_command_tells_where_the_bundle_is_and_what_comes_next(project: Path) -> None:
    answer = CliRunner().invoke(app, ["export", "one", "--project", str(project), "--format", "safetensors"])
    assert answer.exit_code == 0, answer.output
    assert "Next: birds evaluate" in answer.output
    told = CliRunner().invoke(app, ["export", "--project", str(project), "--format", "safetensors", "--json"])
    value = json.loads(told.stdout)
    assert set(value) == {"bundle", "files", "parity"}
    assert value["files"].keys() == FILES - {"export.pkl", "model.onnx"}


def test_recall_intervals_in_the_description_are_wilsons(exported: Path) -> None:
    test = birds.load("one", project=exported).manifest.test
    assert test is not None
    assert test["accuracy_interval"] is None, "below 20 pictures there is none"
    validation = birds.load("one", project=exported).manifest.training["validation"]
    right = round(validation["accuracy"] * validation["n"])
    assert validation["accuracy_interval"] == pytest.approx(wilson_interval(right, validation["n"]))
