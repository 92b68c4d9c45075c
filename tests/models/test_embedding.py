"""Maps of features, and silhouettes by hand."""

import numpy as np
import pytest
from birds.models.embedding import drawn, lay_out, silhouettes


def islands(n: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes far apart in 40 dimensions."""
    chance = np.random.default_rng(0)
    truth = np.arange(n) % 3
    return (np.eye(40)[truth] * 20 + chance.normal(size=(n, 40))).astype(np.float32) * scale, truth


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_neighbours_on_the_map_are_of_one_class_where_features_are_far_apart(scale: float) -> None:
    features, truth = islands(60, scale)
    points = lay_out(features)
    assert points.shape == (60, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(60) * 1e9
    assert (truth[distances.argmin(axis=1)] == truth).all()


def test_the_seed_decides_and_few_or_equal_pictures_have_no_map() -> None:
    features, _ = islands(20)
    assert (lay_out(features) == lay_out(features)).all()
    assert lay_out(features[:7]).shape == (0, 2)
    assert lay_out(features[:8]).shape == (8, 2)
    assert lay_out(np.ones((20, 5), np.float32)).shape == (0, 2)
    assert lay_out(np.full((20, 5), np.nan, np.float32)).shape == (0, 2)


def test_the_silhouette_is_by_euclidean_distances() -> None:
    """Of 0, 1 | 4, 6: own distance against the mean one to the other class, over the larger."""
    found = silhouettes(np.array([[0.0], [1.0], [4.0], [6.0]]), np.array([0, 0, 1, 1]))
    assert found is not None
    assert found.tolist() == pytest.approx([(5 - 1) / 5, (4 - 1) / 4, (3.5 - 2) / 3.5, (5.5 - 2) / 5.5])


def test_a_silhouette_needs_two_classes_a_class_of_two_and_a_difference() -> None:
    features = np.arange(4.0).reshape(4, 1)
    assert silhouettes(features, np.zeros(4, int)) is None
    assert silhouettes(features, np.arange(4)) is None
    assert silhouettes(np.ones((4, 1)), np.array([0, 0, 1, 1])) is None


def test_of_many_some_are_drawn_in_order() -> None:
    assert drawn(5, 9).tolist() == [0, 1, 2, 3, 4]
    some = drawn(1000, 50, seed=1)
    assert len(set(some.tolist())) == 50
    assert (np.diff(some) > 0).all()
    assert (some == drawn(1000, 50, seed=1)).all()
    assert (some != drawn(1000, 50, seed=2)).any()
