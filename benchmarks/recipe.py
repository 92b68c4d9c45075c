"""What each piece of the default recipe brings, judged by pictures that neither trained it nor chose its epoch.

    python benchmarks/recipe.py [--only squeezenet1_1-imagenet] [--fine-tuning] [--seeds 5,6,7,8,9] [--json]

No test picture of birds8 is looked at: those of the plain split of every seed are taken away, and what is left is split
twice more, plainly, 70/15/15. Of these 15% a row gives the loss against that of the default on the same pictures: mean
and standard deviation of the difference over all splits; a positive one says that the default is better. The validation
loss would not do: it has chosen the epoch and the temperature, and finds too good what gives it more to choose from.
Every piece is turned off, or on, alone. Without `--fine-tuning` the head alone is trained, which is most of the recipe
and takes seconds on cached features.

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
from train import DATA, ROWS, arguments_of, judged, weights_file

Settings = dict[str, Any]
Row = dict[str, Any]

DEFAULT = "default"
HEAD_ONLY = {"epochs": (40, 0)}
INNER_SEEDS = (1, 2)
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
    "no discriminant": {"discriminant": False},
    "no temperature": {"calibrate": False},
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
    from birds.files import Project
    from birds.models.runs import find_run
    from birds.models.trained import open_run
    from birds.split import split
    from birds.train.stage import train

    results: dict[str, list[Row]] = {piece: [] for piece in pieces}
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        for seed in seeds:
            project = Path(folder) / str(seed)
            without_test_pictures(project, seed)
            for inner in INNER_SEEDS:
                split(project, plain=True, seed=inner, fresh=True)
                for piece, settings in pieces.items():
                    told = {"arch": "{arch}", "cache": Path(folder) / "cache", **common, **settings}
                    told["arch"] = told["arch"].format(arch=ROWS[name][0])
                    result = train(project, weights=str(weights_file(name)), **told)
                    figures = judged(open_run(find_run(Project(project), result.run)), project)
                    results[piece].append(figures)
                    print(f"{name}, seeds {seed} and {inner}, {piece}: {figures}", file=sys.stderr, flush=True)
    rows = []
    for piece, runs in results.items():
        worse = [run["loss"] - default["loss"] for run, default in zip(runs, results[DEFAULT], strict=True)]
        means = {key: round(statistics.mean(run[key] for run in runs), 4) for key in ("loss", "accuracy")}
        spread = {"worse_by": round(statistics.mean(worse), 4), "sd": round(statistics.stdev(worse), 4)}
        rows.append({"name": f"{name}, {piece}", **means, **spread})
    return rows


def without_test_pictures(project: Path, seed: int) -> None:
    """Leave in the images of `project` those of birds8 that the plain split of `seed` trains on and validates by."""
    from birds.models.transforms import picture_files
    from birds.split import split

    shutil.copytree(DATA / "birds8", project / "images")
    split(project, plain=True, seed=seed)
    test = project / "dataset" / "test"
    for picture in picture_files(test):
        (project / "images" / picture.relative_to(test)).unlink()


def main() -> None:
    arguments = arguments_of(__doc__, fine_tuning="pieces of phase 2 instead of phase 1")
    pieces, common = (FINE_TUNING, {}) if arguments.fine_tuning else (PIECES, HEAD_ONLY)
    for name in [arguments.only] if arguments.only else ROWS:
        for row in measure(name, arguments.seeds, pieces, common):
            print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
