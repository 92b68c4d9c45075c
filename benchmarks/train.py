"""How soon and how well `birds train` learns, beside the usual notebook recipe in one run.

    python benchmarks/train.py [--only mobilenet_v2-imagenet] [--seeds 5,6,7,8,9] [--no-peer] [--json]

Needs ../shared (or BIRDS_TEST_DATA for its data): birds8, pretrained weights, bench/stock_recipe.py, which is the peer.
The peer trains once a backbone, on the plain split of seed 5; `birds`, with its defaults, on the plain splits of every
seed. Clocks run from the call of the training function, imports done and caches cold.

`to_peer_loss_s` is the time to the first saved model whose test loss is at or below the peer's final one. Every file
that a run saves is kept by a hard link while it trains; the test losses are computed afterwards, here and nowhere else,
one after the other until that one; the final model counts as saved at the end.
While phase 1 trains on features, a saved model is ``head-only.pth``: the weights of the head, on the pretrained body.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from scrape import WORK, peak_mb_of

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
DATA = Path(os.environ.get("BIRDS_TEST_DATA", SHARED / "data"))
ROWS = {  # name -> architecture, weights, whether the peer has its row
    "squeezenet1_1-imagenet": ("squeezenet1_1", True),
    "mobilenet_v2-imagenet": ("mobilenet_v2", True),
    "mobilenet_v2-inat-birds": ("mobilenet_v2", False),
}
SEEDS = (5, 6, 7, 8, 9)
WATCHING_S = 0.02
HEAD_ONLY = "head-only.pth"

Row = dict[str, Any]


def weights_file(name: str) -> Path:
    return DATA / "weights" / f"{name}.safetensors"


def measure(name: str, seeds: list[int], with_peer: bool) -> list[Row]:
    """The peer's row, one of `birds` for each seed, and one of their means."""
    arch, has_peer = ROWS[name]
    rows: list[Row] = []
    peer: Row | None = None
    if has_peer and with_peer:
        peer = run_peer(arch, weights_file(name))
        rows.append({"name": f"stock recipe, {name}, seed 5", **peer})
    runs = []
    for seed in seeds:
        print(f"birds, {name}, seed {seed}", file=sys.stderr)
        goal = peer.get("loss") if peer else None
        turn = run_birds(arch, weights_file(name), seed, goal)
        if peer and turn.get("to_peer_loss_s"):
            turn["times_faster"] = round(peer["seconds"] / turn["to_peer_loss_s"], 1)
        runs.append(turn)
        rows.append({"name": f"birds, {name}, seed {seed}", **turn})
    whole = [run for run in runs if "loss" in run]
    if len(whole) > 1:
        rows.append({"name": f"birds, {name}, mean of {len(whole)}", **_means(whole)})
    return rows


def _means(runs: list[Row]) -> Row:
    row: Row = {}
    for key in ("loss", "accuracy", "valid_loss", "valid_accuracy"):
        values = [run[key] for run in runs]
        row[key], row[f"{key}_sd"] = round(statistics.mean(values), 4), round(statistics.stdev(values), 4)
    for key in ("seconds", "peak_mb", "to_peer_loss_s", "times_faster"):
        values = [run[key] for run in runs if run.get(key) is not None]
        if values:
            row[f"median_{key}"] = round(statistics.median(values), 1)
    return row


