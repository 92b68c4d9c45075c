"""`birds.load` opens a bundle, a run or a lone file, and tells in one line what is wrong with any of them."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import birds
import numpy as np
import pytest
from birds.errors import ImageError, ModelError
from birds.models.bundle import load
from birds.models.network import load_network
from PIL import Image

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("format-*"))


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy of a bundle alone, to be changed."""
    return Path(shutil.copytree(exported / "runs" / "one" / "bundle", tmp_path / "bundle"))


def changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


def in_one_line(model: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as raised:
        load(model).engine()
    assert "\n" not in str(raised.value)
    assert raised.value.hint, "it says what to do"


# -- what can be opened


FOLDER = "runs/one/bundle"
WAYS = (None, "one", "runs/one", FOLDER, f"{FOLDER}/model.onnx", f"{FOLDER}/model.safetensors", f"{FOLDER}/export.pkl")


@pytest.mark.parametrize("model", WAYS)
def test_a_model_may_be_named_in_many_ways(exported: Path, model: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)
    loaded = birds.load(model)
    assert loaded.labels == ["cigüeña", "garza"]
    assert loaded.run is not None
    assert loaded.run.name == "one"
    assert loaded.path.is_absolute()
    assert loaded.predict("dataset/test/garza/000.jpg")[0][1] == pytest.approx(
        birds.load().predict("dataset/test/garza/000.jpg")[0][1], abs=1e-5
    )


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
def test_a_lone_file_suffices(bundle: Path, tmp_path: Path, name: str) -> None:
    shutil.move(bundle / name, tmp_path / f"renamed{Path(name).suffix}")
    alone = load(tmp_path / f"renamed{Path(name).suffix}")
    whole = json.loads((bundle / "model.json").read_text())
    assert json.loads(alone.manifest.to_json()) == {**whole, "files": {}}
    assert alone.run is None


def test_predict_takes_files_and_pictures_and_gives_the_best_first(exported: Path) -> None:
    model = load("one", project=exported)
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    answer = model.predict(picture)
    assert [label for label, _ in answer] == sorted(model.labels, key=lambda label: -dict(answer)[label])
    assert sum(share for _, share in answer) == pytest.approx(1, abs=1e-5)
    assert model.predict(Image.open(picture), top=1) == answer[:1]
    with pytest.raises(ImageError):
        model.predict(exported / "nowhere.jpg")


def test_below_the_threshold_it_is_unsure(exported: Path) -> None:
    model = load("one", project=exported)
    threshold = model.manifest.abstain_threshold
    assert model.is_unsure(threshold - 1e-6)
    assert not model.is_unsure(threshold)


def test_a_bundle_without_its_pickle_is_whole(bundle: Path) -> None:
    (bundle / "export.pkl").unlink()
    assert set(load(bundle).files) == {"onnx", "safetensors"}


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_bundles_of_every_format_version_stay_readable(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    prepared = (np.arange(16 * 16 * 3) % 256).astype(np.uint8).reshape(1, 16, 16, 3)
    for name, engine in (("", "onnx"), ("", "torch"), ("model.onnx", "onnx"), ("model.safetensors", "torch")):
        loaded = load(folder / name)
        assert loaded.labels == ["cigüeña", "garza"]
        assert loaded.engine(engine).probabilities(prepared)[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_there_is_a_fixture_of_every_format_version() -> None:
    from birds.models.manifest import FORMAT_VERSION

    assert [folder.name for folder in FIXTURES] == [f"format-{n}" for n in range(1, FORMAT_VERSION + 1)]


# -- what cannot


def test_what_is_not_there_is_told_with_what_is(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no run 'two'.*one"):
        load("two", project=exported)
    with pytest.raises(ModelError, match=r"no exported model nowhere/model\.onnx"):
        load("nowhere/model.onnx", project=exported)
    with pytest.raises(ModelError, match=r"birds train"):
        load(project=tmp_path)
    in_one_line(tmp_path, r"no bundle: it has no model\.json.*\.safetensors")
    (tmp_path / "model.txt").write_text("x")
    in_one_line(tmp_path / "model.txt", r"no exported model.*a bundle's folder")


def test_a_run_that_is_not_exported_or_by_an_older_birds_names_the_command(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "one" / "bundle" / "model.json").unlink()
    with pytest.raises(ModelError, match=r"by an older birds\. Run `birds export one` again"):
        load("one", project=tmp_path)
    shutil.rmtree(tmp_path / "runs" / "one" / "bundle")
    with pytest.raises(ModelError, match=r"not exported yet\. Run `birds export one`"):
        load(tmp_path / "runs" / "one")


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
def test_a_file_whose_digest_differs_is_refused(bundle: Path, name: str) -> None:
    changed(bundle / name, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    in_one_line(bundle, rf"{name} is not the file that model\.json lists: its SHA-256 differs")
    (bundle / name).unlink()
    in_one_line(bundle, f"lacks {name}")


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.00002, 0.001, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_told(bundle: Path, name: str, share: float) -> None:
    path = changed(bundle / name, lambda data: data[: int(len(data) * share)])
    in_one_line(path, "is truncated|is no (ONNX|safetensors) file|was not exported by birds")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: struct.pack("<Q", 2**63) + data[8:], "header would be 9223372036854775808 bytes"),
        (lambda data: struct.pack("<Q", 49_000_000) + data[8:], "truncated: its header alone is 49000000 bytes"),
        (lambda data: struct.pack("<Q", 0) + data[8:], "header would be 0 bytes"),
        (lambda data: struct.pack("<Q", 100) + data[8:], "header is no table of tensors"),
        (lambda data: struct.pack("<Q", 100_000) + b"[" * 100_000, "header is no table of tensors"),
        (lambda data: data + b"x", "should be"),
        (lambda data: data.replace(b'"birds"', b'"other"'), "was not exported by birds"),
        (lambda data: data.replace(b'"F32"', b'"I64"', 1), "damaged"),
    ],
)
def test_a_safetensors_header_that_cannot_be_is_told(bundle: Path, change: Callable[[bytes], bytes], said: str) -> None:
    in_one_line(changed(bundle / "model.safetensors", change), said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + data, "truncated: a part of it is"),  # a graph
        (lambda data: b"\xff" * 20 + data, "numbers are not protobuf's"),
        (lambda data: b"\x0f" + data, "fields are not protobuf's"),
        (lambda data: b"\x08\x0a", "has no graph"),
        (lambda data: data.replace(b"\x05birds", b"\x05other"), "was not exported by birds"),
        (lambda data: b"<!DOCTYPE html>" + data, "no ONNX file|truncated"),
    ],
)
def test_an_onnx_file_that_cannot_be_is_told(bundle: Path, change: Callable[[bytes], bytes], said: str) -> None:
    in_one_line(changed(bundle / "model.onnx", change), said)


def test_a_description_that_cannot_be_is_told(bundle: Path) -> None:
    values = json.loads((bundle / "model.json").read_text())
    (bundle / "model.json").write_text(json.dumps({**values, "format_version": 99}))
    in_one_line(bundle, r"model\.json was made by a newer birds.*pip install --upgrade birds")
    (bundle / "model.json").write_text(json.dumps({**values, "files": {}}))
    in_one_line(bundle, "has no model")
    (bundle / "model.json").write_bytes(b" " * 20_000_001)
    in_one_line(bundle, "too large")


def test_damage_inside_the_weights_of_a_lone_file_cannot_pass_as_another_shape(bundle: Path) -> None:
    def shrink(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header["head.0.bias"]["shape"] = [1, 2]
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    with pytest.raises(ModelError, match=r"head\.0\.bias is \[1, 2\] and should be \[2\]"):
        load_network(load(changed(bundle / "model.safetensors", shrink)))
