"""The main job, end to end: `birds demo` with nothing left out, and what `birds run` skips."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from birds import pipeline
from birds.demo.draw import LABELS
from birds.demo.gallery import Gallery
from birds.errors import UsageError
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pipeline.PipelineResult]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, pipeline.demo(folder)


def colour_histograms(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Shares of 8x8x8 colours of every picture, [N, 512], and their labels."""
    files = sorted(folder.glob("*/*"))
    rows = []
    for path in files:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((96, 96))).reshape(-1, 3)
        rows.append(np.sqrt(np.histogramdd(pixels, bins=8, range=[(0, 256)] * 3)[0].ravel() / len(pixels)))
    return np.array(rows), np.array([path.parent.name for path in files])


@pytest.mark.timeout(600)
def test_the_demo_learns_what_colour_alone_does_not_tell(demo: tuple[Path, pipeline.PipelineResult]) -> None:
    folder, result = demo
    assert result.evaluate["accuracy"] > 0.8
    train, labels = colour_histograms(folder / "dataset" / "train")
    test, truth = colour_histograms(folder / "dataset" / "test")
    for strength in (0.001, 0.01, 0.1):
        by_colour = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500)).fit(train, labels)
        assert by_colour.score(test, truth) < 0.6


@pytest.mark.timeout(600)
def test_the_demo_ends_with_a_model_figures_and_a_prediction(demo: tuple[Path, pipeline.PipelineResult]) -> None:
    folder, result = demo
    assert {one["label"] for one in (result.scrape or {})["species"]} == set(LABELS)
    assert result.split["classes"] == 6
    assert result.split["leaks"] == 0
    assert (Path(result.export["bundle"]) / "export.pkl").is_file()
    assert Path(result.evaluate["confusion_matrix"]).is_file()
    assert (result.prediction or {})["label"] in LABELS
    assert result.evaluate["n"] == len(list((folder / "dataset" / "test").glob("*/*")))


@pytest.mark.timeout(600)
def test_the_demo_given_again_repeats_nothing(demo: tuple[Path, pipeline.PipelineResult], notes) -> None:
    folder, first = demo
    second = pipeline.demo(folder, progress=notes)
    assert second.train == first.train
    assert second.export == first.export
    assert second.split == first.split
    assert json.dumps(second.evaluate, sort_keys=True) == json.dumps(first.evaluate, sort_keys=True)
    up_to_date = [line for line in notes.lines if "up to date" in line]
    assert len(up_to_date) == len(LABELS) + 4


def test_run_takes_species_and_settings_from_birds_toml(
    tmp_path: Path, make_picture: Callable[..., Image.Image]
) -> None:
    shelf, root = tmp_path / "shelf", tmp_path / "project"
    for label, seed in (("garza", 0), ("loro", 500)):
        (shelf / label).mkdir(parents=True)
        for number in range(12):
            make_picture(seed + number).save(shelf / label / f"{number}.jpg")
    root.mkdir()
    with Gallery(shelf) as gallery:
        (root / "birds.toml").write_text(
            f'species = ["grey heron", "LORO"]\n[scrape]\nlimit = 10\ngoogle_url = "{gallery.url}"\n'
            f"allow_host = {json.dumps(list(gallery.allow_hosts))}\n[split]\nratio = '60/20/20'\n"
            '[train]\narch = "squeezenet1_1"\nweights = "none"\nsize = 32\nepochs = 1\n'
        )
        command = [sys.executable, "-m", "birds", "run", "--json", "--project", str(root)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert [one["stored"] for one in result["scrape"]["species"]] == [10, 10]
    assert (result["split"]["train"], result["split"]["val"], result["split"]["test"]) == (12, 4, 4)
    assert result["evaluate"]["n"] == 4


def test_run_without_species_or_pictures_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No species given.*birds\.toml"):
        pipeline.run(tmp_path)
