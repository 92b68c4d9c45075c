"""docs/laboratory.md: its commands, as they stand there, on small generated datasets of the same formats."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from birds.cli import app
from typer.testing import CliRunner

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def _script() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))  # it imports its neighbours
    try:
        spec = importlib.util.spec_from_file_location("laboratory", BENCHMARKS / "laboratory.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["laboratory"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


laboratory = _script()
TEXT = laboratory.PAGE.read_text(encoding="utf-8")
GUIDES = {guide.title: guide for guide in laboratory.read_guides(TEXT)}
REPORTS = {title: one for title in GUIDES for one in laboratory.REPORTS if title.startswith(one.guide)}


def given(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Any]:
    """Exit status of `command` in `folder`, and what it prints under ``--json``."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TORCH_HOME", str(folder / "no torch hub"))
    answer = CliRunner().invoke(app, [*shlex.split(command)[1:], "--json"])
    return answer.exit_code, json.loads(answer.stdout) if answer.stdout else answer.output


@pytest.mark.parametrize("title", [title for title, guide in GUIDES.items() if set(guide.commands) - guide.long])
def test_the_commands_of_a_guide_run_as_written(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide, report = GUIDES[title], REPORTS[title]
    dataset = laboratory.GENERATED[report.flag](tmp_path / "generated")
    weights = laboratory.write_weights(tmp_path / "weights.safetensors")
    laboratory.lay_out(guide, tmp_path / "here", dataset, report.dataset, weights)
    answers = []
    for command in guide.commands:
        if command not in guide.long:
            status, answer = given(command, tmp_path / "here", monkeypatch)
            assert status == 0, (command, answer)
            answers.append((command, answer))
    rows = laboratory.rows_of(report, answers, "")
    assert len(rows) == len(report.figures)
    assert all(re.match(r"\d|overfitting|stabilised|still|underfitting|unstable", row["birds"]) for row in rows), rows


@pytest.mark.parametrize("command", sorted(command for guide in GUIDES.values() for command in guide.long))
def test_what_takes_long_has_flags_that_are_there(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder it fails for want of a dataset (1), not for a wrong flag (2)."""
    status, answer = given(command, tmp_path, monkeypatch)
    assert status == 1
    assert answer["error"]["type"] in ("ProjectError", "UsageError")
    assert re.search(r"There is no (dataset|folder|birds8)", answer["error"]["message"]), answer


def test_only_what_takes_long_is_left_out() -> None:
    assert len(GUIDES) == len(laboratory.REPORTS)
    assert [title for title in GUIDES if title not in REPORTS] == []
    assert sum(len(set(guide.commands) - guide.long) for guide in GUIDES.values()) >= 25
    for title, guide in GUIDES.items():
        if title != "The bird notebook":
            assert guide.commands[0] not in guide.long
            assert re.search(r"birds (train|sweep|transfer)", " ".join(set(guide.commands) - guide.long)), title


def test_every_figure_of_the_reports_stands_on_the_page() -> None:
    for title, report in REPORTS.items():
        part = TEXT.partition(f"## {title}")[2].partition("\n## ")[0]
        for figure in report.figures:
            number = re.match(r"[a-z ]*([\d.]+)", figure.report)
            if number and figure.name != "seconds of training":
                value = number[1]
                shares = {value, f"{float(value) * 100:g}%", f"{float(value) * 100:.2f}%"}
                assert any(one in part for one in shares), (title, figure)


@pytest.mark.parametrize(
    ("arch", "classes", "said"),
    [
        ("bird_cnn", 20, "33,953,620"), ("emoji_cnn", 5, "1,069,509"), ("alexnet_small", 10, "6,199,498"),
        ("base_net", 25, "24,197"),
    ],
)  # fmt: skip
def test_the_page_says_the_parameters_that_the_summary_prints(arch: str, classes: int, said: str) -> None:
    assert f"{said} parameters" in " ".join(TEXT.split())
    answer = CliRunner().invoke(app, ["archs", arch, "--summary", "--classes", str(classes)])
    assert said in answer.stdout


def test_a_dataset_that_is_not_there_is_a_row_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(laboratory, "WORK", tmp_path)
    monkeypatch.setattr(sys, "argv", ["laboratory.py", "--json", "--mnist", str(tmp_path / "nowhere")])
    laboratory.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == sum(len(report.figures) for report in laboratory.REPORTS)
    of_mnist = [row["birds"] for row in rows if row["report"] == "simple_cnn"]
    assert of_mnist == [f"there is no {tmp_path / 'nowhere'}"]
    assert {row["birds"] for row in rows if row["report"] == "base_net"} == {"no --cifar100 given"}


def test_the_script_gives_the_commands_and_reads_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []

    def run(command: list[str], **_rest: Any) -> subprocess.CompletedProcess[str]:
        told.append(command[2:])
        answer = {"accuracy": 0.5} if "evaluate" in command else {"verdict": {"kind": "overfitting", "epoch": 3}}
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(answer))

    monkeypatch.setattr(laboratory.subprocess, "run", run)
    monkeypatch.setattr(laboratory, "WORK", tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(
        sys, "argv", ["laboratory.py", "--json", "--only", "cifar10", "--cifar10", str(tmp_path / "data")]
    )
    laboratory.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["birds"] for row in rows] == ["0.5", "overfitting from epoch 3"]
    guide = next(guide for title, guide in GUIDES.items() if title.startswith("alexnet_small"))
    assert told == [[*shlex.split(command), "--json"] for command in guide.commands]
