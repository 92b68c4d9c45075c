"""Wrong labels found: of 10 % that are swapped at random, the share that stands in the first 10 % of each queue.

    python benchmarks/suspected_labels.py [--draws 0:5] [--weights NAME ...] [--data FOLDER] [--json]

Every contender gets the same pictures, labels and features (birds: those of the mirrored pictures too), and none is
told what was swapped: a label goes to any of the other classes with equal chance. The method was chosen on draws
100:120. Contenders take turns draw by draw; seconds are for one draw, without the features, which have lines of their
own. ``beside_natural`` leaves out the pictures that birds suspects before anything is swapped.

"fastai" is what its ImageClassifierCleaner does, over its training and validation lists together: a head trained on
80 % of the very labels that it is to judge, then everything sorted by loss. "own loss" is the same with a logistic
regression that learned from all of them; "plain" is the usual advice, cross-validated and held out.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from birds import images
from birds.clean.labels import guess_labels
from birds.duplicates import groups, near_pairs
from birds.files import sha256_of
from birds.fingerprints import fingerprint
from birds.models.features import arch_of, features, load_body
from birds.models.transforms import label_of, picture_files

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARE = 0.1
WEIGHTS = ("mobilenet_v2-imagenet", "mobilenet_v2-inat-birds", "squeezenet1_1-imagenet")
BIRDS = "birds"
Queue = Callable[[list[str]], np.ndarray]  # labels -> a score for each picture, the lowest first in the queue


def shot_of(files: list[Path]) -> list[int]:
    """A number for each file, the same for pictures of the same shot."""
    prints = [fingerprint(images.open_rgb(file)) for file in files]
    hashes = np.array([np.frombuffer(one.hashes, "<u8") for one in prints])
    side = round(len(prints[0].gray) ** 0.5)
    grays = np.array([np.frombuffer(one.gray, np.uint8).reshape(side, side) for one in prints])
    numbers = [0] * len(files)
    for number, members in enumerate(groups(len(files), near_pairs(hashes, lambda wanted: grays[wanted]))):
        for i in members:
            numbers[i] = number
    return numbers


def swapped(labels: list[str], draw: int) -> tuple[list[str], set[int]]:
    """`labels` with `SHARE` of them changed, and which."""
    chance = np.random.default_rng(draw)
    names = sorted(set(labels))
    chosen = chance.choice(len(labels), round(SHARE * len(labels)), replace=False)
    steps = chance.integers(1, len(names), len(chosen))
    changed = list(labels)
    for i, step in zip(chosen.tolist(), steps.tolist(), strict=True):
        changed[i] = names[(names.index(labels[i]) + step) % len(names)]
    return changed, set(chosen.tolist())


def found(score: np.ndarray, wrong: set[int], left_out: frozenset[int] = frozenset()) -> float:
    """Share of `wrong` among as many pictures at the head of the queue."""
    queue = [i for i in np.argsort(score, kind="stable").tolist() if i not in left_out]
    wanted = wrong - left_out
    return len(wanted & set(queue[: len(wanted)])) / len(wanted)


def birds(vectors: np.ndarray, shots: list[int]) -> Queue:
    def score(labels: list[str]) -> np.ndarray:
        guesses = guess_labels(vectors, labels, shots)
        return np.array([guess.label_quality if guess else 1.0 for guess in guesses])

    return score


def plain(vectors: np.ndarray, penalty: float) -> Queue:
    """Standardise, five folds that know nothing of copies, cleanlab's self-confidence."""
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def score(labels: list[str]) -> np.ndarray:
        given = np.unique(labels, return_inverse=True)[1]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        held_out = cross_val_predict(model, vectors, given, cv=folds, method="predict_proba")
        return np.asarray(get_label_quality_scores(given, held_out, method="self_confidence"))

    return score


def own_loss(vectors: np.ndarray, penalty: float) -> Queue:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def score(labels: list[str]) -> np.ndarray:
        given = np.unique(labels, return_inverse=True)[1]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000)).fit(vectors, given)
        return np.asarray(model.predict_log_proba(vectors)[np.arange(len(given)), given])  # the loss, downwards

    return score


