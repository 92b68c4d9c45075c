"""``birds sweep``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import config
from ..console import Console, JsonFlag, ProjectDir, QuietFlag
from ..errors import UsageError
from .compare_command import BatchSize, Seed, Size, Weights, accuracy_in_words, loss_in_words, test_in_words
from .sweep_plan import Plan, pairs_of, read_plan, values_of

if TYPE_CHECKING:
    from .sweep import SweepResult
    from .sweep_table import Row


def sweep(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.toml]", help="What to try; docs/sweep.md has an example.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V,V,...",
            help="A setting of `birds train` and its values; with several of these, every combination.",
        ),
    ] = None,
    same: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=V", help="A setting of `birds train` that all of them share."),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="The same as --set arch=...", show_default="that of `birds train`")
    ] = None,
    weights: Weights = None,
    epochs: Annotated[str | None, typer.Option(help="As in `birds train`.", metavar="N[,N]")] = None,
    size: Size = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    repeats: Annotated[int, typer.Option(min=1, help="Train each with so many seeds, and give mean and spread.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at the same time; they share the processors.")] = 1,
    name: Annotated[
        str | None, typer.Option(help="Of the table and the picture.", show_default="the file's; sweep")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Evaluate the best on the held-out test set: once, when all is chosen.")
    ] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train with every combination of some settings, and rank them by validation loss.

    Other settings are those of [train] in birds.toml. With one value for each phase write lr=0.1/0.01. Give the same
    command again after an interruption: it goes on, and takes what is finished.

    Example: birds sweep --arch emoji_cnn --vary lr=0.1,0.01,0.001 --vary batch-size=5,10,20
    """
    plan = read_plan(file) if file else Plan()
    flags = {
        "arch": arch, "weights": weights, "epochs": epochs, "size": size, "batch_size": batch_size, "seed": seed
    }  # fmt: skip
    shared = {name: value for name, value in flags.items() if value is not None}
    for key, text in pairs_of("--set", same or ()).items():
        if key in shared:
            raise UsageError(f"{key.replace('_', '-')} is set twice.", "Leave one of the two out.")
        shared[key] = config.train_value(key, text, "--set")
    varied = {
        key: [config.train_value(key, value, "--vary") for value in values_of(text)]
        for key, text in pairs_of("--vary", vary or ()).items()
    }
    if both := sorted(shared.keys() & (varied.keys() | plan.vary.keys())):
        raise UsageError(f"{both[0].replace('_', '-')} is varied and set as well.", "Leave one of the two out.")
    plan = Plan({**plan.shared, **shared}, {**plan.vary, **varied}, plan.settings)
    of_project = config.load(project).train
    where = str(file or "A sweep")
    settings = []
    for one in plan.combinations():
        arguments = config.train_arguments({**of_project, **config.train_settings(one, where)})
        settings.append({key: arguments[key] for key in [*one, *arguments] if key in arguments})  # in the order asked
    from .comparison import FINAL_NOTE  # torch and fastai: after the flags are known to be good
    from .sweep import sweep as try_all

    console = Console(as_json=as_json, quiet=quiet)
    title = name if name is not None else file.stem if file else ""
    result = try_all(project, settings, name=title, repeats=repeats, jobs=jobs, final=final, progress=console)
    if final:
        console.note(FINAL_NOTE)
    _print(console, result, final=final)


def _print(console: Console, result: "SweepResult", *, final: bool) -> None:
    from .sweep_table import title_of

    best = result.rows[0]
    assert best.entry is not None
    text = f"Best by validation loss: {title_of(best.setting)} (run {result.best}, {best.entry.valid_loss:.4f} nats)."
    if final:
        loss, accuracy = test_in_words(best.entry)
        text += f"\nOn the test set: loss {loss}, accuracy {accuracy}."
    text += f"\nWritten to {result.csv} and {result.picture}. Next: birds export {result.best}"
    titles = [*(name.replace("_", "-") for name in result.varied), "run", "loss", "accuracy (95% interval)", "seconds"]
    titles += ["failed"] if any(row.failed for row in result.rows) else []
    cells = [_cells(row, result.varied)[: len(titles)] for row in result.rows]
    console.result(asdict(result), text, table=(titles, cells))


def _cells(row: "Row", varied: list[str]) -> list[Any]:
    from .sweep_table import in_words

    setting = [in_words(row.setting[name]) for name in varied]
    if row.entry is None:
        return [*setting, "-", "-", "-", "-", row.failed]
    entry = row.entry
    return [
        *setting,
        entry.runs[0] if len(entry.runs) == 1 else f"{len(entry.runs)} seeds",
        loss_in_words(entry),
        accuracy_in_words(entry),
        str(round(entry.seconds, 1)),
        "",
    ]
