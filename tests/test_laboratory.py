"""docs/laboratory.md: its commands, as they stand there, on small generated datasets of the same formats."""

import importlib.util
import json
import re
import shlex
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
