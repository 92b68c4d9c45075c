"""Filling one species up to its number from a chain of sources, each picture committed before the next.

Several species may be filled side by side, each thread with its own sources and connection to the record; a source
that blocks is left alone by all of them.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .. import files
from ..errors import SourceError
from ..files import Project
from ..licences import fits
from ..progress import Bar, Progress
from ..reasons import Cause, Reason
from ..record import Provenance, Record, State
from .candidates import AsksBy, Candidate, Source
from .download import Download, Downloader

_ENDS_ONE_SEARCH = (Cause.NO_RESULTS,)  # any other cause ends the source


@dataclass(frozen=True)
class Target:
    """One species to search for. ``term`` and ``scientific`` are both what a person gave with ``--query``, if so."""

    label: str
    term: str
    scientific: str

    def query(self, asks_by: AsksBy) -> str:
        """The name that a source wants."""
        return {AsksBy.TERM: self.term, AsksBy.SCIENTIFIC_NAME: self.scientific, AsksBy.LABEL: self.label}[asks_by]


@dataclass
class SpeciesResult:
    """What became of one species.

    Attributes
    ----------
    query : what the first source was asked.
    found : search results seen, of all sources.
    downloaded : pictures fetched and decoded, copies of stored ones included.
    stored : pictures in ``images/`` from this and earlier runs.
    refused : results that were not stored, by reason.
    strategies, sources : where the results, and where the pictures stored in this run, came from.
    stopped : why it has fewer pictures than asked for, where that was not simply the end of the results.
    """

    label: str
    query: str
    found: int = 0
    downloaded: int = 0
    stored: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    stopped: Cause | None = None


@dataclass(frozen=True)
class Gathering:
    """What all species of one scrape share.

    Attributes
    ----------
    blocked : why a source stopped, by its name; nothing asks it again.
    stopping : set when the scrape is to end early.
    """

    project: Project
    downloader: Downloader
    limit: int
    licence: str
    progress: Progress
    blocked: dict[str, SourceError] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def fill(self, target: Target, result: SpeciesResult, chain: Sequence[Source], record: Record) -> list[SourceError]:
        """Ask each source of the `chain` in turn until `result` has its number; returns why sources stopped.

        `result` is updated as it goes, so that a failure loses no count.
        """
        result.stored = record.counts().get(target.label, 0)
        failures: list[SourceError] = []
        passing: list[Reason] = []
        with self.progress.bar(target.label, self.limit) as bar:
            bar.advance(result.stored)
            for source in chain:
                if result.stored >= self.limit or self.stopping.is_set():
                    break
                if source.name in self.blocked:
                    failures.append(self.blocked[source.name])
                    continue
                try:
                    self._search(source, target, result, record, bar=bar, passing=passing)
                except SourceError as error:
                    failures.append(error)
                    if error.cause not in _ENDS_ONE_SEARCH:
                        self.blocked[source.name] = error
                    if len(chain) > 1:
                        self.progress.note(f"{target.label}: {error.message}")
        if result.stored < self.limit:
            result.stopped = _cause(failures, len(chain))
        if not self.stopping.is_set() and not result.stopped:
            self._conclude(target, result, chain)
            if result.stored >= self.limit or not passing:  # else it is worth asking again
                for source in chain:
                    record.remember_search(target.label, source.name, self.search_key(source, target), self.limit)
        return failures

    def search_key(self, source: Source, target: Target) -> str:
        """What is remembered of a search: the query, and the licence where one was wanted."""
        query = target.query(source.asks_by)
        return query if self.licence == "any" else f"{query} ({self.licence})"

    def is_up_to_date(self, target: Target, chain: Sequence[Source], record: Record) -> bool:
        """Whether this was carried through before. A person's own list or folder is looked at each time."""
        return all(
            source.asks_by is not AsksBy.LABEL
            and record.searched(target.label, source.name, self.search_key(source, target)) >= self.limit
            for source in chain
        )

    def _conclude(self, target: Target, result: SpeciesResult, chain: Sequence[Source]) -> None:
        if len(result.sources) > 1:
            shares = ", ".join(f"{n} from {name}" for name, n in result.sources.items())
            self.progress.note(f"{target.label}: {shares}.")
        if result.stored < self.limit:
            self.progress.note(
                f"{target.label}: {result.stored} of the {self.limit} pictures asked for; "
                f"the results of {', '.join(source.name for source in chain)} ended."
            )

    def _search(
        self, source: Source, target: Target, result: SpeciesResult, record: Record, *, bar: Bar, passing: list[Reason]
    ) -> None:
        """Take from one source what it has; `passing` learns which refusals another run may not meet."""
        query = target.query(source.asks_by)
        settled = record.settled_urls(target.label)
        refused, strategies = Counter(result.refused), Counter(result.strategies)
        positions: dict[str, int] = {}

        def refuse(url: str, reason: Reason, *, is_passing: bool) -> None:
            refused[reason] += 1
            if is_passing and reason is not Reason.LICENCE:
                passing.append(reason)
            record.remember_attempt(target.label, url, reason, is_passing=is_passing)

        def unseen() -> Iterator[Candidate]:
            for position, candidate in enumerate(source.search(query, self.limit), start=1):
                if self.stopping.is_set():
                    return
                if source.name in self.blocked:  # found out by another thread
                    raise self.blocked[source.name]
                result.found += 1
                strategies[candidate.strategy] += 1
                if candidate.url in settled:
                    continue
                if fits(candidate.licence, self.licence):
                    positions.setdefault(candidate.url, position)
                    yield candidate
                else:
                    refuse(candidate.url, Reason.LICENCE, is_passing=True)

        try:
            for done in self.downloader.download(unseen(), lambda: self.limit - result.stored):
                result.downloaded += done.staged is not None
                provenance = done.candidate.provenance(source.name, query, positions[done.candidate.url])
                reason = done.reason or _store(self.project, record, target.label, done, provenance)
                if reason:  # --allow-host may let the address through another time
                    is_passing = done.is_passing or reason is Reason.FORBIDDEN_ADDRESS
                    refuse(done.candidate.url, reason, is_passing=is_passing)
                bar.describe(f"(found {result.found}, downloaded {result.downloaded}, refused {refused.total()})")
                if not reason:
                    result.stored += 1
                    result.sources[source.name] = result.sources.get(source.name, 0) + 1
                    bar.advance()
                if result.stored >= self.limit:
                    break
        finally:
            result.refused, result.strategies = dict(refused), dict(strategies)


