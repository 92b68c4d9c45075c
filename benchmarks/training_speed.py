"""How fast every layer of a ResNeXt-50 trains, from scratch, beside the stock fastai loop in one run.

    python benchmarks/training_speed.py [--repeats 3] [--batches 4] [--batch-size 16] [--arch NAME] [--json]

The peer is what ../shared/bench/stock_recipe.py does: RandomResizedCrop, aug_transforms, two loading processes,
``vision_learner``. `birds` trains once with ``--precision fp32`` and once as `precision.choose` has it, with weight
averaging, its default. All take the same pictures of birds8 (`--data` names the folder that holds it), at 224 pixels
and the same batch size. Turns are taken in rotation, each in a process of its own; the clock runs from the end of the
second batch (two warm up, and let the loading processes start) to the end of the last.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scrape import WORK, row_of, run_timed

DATA = Path(os.environ.get("BIRDS_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SIZE = 224
WARM_UP = 2  # batches
STOCK, FP32, CHOSEN = "stock fastai loop", "birds, fp32", "birds, chosen"

Row = dict[str, Any]


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each contender."""
    turns: dict[str, list[Row]] = {STOCK: [], FP32: [], CHOSEN: []}
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        options = [arguments.arch, arguments.data / "birds8", arguments.batches, arguments.batch_size, folder]
        for turn in range(arguments.repeats):
            for name, taken in turns.items():
                taken.append(run_timed([sys.executable, __file__, "turn", name, *map(str, options)]))
                print(f"turn {turn + 1} of {arguments.repeats}: {name}: {taken[-1]}", file=sys.stderr)
    rows = [row_of(name, taken) for name, taken in turns.items()]
    stock = rows[0]
    for row in rows:
        if "median_s" in row:
            row["ratio_to_best_peer"] = round(row["median_s"] / stock["median_s"], 3) if "median_s" in stock else None
            row["precision"] = turns[row["name"]][-1]["precision"]
    return rows


def take_turn(name: str, arch: str, folder: Path, *, batches: int, batch_size: int, scratch: Path) -> Row:
    """What a child process does and says: some batches of training."""
    from birds.models.gate import fastai
    from birds.models.transforms import picture_files

    class Clock(fastai.Callback):  # type: ignore[misc]
        """Ends the fit after so many batches."""

        order = 90

        def after_batch(self) -> None:
            if self.iter + 1 == WARM_UP:
                self.started = time.perf_counter()
            if self.iter + 1 == WARM_UP + batches:
                self.seconds = time.perf_counter() - self.started
                raise fastai.CancelFitException

    fastai.set_seed(0)
    pictures = picture_files(folder)
    random.shuffle(pictures)
    needed = batch_size * (WARM_UP + batches)
    if len(pictures) < needed:
        raise SystemExit(f"{needed} pictures are needed and {folder} holds {len(pictures)}.")
    if name == STOCK:
        learner, callbacks, words = _stock(arch, pictures, batch_size), [], "fp32"
    else:
        learner, callbacks, words = _birds(arch, pictures, batch_size, "fp32" if name == FP32 else None, scratch)
    clock = Clock()
    with learner.no_bar(), learner.no_logging():
        learner.fit(1, cbs=[*callbacks, clock])
    return {"seconds": round(clock.seconds, 3), "pictures": batches * batch_size, "precision": words}


def _stock(arch: str, pictures: list[Path], batch_size: int) -> Any:
    from birds.models.gate import fastai, torchvision

    block = fastai.DataBlock(
        blocks=(fastai.ImageBlock, fastai.CategoryBlock),
        get_items=lambda _: pictures,
        get_y=fastai.parent_label,
        splitter=fastai.IndexSplitter([0]),
        item_tfms=[fastai.RandomResizedCrop(SIZE, min_scale=0.5)],
        batch_tfms=fastai.aug_transforms(),
    )
    loaders = block.dataloaders(pictures[0].parent, bs=batch_size, num_workers=2)
    architecture = getattr(torchvision.models, arch)
    return fastai.vision_learner(loaders, architecture, pretrained=False, metrics=fastai.accuracy)


def _birds(arch: str, pictures: list[Path], batch_size: int, fixed: str | None, scratch: Path) -> Any:
    from birds.models import architectures
    from birds.models.autocast import Autocast
    from birds.models.data import make_dataloaders
    from birds.models.learner import make_learner
    from birds.models.precision import choose
    from birds.models.transforms import label_of
    from birds.models.weights import NONE
    from birds.train.averaging import AverageWeights

    classes = sorted({label_of(path) for path in pictures})
    evaluation_size = architectures.evaluation_size(arch, SIZE)
    options = {"size": SIZE, "evaluation_size": evaluation_size, "resize": "squish", "batch_size": batch_size}
    loaders = make_dataloaders(pictures[1:], pictures[:1], classes, **options)
    learner, _ = make_learner(loaders, arch, NONE)
    choice = choose(
        learner.model,
        picture_shape=(batch_size, 3, SIZE, SIZE),
        classes=len(classes),
        fixed=fixed,
        loader=loaders.train,
        store=scratch / "precision.json",
    )
    return learner, [Autocast(choice), AverageWeights()], str(choice)


def main() -> None:
    if sys.argv[1:2] == ["turn"]:
        name, arch, folder, batches, batch_size, scratch = sys.argv[2:]
        options = {"batches": int(batches), "batch_size": int(batch_size), "scratch": Path(scratch)}
        print(json.dumps(take_turn(name, arch, Path(folder), **options)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--arch", default="resnext50_32x4d")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.data / "birds8").is_dir():
        raise SystemExit(f"There is no birds8 in {arguments.data}: name its folder with --data.")
    for row in measure(arguments):
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
