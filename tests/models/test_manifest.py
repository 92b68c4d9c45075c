"""What a model says of itself is read back as it was written, and nothing in it is believed unchecked."""

import json
from typing import Any

import pytest
from birds.errors import ModelError
from birds.models.manifest import FORMAT_VERSION, Manifest, ModelClass, Preprocess

MANIFEST = Manifest(
    classes=(ModelClass("cigüeña", "Ciconia ciconia"), ModelClass("dron")),
    preprocess=Preprocess("crop", 224, 256, mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.25)),
    architecture="resnet18",
    recipe="default",
    mirror=True,
    temperature=1.25,
    abstain_threshold=0.8,
    test={"n": 3, "loss": 0.5, "accuracy": 1.0},
    training={"run": "one"},
    versions={"birds": "0.1.0"},
    files={"model.onnx": "0" * 64},
    created_at="2026-01-01T00:00:00+00:00",
)


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(MANIFEST.to_json()), **values})


def test_what_was_written_is_read_back() -> None:
    assert Manifest.from_json(MANIFEST.to_json(), "model.json") == MANIFEST
    assert MANIFEST.labels == ["cigüeña", "dron"]
    assert "cigüeña" in MANIFEST.to_json(), "people read it too"


def test_fields_that_a_later_birds_added_do_no_harm() -> None:
    assert Manifest.from_json(changed(speed="fast"), "model.json") == MANIFEST


def test_a_newer_format_names_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"newer birds \(format 2.*pip install --upgrade birds"):
        Manifest.from_json(changed(format_version=FORMAT_VERSION + 1), "model.json")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"format_version": "1"}, "does not describe a model"),
        ({"format_version": True}, "does not describe a model"),
        ({"classes": []}, "classes"),
        ({"classes": [{"label": "a"}, {"label": "a"}]}, "classes"),
        ({"classes": ["a"]}, "label"),
        ({"classes": [{"label": "a" * 1000}]}, "proper name"),
        ({"classes": [{"label": "a", "scientific_name": 3}]}, "proper name"),
        ({"preprocess": {"resize": "squish", "size": 10**9}}, "pixels"),
        ({"preprocess": {"resize": "squash", "size": 224}}, "squash"),
        ({"preprocess": {"resize": "squish", "size": 224, "resample": "nearest"}}, "bilinear"),
        ({"preprocess": {"resize": "squish", "size": 224, "std": [0, 1, 1]}}, "std"),
        ({"preprocess": {"resize": "squish", "size": 224, "mean": [0, 1]}}, "not enough values"),
        ({"preprocess": {"resize": "squish"}}, "size is missing"),
        ({"architecture": 3}, "architecture"),
        ({"temperature": 0}, "temperature"),
        ({"abstain_threshold": 1.5}, "abstain_threshold"),
        ({"abstain_threshold": float("nan")}, "abstain_threshold"),
        ({"files": {"model.onnx": "abc"}}, "SHA-256"),
        ({"test": [1]}, "test"),
    ],
)
def test_a_field_that_cannot_be_is_named(values: dict[str, Any], what: str) -> None:
    with pytest.raises(ModelError, match=what) as raised:
        Manifest.from_json(changed(**values), "model.json")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("model.json ")


@pytest.mark.parametrize("text", ["", "[", "null", "[1]", "[" * 100_000, "\x00"])
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"model\.json "):
        Manifest.from_json(text, "model.json")


def test_a_description_without_end_is_not_parsed() -> None:
    with pytest.raises(ModelError, match="too much"):
        Manifest.from_json(" " * 20_000_001, "model.json")
