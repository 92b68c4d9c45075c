"""The exported model is what is judged, and its figures are the run's own."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from birds.errors import ModelError, ProjectError, UsageError
from birds.evaluation import compare_models, evaluate
from birds.evaluation.results import EvaluateResult
from birds.files import Project
from birds.models.held_out import held_out
from birds.moves import settle_moves
from birds.reasons import Reason
from birds.reconcile import reconcile
from birds.record import Author, Record

from .conftest import draw

pytestmark = pytest.mark.usefixtures("without_charts")
FIGURES = {"accuracy", "loss", "balanced_accuracy", "top_3_accuracy", "macro_f1", "ece"}


def rows_of(result: EvaluateResult, name: str) -> list[dict[str, str]]:
    text = Path(result.files[name]).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("exported", ["onnx", "safetensors", "fastai"])
def test_every_format_gives_the_figures_that_the_run_recorded(trained: Path, tmp_path: Path, exported: str) -> None:
    recorded = json.loads((trained / "runs" / "one" / "test.json").read_text())
    shutil.copytree(trained, tmp_path / "p")
    judged = evaluate(tmp_path / "p", exported=exported)
    assert judged.engine == {"onnx": "onnx"}.get(exported, "torch")
    assert judged.n == recorded["n"] == 24
    assert judged.loss == pytest.approx(recorded["loss"], abs=1e-4)
    assert judged.accuracy == pytest.approx(recorded["accuracy"], abs=1e-4)
    for label, figures in recorded["per_class"].items():
        for name in ("n", "precision", "recall", "f1"):
            assert judged.per_class[label][name] == pytest.approx(figures[name], abs=1e-4)


def test_the_validation_figures_are_those_of_training_before_the_temperature(root: Path) -> None:
    result = json.loads((root / "runs" / "one" / "result.json").read_text())
    judged = evaluate(root, data=root / "dataset" / "val")
    assert judged.calibration.temperature == pytest.approx(result["temperature"])
    assert judged.calibration.loss_before == pytest.approx(result["valid_loss"], abs=1e-4)
    assert judged.loss == judged.calibration.loss_after <= judged.calibration.loss_before
    assert judged.loss == pytest.approx(result["calibrated_loss"], abs=1e-4)
    assert judged.accuracy == pytest.approx(result["valid_accuracy"], abs=1e-6)
    assert len(judged.overlap.exact) == judged.n, "the model was chosen by these pictures"
    assert "the figures promise too much" in " ".join(judged.warnings)


def test_figures_have_intervals_pictures_and_what_they_say(root: Path) -> None:
    judged = evaluate(root)
    assert set(judged.figures) == FIGURES
    assert judged.figures["top_3_accuracy"].value is None, "of two classes it would say nothing"
    for name in FIGURES - {"top_3_accuracy", "ece"}:
        figure = judged.figures[name]
        low, high = figure.interval or (0, 0)
        assert low <= (figure.value or 0) <= high
        assert figure.n == 24
        assert figure.method == ("Wilson" if name == "accuracy" else "bootstrap")
    assert judged.reviewed_share is None, "no record knows"
    assert [one["recall_interval"] for one in judged.per_class.values()] == [None, None], "12 pictures are too few"
    assert sum(one["n"] for one in judged.per_class.values()) == 24
    assert Path(str(judged.confusion_matrix)).is_file()


def test_every_table_and_chart_lies_in_the_run(root: Path) -> None:
    judged = evaluate(root)
    folder = root / "runs" / "one" / "evaluation"
    assert {Path(path).parent for path in judged.files.values()} == {folder}
    assert {"confusion.png", "classes.png", "reliability.png", "coverage.png"} <= judged.files.keys()
    assert len(rows_of(judged, "predictions.csv")) == 24
    losses = [float(row["loss"]) for row in rows_of(judged, "predictions.csv")]
    assert losses == sorted(losses, reverse=True)
    assert sum(losses) / 24 == pytest.approx(judged.loss)
    assert [row["class"] for row in rows_of(judged, "classes.csv")] == ["círculo", "raya negra"]
    assert sum(int(row["pictures"]) for row in rows_of(judged, "reliability.csv")) == 48
    assert json.loads((folder / "evaluation.json").read_text())["loss"] == judged.loss
    assert judged.report is None


@pytest.mark.parametrize(("report", "unneeded"), [(False, "torch fastai sklearn"), (True, "fastai")])
def test_what_is_not_needed_is_not_imported(root: Path, report: bool, unneeded: str) -> None:
    """fastai only where an export.pkl is judged; torch only for the page."""
    code = (
        "import sys; from birds.evaluation import evaluate; from pathlib import Path\n"
        "evaluate(Path(sys.argv[1]), report=sys.argv[2] == 'True')\n"
        "print(sorted(set(sys.argv[3].split()) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(root), str(report), unneeded]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert answer.stdout.strip() == "[]"


def test_both_phases_are_evaluated_with_their_own_weights(root: Path) -> None:
    both = evaluate(root, phase="both")
    assert set(both.phases) == {"head", "final"}
    assert both.phases["final"].loss == both.loss == evaluate(root).loss
    assert both.phases["head"].loss == evaluate(root, phase="head").loss != both.loss
    assert both.phases["head"].calibration.temperature == 1
    assert [one.phase for one in both.phases.values()] == ["head", "final"]
    assert both.phases["head"].confusion_matrix != both.confusion_matrix


def test_pictures_that_cannot_be_judged_are_counted_and_named(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    for label in ("círculo", "dragón"):
        (folder / label).mkdir(parents=True)
        draw("círculo", 3).save(folder / label / "good.png")
    (folder / "círculo" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (folder / "círculo" / "text.jpg").write_text("no picture")
    judged = evaluate(root, data=folder)
    assert judged.n == 1
    assert judged.skipped == {"not_an_image": 1, "unreadable": 1, "unknown_label": 1}
    assert judged.skipped_files[str(folder / "dragón" / "good.png")] == "unknown_label"
    assert len(rows_of(judged, "skipped.csv")) == 3
    assert judged.empty_classes == ["raya negra"]
    assert judged.per_class["raya negra"]["recall"] is None
    assert judged.accuracy_interval is None
    assert judged.figures["loss"].method == "too few"
    assert "too few" in " ".join(judged.warnings)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no such names")
def test_a_name_that_is_no_unicode_stops_nothing(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "círculo"
    folder.mkdir(parents=True)
    draw("círculo", 3).save(folder / "good.png")
    shutil.copy(folder / "good.png", os.fsencode(folder) + b"/\xe9.png")
    judged = evaluate(root, data=tmp_path / "some", report=True)
    assert judged.skipped == {"unreadable": 1}
    assert list(judged.skipped_files) == [str(folder / "?.png")]
    assert judged.n == 1
    assert judged.report == str(root / "runs" / "one" / "evaluation-some" / "report.html")
    assert Path(judged.report).is_file(), "of a single picture, too"


def test_a_folder_without_any_picture_of_the_models_classes_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "some" / "dragón").mkdir(parents=True)
    draw("círculo", 3).save(tmp_path / "some" / "dragón" / "good.png")
    with pytest.raises(ProjectError, match="círculo"):
        evaluate(root, data=tmp_path / "some")


def test_figures_on_other_pictures_do_not_replace_those_of_the_test_set(root: Path, tmp_path: Path) -> None:
    first = evaluate(root)
    shutil.copytree(root / "dataset" / "test", tmp_path / "field trip")
    (tmp_path / "field trip" / "círculo" / "0.png").unlink()
    second = evaluate(root, data=tmp_path / "field trip")
    assert second.n == first.n - 1
    folders = {str(Path(one.files["figures.csv"]).parent.relative_to(root)) for one in (first, second)}
    assert folders == {"runs/one/evaluation", "runs/one/evaluation-field trip"}


@pytest.mark.parametrize(
    "model",
    ["one", "runs/one", "runs/one/bundle", "runs/one/bundle/model.onnx", "runs/one/bundle/model.safetensors"],
)
def test_a_model_may_be_named_in_many_ways(root: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    judged = evaluate(Path(), model)
    assert judged.n == 24
    assert Path("runs/one/evaluation/figures.csv").is_file()


def test_a_bundle_without_a_run_is_judged_and_leaves_nothing_beside_itself(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "runs" / "one" / "bundle", tmp_path / "given")
    shutil.rmtree(root / "runs")
    judged = evaluate(root, tmp_path / "given", report=True)
    assert judged.n == 24
    assert {path.name for path in (tmp_path / "given").iterdir()} >= {"model.json", "model.onnx"}
    assert not (tmp_path / "evaluation").exists()
    assert Path(str(judged.report)) == root / "evaluations" / "given" / "report.html"


def test_what_is_no_model_says_so(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no run 'two'.*one"):
        evaluate(root, "two")
    with pytest.raises(ModelError, match=r"no exported model nowhere/model\.onnx"):
        evaluate(root, "nowhere/model.onnx")
    with pytest.raises(ProjectError, match="There is no folder"):
        evaluate(root, data=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no phase"):
        evaluate(root, phase="second")
    with pytest.raises(UsageError, match="no format"):
        evaluate(root, exported="tflite")
    lone = root / "runs" / "one" / "bundle" / "model.onnx"
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        evaluate(root, lone, exported="safetensors")


def _split_of(folder: Path, **split: str) -> None:
    (folder / "dataset" / "split.json").write_text(json.dumps(split))


def _run_of(folder: Path, **split: str) -> None:
    """Let the run and its bundle say that they are of this split."""
    run = folder / "runs" / "one"
    for path, keys in ((run / "config.json", ()), (run / "bundle" / "model.json", ("training",))):
        document = json.loads(path.read_text())
        at = document
        for key in keys:
            at = at[key]
        at["split"] = split
        path.write_text(json.dumps(document))


def test_a_model_is_not_judged_on_another_split_than_its_own(root: Path) -> None:
    _run_of(root, origin="first")
    _split_of(root, origin="first")
    assert evaluate(root).warnings == []
    _split_of(root, origin="fresh")
    with pytest.raises(ProjectError, match="another split"):
        evaluate(root)
    assert evaluate(root, data=root / "dataset" / "test").n == 24, "a folder that was named is the user's word"


def test_a_split_that_grew_since_is_told(root: Path) -> None:
    _run_of(root, origin="first", fingerprint="a")
    _split_of(root, origin="first", fingerprint="b")
    (warning,) = evaluate(root).warnings
    assert "added to the split" in warning


def test_a_model_from_elsewhere_that_may_know_the_pictures_is_told(root: Path, tmp_path: Path) -> None:
    _run_of(root, origin="theirs")
    shutil.copytree(root / "runs" / "one" / "bundle", tmp_path / "given")
    _split_of(root, origin="ours")
    judged = evaluate(root, tmp_path / "given")
    assert "another split" in judged.warnings[0]
    assert judged.overlap.compared.startswith("nothing")


def test_copies_of_training_pictures_in_the_test_set_are_told(root: Path) -> None:
    source = root / "dataset" / "train" / "círculo" / "0.png"
    shutil.copy(source, root / "dataset" / "test" / "círculo" / "again.png")
    judged = evaluate(root)
    assert judged.n == 25
    assert judged.overlap.exact[str(root / "dataset" / "test" / "círculo" / "again.png")] == "train/círculo/0.png"
    assert "learnt from 1 copy:" in judged.warnings[0]


def test_pictures_that_a_person_looked_at_are_counted_with_their_source(root: Path) -> None:
    shutil.copytree(root / "dataset" / "test", root / "images")
    place = Project(root)
    with Record(place) as record:
        reconcile(place, record)
        for file in record.files(label="círculo"):
            record.decide(file, "accept", Reason.BY_HAND, Author.PERSON)
    judged = evaluate(root)
    assert judged.reviewed_share == 0.5
    assert {label: one["reviewed_share"] for label, one in judged.per_class.items()} == {"círculo": 1, "raya negra": 0}
    assert all(figure.reviewed_share == 0.5 for figure in judged.figures.values())


def test_decisions_on_test_pictures_after_a_run_give_both_figures(root: Path) -> None:
    """One test picture is thrown out and one moved after the run was finished: neither changes the figures as split."""
    shutil.copytree(root / "dataset" / "test", root / "images")
    before = evaluate(root)
    assert before.corrected is None
    place = Project(root)
    with Record(place) as record:
        reconcile(place, record)
        files = {(file.label, file.name): file for file in record.files()}
        record.remember_split((file.id, "test") for file in files.values())
        record.decide(files["raya negra", "0.png"], "accept", Reason.BY_HAND, Author.PERSON)
        assert evaluate(root).corrected is None, "a decision before any run, or about no test picture, is no matter"
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
    after = evaluate(root)
    assert (after.n, after.loss, after.accuracy) == (before.n, pytest.approx(before.loss), before.accuracy)
    assert after.corrected is not None
    counts = {label: figures["n"] for label, figures in after.corrected.per_class.items()}
    assert counts == {"círculo": 10, "raya negra": 13}
    # after the next split the test folder lacks them: the figures as split still count them
    (root / "dataset" / "test" / "círculo" / "0.png").unlink()
    (root / "dataset" / "test" / "círculo" / "1.png").unlink()
    shutil.copy(root / "images" / "raya negra" / "moved.png", root / "dataset" / "test" / "raya negra")
    again = evaluate(root)
    assert (again.n, again.accuracy) == (before.n, before.accuracy)
    assert again.corrected is not None
    assert again.corrected.n == 23
    # a fresh split never had them
    _run_of(root, origin="first")
    _split_of(root, origin="fresh")
    on_disk = sum(1 for _ in (root / "dataset" / "test").glob("*/*"))
    assert len(held_out(place).as_split) == on_disk
    assert held_out(place).corrected is None


def test_two_models_are_compared_on_the_same_pictures(root: Path) -> None:
    bundle = root / "runs" / "one" / "bundle"
    found = compare_models(root, "one", str(bundle / "model.safetensors"))
    assert (found.n, found.p, found.difference) == (24, 1.0, 0.0)
    assert found.first.loss == pytest.approx(found.second.loss, abs=1e-4)
    assert found.both_right + found.neither_right == 24
    assert Path(str(found.csv)).is_file()
