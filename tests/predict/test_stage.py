"""Predictions of models whose answers are plain to see."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from birds.errors import ModelError, UsageError
from birds.models.engines import open_engine
from birds.predict import predict
from birds.predict import stage as predict_stage
from PIL import Image


def test_every_picture_is_answered_and_a_bad_one_does_not_stop_the_others(bundle: Path, pictures: Path) -> None:
    result = predict(Path(), [pictures, pictures / "missing.jpg"], bundle)
    assert [(Path(one.file).name, one.label) for one in result.predictions] == [
        ("rojo.png", "rojo"),
        ("verde.jpeg", "verde"),
        ("azul", "azul"),
    ]
    assert {Path(file).name: why for file, why in result.failed.items()}.keys() == {
        "notes.txt",
        "cut.png",
        "missing.jpg",
    }
    assert "no picture" in result.failed[str(pictures / "notes.txt")]
    for one in result.predictions:
        assert one.top[0] == (one.label, one.confidence)
        assert [share for _, share in one.top] == sorted((share for _, share in one.top), reverse=True)
        assert math.isclose(sum(share for _, share in one.top), 1, abs_tol=1e-5)
        assert not one.unsure


def test_below_the_models_threshold_the_answer_is_unsure(
    bundle: Path, tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    (tmp_path / "grey.png").write_bytes(draw("gris"))
    (one,) = predict(Path(), tmp_path / "grey.png", bundle).predictions
    assert one.confidence == pytest.approx(1 / 3, abs=1e-3)
    assert one.unsure


def test_top_gives_so_many_classes_and_no_more_than_there_are(bundle: Path, pictures: Path) -> None:
    for top, given in ((1, 1), (2, 2), (9, 3)):
        (one,) = predict(Path(), [pictures / "rojo.png"], bundle, top=top).predictions
        assert len(one.top) == given


def test_more_pictures_than_a_batch_keep_their_order(bundle: Path, tmp_path: Path, draw: Callable[..., bytes]) -> None:
    count = 2 * predict_stage.BATCH + 3
    colours = ["rojo", "verde", "azul"]
    for number in range(count):
        (tmp_path / f"{number:03}.png").write_bytes(b"bad" if number % 7 == 3 else draw(colours[number % 3]))
    result = predict(Path(), tmp_path, bundle)
    good = [number for number in range(count) if number % 7 != 3]
    assert [int(Path(one.file).stem) for one in result.predictions] == good
    assert [one.label for one in result.predictions] == [colours[number % 3] for number in good]
    assert len(result.failed) == count - len(good)


def _left_red_right_blue(path: Path) -> Path:
    picture = Image.new("RGB", (32, 32), (230, 20, 20))
    picture.paste((20, 20, 230), (16, 0, 32, 32))
    picture.save(path)
    return path


def test_tta_averages_over_the_mirror_image(bundle: Path, tmp_path: Path) -> None:
    file = _left_red_right_blue(tmp_path / "a.png")
    (plain,) = predict(Path(), file, bundle).predictions
    (averaged,) = predict(Path(), file, bundle, tta=True).predictions
    assert plain.confidence > 0.9, "this model looks at the left half alone"
    shares = dict(averaged.top)
    assert shares["rojo"] == pytest.approx(shares["azul"], abs=1e-5)


def test_tta_says_that_a_network_averages_by_itself(
    make_bundle: Callable[..., Path], tmp_path: Path, notes: object
) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    file = _left_red_right_blue(tmp_path / "a.png")
    (one,) = predict(Path(), file, make_bundle(folder, mirror=True), tta=True, progress=notes).predictions  # type: ignore[arg-type]
    assert one.confidence > 0.9, "the graph was asked once"
    assert any("averages over mirror images by itself" in line for line in notes.lines)  # type: ignore[attr-defined]


def test_only_where_no_picture_can_be_read_it_is_an_error(bundle: Path, pictures: Path) -> None:
    with pytest.raises(UsageError, match=r"notes\.txt: It is no picture"):
        predict(Path(), pictures / "notes.txt", bundle)
    with pytest.raises(UsageError, match="None of 2 pictures") as none:
        predict(Path(), [pictures / "notes.txt", pictures / "deep" / "cut.png"], bundle)
    assert len(none.value.partial["failed"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"pictures": []}, "No picture"),
        ({"top": 0}, "--top is 0"),
        ({"engine": "tensorrt"}, "no engine 'tensorrt'"),
        ({"explain": __file__}, "no folder"),
    ],
)
def test_what_cannot_be_is_said_before_the_model_is_opened(wrong: dict[str, object], what: str, pictures: Path) -> None:
    if "explain" in wrong:
        wrong = {"explain": Path(str(wrong["explain"]))}
    arguments = {"pictures": [pictures / "rojo.png"], **wrong}
    with pytest.raises(UsageError, match=what):
        predict(Path(), model="nowhere/model.onnx", **arguments)  # type: ignore[arg-type]


def test_a_lone_onnx_file_suffices_and_explaining_by_it_is_refused(
    bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    (one,) = predict(Path(), pictures / "rojo.png", bundle / "model.onnx").predictions
    assert one.label == "rojo"
    with pytest.raises(ModelError, match="no weights that torch can take"):
        predict(Path(), pictures / "rojo.png", bundle / "model.onnx", explain=tmp_path / "why")


def test_engines_agree(bundle: Path) -> None:
    pytest.importorskip("openvino")
    from birds.models.bundle import load

    model = load(bundle)
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    answers = [open_engine(model, name).probabilities(noise) for name in ("onnx", "openvino")]
    assert np.abs(answers[0] - answers[1]).max() < 1e-4


def test_a_single_picture_is_answered_without_torch_fastai_pandas_or_matplotlib(bundle: Path, pictures: Path) -> None:
    code = (
        "import sys\nfrom birds.cli import app\n"
        f"try: app(['predict', {str(pictures / 'rojo.png')!r}, '-m', {str(bundle)!r}], prog_name='birds')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\n'.join(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    said, *modules = answer.stdout.splitlines()
    assert "rojo 9" in said
    loaded = {name.partition(".")[0] for name in modules}
    assert "onnxruntime" in loaded
    assert not loaded & {
        "torch",
        "torchvision",
        "fastai",
        "pandas",
        "matplotlib",
        "sklearn",
        "scipy",
        "onnx",
        "requests",
    }


@pytest.fixture(scope="module")
def torch_bundle(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., Path]) -> Path:
    """The weights of a SqueezeNet at random, and no ONNX file."""
    import torch
    from birds.files import sha256_of
    from birds.models.manifest import NAME, Manifest
    from birds.models.network import build_network, write_tensors

    folder = make_bundle(tmp_path_factory.mktemp("torch"))
    described = Manifest.from_json((folder / "model.json").read_text(), "it")
    torch.manual_seed(0)
    network = build_network(described, "it").eval()
    torch.nn.init.normal_(network.head[-1].weight)  # type: ignore[arg-type]
    write_tensors(network, folder / "model.safetensors", described.to_json())
    (folder / "model.onnx").unlink()
    files = {"model.safetensors": sha256_of(folder / "model.safetensors")}
    (folder / NAME).write_text(Manifest(**{**vars(described), "files": files}).to_json())
    return folder


def test_explain_writes_a_picture_for_each_that_was_read(torch_bundle: Path, pictures: Path, tmp_path: Path) -> None:
    result = predict(Path(), pictures, torch_bundle, explain=tmp_path / "why")
    written = sorted(path.name for path in (tmp_path / "why").iterdir())
    assert written == [
        f"{number:04} {Path(one.file).stem} - {one.label}.png" for number, one in enumerate(result.predictions, 1)
    ]
    with Image.open(tmp_path / "why" / written[0]) as overlay:
        assert overlay.size == (32, 32)
        assert not overlay.getexif()
