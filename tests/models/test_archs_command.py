"""``birds archs``: which networks it lists, and what it says of each."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from birds.models.archs_command import archs
from birds.models.gate import torchvision
from typer.testing import CliRunner

app = typer.Typer()
app.command()(archs)


def listed(pattern: str) -> list[dict[str, Any]]:
    answer = CliRunner().invoke(app, [pattern, "--json"])
    assert answer.exit_code == 0, answer.output
    found: list[dict[str, Any]] = json.loads(answer.stdout)["archs"]
    return found


def test_a_filter_is_a_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert [one["name"] for one in listed("NEXT50")] == ["resnext50_32x4d"]
    (one,) = listed("resnext50")
    assert (one["size"], round(one["parameters"], 1), one["weights_cached"]) == (224, 25.0, False)
    assert one["accuracy"] == pytest.approx(81.2, abs=0.05)  # https://pytorch.org/vision/stable/models.html


def test_it_says_which_weights_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = (
        Path(torch.hub.get_dir()) / "checkpoints" / torchvision.models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    )
    file.parent.mkdir(parents=True)
    file.touch()
    assert [one["name"] for one in listed("resnet1") if one["weights_cached"]] == ["resnet18"]
    answer = CliRunner().invoke(app, ["resnet18"])
    assert answer.stdout.split()[-5:] == ["resnet18", "11.7", "224", "69.8", "yes"]


def test_a_filter_that_nothing_has_in_its_name_is_answered_in_words() -> None:
    answer = CliRunner().invoke(app, ["nonsense"])
    assert "No network has 'nonsense' in its name" in answer.stdout


def test_timms_networks_are_listed_by_their_prefix_and_not_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm", reason='timm is not installed: pip install "birds[timm]"')
    monkeypatch.setattr("birds.models.archs_command._MOST_OF_TIMM", 3)
    assert [one["name"] for one in listed("timm:test_resnet")] == ["timm:test_resnet", "timm:test_resnet.r160_in1k"]
    answer = CliRunner().invoke(app, ["timm:"])
    assert "networks; these are the first 3" in answer.stderr
    assert answer.stdout.count("timm:") == 3
