"""The command line: mounts each stage's command and catches BirdsError. No logic.

Exit status: 0 done, 1 a BirdsError (one line: what happened, what to do), 2 wrong flags, 130 Ctrl-C.
"""

import errno
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__, commands
from .clean.command import clean
from .console import print_error
from .demo.command import gallery
from .errors import BirdsError
from .evaluation.command import evaluate, report
from .explain.command import explain
from .explore.command import explore
from .export.command import export
from .export.push_command import push
from .importing.command import import_
from .models.archs_command import archs
from .models.runs_command import runs
from .predict.command import predict
from .scrape.command import attributions, scrape
from .serve.command import serve
from .split.command import split
from .train.command import train
from .train.compare_command import compare, lr_find
from .train.sweep_command import sweep
from .train.transfer_command import transfer

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _BirdsGroup(TyperGroup):
    """Turns what a user can cause or meet into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BirdsError as error:
            print_error(ctx, error)
            raise typer.Exit(1) from error
        except OSError as error:
            if error.errno == errno.EPIPE or error.strerror is None:  # the reader of our output went away; a bug
                raise
            hint = "Free some space and run the same command again." if error.errno in _NO_ROOM else ""
            where = f" ({error.filename})" if error.filename else ""
            print_error(ctx, BirdsError(f"{error.strerror}{where}.", hint))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo("\nStopped. What was done is kept; the same command goes on from here.", err=True)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_BirdsGroup,
    help="From a list of species to an image classifier you can trust.\n\nStart with: birds demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for a bug report: whole, and without the values of locals
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"birds {__version__}")
        raise typer.Exit


@app.callback()
def _birds(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


for _command in (
    commands.run, scrape, clean, explore, split, train, compare, sweep, transfer, lr_find, export, push, evaluate,
    report, explain, predict, serve, commands.demo, gallery, commands.doctor, commands.status, runs, archs,
    commands.species, commands.images, attributions,
):  # fmt: skip
    app.command()(_command)
app.command("import")(import_)


def main() -> None:
    """The console script ``birds``."""
    warnings.filterwarnings("ignore", module="PIL")  # odd pictures are told by their reason
    app(prog_name="birds")


if __name__ == "__main__":
    main()
