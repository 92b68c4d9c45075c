"""Several trainings, one after another or side by side: one that fails does not stop the others.

Given again after an interruption, all of it goes on: finished runs with the same settings are taken as they are.
"""

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from ..errors import BirdsError
from ..progress import SILENT, Progress
from .repeats import repeat

_DIED = "A process was ended from outside, perhaps for want of memory. Try fewer --jobs."


@dataclass(frozen=True)
class Outcome:
    """What became of one training: the names of its runs, one a seed, or why it failed."""

    runs: list[str] = field(default_factory=list)
    failed: str | None = None


def train_each(
    project: Path,
    settings: Sequence[Mapping[str, Any]],
    titles: Sequence[str],
    *,
    repeats: int = 1,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> list[Outcome]:
    """Train with each of `settings`, in that order; what became of each.

    Parameters
    ----------
    settings : as `train` takes them.
    titles : what to call each in notes.
    repeats : how many seeds to train each with, from its ``seed`` on.
    jobs : processes that train at the same time; they share torch's threads. Only what became of a training is told
        then, not its epochs.
    """
    if jobs > 1 and len(settings) > 1:
        return _side_by_side(project, settings, titles, repeats=repeats, jobs=jobs, progress=progress)
    outcomes = []
    for number, (one, title) in enumerate(zip(settings, titles, strict=True), 1):
        progress.note(f"{title} ({number} of {len(settings)})")
        outcomes.append(_train(project, one, repeats, progress))
        if failed := outcomes[-1].failed:
            progress.note(f"{title} failed: {failed}")
    return outcomes


def _train(project: Path, settings: Mapping[str, Any], repeats: int, progress: Progress = SILENT) -> Outcome:
    own = dict(settings)
    seed = own.pop("seed", 0)
    try:
        trained = repeat(project, range(seed, seed + repeats), progress=progress, **own)
    except BirdsError as error:
        return Outcome(failed=str(error))
    except torch.OutOfMemoryError:
        return Outcome(failed="The GPU has too little memory. Try a smaller --batch-size.")
    return Outcome([result.run for result in trained.runs])


def _side_by_side(
    project: Path,
    settings: Sequence[Mapping[str, Any]],
    titles: Sequence[str],
    *,
    repeats: int,
    jobs: int,
    progress: Progress,
) -> list[Outcome]:
    outcomes = [Outcome(failed=_DIED) for _ in settings]
    processes = multiprocessing.get_context("spawn")  # a fork would take over torch's threads in the middle of things
    end, ours = processes.Pipe(duplex=False)
    threads = max(1, torch.get_num_threads() // jobs)
    pool = ProcessPoolExecutor(
        min(jobs, len(settings)), processes, _begin, (end, threads, multiprocessing.get_start_method())
    )
    progress.note(f"{jobs} trainings at a time, {'one thread' if threads == 1 else f'{threads} threads'} each.")
    try:
        futures = {pool.submit(_train, project, one, repeats): number for number, one in enumerate(settings)}
        with progress.bar("settings", total=len(settings)) as bar:
            for future in as_completed(futures):
                number = futures[future]
                try:
                    outcomes[number] = future.result()
                except BrokenProcessPool:
                    continue
                finally:
                    bar.advance()
                failed = outcomes[number].failed
                progress.note(f"{titles[number]}: {f'failed: {failed}' if failed else outcomes[number].runs[-1]}")
    except BaseException:  # Ctrl-C among them: what trains now is taken up by the same command
        ours.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()
    return outcomes


def _begin(end: Connection, threads: int, start_method: str) -> None:
    """In a new process: its threads, and its end as soon as nobody holds the other side of the pipe."""
    multiprocessing.set_start_method(start_method, force=True)  # else the loaders' own would be spawned, in every epoch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process sees to that
    warnings.filterwarnings("ignore", module="PIL")  # as the command line does
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()


def _end_with(end: Connection) -> None:
    """Leave at once when the first process ends, by whatever: else its successor would find the run still locked."""
    try:
        end.recv()
    except (EOFError, OSError):
        os._exit(1)
