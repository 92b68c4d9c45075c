"""``birds explain`` as it is typed."""

import json
from pathlib import Path

from birds.cli import app
from typer.testing import CliRunner

runner = CliRunner()


def test_it_prints_a_table_a_summary_and_the_page(root: Path, without_charts: None) -> None:
    answer = runner.invoke(app, ["explain", "-p", str(root), "--quiet"])
    assert answer.exit_code == 0, answer.output
    for words in ("buitre leonado", "42 pictures of val", "validation pictures", "Course:", "euclidean", "index.html"):
        assert words in answer.stdout
    assert "Layer last (body): silhouette" in answer.stdout


def test_json_is_one_object(root: Path, without_charts: None) -> None:
    answer = runner.invoke(app, ["explain", "small", "-p", str(root), "--layer", "last", "--pairs", "1", "--json"])
    found = json.loads(answer.stdout)
    assert (found["run"], found["part"], found["n"]) == ("small", "val", 42)
    assert [one["layer"] for one in found["layers"]] == ["body"]
    assert found["verdict"]["kind"]
    assert Path(found["page"]).is_file()


def test_layers_are_listed_and_nothing_is_written(root: Path) -> None:
    answer = runner.invoke(app, ["explain", "-p", str(root), "--layers"])
    assert answer.exit_code == 0
    assert "body.layers.4" in answer.stdout
    assert "MaxPool2d" in answer.stdout
    assert "middle" in answer.stdout
    assert not list((root / "runs").glob("*/explanation*"))


def test_a_wrong_layer_is_one_line(trained: Path) -> None:
    answer = runner.invoke(app, ["explain", "-p", str(trained), "--layer", "body.layers.22"])
    assert answer.exit_code == 1
    assert "no layer 'body.layers.22'" in answer.stderr
    assert "body.layers.2" in answer.stderr
