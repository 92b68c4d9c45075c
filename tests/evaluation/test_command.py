"""`birds evaluate` and `birds report` on the command line."""

import json
import shutil
import webbrowser
from pathlib import Path

import pytest
from birds.cli import app
from birds.evaluation.outdated import current_evaluation
from birds.files import Project
from birds.models.runs import Run
from typer.testing import CliRunner

pytestmark = pytest.mark.usefixtures("without_charts")


def run(*arguments: object) -> str:
    answer = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_json_is_one_object_with_the_keys_that_stay(root: Path) -> None:
    result = json.loads(run("evaluate", "--project", root, "--no-report", "--json"))
    assert {"model", "n", "loss", "accuracy", "accuracy_interval", "per_class"} <= result.keys()
    assert result["n"] == 24
    low, high = result["accuracy_interval"]
    assert low <= result["accuracy"] <= high
    assert result["report"] is None
    assert not (root / "runs" / "one" / "report.html").exists()


def test_what_a_person_reads_has_figures_with_intervals(root: Path) -> None:
    text = run("evaluate", "--project", root, "--no-report", "--quiet", "--phase", "both")
    for words in ("After phase head", "After phase final", "Balanced accuracy", "95% interval", "Unsure below"):
        assert words in text


def test_two_models_are_compared(root: Path) -> None:
    shutil.copytree(root / "runs" / "one", root / "runs" / "two")
    result = json.loads(run("evaluate", "--project", root, "--compare", "one", "two", "--json"))
    assert result["n"] == 24
    assert result["p"] == 1.0
    assert result["first"]["only_right"] == []
    text = run("evaluate", "--project", root, "--compare", "one", "two", "--quiet")
    assert "may well be equally good" in text


def test_the_report_is_made_once_and_again_when_it_would_be_another(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = root / "runs" / "one" / "report.html"
    assert run("report", "--project", root, "--no-browser", "--quiet").strip() == str(page)
    assert opened == []
    first = page.stat().st_mtime_ns
    run("report", "one", "--project", root, "--quiet")
    assert opened == [page.resolve().as_uri()]
    assert page.stat().st_mtime_ns == first
    one = (Project(root), Run(root / "runs" / "one"))
    assert (current_evaluation(*one) or {})["report"] == str(page)
    run("evaluate", "--project", root, "--no-report", "--quiet")
    assert current_evaluation(*one) is None, "the last one has no page"
    run("report", "--project", root, "--no-browser", "--quiet")
    assert page.stat().st_mtime_ns == first, "an evaluation without a page changes nothing about it"
    (root / "dataset" / "split.json").write_text("{}")
    run("report", "--project", root, "--no-browser", "--quiet")
    assert page.stat().st_mtime_ns != first


def test_a_run_that_is_not_there_is_one_line(root: Path) -> None:
    answer = CliRunner().invoke(app, ["report", "two", "--project", str(root)])
    assert answer.exit_code == 1
    assert "There is no run 'two'" in answer.stderr
