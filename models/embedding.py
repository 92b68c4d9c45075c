"""Pictures laid out on a plane by their features, and how well the classes form islands of their own."""

import numpy as np

MOST_POINTS = 2000  # pictures on a map; t-SNE of more takes minutes, and nobody could tell them apart
LEAST_POINTS = 8
_COMPONENTS = 50  # of the features, before t-SNE; what its authors do


def drawn(n: int, most: int = MOST_POINTS, *, seed: int = 5) -> np.ndarray:
    """Indices of up to `most` of `n` pictures, in order, drawn with `seed`."""
    if n <= most:
        return np.arange(n)
    found: np.ndarray = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    return found


def lay_out(features: np.ndarray, *, seed: int = 5) -> np.ndarray:
    """Places of pictures, float [N, 2], so that those of like features lie near each other: t-SNE.

    van der Maaten and Hinton (2008), "Visualizing Data using t-SNE", on the first 50 principal components. Distances
    between far groups mean nothing.

    Parameters
    ----------
    features : [N, features].

    Returns
    -------
    [0, 2] where there is nothing to lay out: fewer than eight pictures, or features that do not differ, or are no
    finite numbers.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(features) < LEAST_POINTS or not _differ(features):
        return np.empty((0, 2))
    components = min(_COMPONENTS, *features.shape)
    reduced = PCA(components, random_state=seed).fit_transform(features)
    reduced /= reduced[:, 0].std() or 1  # layers differ in scale by powers of ten; t-SNE searches its widths from 1 on
    perplexity = min(30.0, (len(features) - 1) / 3)
    points: np.ndarray = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return points


def silhouettes(features: np.ndarray, truth: np.ndarray) -> np.ndarray | None:
    """Silhouette of each picture, float [N], from -1 to 1, by Euclidean distances between all of its features.

    Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis": 1 far
    from the other classes and close to its own, 0 between two, negative closer to another class than to its own.

    Parameters
    ----------
    truth : class index of each picture, [N].

    Returns
    -------
    None where it is not defined: fewer than two classes, none with two pictures, or features that do not differ.
    """
    from sklearn.metrics import silhouette_samples

    classes = len(np.unique(truth))
    if not 2 <= classes < len(truth) or not _differ(features):
        return None
    found: np.ndarray = silhouette_samples(features, truth)
    return found


def _differ(features: np.ndarray) -> bool:
    return bool(np.isfinite(features).all() and (features != features[:1]).any())
