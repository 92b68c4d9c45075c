"""How a stage tells what it is doing, without knowing whether anybody looks.

A stage takes a `Progress` and calls `note` and `bar`; this base class keeps silent, ``console.py`` has the one that
draws bars on a terminal and writes plain lines elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Bar:
    """One task under way."""

    def advance(self, n: int = 1) -> None:
        """`n` more units are done."""

    def describe(self, text: str) -> None:
        """Change what stands beside the bar."""


class Progress:
    """Says nothing. The default of every stage."""

    def note(self, text: str) -> None:
        """One line a person should see."""

    @contextmanager
    def bar(self, title: str, total: int | None = None) -> Iterator[Bar]:
        """A task of `total` units, or of unknown length."""
        del title, total
        yield Bar()


SILENT = Progress()
