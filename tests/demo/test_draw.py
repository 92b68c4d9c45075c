"""The drawn birds: the same everywhere, told apart by shape and not by colour, no two alike."""

import hashlib
import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from birds.demo.draw import LABELS, draw_bird, sketch_bird
from birds.duplicates import near_pairs
from birds.errors import UsageError
from birds.fingerprints import gray_of, hashes_of
from birds.species import known
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Pictures = list[tuple[str, Image.Image]]

PER_LABEL = 60
DIGEST = """
import hashlib
from birds.demo.draw import LABELS, draw_bird, sketch_bird
digest = hashlib.sha256()
for label in LABELS:
    for seed in (0, 7):
        digest.update(draw_bird(label, seed).tobytes() + sketch_bird(label, seed).tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return [(label, draw_bird(label, seed)) for label in LABELS for seed in range(PER_LABEL)]


def test_the_labels_are_six_known_species() -> None:
    assert len(set(LABELS)) == 6
    assert set(LABELS) <= {species.label for species in known()}


def test_another_process_draws_the_same_pictures() -> None:
    digest = hashlib.sha256()
    for label in LABELS:
        for seed in (0, 7):
            digest.update(draw_bird(label, seed).tobytes() + sketch_bird(label, seed).tobytes())
    elsewhere = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, "PYTHONHASHSEED": "4321"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == digest.hexdigest()


def test_pictures_are_rgb_of_varied_or_given_size(pictures: Pictures) -> None:
    assert {picture.mode for _, picture in pictures} == {"RGB"}
    assert len({picture.size for _, picture in pictures}) > 100
    assert all(240 <= side <= 420 for _, picture in pictures for side in picture.size)
    assert draw_bird(LABELS[0], 0, size=(90, 70)).size == (90, 70)


def test_colour_alone_tells_the_species_apart_badly(pictures: Pictures) -> None:
    """About 0.3 was measured, where guessing gives 0.17: a network has to look at shapes."""
    histograms = []
    for _, picture in pictures:
        red, green, blue = (np.asarray(picture).reshape(-1, 3) // 32).T.astype(int)
        shares = np.bincount(64 * red + 8 * green + blue, minlength=512) / red.size
        histograms.append(np.sqrt(shares))
    labels = [label for label, _ in pictures]
    train, test, train_labels, test_labels = train_test_split(
        np.array(histograms), labels, test_size=0.3, stratify=labels, random_state=0
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train, train_labels)
    assert model.score(test, test_labels) < 0.6


def test_two_pictures_are_hardly_ever_near_duplicates_and_never_across_species(pictures: Pictures) -> None:
    grays = np.stack([gray_of(picture) for _, picture in pictures])
    pairs = near_pairs(hashes_of(grays), lambda wanted: grays[wanted])
    assert len(pairs) <= 2
    assert [pair for pair in pairs if pictures[pair.first][0] != pictures[pair.second][0]] == []


def test_a_sketch_is_line_art_on_pale_paper() -> None:
    for label in LABELS:
        sketch = np.asarray(sketch_bird(label, 3).convert("L"))
        assert np.mean(sketch > 225) > 0.6, "paper"
        assert 0.005 < np.mean(sketch < 110) < 0.25, "ink"


def test_a_decomposed_label_is_the_same_species() -> None:
    assert draw_bird(unicodedata.normalize("NFD", "búho real"), 1) == draw_bird("búho real", 1)


@pytest.mark.parametrize("draw", [draw_bird, sketch_bird])
def test_a_species_that_nobody_taught_it_is_a_usage_error(draw: type) -> None:
    with pytest.raises(UsageError, match="dodo") as raised:
        draw("dodo", 0)
    assert "búho real" in raised.value.hint
