"""``birds predict`` as typed."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from birds.cli import app
from typer.testing import CliRunner

RUNNER = CliRunner(env={"COLUMNS": "160"})


def test_json_is_one_object_on_standard_output(bundle: Path, pictures: Path) -> None:
    done = RUNNER.invoke(app, ["predict", str(pictures), "-m", str(bundle), "--json", "--top", "2"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said.keys() == {"predictions", "failed"}
    assert [one.keys() for one in said["predictions"]] == [{"file", "label", "confidence", "top", "unsure"}] * 3
    assert [len(one["top"]) for one in said["predictions"]] == [2, 2, 2]
    assert said["failed"].keys() == {str(pictures / "notes.txt"), str(pictures / "deep" / "cut.png")}


def test_a_person_reads_the_answer_and_what_was_skipped(bundle: Path, pictures: Path) -> None:
    done = RUNNER.invoke(app, ["predict", str(pictures), "-m", str(bundle)])
    assert done.exit_code == 0, done.output
    assert "verde 9" in done.stdout
    assert "notes.txt: It is no picture of a known format." in done.stderr
    assert "notes.txt" not in done.stdout


def test_unsure_is_said_in_words(bundle: Path, tmp_path: Path, draw: Callable[..., bytes]) -> None:
    (tmp_path / "grey.png").write_bytes(draw("gris"))
    done = RUNNER.invoke(app, ["predict", str(tmp_path / "grey.png"), "-m", str(bundle)])
    assert "unsure: " in done.stdout


def test_a_picture_may_come_on_standard_input(bundle: Path, draw: Callable[..., bytes]) -> None:
    done = RUNNER.invoke(app, ["predict", "-", "-m", str(bundle), "--json"], input=draw("azul"))
    (one,) = json.loads(done.stdout)["predictions"]
    assert (one["file"], one["label"]) == ("-", "azul")
    nothing = RUNNER.invoke(app, ["predict", "-", "-m", str(bundle)], input=b"")
    assert nothing.exit_code == 1
    assert "Nothing came on standard input" in nothing.stderr


def test_csv_has_a_row_for_every_picture_and_no_formula(
    bundle: Path, tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for name in ("=cmd.png", "b.png"):
        (folder / name).write_bytes(draw("rojo"))
    (folder / "bad.png").write_text("no picture")
    table = tmp_path / "new" / "table.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = RUNNER.invoke(app, ["predict", "=cmd.png", "b.png", "bad.png", "-m", str(bundle), "--csv", str(table)])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig"), newline="")))
    assert [row["file"] for row in rows] == ["'=cmd.png", "b.png", "bad.png"]
    assert [(row["label"], row["unsure"]) for row in rows] == [("rojo", "no"), ("rojo", "no"), ("", "")]
    assert rows[2]["failed"] == "It is no picture of a known format."
    assert float(rows[0]["confidence"]) > 0.9 > float(rows[0]["confidence_2"]) >= float(rows[0]["confidence_3"])
    assert {rows[0]["label_2"], rows[0]["label_3"]} == {"verde", "azul"}
    refused = RUNNER.invoke(app, ["predict", "b.png", "-m", str(bundle), "--csv", str(folder)])
    assert refused.exit_code == 2


def test_none_that_can_be_read_is_status_1_and_names_why(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    done = RUNNER.invoke(app, ["predict", str(tmp_path / "bad.png"), "missing.jpg", "-m", str(bundle), "--json"])
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["error"]["type"] == "UsageError"
    assert said["failed"]["missing.jpg"] == "There is no such file."


def test_names_cannot_command_the_terminal(bundle: Path, tmp_path: Path, draw: Callable[..., bytes]) -> None:
    (tmp_path / "a\x1b[2Jb.png").write_bytes(draw("rojo"))
    (tmp_path / "c.png").write_text("\x1b no picture")
    done = RUNNER.invoke(app, ["predict", str(tmp_path), "-m", str(bundle)])
    assert done.exit_code == 0
    assert "\x1b" not in done.output
