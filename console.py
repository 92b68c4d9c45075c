"""What every command shares: the project folder, ``--json``, ``--quiet``, bars on a terminal, plain lines elsewhere.

Standard output carries the result and nothing else; bars, notes and errors go to standard error.
"""

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from . import config
from .errors import BirdsError
from .progress import Bar, Progress

_JSON = "birds.json"  # key in click's meta, which a command shares with its group
_LINE_EVERY_S = 10.0


def _remember_json(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[_JSON] = value
    return value


def _defaults_from_config(ctx: typer.Context, project: Path) -> Path:
    """Let ``birds.toml`` give the defaults of the command's flags. Eager: it runs before the others are read."""
    settings = config.load(project)
    table = getattr(settings, ctx.info_name or "", None) or {}
    ctx.default_map = dict(table)
    if settings.species and ctx.info_name in ("scrape", "run"):
        ctx.default_map["species"] = list(settings.species)
    return project


ProjectDir = Annotated[
    Path,
    typer.Option(
        "--project", "-p", is_eager=True, callback=_defaults_from_config, file_okay=False, metavar="DIR",
        help="The project folder: holds images/, dataset/, runs/ and birds.toml.",
    ),
]  # fmt: skip
JsonFlag = Annotated[
    bool,
    typer.Option(
        "--json",
        is_eager=True,
        callback=_remember_json,
        help="Print one JSON object, nothing else, on standard output.",
    ),
]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes, only the result.")]

AcceptMissingFlag = Annotated[
    bool, typer.Option("--accept-missing", help="Pictures gone from images/ were removed on purpose, however many.")
]


class Console(Progress):
    """Notes and bars for a person, or for a log; the result for standard output.

    Parameters
    ----------
    as_json : print results as JSON.
    quiet : no notes, no bars.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._lock = threading.Lock()  # of the two below
        self._live: Any = None  # the rich Progress now drawing, so that notes go above its bars
        self._bars = 0  # in it

    def note(self, text: str) -> None:
        if self.quiet:
            return
        live = self._live
        if live is not None:
            live.console.print(text, markup=False, highlight=False)
        else:
            typer.echo(text, err=True)

    @contextmanager
    def bar(self, title: str, total: int | None = None) -> Iterator[Bar]:
        if self.quiet:
            yield Bar()
        elif self._is_terminal:
            live = self._join_live()
            try:
                yield _RichBar(live, title, total)
            finally:
                self._leave_live()
        else:
            yield _LineBar(self, title, total)

    def _join_live(self) -> Any:
        """The display of all bars under way, from whichever thread; begun by the first of them."""
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        with self._lock:
            if self._live is None:
                columns = (
                    SpinnerColumn(),
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                )
                self._live = RichProgress(*columns, console=RichConsole(stderr=True))
                self._live.start()
            self._bars += 1
            return self._live

    def _leave_live(self) -> None:
        with self._lock:
            self._bars -= 1
            if not self._bars:
                self._live.stop()
                self._live = None

    def result(
        self, value: Any, text: str = "", table: "tuple[Sequence[str], Sequence[Sequence[Any]]] | None" = None
    ) -> None:
        """Print a stage's result: the dataclass or dict `value` under ``--json``, else `table` and `text`.

        Parameters
        ----------
        table : column titles and rows; cells are shown by ``str``, numbers to the right.
        """
        if self.as_json:
            shown = (
                dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
            )
            typer.echo(json.dumps(shown, ensure_ascii=False, default=str))
            return
        if table is not None:
            self.table(*table)
        if text:
            typer.echo(text)

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table for a person."""
        _print_table(titles, rows)


class _RichBar(Bar):
    def __init__(self, live: Any, title: str, total: int | None) -> None:
        self._live, self._title = live, title
        self._task = live.add_task(title, total=total)

    def advance(self, n: int = 1) -> None:
        self._live.advance(self._task, n)

    def describe(self, text: str) -> None:
        self._live.update(self._task, description=f"{self._title}  {text}")


class _LineBar(Bar):
    """A line when the task starts, one every ten seconds, and one when it is done."""

    def __init__(self, console: Console, title: str, total: int | None) -> None:
        self._console, self._title, self._total, self._done, self._text = console, title, total, 0, ""
        self._spoke = time.monotonic()
        console.note(f"{title} ...")

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if self._done == self._total or now - self._spoke >= _LINE_EVERY_S:
            self._spoke = now
            total = f"/{self._total}" if self._total is not None else ""
            self._console.note(f"{self._title}: {self._done}{total} {self._text}".rstrip())

    def describe(self, text: str) -> None:
        self._text = text


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(titles):
        is_number = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    # Piped into a file or a pager, a table keeps its lines whole however narrow the caller's terminal was.
    RichConsole(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(table)


def print_error(ctx: typer.Context, error: BirdsError) -> None:
    """One line on standard error, or one JSON object on standard output under ``--json``."""
    if ctx.meta.get(_JSON):
        typer.echo(json.dumps(error.as_json(), ensure_ascii=False, default=str))
    else:
        typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(str(error), err=True)
