"""Export, evaluation and prediction of a really trained tiny network."""

import json
import math
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from birds.errors import ModelError, ProjectError, UsageError
from birds.evaluation import evaluate
from birds.export import export
from birds.files import Project
from birds.models.held_out import held_out
from birds.models.statistics import confusion_matrix, per_class, wilson_interval
from birds.moves import settle_moves
from birds.predict import predict
from birds.reasons import Reason
from birds.reconcile import reconcile
from birds.record import Author, Record
from birds.train import train
from PIL import Image, ImageDraw
from safetensors.torch import save_file


def draw(label: str, seed: int) -> Image.Image:
    picture = Image.new("RGB", (40, 40), (seed * 37 % 120 + 60, 120, 100))
    pen = ImageDraw.Draw(picture)
    at = 2 + seed % 12
    if label == "círculo":
        pen.ellipse((at, at, at + 20, at + 20), fill=(240, 240, 240))
    else:
        pen.rectangle((at, 16, at + 24, 20), fill=(10, 10, 10))
    return picture


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained and exported run. Tests only read it."""
    from birds.models.gate import torchvision

    folder = tmp_path_factory.mktemp("project")
    for part, count in {"train": 16, "val": 6, "test": 6}.items():
        for label in ("círculo", "raya negra"):
            (folder / "dataset" / part / label).mkdir(parents=True)
            for number in range(count):
                draw(label, number + len(part) * 100).save(folder / "dataset" / part / label / f"{number}.png")
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), weights)
    train(
        folder,
        arch="squeezenet1_1",
        weights=str(weights),
        size=32,
        batch_size=8,
        epochs=(3, 2),
        lr=(1e-2, 1e-3),
        calibrate=False,
        name="one",
    )
    export(folder)
    return folder


def test_the_exported_file_gives_the_runs_own_figures(root: Path) -> None:
    """On the validation set, against what training recorded."""
    result = json.loads((root / "runs" / "one" / "result.json").read_text())
    judged = evaluate(root, data=root / "dataset" / "val")
    assert judged.loss == pytest.approx(result["valid_loss"], abs=1e-4)
    assert judged.accuracy == pytest.approx(result["valid_accuracy"], abs=1e-6)


def test_export_tells_digests_and_parity_and_is_not_repeated_without_need(root: Path) -> None:
    first = export(root)
    assert first.parity is not None
    assert first.parity <= 1e-4
    assert set(first.files) == {"export.pkl"}
    file = Path(first.bundle) / "export.pkl"
    before = file.stat().st_mtime_ns
    assert export(root, only_if_changed=True) == first
    assert file.stat().st_mtime_ns == before
    assert b"/tmp/" not in file.read_bytes(), "no path of this machine is in the pickle"


def test_a_run_whose_network_is_built_otherwise_today_is_refused_in_one_line(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "runs", tmp_path / "runs")
    for file in (tmp_path / "runs" / "one" / "checkpoints").glob("*.pth"):
        state = torch.load(file, weights_only=True)
        torch.save({key: value[..., :1024] if key == "head.2.weight" else value for key, value in state.items()}, file)
    with pytest.raises(ModelError, match="do not fit squeezenet1_1 as this version of birds builds it"):
        export(tmp_path, "one")


def test_plain_fastai_opens_the_export_in_another_process(root: Path, tmp_path: Path) -> None:
    picture = root / "dataset" / "test" / "círculo" / "0.png"
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from fastai.learner import load_learner\n"
        "learner = load_learner(sys.argv[1])\n"
        "with learner.no_bar(): print('\\n', learner.predict(sys.argv[2])[0])"
    )
    file = root / "runs" / "one" / "bundle" / "export.pkl"
    command = [sys.executable, "-c", code, str(file), str(picture)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split("\n")[-2].strip() == predict(root, [picture]).predictions[0].label


def test_evaluate_reports_each_class_and_draws_the_confusion_matrix(root: Path) -> None:
    judged = evaluate(root)
    assert judged.n == 12
    assert set(judged.per_class) == {"círculo", "raya negra"}
    assert sum(figures["n"] for figures in judged.per_class.values()) == 12
    low, high = judged.accuracy_interval
    assert 0 <= low <= judged.accuracy <= high <= 1
    with Image.open(str(judged.confusion_matrix)) as picture:
        assert min(picture.size) > 300


def test_both_phases_are_evaluated_with_their_own_weights(root: Path) -> None:
    both = evaluate(root, phase="both")
    assert set(both.phases) == {"head", "final"}
    assert both.phases["final"].loss == both.loss == evaluate(root).loss
    assert both.phases["head"].loss == evaluate(root, phase="head").loss != both.loss


def test_pictures_that_cannot_be_judged_are_counted_and_named(root: Path, tmp_path: Path) -> None:
    for label in ("círculo", "dragón"):
        (tmp_path / label).mkdir()
        draw("círculo", 3).save(tmp_path / label / "good.png")
    (tmp_path / "círculo" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (tmp_path / "círculo" / "text.jpg").write_text("no picture")
    judged = evaluate(root, data=tmp_path)
    assert judged.n == 1
    assert sum(judged.skipped.values()) == 3
    assert judged.skipped["unknown_label"] == 1


def test_a_bad_picture_does_not_stop_the_others(root: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    good = root / "dataset" / "test" / "raya negra" / "1.png"
    result = predict(root, [tmp_path / "broken.jpg", good, tmp_path / "missing.jpg"], top=2)
    assert [one.file for one in result.predictions] == [str(good)]
    assert set(result.failed) == {str(tmp_path / "broken.jpg"), str(tmp_path / "missing.jpg")}
    (one,) = result.predictions
    assert one.top[0] == (one.label, one.confidence)
    assert math.isclose(sum(share for _, share in one.top), 1, abs_tol=1e-5)


@pytest.mark.parametrize("model", ["one", "runs/one", "runs/one/bundle", "runs/one/bundle/export.pkl"])
def test_a_model_may_be_named_in_four_ways(root: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert evaluate(Path(), model).n == 12


def test_what_is_no_model_says_so(root: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "export.pkl"
    truncated.write_bytes((root / "runs" / "one" / "bundle" / "export.pkl").read_bytes()[:5000])
    with pytest.raises(ModelError, match="damaged or no exported model"):
        predict(root, [root / "dataset" / "test" / "círculo" / "0.png"], truncated)
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelError):
        evaluate(root, tmp_path / "other.pkl")
    with pytest.raises(ModelError, match=r"no run 'two'.*one"):
        evaluate(root, "two")
    with pytest.raises(ModelError, match=r"no exported model nowhere/export\.pkl"):
        evaluate(root, "nowhere/export.pkl")
    with pytest.raises(ModelError, match="birds train"):
        export(tmp_path)
    with pytest.raises(ProjectError, match="There is no folder"):
        evaluate(root, data=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no phase"):
        evaluate(root, phase="second")
    with pytest.raises(UsageError, match="No picture"):
        predict(root, [])


def test_wilson_intervals_are_those_of_the_literature() -> None:
    """Newcombe (1998), table I: 81 of 263, and 0 of 20, at 95% without continuity correction."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_figures_of_a_class_are_none_where_they_are_not_defined() -> None:
    truth, predicted = torch.tensor([0, 0, 1]).numpy(), torch.tensor([0, 1, 1]).numpy()
    first, second, third = per_class(confusion_matrix(truth, predicted, 3))
    assert (first.precision, first.recall, first.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (second.precision, second.recall) == (0.5, 1.0)
    assert (third.n, third.precision, third.recall, third.f1) == (0, None, None, None)


def _split_of(folder: Path, origin: str) -> None:
    """Say that dataset/ and the run are of splits with these origins."""
    (folder / "dataset" / "split.json").write_text(json.dumps({"origin": origin}))


def test_a_model_is_not_judged_on_another_split_than_its_own(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "dataset", tmp_path / "dataset")
    shutil.copytree(root / "runs", tmp_path / "runs")
    config = tmp_path / "runs" / "one" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "split": {"origin": "first"}}))
    _split_of(tmp_path, "first")
    assert evaluate(tmp_path).n == 12
    _split_of(tmp_path, "fresh")
    with pytest.raises(ProjectError, match="another split"):
        evaluate(tmp_path)
    assert evaluate(tmp_path, data=tmp_path / "dataset" / "test").n == 12, "a folder that was named is the user's word"


