"""The stage: species in, pictures under ``images/`` out, each with where it came from.

The stored set is the first N candidates in rank order that pass every check, committed in that order, however the
downloads finish. Run again, it adds what is missing and repeats nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from .. import files, images, net
from .. import species as species_names
from ..errors import SourceError, UsageError
from ..files import Project
from ..progress import SILENT, Bar, Progress
from ..reasons import Cause, Reason
from ..reconcile import reconcile
from ..record import Provenance, Record, State
from .candidates import Candidate, Source
from .download import Download, Fetch, download
from .google import GOOGLE_URL, GoogleImages

LIMIT = 100
SOURCES = ("google",)


@dataclass
class SpeciesResult:
    """What became of one species. ``stored`` counts what is in ``images/`` from this and earlier runs."""

    label: str
    query: str
    found: int = 0
    stored: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    stopped: Cause | None = None


@dataclass(frozen=True)
class ScrapeResult:
    """One entry a species, in the order asked for."""

    species: list[SpeciesResult]


class ScrapeStoppedError(SourceError):
    """A source stopped; ``result`` is what was got before, all of it kept."""

    def __init__(self, error: SourceError, result: ScrapeResult) -> None:
        super().__init__(error.message, error.hint, cause=error.cause)
        self.result = result
        self.partial = asdict(result)


def scrape(
    project: Path,
    *,
    species: Sequence[str],
    queries: Sequence[str] = (),
    limit: int = LIMIT,
    source: str = "google",
    google_url: str = GOOGLE_URL,
    allow_hosts: Iterable[str] = (),
    headed: bool = False,
    accept_missing: bool = False,
    only_if_changed: bool = False,
    progress: Progress = SILENT,
) -> ScrapeResult:
    """Search for each species and store up to `limit` pictures of it.

    Parameters
    ----------
    project : the project folder.
    species : names in any spelling; unknown ones are searched as typed.
    queries : search terms that override the species' own, one a species in the same order; "" keeps the usual one.
    limit : pictures a species.
    google_url : another server that behaves like Google Images, see ``birds gallery``.
    allow_hosts : ``HOST:PORT`` patterns the network guard lets through, see `net.parse_allowed_hosts`.
    headed : show the browser.
    accept_missing : pictures that vanished from images/ were removed on purpose.
    only_if_changed : do not repeat a search that was carried through with this limit or a higher one.

    Raises
    ------
    ScrapeStoppedError : a source was blocked or gave nothing; what was got is stored and in the error's ``result``.
    UsageError, ProjectError, BrowserError
    """
    targets = _targets(species, queries, progress)
    if limit < 1:
        raise UsageError(f"--limit is {limit}.", "Ask for one picture or more.")
    if source not in SOURCES:
        raise UsageError(f"There is no source {source!r}.", f"Sources: {', '.join(SOURCES)}.")
    place = Project(Path(project))
    session = net.make_session(net.parse_allowed_hosts(allow_hosts))
    fetch = partial(net.fetch, session)
    results = [SpeciesResult(label, query) for label, query in targets]
    failure: SourceError | None = None
    with place.locked("scrape"), Record(place) as record, session:
        reconcile(place, record, accept_missing=accept_missing)
        with closing(GoogleImages(place, base_url=google_url, headed=headed, progress=progress)) as google:
            for result in results:
                if only_if_changed and record.searched(result.label, source, result.query) >= limit:
                    result.stored = record.counts().get(result.label, 0)
                    progress.note(f"{result.label} is up to date: {result.stored} pictures.")
                    continue
                if failure and failure.cause is not Cause.NO_RESULTS:  # a block ends the source, not only this search
                    result.stopped = failure.cause
                    result.stored = record.counts().get(result.label, 0)
                    continue
                try:
                    _scrape_one(place, record, google, fetch, result, limit=limit, progress=progress)
                except SourceError as error:
                    result.stopped = error.cause
                    failure = error
    outcome = ScrapeResult(results)
    if failure:
        raise ScrapeStoppedError(failure, outcome)
    return outcome


def _targets(names: Sequence[str], queries: Sequence[str], progress: Progress) -> list[tuple[str, str]]:
    """(label, query) of each species, each label once."""
    if not names:
        raise UsageError("No species given.", "Example: birds scrape --species cigüeña")
    if queries and len(queries) != len(names):
        raise UsageError(
            f"{len(names)} species but {len(queries)} search terms.", "Give --query once for each --species."
        )
    targets: dict[str, str] = {}
    for name, query in zip(names, queries or [""] * len(names), strict=True):
        known = species_names.find(name)
        label = known.label if known else species_names.clean_label(name)
        if not known:
            near = species_names.nearest(name)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            progress.note(f"{name!r} is not in the list of species and is searched as typed.{hint}")
        targets[label] = query.strip() or (known.query if known else label)
    return list(targets.items())


def _scrape_one(
    project: Project,
    record: Record,
    source: Source,
    fetch: Fetch,
    result: SpeciesResult,
    *,
    limit: int,
    progress: Progress,
) -> None:
    """Fill one species up to `limit` pictures; `result` is updated as it goes, so that a failure loses no count."""
    label = result.label
    result.stored = record.counts().get(label, 0)
    if result.stored >= limit:
        record.remember_search(label, source.name, result.query, limit)
        return
    settled = record.settled_urls(label)
    refused: Counter[str] = Counter()
    strategies: Counter[str] = Counter()
    positions: dict[str, int] = {}

    def unseen() -> Iterator[Candidate]:
        for position, candidate in enumerate(source.search(result.query, limit), start=1):
            result.found = position
            strategies[candidate.strategy] += 1
            positions[candidate.url] = position
            if candidate.url not in settled:
                yield candidate

    with progress.bar(label, limit) as bar:
        bar.advance(result.stored)
        try:
            for done in download(unseen(), fetch):
                provenance = done.candidate.provenance(source.name, result.query, positions[done.candidate.url])
                reason = done.reason or _store(project, record, label, done, provenance)
                if reason:
                    refused[reason] += 1
                    record.remember_attempt(label, done.candidate.url, reason, is_passing=done.is_passing)
                else:
                    result.stored += 1
                _show(bar, result, refused, stored=not reason)
                if result.stored >= limit:
                    break
        finally:
            result.refused = dict(refused)
            result.strategies = dict(strategies)
    record.remember_search(label, source.name, result.query, limit)
    if result.stored < limit:
        progress.note(
            f"{label}: {result.stored} of the {limit} pictures asked for; the results of {result.query!r} ended."
        )


def _store(project: Project, record: Record, label: str, done: Download, provenance: Provenance) -> Reason | None:
    """Commit one picture: row pending, file, stored. Returns a reason where it is known under this label already."""
    content = done.content
    assert content is not None
    if record.knows(label, content.sha256):
        return Reason.EXACT_COPY
    name = f"{content.sha256[:16]}.jpg"  # the same picture always gets the same name, whatever run stores it
    if record.has_name(label, name):  # a person edited that file in place: it is another picture now
        name = f"{content.sha256}.jpg"
    path = project.images / label / name
    with record.transaction():
        picture = record.picture(content)
        file_id = record.add_file(
            label, name, sha256=images.sha256(done.jpeg), picture=picture, provenance=provenance, state=State.PENDING
        )
    files.write_bytes(path, done.jpeg)
    with record.transaction():
        record.update_file(file_id, state=State.STORED, mtime_ns=path.stat().st_mtime_ns)
        record.remember_attempt(label, done.candidate.url, None)
    return None


def _show(bar: Bar, result: SpeciesResult, refused: Counter[str], *, stored: bool) -> None:
    bar.describe(f"(found {result.found}, refused {refused.total()})")
    if stored:
        bar.advance()
