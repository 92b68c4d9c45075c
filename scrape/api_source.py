"""What the sources with a documented JSON API share: how one is made, and the way through its pages."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import SourceError
from ..reasons import Cause
from .api import CHANGED, TRY_LATER, JsonApi, Params
from .candidates import AsksBy, Candidate, Page
from .saved_pages import SavedPages

if TYPE_CHECKING:
    import requests


class ApiSource:
    """A source with a JSON API, but for `search`.

    Parameters
    ----------
    session : a guarded one, of `net.make_session`.
    base_url : where the API is; default `default_url`.
    licence : see `licences.WANTED`; the API is asked to narrow the search where it can.
    saved : where answers are kept.
    gap_s : seconds between requests; default `default_gap_s`.
    """

    name: str
    default_url: str
    default_gap_s: float
    asks_by = AsksBy.SCIENTIFIC_NAME
    shows_licences = True

    def __init__(
        self,
        session: "requests.Session",
        *,
        base_url: str | None = None,
        licence: str = "any",
        saved: SavedPages | None = None,
        gap_s: float | None = None,
    ) -> None:
        self._api = JsonApi(session, base_url or self.default_url, gap_s=self.default_gap_s if gap_s is None else gap_s)
        self._licence = licence
        self._saved = saved

    def _taxon(self, query: str, path: str, params: Params, parse: Callable[[str], int | Cause], hint: str) -> int:
        """The number that the API has for the taxon called `query`."""
        text = self._api.get(path, params)
        if self._saved:
            self._saved.keep(self.name, query, text, ".json")
        taxon = parse(text)
        if not isinstance(taxon, Cause):
            return taxon
        if taxon is Cause.NO_RESULTS:
            raise nothing_found(self.name, query, hint)
        raise stopped(self.name, taxon, text, self._saved)

    def close(self) -> None:
        """Nothing to let go of: the session is its maker's."""


def read_pages(
    source: str, query: str, ask: Callable[[str | None], str], parse: Callable[[str], Page], saved: SavedPages | None
) -> Iterator[Candidate]:
    """The candidates of one page after the other, each picture once, a page being fetched when it is needed.

    Parameters
    ----------
    source, query : as in messages and in the names of saved pages.
    ask : fetches a page; given None for the first, then what the last one said of its `following`.
    parse : reads it.

    Raises
    ------
    SourceError : no candidate on any page, or a page that says or shows why it has none.
    """
    seen: set[str] = set()
    following: str | None = None
    while True:
        text = ask(following)
        if saved:
            saved.keep(source, query, text, ".json")
        page = parse(text)
        if page.cause and page.cause is not Cause.NO_RESULTS:
            raise stopped(source, page.cause, text, saved)
        for candidate in page.candidates:
            if candidate.url not in seen:
                seen.add(candidate.url)
                yield candidate
        if page.following in {None, following}:
            break
        following = page.following
    if not seen:
        raise nothing_found(source, query)


def batch(limit: int, most: int) -> int:
    """How many results to ask for at once when `limit` pictures are wanted: a few more, as some will be refused."""
    return min(limit + limit // 4 + 5, most)


def stopped(source: str, cause: Cause, text: str, saved: SavedPages | None) -> SourceError:
    """The error for an answer with `cause`; one that was not understood is saved for whoever mends the parser."""
    if cause is not Cause.UNKNOWN_LAYOUT:
        return SourceError(f"{source} stopped: {cause.value}.", TRY_LATER, cause=cause)
    hint = CHANGED
    if saved:
        hint = f"The answer is kept in {saved.keep_unreadable(source, text, '.json')}."
    return SourceError(f"The answer of {source} was not understood.", hint, cause=cause)


def nothing_found(source: str, query: str, hint: str = "Try another name or another source.") -> SourceError:
    """The error for a search without a candidate."""
    return SourceError(f"{source} has no pictures of {query!r}.", hint, cause=Cause.NO_RESULTS)
