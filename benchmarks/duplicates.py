"""How many copies `birds` finds, and how much else it takes for copies, beside imagededup and CleanVision.

    python benchmarks/duplicates.py [--repeats 3] [--json]    copies of 500 photographs of birds8, of each kind
    python benchmarks/duplicates.py --natural [--json]        the pairs that birds8 holds by itself, with their measures
    python benchmarks/duplicates.py --identical [--json]      the identical files of birdornot
    python benchmarks/duplicates.py --search [N] [--json]     searching among 1,000 to N (1,000,000) random hashes

All contenders get one folder with the originals and their copies (copies.py). A copy counts as found when it is paired
with its original; precision is over all pairs reported: right are those of one original, and of originals that are the
same shot (`SAME_SHOT`). Seconds are of decoding, hashing and comparing, in a process of its own; CleanVision's hold its
other checks too. The data is looked for in ../shared/data, or where BIRDS_TEST_DATA says.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import cleaning_peers
import numpy as np
from birds import duplicates, fingerprints, hamming, images
from birds.looks import look_at
from copies import KINDS, copy_of

from scrape import WORK, run_timed

DATA = Path(os.environ.get("BIRDS_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ORIGINALS, SEED = 500, 4
NATURAL_DISTANCE = 8  # bits; what --natural lists
GROWTH = (1_000, 10_000, 100_000, 1_000_000)
Turn = dict[str, Any]

# The pictures of birds8 that are the same shot, judged by eye at 200 pixels or more: all pairs that lie within 12 bits
# of one another (mirrored: 10), and all that a run of `birds` put above a similarity of 0.5, were looked at side by
# side. The second half is mirrored; buitre leonado22 is the mirror image of the two beside it.
SAME_SHOT = """
alimoche31, buitre leonado60; alimoche60, alimoche88; alimoche65, alimoche80; alimoche66, alimoche81;
alimoche68, alimoche77; alimoche76, buitre leonado92; alimoche83, buitre leonado75;
alimoche99, buitre leonado39, buitre leonado22; buitre leonado32, buitre leonado74;
buitre leonado37, buitre leonado84; buitre leonado55, buitre leonado77; buitre leonado63, buitre leonado73;
garza34, garza87; loro45, loro81; loro54, loro84; loro65, loro95; loro68, loro88; loro73, loro79;
milano negro27, milano negro90; periquito71, periquito73;

alimoche14, alimoche24; alimoche19, alimoche26; alimoche43, alimoche84; buitre leonado18, buitre leonado31;
buitre leonado33, buitre leonado56; buitre leonado43, buitre leonado50; buitre leonado62, buitre leonado67;
buitre leonado83, milano negro72; cacatúa75, cacatúa99; garza25, garza45; garza78, garza98; loro25, loro50;
loro38, periquito22; milano negro18, milano negro24; periquito37, periquito61; periquito45, periquito95;
periquito46, periquito69; periquito49, periquito60; periquito54, periquito65; periquito56, periquito87;
periquito79, periquito9
"""
# Not the same shot, though it takes a second look: the bird moved its head between the two, both were taken from one
# place and mirrored since.
NEXT_SHOT = "cacatúa43, cacatúa91; milano negro44, milano negro51"


def _pairs_of(listed: str) -> set[tuple[str, str]]:
    sets = [sorted(" ".join(name.split()) for name in one.split(",")) for one in listed.split(";")]
    return {pair for names in sets for pair in combinations(names, 2)}


def photographs(folder: str) -> list[Path]:
    """The files of `folder` of the data. Ends the program where there is none."""
    if not (DATA / folder).is_dir():
        raise SystemExit(f"There is no {DATA / folder}; BIRDS_TEST_DATA may name the folder that holds {folder}.")
    return sorted(path for path in (DATA / folder).rglob("*") if path.is_file())


def draw(folder: Path) -> None:
    """Fill `folder` with photographs of birds8 and their copies: ``original/loro7.jpg``, ``mirrored/loro7.jpg``, ..."""
    chosen = sorted(random.Random(SEED).sample(photographs("birds8"), ORIGINALS))
    for kind in ("original", *KINDS):
        (folder / kind).mkdir()
    for path in chosen:
        (folder / "original" / f"{path.stem}.jpg").write_bytes(path.read_bytes())
        picture = images.open_rgb(path)
        for kind in KINDS:
            (folder / kind / f"{path.stem}.jpg").write_bytes(copy_of(picture, kind, path.stem))


def fingerprints_of(paths: Iterable[Path]) -> "tuple[np.ndarray, np.ndarray]":
    """Hashes and grey copies of pictures, by a thread for each processor."""

    def gray(path: Path) -> np.ndarray:
        return fingerprints.gray_of(images.decode(path.read_bytes(), least_side=images.HASHED_SIDE).image)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        grays = np.stack(list(pool.map(gray, paths)))
    return fingerprints.hashes_of(grays), grays


def birds_turn(folder: Path) -> Turn:
    """What `birds` finds in `folder`: ``pairs`` as imagededup gives them, with ``seconds`` of the call alone."""
    paths = sorted(folder.rglob("*.jpg"))
    started = time.perf_counter()
    hashes, grays = fingerprints_of(paths)
    found = duplicates.near_pairs(hashes, lambda wanted: grays[wanted])
    seconds = time.perf_counter() - started
    names = [str(path.relative_to(folder)) for path in paths]
    pairs = [(names[pair.first], names[pair.second], pair.distance) for pair in found]
    return {"seconds": round(seconds, 3), "pictures": len(paths), "pairs": pairs}


def _of_sets(turn: Turn) -> Turn:
    """CleanVision's turn with its sets as pairs."""
    sets = [members for kind in turn.get("sets", {}).values() for members in kind]
    return {**turn, "pairs": sorted({pair for members in sets for pair in combinations(members, 2)})}


