"""``birds scrape``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag
from .google import GOOGLE_URL
from .stage import LIMIT, SOURCES, ScrapeResult, ScrapeStoppedError
from .stage import scrape as scrape_stage

SpeciesOption = Annotated[
    list[str] | None,
    typer.Option("--species", "-s", help="A species, in any spelling. Repeat for more.", metavar="NAME"),
]
LimitOption = Annotated[int, typer.Option(min=1, help="Pictures a species.")]
GoogleUrlOption = Annotated[
    str, typer.Option(help="Another server that behaves like Google Images, as `birds gallery` does.")
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        help="A private HOST:PORT that pictures may come from; all others are refused. The last number may be a range: "
        "127.0.1.1-60:8000.",
        metavar="HOST:PORT",
    ),
]
HeadedFlag = Annotated[bool, typer.Option("--headed", help="Show the browser.")]


def scrape(
    species: SpeciesOption = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", help="Search term, once for each --species.", metavar="TERM")
    ] = None,
    limit: LimitOption = LIMIT,
    source: Annotated[str, typer.Option(help=f"Where to search: {', '.join(SOURCES)}.")] = "google",
    google_url: GoogleUrlOption = GOOGLE_URL,
    allow_host: AllowHostOption = None,
    headed: HeadedFlag = False,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Search for each species and store its pictures under images/.

    Run it again to add what is missing: nothing is fetched twice.

    Example: birds scrape --species cigüeña --species "milano negro" --limit 100

    Google's terms of service forbid automated queries without permission, and pictures have owners: whether you may
    search and use them is yours to judge. A captcha or block ends the search; it is never worked around.
    """
    console = Console(as_json=as_json, quiet=quiet)
    try:
        result = scrape_stage(
            project, species=species or (), queries=query or (), limit=limit, source=source, google_url=google_url,
            allow_hosts=allow_host or (), headed=headed, accept_missing=accept_missing, progress=console,
        )  # fmt: skip
    except ScrapeStoppedError as error:
        if not as_json:  # under --json the error carries the result: one object on standard output
            _show(console, error.result)
        raise
    _show(console, result)


def _show(console: Console, result: ScrapeResult) -> None:
    rows = [
        (
            one.label,
            one.query,
            one.found,
            one.stored,
            ", ".join(f"{n} {reason}" for reason, n in one.refused.items()) or "-",
            one.stopped or "-",
        )
        for one in result.species
    ]
    titles = ("species", "query", "found", "in images/", "refused", "stopped")
    console.result(result, "Next: birds clean", table=(titles, rows))
