"""``birds runs`` on folders as runs, and accidents, leave them."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from birds.files import Project
from birds.models.runs_command import described_runs, runs
from filelock import FileLock
from typer.testing import CliRunner

app = typer.Typer()
app.command()(runs)
PHASES = [{"name": "head", "epochs": 40}, {"name": "fine_tune", "epochs": 10}]


def write_run(
    root: Path, name: str, *, minute: int = 0, epochs: tuple[int, int] = (2, 1), finished: bool = True
) -> Path:
    folder = root / "runs" / name
    (folder / "checkpoints").mkdir(parents=True)
    config = {
        "name": name,
        "created_at": f"2026-11-24T10:{minute:02}:00.000+00:00",
        "arch": "resnet18",
        "weights": "imagenet",
        "size": 224,
        "phases": PHASES,
    }
    (folder / "config.json").write_text(json.dumps(config))
    done = [phase for phase, count in zip(("head", "fine_tune"), epochs, strict=True) for _ in range(count)]
    for file, row in (("history.csv", {"valid_loss": 0.5}), ("timing.csv", {"seconds": 1.5})):
        with (folder / file).open("w", newline="") as opened:
            writer = csv.DictWriter(opened, ["phase", *row])
            writer.writeheader()
            writer.writerows({"phase": phase, **row} for phase in done)
    if finished:
        result = {"run": name, "best_epoch": 1, "best_phase": "head", "valid_loss": 0.25, "valid_accuracy": 0.875}
        (folder / "result.json").write_text(json.dumps(result))
    return folder


def listed(root: Path) -> list[dict[str, Any]]:
    answer = CliRunner().invoke(app, ["--project", str(root), "--json"])
    assert answer.exit_code == 0, answer.output
    found: list[dict[str, Any]] = json.loads(answer.stdout)["runs"]
    return found


def test_runs_are_listed_newest_first_with_what_they_did(tmp_path: Path) -> None:
    write_run(tmp_path, "older", minute=1)
    (write_run(tmp_path, "newer", minute=2, epochs=(3, 2)) / "bundle").mkdir()
    newer, older = listed(tmp_path)
    assert (newer["run"], older["run"]) == ("newer", "older")
    assert newer["epochs"] == {"head": [3, 40], "fine_tune": [2, 10]}
    assert newer["seconds"] == 7.5
    assert (newer["is_exported"], older["is_exported"]) == (True, False)
    assert newer["result"]["valid_loss"] == 0.25
    assert (newer["state"], newer["weights"], newer["size"]) == ("finished", "imagenet", 224)


def test_a_person_sees_the_same(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    answer = CliRunner().invoke(app, ["--project", str(tmp_path)])
    for part in ("one", "resnet18", "head 2/40, fine_tune 1/10", "0.2500", "0.875", "finished"):
        assert part in answer.stdout


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    write_run(tmp_path, "stopped", epochs=(5, 0), finished=False)
    (stopped,) = listed(tmp_path)
    assert (stopped["state"], stopped["result"], stopped["epochs"]["head"]) == ("unfinished", None, [5, 40])
    assert "birds train --resume stopped" in CliRunner().invoke(app, ["--project", str(tmp_path)]).stdout


def test_a_run_that_a_process_holds_is_being_trained(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "busy", finished=False)
    with FileLock(folder / ".lock"):
        assert listed(tmp_path)[0]["state"] == "being trained"
    assert listed(tmp_path)[0]["state"] == "unfinished", "the lock is let go, its file may stay"


def test_looking_does_not_keep_a_run_locked(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "stopped", finished=False)
    with FileLock(folder / ".lock"):
        pass
    (folder / ".lock").touch()
    described_runs(Project(tmp_path))
    with FileLock(folder / ".lock").acquire(timeout=0):
        pass


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", None),
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", '{"arch": "resnet18"}'),
        ("result.json", "not json"),
        ("result.json", "{}"),
        ("result.json", "[1]"),
        ("history.csv", "epoch\n1\n"),
        ("timing.csv", "phase,seconds\nhead,soon\n"),
        ("history.csv", b"\xff\xfe"),
    ],
)
def test_a_damaged_run_is_shown_as_such_and_the_others_as_ever(
    tmp_path: Path, file: str, content: str | bytes | None
) -> None:
    write_run(tmp_path, "sound")
    damaged = write_run(tmp_path, "broken", minute=5)
    if content is None:
        (damaged / file).unlink()
    else:
        (damaged / file).write_bytes(content.encode() if isinstance(content, str) else content)
    sound, broken = listed(tmp_path)
    assert (sound["run"], sound["state"]) == ("sound", "finished")
    assert (broken["run"], broken["state"]) == ("broken", "damaged")
    said = CliRunner().invoke(app, ["--project", str(tmp_path)])
    assert said.exit_code == 0
    assert "Move" in said.stdout


def test_other_things_in_the_runs_folder_are_no_runs(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    (tmp_path / "runs" / "comparison.csv").write_text("x")
    (tmp_path / "runs" / ".hidden").mkdir()
    assert [one["run"] for one in listed(tmp_path)] == ["one"]


def test_no_runs_name_the_next_step(tmp_path: Path) -> None:
    assert "birds train" in CliRunner().invoke(app, ["--project", str(tmp_path)]).stdout
    assert listed(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_that_may_only_be_read_is_listed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "one", finished=False)
    (folder / ".lock").touch(mode=0o400)
    folder.chmod(0o500)
    assert listed(tmp_path)[0]["state"] == "unfinished"
    folder.chmod(0o700)
    shutil.rmtree(folder)
