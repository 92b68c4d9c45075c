"""A list of picture addresses that a person has: ``--source urls:FILE``.

Either text, one URL a line, with blank lines and ``# comments``; or a table with a header: CSV or TSV, columns in any
order and case, separated by comma, semicolon or tab.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import SourceError, UsageError
from ..licences import licence_code, licence_url
from ..reasons import Cause
from .candidates import AsksBy, Candidate
from .labelled import LabelledCandidates

_TABLES = (".csv", ".tsv")
_PICTURE_COLUMNS = ("image_url", "url")  # where a table has both, as iNaturalist's exports do, `url` is the page
_SEPARATORS = ",;\t"
_COLUMNS = "url, label, licence, author, page_url, title"


@dataclass
class ListedUrls:
    """What a list holds. ``skipped`` counts its lines without a usable web address or label."""

    candidates: LabelledCandidates = field(default_factory=LabelledCandidates)
    skipped: int = 0


class UrlList:
    """The URLs of a file, by label where it has such a column.

    Attributes
    ----------
    skipped : lines without a usable web address (``file:`` is none) or label.

    Raises
    ------
    UsageError : the file is missing, is not UTF-8, or is a table without a column of URLs.
    """

    name = "urls"
    asks_by = AsksBy.LABEL
    shows_licences = True

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text = path.expanduser().read_bytes().decode("utf-8-sig")
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            detail = getattr(error, "strerror", None) or error
            raise UsageError(
                f"The list {str(path)!r} cannot be read: {detail}.", "Give a text or CSV file: --source urls:FILE."
            ) from error
        except UnicodeDecodeError as error:
            raise UsageError(
                f"The list {str(path)!r} is not UTF-8 text.", "Save it as UTF-8, one URL a line or as CSV."
            ) from error
        listed = parse(text, is_table=path.suffix.lower() in _TABLES)
        if listed is None:
            raise UsageError(
                f"The table {str(path)!r} has no column of URLs.", f"Give it a header line; columns: {_COLUMNS}."
            )
        self._candidates = listed.candidates
        self.skipped = listed.skipped

    def labels(self) -> list[str]:
        """The labels of the list, in its order; none where it has no such column."""
        return self._candidates.labels()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. All rows of the label `query`; every row where the list has no labels."""
        del limit  # nothing is fetched
        candidates = self._candidates.of(query)
        if not candidates:
            raise SourceError(
                f"The list {str(self._path)!r} has no usable URL for {query!r}.",
                f"Its labels: {', '.join(self.labels()) or 'none'}; lines that were skipped: {self.skipped}.",
                cause=Cause.NO_RESULTS,
            )
        yield from candidates

    def close(self) -> None:
        """Nothing is held."""


def parse(text: str, *, is_table: bool = False) -> ListedUrls | None:
    """What a list's `text` holds; None for a table that cannot be read or has no column of URLs.

    `is_table` says that there must be a header; without it, a first line that reads like one makes the text a table.
    """
    rows = _rows(text)
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    picture = next((column for column in _PICTURE_COLUMNS if column in header), None)
    if picture is None:
        return None if is_table else _from_lines(text)
    listed = ListedUrls()
    for row in rows[1:]:
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        candidate = _candidate(cells, picture)
        label = cells.get("label", "") if "label" in header else None
        if not candidate or not listed.candidates.add(candidate, label):
            listed.skipped += 1
    return listed


def _rows(text: str) -> list[list[str]]:
    """The rows of `text` read as a table, blank ones left out; none where it is not well formed."""
    header = text.lstrip().partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    try:
        return [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(map(str.strip, row))
        ]
    except csv.Error:
        return []


def _from_lines(text: str) -> ListedUrls:
    listed = ListedUrls()
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if _is_web_address(line):
            listed.candidates.add(Candidate(url=line, strategy="list"))
        else:
            listed.skipped += 1
    return listed


def _candidate(cells: Mapping[str, str], picture: str) -> Candidate | None:
    if not _is_web_address(cells.get(picture, "")):
        return None
    page = cells.get("page_url") or (cells.get("url", "") if picture != "url" else "")
    licence_text = cells.get("licence") or cells.get("license", "")
    licence = licence_code(licence_text)
    return Candidate(
        url=cells[picture],
        strategy="list",
        page_url=page if _is_web_address(page) else None,
        title=cells.get("title") or None,
        author=cells.get("author") or None,
        licence=licence,
        licence_url=licence_text if _is_web_address(licence_text) else licence_url(licence) if licence else None,
    )


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname) and text.isprintable()
