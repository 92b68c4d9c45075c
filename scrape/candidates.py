"""What a source of pictures gives, and what a source is."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ..reasons import Cause
from ..record import Provenance


class AsksBy(StrEnum):
    """Which of a species' names a source is asked by."""

    TERM = "term"  # the search term: "white stork bird"
    SCIENTIFIC_NAME = "scientific_name"  # "Ciconia ciconia"; the label where it is not known
    LABEL = "label"  # "cigüeña", as the person's own list or folder has it


@dataclass(frozen=True)
class Candidate:
    """One search result, before anything was downloaded.

    Attributes
    ----------
    url : of the full-size picture.
    strategy : which way of reading the source gave it (``inline``, ``xhr``, ...), so that a redesign can be traced.
    licence : the picture's own, as `licences.licence_code` writes it (``cc-by-4.0``); None where none is shown.
    licence_url : where the licence can be read.
    attribution : the line that the source asks to be shown with the picture.
    observation : id of the observation or occurrence, where the source has such.
    width, height : pixels, as the source claims.
    path : the file itself, for pictures that are on this computer already; nothing is fetched then.
    """

    url: str
    strategy: str
    thumbnail: str | None = None
    page_url: str | None = None
    title: str | None = None
    author: str | None = None
    licence: str | None = None
    licence_url: str | None = None
    attribution: str | None = None
    observation: str | None = None
    width: int | None = None
    height: int | None = None
    path: Path | None = None

    def provenance(self, source: str, query: str, position: int) -> Provenance:
        """The row for the record; `position` is the rank in the results, from 1."""
        return Provenance(
            source=source,
            query=query,
            position=position,
            strategy=self.strategy,
            image_url=self.url,
            page_url=self.page_url,
            title=self.title,
            author=self.author,
            licence=self.licence,
            licence_url=self.licence_url,
            attribution=self.attribution,
            observation=self.observation,
        )


@dataclass(frozen=True)
class Page:
    """What one page or answer of a source says, as its module's ``parse`` reads it.

    Attributes
    ----------
    candidates : in rank order, each picture once.
    cause : why there are none, where the page says so or cannot be understood.
    following : what the source needs to ask for the page after this one; None on the last.
    """

    candidates: tuple[Candidate, ...] = ()
    cause: Cause | None = None
    following: str | None = None


class Source(Protocol):
    """Anything that can be searched for pictures.

    Attributes
    ----------
    name : as given to ``--source``, without what follows a colon.
    asks_by : which name of a species `search` wants.
    shows_licences : whether its candidates can carry a licence at all.
    """

    name: str
    asks_by: AsksBy
    shows_licences: bool

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """Candidates in rank order, fetched as they are asked for; a little over `limit` is a good batch to aim at.

        Raises
        ------
        SourceError : blocked, unreachable or not understood; what came before stays good.
        """
        ...

    def close(self) -> None:
        """Let go of browsers and connections."""
        ...
