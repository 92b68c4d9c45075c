"""The commands that belong to no single stage: run, demo, doctor, status, species, images."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import config
from .console import Console, JsonFlag, ProjectDir, QuietFlag
from .errors import BirdsError
from .scrape.command import AllowHostOption, SourceOption, SpeciesOption


def run(
    species: SpeciesOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Pictures a species.", show_default="100")] = None,
    source: SourceOption = None,
    licence: Annotated[str | None, typer.Option(help="See birds scrape.", show_default="any")] = None,
    google_url: Annotated[str | None, typer.Option(help="See birds scrape.", show_default=False)] = None,
    allow_host: AllowHostOption = None,
    arch: Annotated[str | None, typer.Option(help="See birds train.", show_default="resnext50_32x4d")] = None,
    weights: Annotated[str | None, typer.Option(help="See birds train.", show_default="imagenet")] = None,
    epochs: Annotated[str | None, typer.Option(help="See birds train.", show_default="10,10")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="See birds train.", show_default=False)] = None,
    review: Annotated[bool, typer.Option("--review", help="Stop for the review page after cleaning.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Every stage in turn, skipping what is up to date. birds.toml holds what has no flag here.

    Example: birds run --species cigüeña --species garza
    """
    from . import pipeline

    console = Console(as_json=as_json, quiet=quiet)
    train_flags = {"arch": arch, "weights": weights, "epochs": epochs, "size": size}
    scrape_flags = {
        "limit": limit,
        "source": source or None,
        "licence": licence,
        "google_url": google_url,
        "allow_host": allow_host or None,
    }
    result = pipeline.run(
        project,
        species=species or (),
        review=review,
        scrape_options=config.scrape_arguments(_given(scrape_flags)),
        train_options=config.train_arguments(_given(train_flags)),
        progress=console,
    )
    console.result(result, _summary(result.evaluate, result.export))


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _summary(evaluated: dict[str, Any], exported: dict[str, Any]) -> str:
    interval = evaluated["accuracy_interval"]
    spread = f"95% interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else "too few for an interval"
    return (
        f"Test accuracy {evaluated['accuracy']:.3f} ({spread}) on {evaluated['n']} unseen pictures.\n"
        f"Model: {exported['bundle']}\nReport: {evaluated['report']}"
    )


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The demo's project folder.")] = Path("birds-demo"),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """The whole chain in a few minutes, without network: six drawn species from the embedded gallery.

    Example: birds demo
    """
    from . import pipeline

    console = Console(as_json=as_json, quiet=quiet)
    result = pipeline.demo(folder, progress=console)
    prediction = result.prediction or {}
    ranked = ", ".join(f"{label} {share:.3f}" for label, share in prediction["top"])
    text = (
        f"{_summary(result.evaluate, result.export)}\nPrediction for {prediction['file']}: {ranked}\n"
        f"Next: look around in {folder}, or start your own: birds run --species cigüeña --species garza"
    )
    console.result(result, text)


def doctor(project: ProjectDir = Path(), as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Say what is installed, which browser and driver there are, whether weights can be had, and what to do.

    Example: birds doctor
    """
    from dataclasses import asdict

    from .doctor import examine

    console = Console(as_json=as_json, quiet=quiet)
    findings = examine(project)
    rows = [
        (f.name, "ok" if f.is_well else "MISSING" if f.is_needed else "note", f.detail, "" if f.is_well else f.remedy)
        for f in findings
    ]
    console.result({"findings": [asdict(f) for f in findings]}, table=(("what", "state", "found", "what to do"), rows))
    missing = [f for f in findings if f.is_needed and not f.is_well]
    if missing and not as_json:
        raise BirdsError(f"Missing: {', '.join(f.name for f in missing)}.", missing[0].remedy)
    if missing:
        raise typer.Exit(1)


def status(project: ProjectDir = Path(), as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Say where a project stands: pictures of each class, split, runs, and what comes next.

    Example: birds status
    """
    from .files import Project
    from .models.runs import list_runs
    from .record import Record, State

    console = Console(as_json=as_json, quiet=quiet)
    place = Project(project)
    counts = {state: dict[str, int]() for state in (State.STORED, State.REJECTED)}
    is_looked_at = False
    if place.record.is_file():
        with Record(place) as record:
            counts = {state: record.counts(state) for state in counts}
            is_looked_at = bool(record.looks.known())
    stored, rejected = counts[State.STORED], counts[State.REJECTED]
    is_split = (place.dataset / "split.json").is_file()
    finished = [run.name for run in list_runs(place) if run.result]
    has_own = place.images.is_dir() and any(path.is_dir() for path in place.images.iterdir())
    steps = {
        "birds evaluate": finished,
        "birds train": is_split,
        "birds split": stored and is_looked_at,
        "birds clean": stored or has_own,
        "birds scrape": True,
    }
    following = next(step for step, is_due in steps.items() if is_due)
    value = {"images": stored, "rejected": rejected, "is_split": is_split, "runs": finished, "next": following}
    rows = [(label, stored.get(label, 0), rejected.get(label, 0)) for label in sorted(stored.keys() | rejected.keys())]
    text = f"Split: {'yes' if is_split else 'no'}. Finished runs: {len(finished)}. Next: {following}"
    console.result(value, text, table=(("class", "pictures", "rejected"), rows) if rows else None)


def species(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A name in any spelling.")] = "",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the species birds knows by name, or find one.

    Example: birds species "white stork"
    """
    from dataclasses import asdict

    from . import species as names

    console = Console(as_json=as_json, quiet=quiet)
    found = [match] if name and (match := names.find(name)) else list(names.known())
    if name and not names.find(name):
        near = names.nearest(name)
        hint = f"Did you mean {', '.join(near)}? " if near else ""
        raise BirdsError(f"{name!r} is not in the list.", f"{hint}It can be scraped all the same, as typed.")
    rows = [(one.label, one.english, one.scientific, one.query) for one in found]
    console.result(
        {"species": [asdict(one) for one in found]}, table=(("label", "English", "scientific", "search term"), rows)
    )


def images(
    label: Annotated[str | None, typer.Option(help="Only this class.")] = None,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the pictures of the record with where each came from and why it was rejected.

    Example: birds images --label cigüeña --json
    """
    from dataclasses import asdict

    from .errors import ProjectError
    from .files import Project
    from .record import Record
    from .species import find

    console = Console(as_json=as_json, quiet=quiet)
    place = Project(project)
    if not place.record.is_file():
        raise ProjectError(
            f"{place.root.resolve()} holds no birds project yet.",
            "Start with `birds scrape`, or put pictures into images/<class>/ and run `birds clean`.",
        )
    known = find(label) if label else None
    with Record(place) as record:
        listed = record.files(label=known.label if known else label)
    rows = [
        (
            file.label,
            file.name,
            file.state,
            file.reason or "",
            f"{file.content.width}x{file.content.height}" if file.content.width else "-",
            file.provenance.image_url or file.provenance.source,
        )
        for file in listed
    ]
    titles = ("class", "file", "state", "reason", "pixels", "from")
    console.result({"images": [asdict(f) for f in listed]}, f"{len(rows)} pictures.", table=(titles, rows))
