"""The stage: species in, pictures under ``images/`` out, each with where it came from.

The stored set is the first N candidates in rank order that pass every check, committed in that order, however the
downloads finish. Run again, it adds what is missing and repeats nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from .. import net
from .. import species as species_names
from ..errors import BirdsError, SourceError, UsageError
from ..files import Project
from ..licences import WANTED
from ..progress import SILENT, Progress
from ..reasons import Cause
from ..reconcile import reconcile
from ..record import Record
from ..robots import Robots
from .download import GAP_S, Downloader
from .gathering import Gathering, SpeciesResult, Target
from .saved_pages import SavedPages
from .sources import Surroundings, is_own, name_of, open_source, own_labels

LIMIT = 100
DEFAULT_SOURCES = ("google",)


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
    species: Sequence[str] = (),
    queries: Sequence[str] = (),
    limit: int = LIMIT,
    sources: Sequence[str] = DEFAULT_SOURCES,
    licence: str = "any",
    thumbnails: bool = False,
    google_url: str | None = None,
    source_urls: Mapping[str, str] | None = None,
    allow_hosts: Iterable[str] = (),
    proxy: str | None = None,
    browsers: int = 1,
    grid_url: str | None = None,
    headed: bool = False,
    save_pages: Path | None = None,
    accept_missing: bool = False,
    only_if_changed: bool = False,
    progress: Progress = SILENT,
) -> ScrapeResult:
    """Search for each species and store up to `limit` pictures of it.

    Parameters
    ----------
    project : the project folder.
    species : names in any spelling; unknown ones are searched as typed. Default: the labels that ``urls:FILE`` and
        ``folder:DIR`` have.
    queries : search terms that override the species' own, one a species in the same order; "" keeps the usual one.
    limit : pictures a species.
    sources : asked in turn until each species has its number, see `sources.SOURCES`.
    licence : ``any``; ``open``, a Creative Commons licence or the public domain; ``commercial``, those of them that
        allow commercial use. What cannot show a fitting licence is not downloaded.
    thumbnails : take thumbnails where Google shows nothing larger; they are marked by their strategy.
    google_url, source_urls : other servers that behave like Google Images, or like the source of that name.
    allow_hosts : ``HOST:PORT`` patterns the network guard lets through, see `net.parse_allowed_hosts`.
    proxy : for everything but the browser; the guard ends there.
    browsers : species searched side by side.
    grid_url : a Selenium Grid that has the browsers, in place of this computer.
    headed : show the browser.
    save_pages : a folder for every page that a source gives.
    accept_missing : pictures that vanished from images/ were removed on purpose.
    only_if_changed : do not repeat a search that was carried through with this limit or a higher one.

    Raises
    ------
    ScrapeStoppedError : a source was blocked or gave nothing, and no other made up for it; what was got is stored and
        in the error's ``result``.
    UsageError, ProjectError, BrowserError
    """
    for name, number in (("--limit", limit), ("--browsers", browsers)):
        if number < 1:
            raise UsageError(f"{name} is {number}.", "Ask for one or more.")
    place = Project(Path(project))
    urls = {**(source_urls or {}), **({"google": google_url} if google_url else {})}
    for name in (*urls, *sources):
        name_of(name)
    for name, url in urls.items():
        if not re.match(r"https?://[^/\s]", url):
            raise UsageError(f"{url!r} is no address of {name}.", "Example: http://127.0.0.1:8000")
    if save_pages and save_pages.exists() and not save_pages.is_dir():
        raise UsageError(f"{save_pages} is no folder.", "Give --save-pages a folder; it is made where it is missing.")
    session = net.make_session(net.parse_allowed_hosts(allow_hosts), proxy=proxy)
    around = Surroundings(
        place, session, urls, licence, thumbnails, headed, grid_url, SavedPages(save_pages, place.logs), progress
    )
    sources = _showing(licence, sources, around)
    targets = _targets(species or [label for one in sources for label in own_labels(one)], queries, progress)
    if unlabelled := [one for one in sources if len(targets) > 1 and is_own(one) and not own_labels(one)]:
        raise UsageError(
            f"{unlabelled[0]} has no labels, so its pictures cannot be told apart by species.",
            "Name one --species for it, or give the list a column label, the folder a sub-folder a species.",
        )
    if proxy:
        progress.note("The guard against private addresses ends at the proxy: it, not birds, resolves names.")
    with place.locked("scrape"), session:
        with Record(place) as record:
            reconcile(place, record, accept_missing=accept_missing)
        robots = Robots(session)
        downloader = Downloader(
            lambda url, holding: net.fetch(session, url, check=robots.check, holding=holding),
            place.staging("download"),
            gap_s=lambda url: max(GAP_S, robots.delay_s(url) or 0.0),
        )
        with downloader:
            gathering = Gathering(place, downloader, limit, licence, progress)
            results, failures = _gather(gathering, targets, sources, around, browsers, only_if_changed=only_if_changed)
    outcome = ScrapeResult(results)
    short = [one for one in results if one.stopped]
    if short:
        worst = next((one for one in short if one.stopped is not Cause.NO_RESULTS), short[0])
        reason = next(error for error in failures[worst.label] if error.cause is worst.stopped)
        raise ScrapeStoppedError(reason, outcome)
    return outcome


def _showing(licence: str, sources: Sequence[str], around: Surroundings) -> list[str]:
    """Those of the `sources` that can show the licence asked for; the others are left out with a note."""
    if licence not in WANTED:
        raise UsageError(f"There is no --licence {licence!r}.", f"Choose {', '.join(WANTED)}.")
    fitting = []
    for one in dict.fromkeys(sources):
        with closing(open_source(one, around)) as source:  # a missing list or folder is told before anything begins
            if skipped := getattr(source, "skipped", 0):
                around.progress.note(f"{one}: {skipped} lines without a web address or label are left out.")
            if licence == "any" or source.shows_licences:
                fitting.append(one)
            else:
                around.progress.note(f"{one} shows no licences, so it is not asked with --licence {licence}.")
    if not fitting:
        raise UsageError(
            f"With --licence {licence} nothing is left to ask.",
            "Add a source that shows licences: --source inaturalist, gbif, commons or openverse.",
        )
    return fitting


def _targets(names: Sequence[str], queries: Sequence[str], progress: Progress) -> list[Target]:
    """What to search for, each label once."""
    if not names:
        raise UsageError("No species given.", "Example: birds scrape --species cigüeña")
    if queries and len(queries) != len(names):
        raise UsageError(
            f"{len(names)} species but {len(queries)} search terms.", "Give --query once for each --species."
        )
    targets: dict[str, Target] = {}
    for name, query in zip(names, queries or [""] * len(names), strict=True):
        known = species_names.find(name)
        label = known.label if known else species_names.clean_label(name)
        if not known:
            near = species_names.nearest(name)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            progress.note(f"{name!r} is not in the list of species and is searched as typed.{hint}")
        own = query.strip()
        targets[label] = Target(
            label, own or (known.query if known else label), own or (known.scientific if known else label)
        )
    return list(targets.values())


def _gather(
    gathering: Gathering,
    targets: Sequence[Target],
    sources: Sequence[str],
    around: Surroundings,
    browsers: int,
    *,
    only_if_changed: bool,
) -> tuple[list[SpeciesResult], dict[str, list[SourceError]]]:
    """Fill every species, `browsers` side by side; what became of each, and by label why sources stopped."""
    results = [SpeciesResult(target.label, target.term) for target in targets]
    failures: dict[str, list[SourceError]] = {}
    pending: SimpleQueue[tuple[Target, SpeciesResult]] = SimpleQueue()
    for one in zip(targets, results, strict=True):
        pending.put(one)

    def work() -> None:
        with Record(gathering.project) as record, ExitStack() as open_ones:
            chain = [open_ones.enter_context(closing(open_source(one, around))) for one in sources]
            while not gathering.stopping.is_set():
                try:
                    target, result = pending.get_nowait()
                except Empty:
                    return
                result.query = target.query(chain[0].asks_by)
                if only_if_changed and gathering.is_up_to_date(target, chain, record):
                    result.stored = record.counts().get(target.label, 0)
                    around.progress.note(f"{target.label} is up to date: {result.stored} pictures.")
                else:
                    failures[target.label] = gathering.fill(target, result, chain, record)

    with ThreadPoolExecutor(min(browsers, len(targets)), thread_name_prefix="birds-species") as pool:
        threads = [pool.submit(work) for _ in range(min(browsers, len(targets)))]
        try:
            wait(threads, return_when=FIRST_EXCEPTION)
        finally:  # all done, or Ctrl-C, or one could not go on: the others end after the picture they are at
            gathering.stopping.set()
            gathering.downloader.stop()
    try:
        for thread in threads:
            thread.result()
    except BirdsError as error:  # a browser that died, say: what was got is told all the same
        error.partial = asdict(ScrapeResult(results))
        raise
    return results, failures
