"""How fast `birds` checks and hashes pictures, beside imagededup and CleanVision on the same files in one run.

    python benchmarks/checks.py [--repeats 3] [--pictures 10000] [--json]    pictures of 640x480
    python benchmarks/checks.py --growth [--json]                           1k, 10k and 100k pictures of 64x64

`birds` decodes each picture once for everything: digest, both pHashes, quality measures, record. Its time is that of
taking new files into the record and of inspecting them, as `birds clean` does; `inspect_s` is the second alone. Of the
peers, imagededup makes its pHashes and CleanVision its checks of single pictures (not its search for duplicates), each
with a process a processor. The work of `birds` is that of the two together. Turns are taken in rotation.

The growth table is of the whole stage, the search for near-duplicates included.
"""

import argparse
import io
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cleaning_peers
import numpy as np
from picture_server import draw_photographs
from PIL import Image

from scrape import WORK, row_of, run_timed

SIZE = (640, 480)  # pixels
PHOTOGRAPHS, PHOTOGRAPH_SIZE = 400, (1067, 711)  # those that scrape.py draws, reduced: sharper, as most are on the web
QUALITY = 85
SMALL_SIDE = 64  # pixels
GROWTH = (1_000, 10_000, 100_000)
LABELS = 10
PEERS = ("imagededup, encoding", "CleanVision, checks")

Row = dict[str, Any]


def draw_crops(folder: Path, count: int) -> list[Path]:
    """The first `count` pictures of `SIZE` in `folder`, each cut from a drawn photograph; missing ones are made."""
    draw_photographs(WORK / "photographs", PHOTOGRAPHS)
    return _see_to(folder, count, _draw_crops)


def draw_small(folder: Path, count: int) -> list[Path]:
    """The first `count` pictures of patches in `folder`, no two alike; missing ones are made."""
    return _see_to(folder, count, _draw_small)


def _see_to(folder: Path, count: int, draw: Any) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    there = {path.name for path in folder.iterdir()}
    missing = [path for path in paths if path.name not in there]
    shares = [missing[at : at + 250] for at in range(0, len(missing), 250)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(draw, shares))
    return paths


def _draw_crops(paths: list[Path]) -> None:
    numbers: dict[int, list[Path]] = {}
    for path in paths:
        numbers.setdefault(int(path.stem) % PHOTOGRAPHS, []).append(path)
    for number, crops in numbers.items():
        photograph = Image.open(WORK / "photographs" / f"{number:05}.jpg").resize(PHOTOGRAPH_SIZE)
        for path in crops:
            place = random.Random(path.name)
            left, top = (place.randint(0, whole - side) for whole, side in zip(PHOTOGRAPH_SIZE, SIZE, strict=True))
            _save(photograph.crop((left, top, left + SIZE[0], top + SIZE[1])), path)


def _draw_small(paths: list[Path]) -> None:
    for path in paths:
        patches = np.random.default_rng(int(path.stem)).integers(0, 256, (8, 8, 3), np.uint8)
        _save(Image.fromarray(patches).resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BICUBIC), path)


def _save(image: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    temporary = path.with_name(f".{path.name}.part")  # not image.save(path): a run cut short leaves no half picture
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)


def measure_checks(paths: list[Path], repeats: int) -> list[Row]:
    """A row for `birds` and for each peer, and one for the peers together."""
    missing = cleaning_peers.install()
    for path in paths:  # now they are in memory, and the first contender waits for the disk no more than the others
        path.read_bytes()
    with tempfile.TemporaryDirectory(dir=WORK) as folder:  # the cache may hold more than was asked for
        pictures = _link(paths, Path(folder) / "pictures")
        turns: dict[str, list[Row]] = {name: [] for name in ("birds", *PEERS)}
        for turn in range(repeats):
            for name, taken in turns.items():
                print(f"turn {turn + 1} of {repeats}: {name}", file=sys.stderr)
                if name == "birds":
                    taken.append(_turn("inspect", paths, labels=1))
                else:
                    taken.append({"error": missing} if missing else cleaning_peers.run_peer(name, pictures))
    rows = [row_of(name, taken) for name, taken in turns.items()]
    birds, *peers = rows
    if "median_s" in birds:
        birds["inspect_s"] = round(float(np.median([turn["inspect_s"] for turn in turns["birds"]])), 3)
    if all("median_s" in peer for peer in peers):
        together = sum(peer["median_s"] for peer in peers)
        rows.append({
            "name": "both peers", "median_s": round(together, 3), "per_second": round(len(paths) / together, 1),
            "pictures": len(paths), "peak_mb": max((peer["peak_mb"] or 0 for peer in peers), default=None),
        })  # fmt: skip
        for row in rows:
            if "median_s" in row:
                row["ratio_to_both_peers"] = round(row["median_s"] / together, 3)
        if "median_s" in birds:
            birds["times_both_peers"] = round(together / birds["median_s"], 2)
    return rows


def measure_growth(counts: Iterable[int], folder: Path) -> list[Row]:
    """A row for each of `counts`: seconds of the whole stage, milliseconds a picture, peak memory."""
    rows = []
    for count in counts:
        turn = _turn("clean", draw_small(folder, count), labels=LABELS)
        if "seconds" in turn:
            turn["ms_per_picture"] = round(1000 * turn["seconds"] / count, 3)
        rows.append({"name": f"birds clean, {count} pictures", **turn})
    return rows


def _turn(what: str, paths: list[Path], labels: int) -> Row:
    """One turn of `birds` in a project of its own, made of links to `paths`."""
    with tempfile.TemporaryDirectory(dir=WORK) as project:
        for label in range(labels):
            _link(paths[label::labels], Path(project) / "images" / f"label{label}")
        return run_timed([sys.executable, __file__, what, project])


def _link(paths: list[Path], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for path in paths:
        os.link(path, folder / path.name)
    return folder


def inspect_project(project: Path) -> Row:
    """What a child process does and says: the files of `project` into its record, decoded, hashed and measured."""
    import numpy as np  # noqa: F401 - imports count for none of the contenders
    from birds.files import Project
    from birds.reconcile import inspect_stored, reconcile
    from birds.record import Record

    place = Project(project)
    started = time.perf_counter()
    with Record(place) as record:
        reconcile(place, record)
        reconciled = time.perf_counter()
        files = inspect_stored(place, record)
    ended = time.perf_counter()
    hashed = sum(file.content.phash is not None for file in files)
    return {"seconds": round(ended - started, 3), "inspect_s": round(ended - reconciled, 3), "pictures": hashed}


def clean_project(project: Path) -> Row:
    """What a child process does and says: the whole stage, without rejecting anything."""
    import numpy as np  # noqa: F401
    from birds.clean.stage import clean

    started = time.perf_counter()
    result = clean(project)
    return {"seconds": round(time.perf_counter() - started, 3), "pictures": result.checked, "queued": result.queued}


def main() -> None:
    if sys.argv[1:2] in (["inspect"], ["clean"]):
        call = inspect_project if sys.argv[1] == "inspect" else clean_project
        print(json.dumps(call(Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.growth:
        rows = measure_growth(GROWTH, WORK / "small")
    else:
        paths = draw_crops(WORK / "crops", arguments.pictures)
        kb = sum(path.stat().st_size for path in paths) / len(paths) / 1000
        print(f"{len(paths)} pictures of {SIZE[0]}x{SIZE[1]}, {kb:.0f} KB on average", file=sys.stderr)
        rows = measure_checks(paths, arguments.repeats)
    for row in rows:
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
