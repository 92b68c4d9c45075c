"""Which engine is taken, and what is remembered of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds.errors import ModelError
from birds.models import engine_choice
from birds.models.bundle import LoadedModel
from birds.models.engine_choice import Speed, choose, measure
from birds.models.manifest import Manifest, ModelClass, Preprocess

OPENED: list[str] = []
BROKEN: list[str] = []


class Sleeper:
    """An engine that takes its time."""

    def __init__(self, name: str, clock: "Clock") -> None:
        self.name, self._clock = name, clock

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        self._clock.now += len(prepared) * {"onnx": 0.02, "openvino": 0.01, "torch": 0.05}[self.name]
        return np.ones((len(prepared), 1), np.float32)


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """A model for three engines that need no clock to be told apart."""
    clock = Clock()
    OPENED.clear()
    BROKEN.clear()

    def open_engine(_model: LoadedModel, name: str) -> Any:
        OPENED.append(name)
        if name in BROKEN:
            raise ModelError(f"{name} is broken.")
        clock.now += 1.0 if name == "openvino" else 0.1
        return Sleeper(name, clock)

    monkeypatch.setattr(engine_choice, "open_engine", open_engine)
    monkeypatch.setattr(engine_choice, "time", clock)
    monkeypatch.setattr(engine_choice, "available", lambda _: ["onnx", "openvino", "torch"])
    manifest = Manifest(
        (ModelClass("a"),),
        Preprocess("squish", 32),
        "resnet18",
        "default",
        False,
        1.0,
        0.5,
        files={"model.onnx": "0" * 64},
    )
    return LoadedModel(tmp_path, manifest, {"onnx": tmp_path / "model.onnx"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "engines.json"


def test_a_single_picture_is_always_onnx_and_few_are_not_worth_a_trial(model: LoadedModel, store: Path) -> None:
    assert choose(model, 1, store=store) == "onnx"
    assert choose(model, 20, store=store) == "onnx"
    assert not OPENED
    measure(model, store=store)
    assert choose(model, 1, store=store) == "onnx"


def test_many_pictures_take_the_fastest_which_is_remembered(model: LoadedModel, store: Path) -> None:
    assert choose(model, 1000, store=store) == "openvino"
    assert {"onnx", "openvino"} <= set(OPENED)
    OPENED.clear()
    assert choose(model, 1000, store=store) == "openvino"
    assert choose(model, 10, store=store) == "onnx", "for few, openvino takes too long to open"
    assert not OPENED, "nothing is measured twice"


def test_measuring_at_export_tries_them_all(model: LoadedModel, store: Path) -> None:
    speeds = measure(model, store=store)
    assert speeds.keys() == {"onnx", "openvino", "torch"}
    assert speeds["openvino"].images_per_second == pytest.approx(100, rel=0.01)
    assert speeds["openvino"].open_s == pytest.approx(1.01, abs=0.01)
    (kept,) = json.loads(store.read_text()).values()
    assert kept["onnx"]["images_per_second"] == pytest.approx(50, rel=0.01)


def test_what_is_remembered_is_of_this_model_on_this_machine(
    model: LoadedModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(model, store=store)
    other = LoadedModel(
        model.path, Manifest(**{**vars(model.manifest), "files": {"model.onnx": "1" * 64}}), model.files
    )
    OPENED.clear()
    choose(other, 1000, store=store)
    assert OPENED
    OPENED.clear()
    monkeypatch.setattr(engine_choice, "_processor", lambda: "another")
    choose(model, 1000, store=store)
    assert OPENED
    assert len(json.loads(store.read_text())) == 3


@pytest.mark.parametrize("content", ["", "[1]", '{"a": {"onnx": {"open_s": "x"}}}', '{"a": null}'])
def test_a_damaged_store_is_as_good_as_none(model: LoadedModel, store: Path, content: str) -> None:
    store.parent.mkdir()
    store.write_text(content)
    assert choose(model, 1000, store=store) == "openvino"


def test_a_store_that_cannot_be_written_is_no_error(model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert choose(model, 1000, store=tmp_path / "file" / "engines.json") == "openvino"


def test_an_engine_that_cannot_be_opened_is_not_taken(model: LoadedModel, store: Path, notes: Any) -> None:
    BROKEN.append("openvino")
    assert choose(model, 1000, store=store, progress=notes) == "onnx"
    assert any("openvino is broken" in line for line in notes.lines)
    BROKEN.extend(["onnx", "torch"])
    assert choose(model, 1000, store=store.with_name("other.json")) == "onnx", "which then says why"


def test_speeds_count_the_opening() -> None:
    assert Speed(2.0, 10.0).seconds(30) == 5.0
