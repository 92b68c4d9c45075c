"""Features of many small pictures: seconds and memory a picture, as their number grows.

    python benchmarks/features.py [--counts 1000 100000] [--arch squeezenet1_1] [--side 64] [--views whole] [--json]
    python benchmarks/features.py --train           a whole `birds train` of the head for one epoch, on as many

Generated pictures of 64 pixels (those of ``checks.py --growth``), random weights, which take as long as trained ones.
Each count runs in a process of its own, so that nothing is left of the one before. ``peak_mb`` is the most anonymous
resident memory seen, from /proc: mapped files count for nothing, they can be dropped at any time. ``list_mb`` of it is
the caller's own list of paths and digests. ``again_s`` is for a second call, which finds everything in the cache;
``gather_us`` is for a picture's vector, gathered in batches of 64 in random order, as training reads them.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from checks import draw_small

from scrape import WORK, run_timed

Row = dict[str, Any]


def anonymous_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def measure(settings: Row) -> Row:
    """What a child process does and says."""
    import numpy as np
    from birds.models.architectures import make_body
    from birds.models.features import features
    from birds.models.picture_list import PictureList

    folder, count = Path(settings["folder"]), settings["count"]
    body, _ = make_body(settings["arch"])
    before = anonymous_mb()
    pictures = PictureList([folder / f"{number:06}.jpg" for number in range(count)])
    listed = anonymous_mb()
    options = {"arch": settings["arch"], "body": body, "size": settings["side"], "views": settings["views"]}
    with tempfile.TemporaryDirectory(dir=WORK) as cache:
        started = time.perf_counter()
        found = features(pictures, cache=Path(cache), **options)
        computed = time.perf_counter()
        found = features(pictures, cache=Path(cache), **options)
        ended = time.perf_counter()
        rows = np.random.default_rng(0).permutation(count)
        for at in range(0, count, 64):
            found.gather(rows[at : at + 64], 0)
        gathered = time.perf_counter()
    assert found.is_readable.all()
    return {
        "list_mb": round(listed - before, 1),
        "seconds": round(computed - started, 3),
        "ms_per_picture": round(1000 * (computed - started) / count, 3),
        "again_s": round(ended - computed, 3),
        "gather_us": round(1e6 * (gathered - ended) / count, 2),
    }


def train_head(settings: Row) -> Row:
    """The same for a whole training: whole pictures and their mirror images, one epoch of the head."""
    import torch
    from birds.models.gate import torchvision
    from birds.train.stage import train

    folder, count = Path(settings["folder"]), settings["count"]
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        project = Path(name)
        for number in range(count):
            part = "val" if number % 10 == 0 else "train"
            picture = project / "dataset" / part / f"class {number % 7}" / f"{number:06}.jpg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.hardlink_to(folder / f"{number:06}.jpg")
        weights = project / "weights.pth"
        torch.save(torchvision.models.get_model(settings["arch"], weights=None).state_dict(), weights)
        options = {"arch": settings["arch"], "size": settings["side"], "views": 0, "epochs": (1, 0)}
        started = time.perf_counter()
        train(project, weights=str(weights), **options)
        seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3), "ms_per_picture": round(1000 * seconds / count, 3)}


def main() -> None:
    if sys.argv[1:2] in (["measure"], ["train"]):
        what = measure if sys.argv[1] == "measure" else train_head
        print(json.dumps(what(json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", nargs="+", type=int, default=[1_000, 100_000])
    parser.add_argument("--arch", default="squeezenet1_1")
    parser.add_argument("--side", type=int, default=64, help="pixels of each side that the body sees")
    parser.add_argument("--views", nargs="+", default=["whole"])
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    what = "train" if arguments.train else "measure"
    folder = WORK / "small"
    first: Row = {}
    for count in arguments.counts:
        draw_small(folder, count)
        settings = {**{name: getattr(arguments, name) for name in ("arch", "side", "views")}, "count": count}
        turn = run_timed([sys.executable, __file__, what, json.dumps({**settings, "folder": str(folder)})])
        row = {"name": f"{'training' if arguments.train else 'features'}, {count} pictures", **turn}
        first = first or row
        if "peak_mb" in row and "peak_mb" in first:
            row["times_the_memory_of_the_first"] = round(row["peak_mb"] / first["peak_mb"], 2)
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
