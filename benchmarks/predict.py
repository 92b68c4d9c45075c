"""How fast an exported model judges 500 pictures from disk, beside fastai and a plain PyTorch loop, in one run.

    python benchmarks/predict.py [--repeats 3] [--pictures 500] [--only resnext50_32x4d] [--json]
    python benchmarks/predict.py --first        a single picture from a cold start: the whole process
    python benchmarks/predict.py --memory       peak of `birds predict` for 500 and for 20,000 pictures

Two networks, trained for one epoch on a few pictures of birds8, as `birds` trains by default: ResNeXt-50 from random
weights (speed only) and MobileNetV2 from its published ones. Each is exported once; every contender judges the same
files at 256 pixels, in fp32, on the CPU, with the mirror images that the network averages over.

    learn.predict       fastai, a picture at a time; on a tenth of the pictures, scaled
    get_preds           fastai, `learn.get_preds` on `learn.dls.test_dl`, as the exported learner loads pictures
    get_preds, workers  the same with 2 loading processes
    timm-style loop     a DataLoader with 2 loading processes, torch.inference_mode, as timm's inference.py
    birds ENGINE        the function behind `birds predict`: opening the model counts
    birds auto          the same, the engine chosen by what `engine_choice.measure` found beforehand (`choosing_s`)

Turns are taken in rotation, each in a process of its own; imports count for nobody, reading and decoding for all.
``max_difference`` is the largest difference of a probability from fastai's get_preds; `times_get_preds` is against the
faster of its two. Needs ../shared (or BIRDS_TEST_DATA for its data).
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scrape import WORK, row_of, run_timed
from train import DATA, weights_file

NETWORKS = {"resnext50_32x4d": None, "mobilenet_v2": "mobilenet_v2-imagenet"}  # architecture -> weights
ONE_BY_ONE, GET_PREDS, WITH_WORKERS, LOOP = "learn.predict", "get_preds", "get_preds, workers", "timm-style loop"
BIRDS = ("birds torch", "birds onnx", "birds openvino", "birds auto")
CONTENDERS = (ONE_BY_ONE, GET_PREDS, WITH_WORKERS, LOOP, *BIRDS)
WORKERS = 2
SHARE_ONE_BY_ONE = 10
MANY = 20_000
LEARNT_FROM = {"train": 3, "val": 2}  # pictures a class
AGREE = 1e-2
LONG_S = 3 * 3600

Row = dict[str, Any]


def make_model(arch: str, project: Path) -> Path:
    """The bundle of a network that was trained for an epoch on a few pictures."""
    from birds.export import export
    from birds.train import train

    for folder in sorted(path for path in (DATA / "birds8").iterdir() if path.is_dir()):
        pictures = sorted(folder.iterdir())
        for part, count in LEARNT_FROM.items():
            target = project / "dataset" / part / folder.name
            target.mkdir(parents=True)
            for path in (pictures.pop() for _ in range(count)):
                (target / path.name).write_bytes(path.read_bytes())
    name = NETWORKS[arch]
    options: Row = {"weights": str(weights_file(name)), "epochs": (1, 0), "views": 0} if name else {"weights": "none"}
    if not name:
        options |= {"epochs": (1,), "batch_size": 8}
    train(project, arch=arch, **options)
    return Path(export(project).bundle)


def pictures_in(folder: Path, count: int) -> list[Path]:
    """`count` pictures of birds8 in random order, repeated where there are fewer, as links in `folder`."""
    found = sorted((DATA / "birds8").glob("*/*"))
    random.Random(0).shuffle(found)
    folder.mkdir()
    paths = [folder / f"{number:06}{found[number % len(found)].suffix}" for number in range(count)]
    for number, path in enumerate(paths):
        path.symlink_to(found[number % len(found)])
    return paths


def measure(arch: str, count: int, repeats: int, folder: Path) -> list[Row]:
    """A row for each contender."""
    bundle = make_model(arch, folder / "project")
    for path in pictures_in(folder / "pictures", count):
        path.read_bytes()  # now they are in memory: the first contender waits for the disk no more than the others
    choosing = run_timed([sys.executable, __file__, "choose", str(bundle)])
    turns: dict[str, list[Row]] = {name: [] for name in CONTENDERS}
    for turn in range(repeats):
        for name, taken in turns.items():
            if name == "birds openvino" and not find_spec("openvino"):
                taken.append({"error": 'openvino is not installed: pip install "birds[openvino]"'})
                continue
            answers = folder / f"{name}.npy"
            command = [sys.executable, __file__, "turn", name, str(bundle), str(folder / "pictures"), str(answers)]
            taken.append(run_timed(command, LONG_S))
            print(f"turn {turn + 1} of {repeats}: {arch}, {name}: {taken[-1]}", file=sys.stderr)
    rows = [row_of(f"{arch}, {name}", taken) for name, taken in turns.items()]
    _compare(rows, folder)
    rows[-1] |= {"choosing_s": choosing.get("process_s"), "chosen": choosing.get("chosen", choosing.get("error"))}
    return rows


def _compare(rows: list[Row], folder: Path) -> None:
    """Add how much the probabilities differ, and how the times compare."""
    import numpy as np

    by_name = dict(zip(CONTENDERS, rows, strict=True))
    peers = [by_name[name]["median_s"] for name in CONTENDERS[:4] if "median_s" in by_name[name]]
    get_preds = [by_name[name]["median_s"] for name in (GET_PREDS, WITH_WORKERS) if "median_s" in by_name[name]]
    reference = folder / f"{GET_PREDS}.npy"
    for name, row in by_name.items():
        if "median_s" not in row:
            continue
        row["ratio_to_best_peer"] = round(row["median_s"] / min(peers), 3) if peers else None
        if name in BIRDS and get_preds:
            row["times_get_preds"] = round(min(get_preds) / row["median_s"], 2)
        if reference.is_file():
            ours, theirs = np.load(folder / f"{name}.npy"), np.load(reference)
            row["max_difference"] = float(f"{np.abs(ours - theirs[: len(ours)]).max():.2g}")
            row["agrees"] = row["max_difference"] <= AGREE


# -- what a child process does and says


def take_turn(name: str, bundle: Path, folder: Path, answers: Path) -> Row:
    """Judge the pictures of `folder` as `name` does; probabilities go to the file `answers`."""
    import numpy as np

    paths = sorted(folder.iterdir())
    judged = paths[: max(1, len(paths) // SHARE_ONE_BY_ONE)] if name == ONE_BY_ONE else paths
    if name in BIRDS:
        work = _birds(bundle, name.removeprefix("birds "))
    else:
        work = {ONE_BY_ONE: _one_by_one, GET_PREDS: _get_preds(0), WITH_WORKERS: _get_preds(WORKERS), LOOP: _loop}[
            name
        ](bundle)
    started = time.perf_counter()
    found = work(judged)
    seconds = (time.perf_counter() - started) * len(paths) / len(judged)
    np.save(answers, found)
    return {"seconds": round(seconds, 3), "pictures": len(paths), "judged": len(judged)}


Work = Callable[[list[Path]], Any]


def _learner(bundle: Path) -> Any:
    from birds.models.pickles import load_export

    return load_export(bundle / "export.pkl", trust=True)


def _one_by_one(bundle: Path) -> Work:
    import numpy as np

    learner = _learner(bundle)

    def work(paths: list[Path]) -> Any:
        with learner.no_bar(), learner.no_logging():
            return np.stack([learner.predict(path)[2].numpy() for path in paths])

    return work


def _get_preds(workers: int) -> Callable[[Path], Work]:
    def open_it(bundle: Path) -> Work:
        learner = _learner(bundle)

        def work(paths: list[Path]) -> Any:
            with learner.no_bar(), learner.no_logging():
                return learner.get_preds(dl=learner.dls.test_dl(paths, num_workers=workers))[0].numpy()

        return work

    return open_it


def _loop(bundle: Path) -> Work:
    import torch
    from birds import images
    from birds.models.bundle import load
    from birds.models.network import load_network

    model = load(bundle)
    network, preprocess = load_network(model), model.manifest.preprocess
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (preprocess.mean, preprocess.std))

    class Pictures(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __init__(self, paths: list[Path]) -> None:
            self.paths = paths

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, index: int) -> torch.Tensor:
            prepared = images.prepare(images.open_rgb(self.paths[index]), preprocess.size, preprocess.resize)
            return (torch.from_numpy(prepared.copy()).permute(2, 0, 1).float() / 255 - mean) / std

    def work(paths: list[Path]) -> Any:
        loader = torch.utils.data.DataLoader(Pictures(paths), batch_size=64, num_workers=WORKERS)
        with torch.inference_mode():
            return torch.cat([network(batch).softmax(1) for batch in loader]).numpy()

    return work


def _birds(bundle: Path, engine: str) -> Work:
    import numpy as np
    import onnxruntime  # noqa: F401 - imports count for nobody
    from birds.models.bundle import load
    from birds.predict import predict

    if engine == "torch":
        import birds.models.network  # noqa: F401
    if engine in ("openvino", "auto") and find_spec("openvino"):
        import openvino  # noqa: F401

    labels = load(bundle).labels

    def work(paths: list[Path]) -> Any:
        result = predict(Path(), paths, bundle, top=len(labels), engine=engine)
        assert not result.failed, result.failed
        shares = (dict(one.top) for one in result.predictions)
        return np.array([[share[label] for label in labels] for share in shares])

    return work


def choose_engine(bundle: Path) -> Row:
    from birds.models.bundle import load
    from birds.models.engine_choice import choose, measure

    model = load(bundle)
    speeds = measure(model)
    rates = {name: speed.images_per_second for name, speed in speeds.items()}
    return {"chosen": choose(model, 500), "trial_pictures_per_second": rates}


# -- the other two tables

_BY_FASTAI = """
import json, sys
from fastai.learner import load_learner

