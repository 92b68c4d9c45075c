"""The card: the Hub's form, honest words, and Python that runs with onnxruntime, numpy and pillow alone."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import birds
import numpy as np
import pytest
from birds import images
from birds.export.model_card import model_card, usage_code
from birds.models.manifest import Manifest, ModelClass, Preprocess
from PIL import Image

# What the card's reader has not got. Importing any of it fails, as it would there.
ABSENT = (
    "import sys\n"
    "class Absent:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in ('torch', 'torchvision', 'fastai', 'birds', 'safetensors', 'onnx'):\n"
    "            raise ModuleNotFoundError(name)\n"
    "sys.meta_path.insert(0, Absent())\n"
)


@pytest.fixture
def manifest(exported: Path) -> Manifest:
    return birds.load("one", project=exported).manifest


def front_matter(card: str) -> dict[str, str]:
    lines = card.split("---\n")[1].splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_the_ten_lines_of_the_card_predict_without_torch_fastai_or_birds(exported: Path, tmp_path: Path) -> None:
    bundle = exported / "runs" / "one" / "bundle"
    (code,) = re.findall(r"```python\n(.*?)```", (bundle / "MODEL_CARD.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) == 10
    shutil.copy(bundle / "model.onnx", tmp_path)
    shutil.copy(exported / "dataset" / "test" / "garza" / "001.jpg", tmp_path / "photo.jpg")
    answer = subprocess.run(
        [sys.executable, "-I", "-c", ABSENT + code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    expected = birds.load("one", project=exported).predict(tmp_path / "photo.jpg", top=2)
    told = [line.rsplit(" ", 1) for line in answer.stdout.splitlines()]
    assert [label for label, _ in told] == [label for label, _ in expected]
    assert [float(share) for _, share in told] == pytest.approx([share for _, share in expected], abs=6e-4)


@pytest.mark.parametrize("side", [(640, 480), (90, 201), (200, 91), (33, 32)])
@pytest.mark.parametrize("resize", images.RESIZES)
def test_its_way_to_a_square_is_the_one_that_birds_has(
    side: tuple[int, int], resize: str, tmp_path: Path, make_picture: Callable[..., Image.Image]
) -> None:
    make_picture(3, side).save(tmp_path / "photo.png")
    code = usage_code(Preprocess(resize, 32, 37)).replace("photo.jpg", str(tmp_path / "photo.png"))
    prepare = [line for line in code.splitlines() if line.startswith(("image", "scale", "sides", "left", "pixels"))]
    scope: dict[str, object] = {}
    exec("import numpy as np\nfrom PIL import Image, ImageOps\n" + "\n".join(prepare), scope)
    expected = images.prepare(images.open_rgb(tmp_path / "photo.png"), 32, resize)
    np.testing.assert_array_equal(scope["pixels"], expected)


def test_the_front_matter_is_what_the_hub_reads(manifest: Manifest) -> None:
    matter = front_matter(model_card(manifest))
    assert matter["pipeline_tag"] == "image-classification"
    assert matter["library_name"] == "onnx"
    (entry,) = json.loads(matter["model-index"])
    assert manifest.test is not None
    assert entry["results"][0]["metrics"][0] == {"type": "accuracy", "value": round(manifest.test["accuracy"], 4)}
    assert front_matter(model_card(replace(manifest, test=None))).keys().isdisjoint({"model-index"})


def test_it_says_what_is_known_and_what_is_not(manifest: Manifest) -> None:
    card = model_card(manifest)
    assert "On 12 test pictures" in card
    assert "cigüeña (*Ciconia ciconia*)" in card
    assert "Fewer than 20 test pictures, so that figures say little: cigüeña, garza." in card
    assert "Where the pictures came from, and under which licences, is not recorded." in card
    known = {**manifest.training, "licences": {"cc-by-4.0": 3, "unknown": 1}, "sources": {"inaturalist": 4}}
    card = model_card(replace(manifest, training={**known, "reviewed_share": 0.5}))
    assert "CC BY 4.0 3, no licence known 1. A person looked at 50% of them" in card
    assert "inaturalist 4" in card


def test_labels_of_strangers_become_neither_markup_nor_yaml(manifest: Manifest) -> None:
    name = "<script>alert(1)</script> | [x](javascript:y)\n---\nlicense: mit"
    card = model_card(replace(manifest, classes=(ModelClass(name, None), *manifest.classes[1:])))
    assert "<script>" not in card
    assert "[x](" not in card
    assert front_matter(card)["license"] == "unknown"
    assert card.count("\n---\n") == 1
