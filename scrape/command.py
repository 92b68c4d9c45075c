"""``birds scrape`` and ``birds attributions``."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config
from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag
from ..licences import WANTED
from .attributions import write_attributions
from .sources import SOURCES, read_saved_page
from .stage import DEFAULT_SOURCES, LIMIT, ScrapeResult, ScrapeStoppedError
from .stage import scrape as scrape_stage

SpeciesOption = Annotated[
    list[str] | None,
    typer.Option("--species", "-s", help="A species, in any spelling. Repeat for more.", metavar="NAME"),
]
LimitOption = Annotated[int, typer.Option(min=1, help="Pictures a species.")]
GoogleUrlOption = Annotated[
    str | None, typer.Option(help="Another server that behaves like Google Images, as `birds gallery` does.")
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
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help=f"Where to search: {', '.join(SOURCES)}. Repeat: each fills up what the one before it left.",
        metavar="SOURCE",
        show_default=DEFAULT_SOURCES[0],
    ),
]
LicenceOption = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(WANTED)}: open is any Creative Commons licence or the public domain; commercial, those that "
        "allow commercial use. What shows no fitting licence is not downloaded."
    ),
]


def scrape(
    species: SpeciesOption = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", help="Search term, once for each --species.", metavar="TERM")
    ] = None,
    limit: LimitOption = LIMIT,
    source: SourceOption = None,
    licence: LicenceOption = "any",
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Take thumbnails where Google shows nothing larger.")
    ] = False,
    browsers: Annotated[int, typer.Option(min=1, help="Species searched side by side.")] = 1,
    grid_url: Annotated[
        str | None, typer.Option(help="A Selenium Grid whose browsers search.", metavar="URL", show_default=False)
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(help="For all but the browser; the network guard ends there.", metavar="URL", show_default=False),
    ] = None,
    google_url: GoogleUrlOption = None,
    source_url: Annotated[
        list[str] | None,
        typer.Option(help="Another server that behaves like the source NAME.", metavar="NAME=URL", show_default=False),
    ] = None,
    allow_host: AllowHostOption = None,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser.")] = False,
    save_pages: Annotated[
        Path | None, typer.Option(help="Save every page of results there.", metavar="DIR", show_default=False)
    ] = None,
    from_page: Annotated[
        Path | None,
        typer.Option(
            help="Only read a saved page of --source, and download nothing.", metavar="FILE", show_default=False
        ),
    ] = None,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Search for each species and store its pictures under images/.

    Run it again to add what is missing: nothing is fetched twice.

    Example: birds scrape --species cigüeña --species "milano negro" --source google --source inaturalist

    Google's terms of service forbid automated queries without permission, and pictures have owners: whether you may
    search and use them is yours to judge. A captcha or block ends the search; it is never worked around.
    """
    console = Console(as_json=as_json, quiet=quiet)
    sources = source or list(DEFAULT_SOURCES)
    if from_page:
        _show_page(console, from_page, sources[0])
        return
    lists = config.scrape_arguments({"source_url": source_url or []})
    try:
        result = scrape_stage(
            project, species=species or (), queries=query or (), limit=limit, sources=sources, licence=licence,
            thumbnails=thumbnails, google_url=google_url, allow_hosts=allow_host or (), proxy=proxy, browsers=browsers,
            grid_url=grid_url, headed=headed, save_pages=save_pages, accept_missing=accept_missing, progress=console,
            **lists,
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
            ", ".join(f"{n} {strategy}" for strategy, n in one.strategies.items()) or "-",
            one.stored,
            ", ".join(f"{n} {name}" for name, n in one.sources.items()) or "-",
            sum(one.refused.values()),
            one.stopped or "-",
        )
        for one in result.species
    ]
    titles = ("species", "query", "found", "by", "kept", "new from", "refused", "stopped")
    console.result(result, table=(titles, rows))
    if console.as_json:
        return
    reasons = Counter[str]()
    for one in result.species:
        reasons.update(one.refused)
    if reasons:
        by_species = {
            reason: ", ".join(f"{one.refused[reason]} {one.label}" for one in result.species if reason in one.refused)
            for reason in reasons
        }
        refused = [(reason, n, by_species[reason]) for reason, n in reasons.most_common()]
        console.table(("refused because", "results", "of"), refused)
    if any(one.stored for one in result.species):
        typer.echo("Next: birds clean")


def _show_page(console: Console, path: Path, source: str) -> None:
    page = read_saved_page(path, source)
    strategies = Counter(candidate.strategy for candidate in page.candidates)
    value: dict[str, Any] = {
        "source": source,
        "cause": page.cause,
        "strategies": dict(strategies),
        "candidates": [asdict(candidate) for candidate in page.candidates],
    }
    rows = [
        (n, one.strategy, f"{one.width or '?'}x{one.height or '?'}", one.licence or "-", one.url)
        for n, one in enumerate(page.candidates, start=1)
    ]
    ways = ", ".join(f"{n} by {strategy}" for strategy, n in strategies.items())
    text = f"{len(rows)} candidates{': ' if ways else ''}{ways}." + (f" Cause: {page.cause}." if page.cause else "")
    console.result(value, text, table=(("rank", "strategy", "pixels", "licence", "address"), rows) if rows else None)


def attributions(project: ProjectDir = Path(), as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Write ATTRIBUTIONS.csv and ATTRIBUTIONS.md: author, licence and origin of every picture in images/.

    Example: birds attributions
    """
    console = Console(as_json=as_json, quiet=quiet)
    result = write_attributions(project)
    text = f"{result.pictures} pictures, {result.without_licence} of them without a known licence."
    console.result(result, f"{text}\nWritten: {', '.join(result.files)}")