def run_peer(arch: str, weights: Path) -> Row:
    """Seconds, test loss and accuracy of the stock recipe after both of its phases."""
    print(f"stock recipe, {arch}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=WORK) as out:
        command = [sys.executable, SHARED / "bench" / "stock_recipe.py", arch, weights, DATA / "birds8", out, "5"]
        answer = _run([str(part) for part in command], TORCH_HOME=str(Path(out) / "torch"))
    if "error" in answer:
        return answer
    phase = answer["lines"][-1]
    return {
        "seconds": phase["seconds"], "loss": phase["test_loss"], "accuracy": phase["test_accuracy"],
        "peak_mb": answer["peak_mb"],
    }  # fmt: skip


def run_birds(arch: str, weights: Path, seed: int, goal: float | None) -> Row:
    """What `child` says of a training on the plain split of `seed`."""
    with tempfile.TemporaryDirectory(dir=WORK) as project:
        command = [sys.executable, __file__, "child", project, arch, str(weights), str(seed), str(goal or 0)]
        answer = _run(command, XDG_CACHE_HOME=str(Path(project) / "cache"))  # what is fastest here is not known yet
        if "error" in answer:
            return answer
        return {**answer["lines"][-1], "peak_mb": answer["peak_mb"]}


def _run(command: list[str], **environment: str) -> Row:
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        peak_mb = peak_mb_of(process)
        out, errors = process.communicate()
    if process.returncode:
        return {"error": (errors.strip().splitlines() or ["it said nothing"])[-1]}
    return {"lines": [json.loads(line) for line in out.splitlines() if line.startswith("{")], "peak_mb": peak_mb()}


def child(project: Path, arch: str, weights: str, seed: int, goal: float) -> Row:
    """Split, train under the clock, and only then judge what was saved, up to the first with a test loss of `goal`."""
    import shutil

    from birds.evaluation import evaluate
    from birds.export import export
    from birds.files import Project
    from birds.models.runs import find_run
    from birds.split import split
    from birds.train.stage import train

    shutil.copytree(DATA / "birds8", project / "images")
    split(project, plain=True, seed=seed)
    versions = Versions(project)
    started = time.perf_counter()
    result = train(project, arch=arch, weights=weights)
    seconds = time.perf_counter() - started
    saved = versions.stop(started)
    run = find_run(Project(project), result.run)
    export(project, result.run, formats=("safetensors",))
    final = evaluate(project, result.run)
    judged: list[Row] = []
    if goal:
        for at, name, path in saved:
            judged.append({"seconds": round(at, 1), "file": name, **_judged(project, run, path)})
            if judged[-1]["loss"] <= goal:
                break
    judged.append({"seconds": round(seconds, 1), "file": "final", "loss": round(final.loss, 4)})
    reached = next((one["seconds"] for one in judged if one["loss"] <= goal), None)
    return {
        "seconds": round(seconds, 1), "loss": round(final.loss, 4), "accuracy": round(final.accuracy, 4),
        "valid_loss": result.valid_loss, "valid_accuracy": result.valid_accuracy,
        "best_phase": (run.result or {})["best_phase"], "best_epoch": result.best_epoch,
        "to_peer_loss_s": reached, "saved": judged,
    }  # fmt: skip


class Versions:
    """Hard links to every model that a training saves, with the time it was there."""

    def __init__(self, project: Path) -> None:
        self.project, self.folder = project, project / "versions"
        self.folder.mkdir()
        self.seen: dict[int, tuple[float, str, Path]] = {}  # by inode: a new version is a new file
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.is_over.wait(WATCHING_S):
            self._look()

    def _look(self) -> None:
        for name in (HEAD_ONLY, "head.pth", "fine_tune.pth"):
            for path in self.project.glob(f"runs/*/checkpoints/{name}"):
                kept = self.folder / f"{len(self.seen)}-{name}"
                try:
                    os.link(path, kept)
                except FileNotFoundError:  # replaced this very moment
                    continue
                inode = kept.stat().st_ino
                if inode in self.seen:
                    kept.unlink()
                else:
                    self.seen[inode] = (time.perf_counter(), name, kept)

    def stop(self, started: float) -> list[tuple[float, str, Path]]:
        """(seconds since `started`, name, link) of each."""
        self.is_over.set()
        self.thread.join()
        self._look()
        return [(at - started, name, path) for at, name, path in self.seen.values()]


def _judged(project: Path, run: Any, path: Path) -> Row:
    """Test loss and accuracy of one saved model."""
    import torch
    from birds.models.trained import open_run

    learner = open_run(run)
    saved = torch.load(path, weights_only=True)
    if path.name.endswith(HEAD_ONLY):
        learner.model.load_state_dict(torch.load(run.weights_of("head"), weights_only=True))
        learner.model.head.load_state_dict(saved)
    else:
        learner.model.load_state_dict(saved)
    return judged(learner, project)


def judged(learner: Any, project: Path) -> Row:
    """Loss and accuracy of a learner on the test pictures of a project."""
    import torch
    from birds.models.trained import classes_of, probabilities
    from birds.models.transforms import label_of, picture_files

    pictures = picture_files(project / "dataset" / "test")
    truth = torch.tensor([classes_of(learner).index(label_of(picture)) for picture in pictures])
    predicted = probabilities(learner, pictures)
    loss = torch.nn.functional.nll_loss(predicted.double().clamp_min(1e-12).log(), truth).item()
    return {"loss": round(loss, 4), "accuracy": round((predicted.argmax(1) == truth).double().mean().item(), 4)}


def arguments_of(description: str | None, **switches: str) -> argparse.Namespace:
    """What the command line says: ``--only``, ``--seeds``, ``--json`` and `switches`, name -> help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROWS)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=list(SEEDS))
    for name, explanation in switches.items():
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=explanation)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        parser.error(f"there is no {DATA}: give the folder by BIRDS_TEST_DATA")
    WORK.mkdir(parents=True, exist_ok=True)
    return arguments


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        project, arch, weights, seed, goal = sys.argv[2:]
        print(json.dumps(child(Path(project), arch, weights, int(seed), float(goal))))
        return
    arguments = arguments_of(__doc__, no_peer="without times to the peer's loss")
    for name in [arguments.only] if arguments.only else ROWS:
        for row in measure(name, arguments.seeds, not arguments.no_peer):
            if arguments.json:
                print(json.dumps(row), flush=True)
            else:
                shown = {key: value for key, value in row.items() if key != "saved"}
                print("  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)


if __name__ == "__main__":
    main()