def _cause(failures: Sequence[SourceError], sources: int) -> Cause | None:
    """Why a species is short: the first block; 'no results' only where no source had any."""
    blocks = [error.cause for error in failures if error.cause not in _ENDS_ONE_SEARCH]
    if blocks:
        return blocks[0]
    return Cause.NO_RESULTS if failures and len(failures) == sources else None


def _store(project: Project, record: Record, label: str, done: Download, provenance: Provenance) -> Reason | None:
    """Commit one picture: row pending, file, stored. Returns a reason where it is known under this label already."""
    content, staged = done.content, done.staged
    assert content is not None
    assert staged is not None
    if record.knows(label, content.sha256):
        staged.unlink()
        return Reason.EXACT_COPY
    name = f"{content.sha256[:16]}.jpg"  # the same picture always gets the same name, whatever run stores it
    if record.has_name(label, name):  # a person edited that file in place: it is another picture now
        name = f"{content.sha256}.jpg"
    path = project.images / label / name
    with record.transaction():
        picture = record.picture(content)
        file_id = record.add_file(
            label, name, sha256=done.sha256, picture=picture, provenance=provenance, state=State.PENDING
        )
    files.put_in_place(staged, path)
    with record.transaction():
        record.update_file(file_id, state=State.STORED, mtime_ns=path.stat().st_mtime_ns)
        record.remember_attempt(label, done.candidate.url, None)
    return None
