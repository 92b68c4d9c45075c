"""Pickles from elsewhere: refused or explained, and what they would run never runs."""

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import birds
import pytest
import torch
from birds.cli import app
from birds.errors import ModelError
from birds.files import sha256_of
from birds.models import trust
from birds.models.pickles import load_export
from typer.testing import CliRunner

NAMES = ("export.pkl", "model.onnx", "model.safetensors", "bundle.pth", "EXPORT.PKL")


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def as_torch_archive(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def trusted(path: Path) -> Path:
    trust.add(sha256_of(path))
    return path


@pytest.fixture
def pickled(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported / "runs" / "one" / "bundle" / "export.pkl", tmp_path / "export.pkl"))


def with_description(path: Path, **versions: str) -> Path:
    """`path` as other versions would have exported it, trusted."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    values = json.loads(content["export/birds.json"])
    values["versions"] |= versions
    content["export/birds.json"] = json.dumps(values).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return trusted(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_bare", [True, False])
def test_a_payload_is_never_run_whatever_the_file_is_called(name: str, is_bare: bool, tmp_path: Path) -> None:
    trace, file = tmp_path / "it ran", tmp_path / name
    file.write_bytes(pickle.dumps(Payload(trace)) if is_bare else as_torch_archive(Payload(trace)))
    with pytest.raises(ModelError) as raised:
        birds.load(file)
    assert "\n" not in str(raised.value)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    shutil.copy(file, bundle / name)
    with pytest.raises(ModelError):
        birds.load(bundle)
    assert not trace.exists()
    pickle.loads(file.read_bytes()) if is_bare else torch.load(io.BytesIO(file.read_bytes()), weights_only=False)
    assert trace.exists(), "so it would have been seen"


def test_a_payload_in_the_place_of_a_bundles_pickle_is_not_touched(exported: Path, tmp_path: Path) -> None:
    trace, bundle = tmp_path / "it ran", tmp_path / "bundle"
    shutil.copytree(exported / "runs" / "one" / "bundle", bundle)
    (bundle / "export.pkl").write_bytes(as_torch_archive(Payload(trace)))
    model = birds.load(bundle)
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    assert model.predict(picture) == birds.load("one", project=exported).predict(picture)
    assert model.engine("torch").name == "torch"
    with pytest.raises(ModelError, match="not exported on this machine"):
        birds.load(bundle / "export.pkl")
    assert not trace.exists()


def test_it_is_refused_with_why_and_opened_where_the_user_trusts_it(pickled: Path, exported: Path) -> None:
    pickled.write_bytes(pickled.read_bytes() + b"\0")  # another digest
    with pytest.raises(ModelError, match=r"not exported on this machine, and a pickle runs any code.*--trust"):
        birds.load(pickled)
    model = birds.load(pickled, trust=True)
    assert model.labels == ["cigüeña", "garza"]
    assert model.manifest.test == birds.load("one", project=exported).manifest.test, "it says all that the bundle says"


def test_a_lone_pickle_predicts_what_its_bundle_does(pickled: Path, exported: Path) -> None:
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    ((label, share), _) = birds.load(pickled).predict(picture)
    ((expected, expected_share), _) = birds.load("one", project=exported).predict(picture)
    assert (label, share) == (expected, pytest.approx(expected_share, abs=1e-5))


def test_one_of_before_there_was_a_description_still_opens(pickled: Path, exported: Path) -> None:
    learner = load_export(pickled)
    del learner.birds
    learner.export(pickled.resolve(), pickle_module=pickle)
    model = birds.load(trusted(pickled))
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    ((label, share), _) = model.predict(picture)
    ((expected, expected_share), _) = birds.load("one", project=exported).predict(picture)
    assert (label, share) == (expected, pytest.approx(expected_share, abs=1e-5))
    assert model.manifest.test is None


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.99])
def test_a_truncated_one_is_told_in_one_line(pickled: Path, share: float) -> None:
    data = pickled.read_bytes()
    pickled.write_bytes(data[: int(len(data) * share)])
    trusted(pickled)
    with pytest.raises(ModelError, match="damaged or no exported model") as raised:
        birds.load(pickled)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("package", "version"), [("fastai", "3.1.0"), ("torch", "1.13.1")])
def test_another_major_version_is_explained_and_not_opened(pickled: Path, package: str, version: str) -> None:
    with_description(pickled, **{package: version})
    with pytest.raises(
        ModelError, match=rf'exported with {package} {version}, and here is 2.*pip install "{package}=='
    ):
        birds.load(pickled)


def test_another_minor_version_is_no_hindrance(pickled: Path) -> None:
    assert birds.load(with_description(pickled, fastai="2.7.99")).labels == ["cigüeña", "garza"]


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(b"cfastai.gone\nLearner\n.", id="a module that is gone"),
        pytest.param(b"cfastai.learner\nLearnerOfOld\n.", id="a class that is gone"),
    ],
)
def test_classes_of_other_versions_are_explained(reference: bytes, tmp_path: Path) -> None:
    file = tmp_path / "export.pkl"
    with zipfile.ZipFile(io.BytesIO(as_torch_archive(1))) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, reference if name.endswith("data.pkl") else data)
    with pytest.raises(ModelError, match=r"exported by other versions.*model\.onnx or model\.safetensors"):
        birds.load(trusted(file))


def test_what_is_no_learner_says_so(tmp_path: Path) -> None:
    file = tmp_path / "export.pkl"
    file.write_bytes(as_torch_archive({"a": 1}))
    with pytest.raises(ModelError, match="holds no learner"):
        birds.load(trusted(file))


def test_the_command_line_says_it_in_one_line_too(exported: Path, pickled: Path) -> None:
    pickled.write_bytes(pickled.read_bytes() + b"\0")
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    answer = CliRunner().invoke(app, ["predict", str(picture), "--model", str(pickled)])
    assert answer.exit_code == 1
    assert "--trust" in answer.output
    assert "Traceback" not in answer.output