CONTENDERS: dict[str, Callable[[Path], Turn]] = {
    "birds": lambda folder: run_timed([sys.executable, __file__, "--turn", str(folder)]),
    "imagededup, 10 bits": lambda folder: cleaning_peers.run_peer("imagededup, near pairs", folder, 10),
    "imagededup, 8 bits": lambda folder: cleaning_peers.run_peer("imagededup, near pairs", folder, 8),
    "CleanVision": lambda folder: _of_sets(cleaning_peers.run_peer("CleanVision, all", folder)),
}


def measure(repeats: int) -> list[Turn]:
    """A row for each contender: recall by kind, precision, median of the seconds. Turns are taken in rotation."""
    missing = cleaning_peers.install()
    turns: dict[str, list[Turn]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=WORK) as temporary:
        folder = Path(temporary)
        draw(folder)
        for turn in range(repeats):
            for name, contender in CONTENDERS.items():
                print(f"turn {turn + 1} of {repeats}: {name}", file=sys.stderr)
                is_missing = missing and name != "birds"
                turns[name].append({"error": missing} if is_missing else contender(folder))
    rows = [row_of(name, taken) for name, taken in turns.items()]
    best = min((row["median_s"] for row in rows[1:] if "median_s" in row), default=None)
    for row in rows:
        if best and "median_s" in row:
            row["ratio_to_best_peer"] = round(row["median_s"] / best, 2)
    return rows


def row_of(name: str, turns: list[Turn]) -> Turn:
    if error := next((turn["error"] for turn in turns if "error" in turn), None):
        return {"name": name, "error": error}
    median = statistics.median(turn["seconds"] for turn in turns)
    return {
        "name": name,
        **judge([(one, other) for one, other, *_ in turns[0]["pairs"]]),
        "median_s": round(median, 3),
        "per_second": round(turns[0]["pictures"] / median, 1),
        "peak_mb": max((turn["peak_mb"] or 0 for turn in turns), default=None),
        "runs": [round(turn["seconds"], 2) for turn in turns],
    }


def judge(pairs: Iterable[tuple[str, str]]) -> Turn:
    """Recall of each kind of copies, and precision, of pairs of files named KIND/ORIGINAL.jpg."""
    same_shot = _pairs_of(SAME_SHOT)
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    total = 0
    for one, other in pairs:
        (kind, name), (other_kind, other_name) = (file.removesuffix(".jpg").split("/") for file in (one, other))
        total += 1
        if name == other_name:
            if "original" in (kind, other_kind):
                found[other_kind if kind == "original" else kind] += 1
        elif (pair := (min(name, other_name), max(name, other_name))) not in same_shot:
            wrong[" | ".join(pair)] += 1
    return {
        "recall": {kind: round(found[kind] / ORIGINALS, 3) for kind in KINDS},
        "pairs": total,
        "precision": round(1 - sum(wrong.values()) / total, 5) if total else None,
        "wrong": dict(wrong.most_common(5)),
    }


def natural() -> Iterator[Turn]:
    """A row for each pair of birds8 that lies within `NATURAL_DISTANCE` bits or that `birds` joins; then the sums."""
    paths = photographs("birds8")
    hashes, grays = fingerprints_of(paths)
    joined = {(pair.first, pair.second): pair for pair in duplicates.near_pairs(hashes, lambda wanted: grays[wanted])}
    similar = {
        (pair.first, pair.second): pair.similarity
        for pair in duplicates.near_pairs(hashes, lambda wanted: grays[wanted], min_similarity=-1)
    }
    upright = np.bitwise_count(hashes[:, None, 0] ^ hashes[None, :, 0])
    crossed = np.bitwise_count(hashes[:, None, 0] ^ hashes[None, :, 1])
    mirrored = np.minimum(crossed, crossed.T)
    near = np.argwhere(np.triu(np.minimum(upright, mirrored) <= NATURAL_DISTANCE, 1))
    same_shot, next_shot = _pairs_of(SAME_SHOT), _pairs_of(NEXT_SHOT)
    sums: Counter[str] = Counter()
    for i, j in sorted({(int(i), int(j)) for i, j in near} | joined.keys()):
        names = paths[i].stem, paths[j].stem
        is_same = (min(names), max(names)) in same_shot
        is_next = (min(names), max(names)) in next_shot
        row = {
            "name": " | ".join(names),
            "labels": "one" if paths[i].parent == paths[j].parent else "two",
            "bits": int(upright[i, j]),
            "bits_mirrored": int(mirrored[i, j]),
            "similarity": similar.get((i, j)),
            "joined": (i, j) in joined,
            "by_eye": "same shot" if is_same else "next shot" if is_next else "other shot",
        }
        if upright[i, j] <= NATURAL_DISTANCE:
            sums[f"upright within {NATURAL_DISTANCE} bits, {row['labels']} label"] += 1
        elif mirrored[i, j] <= NATURAL_DISTANCE:
            sums[f"mirrored within {NATURAL_DISTANCE} bits"] += 1
        sums["joined"] += row["joined"]
        sums["joined, same shot"] += row["joined"] and is_same
        yield row
    yield {"name": "in all", "pictures": len(paths), "same shot": len(same_shot), **sums}