def test_decisions_on_test_pictures_after_a_run_give_both_figures(root: Path, tmp_path: Path) -> None:
    """One test picture is thrown out and one moved after the run was finished: neither changes the figures as split."""
    shutil.copytree(root / "dataset", tmp_path / "dataset")
    shutil.copytree(root / "runs", tmp_path / "runs")
    shutil.copytree(root / "dataset" / "test", tmp_path / "images")
    before = evaluate(tmp_path)
    assert before.corrected is None
    place = Project(tmp_path)
    with Record(place) as record:
        reconcile(place, record)
        files = {(file.label, file.name): file for file in record.files()}
        record.remember_split((file.id, "test") for file in files.values())
        record.decide(files["raya negra", "0.png"], "accept", Reason.BY_HAND, Author.PERSON)
        assert evaluate(tmp_path).corrected is None, "a decision before any run, or about no test picture, is no matter"
        with record.transaction():
            moved = files["círculo", "1.png"]
            record.decide(files["círculo", "0.png"], "reject", Reason.BY_HAND, Author.PERSON, after_run="one")
            record.begin_move(files["círculo", "0.png"].id, "círculo", "0.png", "images/círculo/0.png")
            record.decide(moved, "reject", Reason.MOVED, Author.PERSON, after_run="one")
            record.begin_move(moved.id, "raya negra", "moved.png", "images/círculo/1.png")
            now = record.file(moved.id)
            assert now is not None
            record.decide(now, "accept", Reason.BY_HAND, Author.PERSON, after_run="one")
        settle_moves(place, record)
    after = evaluate(tmp_path)
    assert (after.n, after.loss, after.accuracy) == (before.n, pytest.approx(before.loss), before.accuracy)
    assert after.corrected is not None
    counts = {label: figures["n"] for label, figures in after.corrected.per_class.items()}
    assert counts == {"círculo": 4, "raya negra": 7}
    # after the next split the test folder lacks them: the figures as split still count them
    (tmp_path / "dataset" / "test" / "círculo" / "0.png").unlink()
    (tmp_path / "dataset" / "test" / "círculo" / "1.png").unlink()
    shutil.copy(tmp_path / "images" / "raya negra" / "moved.png", tmp_path / "dataset" / "test" / "raya negra")
    again = evaluate(tmp_path)
    assert (again.n, again.accuracy) == (before.n, before.accuracy)
    assert again.corrected is not None
    assert again.corrected.n == 11
    # a fresh split never had them
    config = tmp_path / "runs" / "one" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "split": {"origin": "first"}}))
    _split_of(tmp_path, "fresh")
    on_disk = sum(1 for _ in (tmp_path / "dataset" / "test").glob("*/*"))
    assert len(held_out(place).as_split) == on_disk
    assert held_out(place).corrected is None