learner = load_learner(sys.argv[1])
with learner.no_bar():
    print(json.dumps({"label": learner.predict(sys.argv[2])[0]}))
"""


def measure_first(arch: str, repeats: int, folder: Path) -> Iterator[Row]:
    """How long a whole process takes to say what is on one picture."""
    bundle = make_model(arch, folder / "project")
    (picture,) = pictures_in(folder / "pictures", 1)
    fastai_alone = [sys.executable, "-W", "ignore", "-c", _BY_FASTAI, str(bundle / "export.pkl"), str(picture)]
    command = [sys.executable, "-m", "birds", "predict", str(picture), "-m", str(bundle), "--json"]
    contenders = {
        "load_learner, learn.predict": fastai_alone,
        "birds predict": command,
        "birds predict --engine torch": [*command, "--engine", "torch"],
    }
    turns: dict[str, list[Row]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, one in contenders.items():
            turns[name].append(run_timed(one))
    for name, taken in turns.items():
        if error := next((turn["error"] for turn in taken if isinstance(turn.get("error"), str)), None):
            yield {"name": f"{arch}, first answer, {name}", "error": error}
            continue
        seconds = [turn["process_s"] for turn in taken]
        yield {
            "name": f"{arch}, first answer, {name}",
            "median_s": round(statistics.median(seconds), 3),
            "best_s": min(seconds),
            "peak_mb": max(turn["peak_mb"] or 0 for turn in taken),
        }


def measure_memory(arch: str, counts: list[int], folder: Path) -> Iterator[Row]:
    """Peaks of the whole command with each engine; its JSON names every picture."""
    bundle = make_model(arch, folder / "project")
    for count in counts:
        pictures_in(folder / f"pictures {count}", count)
    for engine in ("onnx", "openvino") if find_spec("openvino") else ("onnx",):
        first = None
        for count in counts:
            command = [sys.executable, "-m", "birds", "predict", str(folder / f"pictures {count}"), "-m", str(bundle)]
            turn = run_timed([*command, "--engine", engine, "--json", "--quiet"], LONG_S)
            row = {"name": f"{arch}, birds predict --engine {engine}, {count} pictures"}
            if "predictions" not in turn:
                yield row | {"error": turn.get("error")}
                continue
            assert len(turn["predictions"]) == count
            first = first or turn["peak_mb"]
            yield row | {
                "process_s": turn["process_s"],
                "peak_mb": turn["peak_mb"],
                "times_the_memory_of_the_first": round(turn["peak_mb"] / first, 2),
            }


def main() -> None:
    if sys.argv[1:2] == ["turn"]:
        name, *paths = sys.argv[2:]
        print(json.dumps(take_turn(name, *map(Path, paths))))
        return
    if sys.argv[1:2] == ["choose"]:
        print(json.dumps(choose_engine(Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--only", choices=NETWORKS)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--memory", action="store_true", help=f"also of {MANY} pictures, by MobileNetV2 alone")
    parser.add_argument("--many", type=int, default=MANY, help="pictures of the second peak of --memory")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        parser.error(f"there is no {DATA}: give the folder by BIRDS_TEST_DATA")
    WORK.mkdir(parents=True, exist_ok=True)
    for arch in [arguments.only] if arguments.only else ["mobilenet_v2"] if arguments.memory else NETWORKS:
        with tempfile.TemporaryDirectory(dir=WORK) as name:
            folder = Path(name)
            # what was measured on this machine before, and the user's trust, are none of this script's business
            os.environ |= {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
            if arguments.first:
                rows: Any = measure_first(arch, arguments.repeats, folder)
            elif arguments.memory:
                rows = measure_memory(arch, [arguments.pictures, arguments.many], folder)
            else:
                rows = measure(arch, arguments.pictures, arguments.repeats, folder)
            for row in rows:
                shown = json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items())
                print(shown, flush=True)


if __name__ == "__main__":
    main()
