"""That a mistake is shown as the part of the picture that the network was given."""

import io
from pathlib import Path

import pytest
from birds.evaluation.explain import mistakes
from birds.evaluation.results import TopLoss
from birds.models.manifest import Preprocess
from birds.progress import SILENT
from PIL import Image


@pytest.mark.parametrize(("resize", "aspect"), [("squish", 3), ("trim", 4 / 3), ("crop", 1)])
def test_a_mistake_is_shown_as_far_as_the_network_saw_it(tmp_path: Path, resize: str, aspect: float) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (600, 200), "red").save(file)
    worst = [TopLoss(str(file), "garza", "loro", 0.9, 2.3, None)]
    (shown,) = mistakes(None, Preprocess(resize, 64), ["garza", "loro"], worst, SILENT)
    with Image.open(io.BytesIO(shown.picture)) as picture:
        assert picture.width / picture.height == pytest.approx(aspect, rel=0.02)
    assert shown.heat is None
