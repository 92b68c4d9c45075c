"""``birds runs``: what lies in runs/, whatever state it is in."""

from collections import Counter
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..console import Console, JsonFlag, ProjectDir, QuietFlag
from ..errors import ModelError
from ..files import Project
from .runs import Run

FINISHED, UNFINISHED, BEING_TRAINED, DAMAGED = "finished", "unfinished", "being trained", "damaged"
_DAMAGE = (OSError, KeyError, TypeError, ValueError, AttributeError)  # what files that are not as we wrote them lead to
_EMPTY: dict[str, Any] = {
    "arch": None,
    "weights": None,
    "size": None,
    "epochs": {},
    "seconds": None,
    "best_phase": None,
}


def runs(project: ProjectDir = Path(), as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """List the runs, newest first.

    Example: birds runs
    """
    console = Console(as_json=as_json, quiet=quiet)
    found = described_runs(Project(project))
    rows = [_cells(one) for one in found]
    hints = [f"{one['run']}: {one['hint']}" for one in found if one["hint"]]
    text = "\n".join(hints) if rows else "No runs yet. Start one with: birds train"
    titles = (
        "run",
        "network",
        "weights",
        "size",
        "epochs",
        "validation loss",
        "accuracy",
        "seconds",
        "state",
        "exported",
    )
    console.result({"runs": found}, text, table=(titles, rows) if rows else None)


def described_runs(project: Project) -> list[dict[str, Any]]:
    """Every folder in runs/ as `birds runs --json` shows it, newest first, those that cannot be read at the end.

    Keys: ``run``, ``arch``, ``weights``, ``size``, ``epochs`` (phase -> [done, at most]), ``result`` (result.json),
    ``seconds``, ``best_phase``, ``is_exported``, ``state``, ``hint`` (what to do next), ``created_at``.
    """
    if not project.runs.is_dir():
        return []
    folders = [path for path in project.runs.iterdir() if path.is_dir() and not path.name.startswith(".")]
    found = [_described(Run(folder)) for folder in sorted(folders)]
    return sorted(found, key=lambda one: (one["created_at"], one["run"]), reverse=True)


def _described(run: Run) -> dict[str, Any]:
    about = {"run": run.name, "is_exported": run.bundle.is_dir(), "result": None}
    try:
        return about | _read(run)
    except ModelError as error:
        problem = error.message
    except _DAMAGE as error:
        problem = f"{type(error).__name__}: {error}."
    hint = f"{problem} Move {run.folder} away, or train again."
    return about | _EMPTY | {"state": DAMAGED, "hint": hint, "created_at": ""}


def _read(run: Run) -> dict[str, Any]:
    config, result = run.config, run.result
    done = Counter(row["phase"] for row in run.history)
    seconds = sum(float(row["seconds"]) for row in run.timing)
    state, hint = FINISHED, ""
    if result is None:
        state = BEING_TRAINED if _is_locked(run) else UNFINISHED
        hint = f"Go on with: birds train --resume {run.name}" if state == UNFINISHED else ""
    elif not {"valid_loss", "valid_accuracy", "best_phase"} <= result.keys():
        raise ModelError(f"{run.folder / 'result.json'} lacks what a run ends with.")
    return {
        "arch": config["arch"],
        "weights": config["weights"],
        "size": config["size"],
        "epochs": {phase["name"]: [done[phase["name"]], phase["epochs"]] for phase in config["phases"]},
        "result": result,
        "seconds": round(seconds, 1),
        "best_phase": result and result["best_phase"],
        "state": state,
        "hint": hint,
        "created_at": str(config["created_at"]),
    }


def _is_locked(run: Run) -> bool:
    """Whether a process trains it: the kernel frees the lock of one that died."""
    path = run.folder / ".lock"
    if not path.is_file():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a project that may only be read
        return False


def _cells(one: dict[str, Any]) -> list[str]:
    result = one["result"]
    epochs = ", ".join(f"{phase} {done}/{most}" for phase, (done, most) in one["epochs"].items())
    return [
        one["run"],
        one["arch"] or "-",
        one["weights"] or "-",
        str(one["size"] or "-"),
        epochs or "-",
        f"{result['valid_loss']:.4f}" if result else "-",
        f"{result['valid_accuracy']:.3f}" if result else "-",
        "-" if one["seconds"] is None else f"{one['seconds']:.0f}",
        one["state"],
        "yes" if one["is_exported"] else "no",
    ]
