"""What each piece of the default recipe brings, on pictures that choose it: those for training and for validation.

    python benchmarks/recipe.py [--only squeezenet1_1-imagenet] [--fine-tuning] [--seeds 5,6,7,8,9] [--json]

Every piece is turned off, or on, alone, and birds8 is trained on the plain splits of every seed. A row gives the
validation loss against that of the default on the same split: mean and standard deviation of the difference over the
splits; a positive one says that the default is better. It is the loss after the temperature, which the exported model
has too: what makes a network less sure than it may be, as smoothed and mixed labels do, is not held against it, and
`uncalibrated` is the loss without. No test picture is looked at. Without `--fine-tuning` the head
alone is trained, which is most of the recipe and takes seconds on cached features.

Needs ../shared (or BIRDS_TEST_DATA for its data).
"""

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from scrape import WORK
from train import DATA, ROWS, arguments_of, weights_file

Settings = dict[str, Any]
Row = dict[str, Any]

DEFAULT = "default"
HEAD_ONLY = {"epochs": (40, 0)}
FIGURES = {"loss": "calibrated_loss", "uncalibrated": "valid_loss", "accuracy": "valid_accuracy"}  # of result.json
PIECES: dict[str, Settings] = {
    DEFAULT: {},
    "no random views": {"views": 0},
    "2 random views": {"views": 2},
    "12 random views": {"views": 12},
    "no crops in random views": {"crop": False},
    "no mirror images in random views": {"flip": False},
    "no changes of light": {"colour": False},
    "judged without the mirror image": {"mirror": False},
    "no averaging of weights": {"averaging": False},
    "label smoothing 0.1": {"label_smoothing": (0.1,)},
    "mixup 0.4": {"mixup": (0.4,)},
    "class weights": {"class_weights": True},
    "pictures trimmed to 4:3, then squished": {"resize": "trim"},
    "pictures cropped, not squished": {"resize": "crop"},
    "one-cycle, rate 0.003": {"schedule": "one-cycle", "lr": (3e-3,)},
    "torchvision's padding": {"arch": "{arch}:padding=torch"},
    "192 pixels": {"size": 192},
    "256 pixels": {"size": 256},
    "288 pixels": {"size": 288},
    "288 pixels, 2 random views": {"size": 288, "views": 2},
}
FINE_TUNING: dict[str, Settings] = {
    DEFAULT: {"epochs": (40, 10)},
    "no fine-tuning": HEAD_ONLY,
    "fine-tuning at 0.0003": {"epochs": (40, 10), "lr": (3e-4, 3e-4)},
    "fine-tuning at 0.001": {"epochs": (40, 10), "lr": (3e-4, 1e-3)},
    "fine-tuning with more patience": {"epochs": (40, 20), "patience": (8, 6), "plateau_patience": (3, 3)},
    "fine-tuning with mixup 0.4": {"epochs": (40, 10), "mixup": (0.0, 0.4)},
    "fine-tuning with cutmix 1": {"epochs": (40, 10), "cutmix": 1.0},
    "fine-tuning with label smoothing 0.1": {"epochs": (40, 10), "label_smoothing": (0.0, 0.1)},
}


def measure(name: str, seeds: list[int], pieces: dict[str, Settings], common: Settings) -> list[Row]:
    """One row for each of `pieces`, with backbone and weights `name`."""
    from birds.split import split
    from birds.train.stage import train

    results: dict[str, list[dict[str, float]]] = {piece: [] for piece in pieces}
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        project = Path(folder)
        shutil.copytree(DATA / "birds8", project / "images")
        for seed in seeds:
            split(project, plain=True, seed=seed, fresh=True)
            for piece, settings in pieces.items():
                told = {"arch": "{arch}", **common, **settings}
                told["arch"] = told["arch"].format(arch=ROWS[name][0])
                result = train(project, weights=str(weights_file(name)), **told)
                whole = json.loads((project / "runs" / result.run / "result.json").read_text(encoding="utf-8"))
                figures = {figure: whole[key] for figure, key in FIGURES.items()}
                results[piece].append(figures)
                print(f"{name}, seed {seed}, {piece}: {figures}", file=sys.stderr, flush=True)
    rows = []
    for piece, runs in results.items():
        worse = [run["loss"] - default["loss"] for run, default in zip(runs, results[DEFAULT], strict=True)]
        row = {key: round(statistics.mean(run[key] for run in runs), 4) for key in FIGURES}
        spread = {
            "worse_by": round(statistics.mean(worse), 4),
            "sd": round(statistics.stdev(worse), 4) if len(worse) > 1 else None,
        }
        rows.append({"name": f"{name}, {piece}", **row, **spread})
    return rows


def main() -> None:
    arguments = arguments_of(__doc__, fine_tuning="pieces of phase 2 instead of phase 1")
    pieces, common = (FINE_TUNING, {}) if arguments.fine_tuning else (PIECES, HEAD_ONLY)
    for name in [arguments.only] if arguments.only else ROWS:
        for row in measure(name, arguments.seeds, pieces, common):
            print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
