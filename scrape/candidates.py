"""What a source of pictures gives, and what a source is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..record import Provenance


@dataclass(frozen=True)
class Candidate:
    """One search result, before anything was downloaded.

    Attributes
    ----------
    url : of the full-size picture.
    strategy : which way of reading the source gave it (``inline``, ``xhr``, ...), so that a redesign can be traced.
    width, height : pixels, as the source claims.
    observation : id of the observation or occurrence, where the source has such.
    """

    url: str
    strategy: str
    thumbnail: str | None = None
    page_url: str | None = None
    title: str | None = None
    author: str | None = None
    licence: str | None = None
    observation: str | None = None
    width: int | None = None
    height: int | None = None

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
            observation=self.observation,
        )


class Source(Protocol):
    """Anything that can be searched for pictures."""

    name: str

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
