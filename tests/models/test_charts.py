"""Charts of pictures with known labels: nothing by colour alone, names that can be read."""

from itertools import pairwise

import numpy as np
import pytest
from birds.models.charts import confusion_chart, map_chart, recall_chart
from birds.models.statistics import per_class


def test_the_confusion_matrix_has_its_numbers_written_in() -> None:
    figure = confusion_chart(np.array([[7, 2], [0, 5]]), ["uno", "dos"])
    axis = figure.axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["2", "5", "7"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["uno", "dos"]
    assert axis.get_title(loc="left") == "12 of 14 right"


def test_two_hundred_names_stand_beside_the_matrix_without_touching() -> None:
    figure = confusion_chart(np.eye(200, dtype=int), [f"{i:03}.Black_footed_Albatross" for i in range(200)])
    axis = figure.axes[0]
    for labels, side in ((axis.get_xticklabels(), 0), (axis.get_yticklabels(), 1)):
        assert len(labels) == 200
        boxes = [label.get_window_extent() for label in labels]
        edges = sorted((box.min[side], box.max[side]) for box in boxes)
        assert all(before[1] <= after[0] + 0.5 for before, after in pairwise(edges))


def test_of_more_classes_every_second_or_third_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("birds.models.charts._MOST_NAMED", 4)
    labels = confusion_chart(np.eye(9, dtype=int), [str(i) for i in range(9)]).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["0", "3", "6"]


def test_each_class_has_a_bar_and_an_interval_where_there_are_twenty_pictures() -> None:
    matrix = np.array([[15, 5], [1, 9]])
    classes = {label: vars(one) for label, one in zip(("mucho", "poco"), per_class(matrix), strict=True)}
    axis = recall_chart(classes, 0.8).axes[0]
    assert sorted(bar.get_width() for bar in axis.patches) == [0.75, 0.9]
    spans = [line for line in axis.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2]
    assert len(spans) == 1
    assert list(spans[0].get_xdata()) == list(classes["mucho"]["recall_interval"])
    assert {text.get_text() for text in axis.texts} == {"15 of 20", "9 of 10"}


def test_classes_differ_on_the_map_by_shape_and_mistakes_are_ringed() -> None:
    truth = np.arange(48) % 12
    right = truth != 3
    points = np.random.default_rng(0).normal(size=(48, 2))
    axis = map_chart(points, truth, right, [f"clase {i}" for i in range(12)], title="body").axes[0]
    *classes, rings = axis.collections
    assert len({one.get_paths()[0].vertices.tobytes() for one in classes}) == 12
    assert len(rings.get_offsets()) == 4
    assert axis.get_title(loc="left") == "body"


def test_of_many_classes_the_rest_are_called_others() -> None:
    truth = np.arange(60) % 20
    figure = map_chart(np.zeros((60, 2)), truth, truth >= 0, [str(i) for i in range(20)])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["other classes", *map(str, range(12))], "of equally frequent ones the first"