def fastai_loss(vectors: np.ndarray, epochs: int) -> Queue:
    """A fastai Learner of the head alone on frozen features, one cycle; its losses on both of its lists."""
    import torch
    from birds.models.architectures import make_head
    from birds.models.gate import fastai

    def score(labels: list[str]) -> np.ndarray:
        names, given = np.unique(labels, return_inverse=True)
        fastai.set_seed(0)
        items = list(zip(torch.from_numpy(vectors), torch.from_numpy(given), strict=True))
        train, valid = fastai.RandomSplitter(0.2, seed=0)(items)
        parts = [[items[i] for i in part] for part in (train, valid)]
        dls = fastai.DataLoaders.from_dsets(*parts, bs=64, num_workers=0, device="cpu")
        head = make_head(vectors.shape[1], len(names))
        learner = fastai.Learner(dls, head, loss_func=fastai.CrossEntropyLossFlat())
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(epochs, 2e-3)  # the rate at which fine_tune trains a head
            losses = np.zeros(len(items))
            for part, of_part in zip((train, valid), parts, strict=True):
                dl = dls.valid.new(of_part, shuffle=False, drop_last=False)
                losses[list(part)] = learner.get_preds(dl=dl, with_loss=True)[2].numpy()
        return -losses

    return score


@contextlib.contextmanager
def measured(into: dict[str, list[float]]) -> Iterator[None]:
    """Seconds, and the most anonymous resident memory of this process seen meanwhile, in MB (with /proc)."""
    stop, highest = threading.Event(), [0.0]

    def watch() -> None:
        while not stop.wait(0.02):
            with contextlib.suppress(OSError, StopIteration):
                lines = Path("/proc/self/status").read_text().splitlines()
                kb = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
                highest[0] = max(highest[0], kb / 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        yield
    finally:
        into["seconds"].append(time.perf_counter() - started)
        stop.set()
        watcher.join()
        into["mb"].append(highest[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", default="0:5", help="seeds of the draws, FIRST:END")
    parser.add_argument("--weights", nargs="+", default=WEIGHTS, help="names in weights/ of the data")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    draws = range(*map(int, arguments.draws.split(":")))
    files = picture_files(arguments.data / "birds8")
    if not files:
        raise SystemExit(f"There is no birds8 in {arguments.data}: name its folder with --data.")
    labels = [label_of(file) for file in files]
    pictures = [(sha256_of(file), file) for file in files]
    shots = shot_of(files)

    def show(row: dict[str, object]) -> None:
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))

    for name in arguments.weights:
        path = arguments.data / "weights" / f"{name}.safetensors"
        arch, rows = str(arch_of(path)), np.arange(len(files))
        with tempfile.TemporaryDirectory() as cache:
            for kept in ("computed", "from the cache"):
                cost: dict[str, list[float]] = defaultdict(list)
                with measured(cost):
                    seen = features(pictures, arch=arch, body=load_body(arch, str(path)), cache=Path(cache))
                    whole, mirrored = (seen.gather(rows, view) for view in (0, 1))
                show({"name": f"features, {kept}", "weights": name, **figures(cost, len(files))})
        contenders = {
            BIRDS: birds(whole + mirrored, shots),
            "plain, C=1": plain(whole, 1.0),
            "plain, C=0.001": plain(whole, 0.001),
            "own loss, C=1": own_loss(whole, 1.0),
            "own loss, C=0.001": own_loss(whole, 0.001),
            "fastai, 1 epoch": fastai_loss(whole, 1),
            "fastai, 3 epochs": fastai_loss(whole, 3),  # the best of 1, 3, 5 and 10 on draws 100:103
            "fastai, 5 epochs": fastai_loss(whole, 5),
        }
        guesses = guess_labels(whole + mirrored, labels, shots)
        natural = frozenset(i for i, guess in enumerate(guesses) if guess and guess.is_suspected)
        costs: dict[str, dict[str, list[float]]] = {one: defaultdict(list) for one in contenders}
        for draw in draws:
            changed, wrong = swapped(labels, draw)
            for one, queue in contenders.items():
                with measured(costs[one]):
                    score = queue(changed)
                costs[one]["found"].append(found(score, wrong))
                costs[one]["beside"].append(found(score, wrong, natural))
        best_peer = max(statistics.mean(cost["found"]) for one, cost in costs.items() if one != BIRDS)
        for one, cost in costs.items():
            mean = statistics.mean(cost["found"])
            row = {
                "name": one,
                "weights": name,
                "found": round(mean, 3),
                "spread": round(statistics.pstdev(cost["found"]), 3),
                "least": round(min(cost["found"]), 3),
                "beside_natural": round(statistics.mean(cost["beside"]), 3),
            }
            show({**row, **figures(cost, len(files)), "ratio_to_best_peer": round(mean / best_peer, 3)})
        show({"name": "suspected before anything is swapped", "weights": name, "pictures": len(natural)})


def figures(cost: dict[str, list[float]], n: int) -> dict[str, object]:
    median = statistics.median(cost["seconds"])
    return {"median_s": round(median, 2), "per_second": round(n / median, 1), "peak_mb": round(max(cost["mb"]))}


if __name__ == "__main__":
    main()
