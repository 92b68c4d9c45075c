"""The page of an explanation stands alone and trusts no name."""

from dataclasses import replace

import numpy as np
import pytest
from birds.explain.page import page
from birds.explain.results import ExplainResult, FiltersFound, LayerFound
from birds.models.statistics import most_confused, per_class
from birds.models.verdict import OVERFITTING, Verdict

LABELS = ["<script>alert(1)</script>", "zampullín cuellinegro"]
MATRIX = np.array([[20, 5], [0, 30]])
LIGHT = dict.fromkeys(("confusion", "classes", "curves", "filters", "map-last"), b"light")


@pytest.fixture
def result() -> ExplainResult:
    per = {label: vars(one) for label, one in zip(LABELS, per_class(MATRIX), strict=True)}
    layer = LayerFound("last", "body", "SmallNetwork", [50], 50, -0.001, "euclidean", {LABELS[0]: 0.25}, True)
    return ExplainResult(
        run="one", part="val", n=55, of=55, seed=5, accuracy=50 / 55, accuracy_interval=(0.8, 0.96), per_class=per,
        most_confused=most_confused(MATRIX, LABELS, 10), layers=[layer],
        verdict=Verdict(OVERFITTING, "head", 16, "Overfitting from epoch 16."),
        filters=FiltersFound("body.conv1", 96, 64, [3, 7, 7], 2), skipped={},
    )  # fmt: skip


def test_it_says_everything_in_words_too(result: ExplainResult) -> None:
    text = page(result, MATRIX, LIGHT, LIGHT)
    for words in (
        "Overfitting from epoch 16.",
        "90.9%",
        "80.0% to 96.0%",
        "were taken for zampullín cuellinegro",
        "Shown are the 64 strongest of 96",
        "2 of 96 are all but zero",
        "birds evaluate says on the test set",
        "Euclidean",
        "averaged over places",
        "+0.25",
        "+0.00",
    ):
        assert words in text, words


def test_names_from_disk_are_escaped_and_nothing_is_fetched(result: ExplainResult) -> None:
    text = page(result, MATRIX, LIGHT, LIGHT)
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert "https://" not in text


def test_of_a_network_without_filters_and_a_draw_it_says_so(result: ExplainResult) -> None:
    some = replace(result, filters=None, of=200, skipped={"a/b.jpg": "unreadable"}, most_confused=[])
    text = page(some, MATRIX, LIGHT, LIGHT)
    assert "does not begin with filters" in text
    assert "Of 200 pictures 56 were drawn with seed 5." in text
    assert "Not looked at: 1 unreadable" in text
    assert "Nothing was confused" in text