def identical() -> Iterator[Turn]:
    """How many groups of identical files birdornot holds, what its files are by content, and the near pairs beside."""
    paths = photographs("birdornot")
    groups: dict[str, list[Path]] = defaultdict(list)
    formats: Counter[str] = Counter()
    for path in paths:
        content, _ = look_at(path.read_bytes())
        groups[content.sha256].append(path)
        formats[f"{path.suffix or 'no ending'} is {content.format or content.unreadable}"] += 1
    several = [same for same in groups.values() if len(same) > 1]
    across = [same for same in several if len({path.parent for path in same}) > 1]
    yield {"name": "identical files", "files": len(paths), "groups": len(several), "across_folders": len(across)}
    yield {"name": "by content", **dict(formats.most_common())}
    different = [same[0] for same in groups.values()]
    hashes, grays = fingerprints_of(different)
    for pair in duplicates.near_pairs(hashes, lambda wanted: grays[wanted]):
        names = " | ".join(str(different[i].relative_to(DATA / "birdornot")) for i in (pair.first, pair.second))
        yield {"name": names, "bits": pair.distance, "similarity": pair.similarity}


def search_turn(n: int) -> Turn:
    """Near pairs among n random hashes, of which 1 in 100 was planted within `duplicates.MAX_DISTANCE` of another."""
    random_ = np.random.default_rng(n)
    hashes = random_.integers(0, 2**64, n, np.uint64)
    planted = n // 100
    for i in range(planted):
        bits = random_.choice(64, random_.integers(0, duplicates.MAX_DISTANCE + 1), replace=False)
        hashes[n - 1 - i] = hashes[i] ^ np.uint64(sum(1 << int(bit) for bit in bits))
    started = time.perf_counter()
    found = hamming.hamming_pairs(hashes, max_distance=duplicates.MAX_DISTANCE)
    seconds = time.perf_counter() - started
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    missed = sum((i, n - 1 - i) not in pairs for i in range(planted))
    return {"seconds": round(seconds, 3), "planted": planted, "missed": missed, "pairs": len(pairs)}


def measure_search(most: int, repeats: int) -> Iterator[Turn]:
    """A row for each size up to `most`."""
    for n in sorted({*(size for size in GROWTH if size < most), most}):
        turns = [run_timed([sys.executable, __file__, "--search-turn", str(n)]) for _ in range(repeats)]
        if error := next((turn["error"] for turn in turns if "error" in turn), None):
            yield {"name": f"{n} hashes", "error": error}
            continue
        median = statistics.median(turn["seconds"] for turn in turns)
        yield {
            "name": f"{n} hashes",
            "median_s": round(median, 3),
            "per_second": round(n / median),
            "peak_mb": max((turn["peak_mb"] or 0 for turn in turns), default=None),
            **{key: turns[0][key] for key in ("planted", "missed", "pairs")},
            "runs": [round(turn["seconds"], 2) for turn in turns],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--natural", action="store_true")
    parser.add_argument("--identical", action="store_true")
    parser.add_argument("--search", type=int, nargs="?", const=GROWTH[-1], metavar="N")
    parser.add_argument("--turn", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--search-turn", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        print(json.dumps(birds_turn(arguments.turn)))
        return
    if arguments.search_turn:
        print(json.dumps(search_turn(arguments.search_turn)))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    rows: Iterable[Turn]
    if arguments.natural:
        rows = natural()
    elif arguments.identical:
        rows = identical()
    elif arguments.search:
        rows = measure_search(arguments.search, arguments.repeats)
    else:
        rows = measure(arguments.repeats)
    for row in rows:
        line = json.dumps(row, ensure_ascii=False) if arguments.json else _line(row)
        print(line, flush=True)


def _line(row: Turn) -> str:
    return "  ".join(f"{key} {value}" for key, value in row.items())


if __name__ == "__main__":
    main()
