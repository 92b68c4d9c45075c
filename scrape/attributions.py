"""``ATTRIBUTIONS.csv`` and ``ATTRIBUTIONS.md``: who made each stored picture and under which licence, from the record.

Both are written anew each time and go with the pictures wherever they are shown. Titles and names come from strangers:
in the table they cannot become formulas, on the page they cannot become markup.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from ..errors import ProjectError
from ..files import Project, write_bytes
from ..licences import licence_name, licence_url
from ..reconcile import reconcile
from ..record import PictureFile, Record, State
from ..tables import as_csv

_COLUMNS = (
    "label", "file", "title", "author", "licence", "licence_url", "attribution", "source", "page_url", "image_url",
    "added_at",
)  # fmt: skip
_NO_LICENCE = "no licence known"


@dataclass(frozen=True)
class AttributionsResult:
    """The files written, and how many pictures they list; ``without_licence`` of them have none that is known."""

    files: list[str]
    pictures: int
    without_licence: int


def write_attributions(project: Path) -> AttributionsResult:
    """Write both files into the project folder, for every picture under ``images/``.

    Raises
    ------
    ProjectError : there is no record, or another command is changing the project.
    """
    place = Project(Path(project))
    if not place.record.is_file():
        raise ProjectError(
            f"{place.root.resolve()} has no record of where pictures came from.", "Start with `birds scrape`."
        )
    with place.locked("attributions"), Record(place) as record:
        reconcile(place, record)  # what a person removed or renamed since
        stored = record.files(State.STORED)
    table, page = place.root / "ATTRIBUTIONS.csv", place.root / "ATTRIBUTIONS.md"
    without_licence = sum(not file.provenance.licence for file in stored)
    write_bytes(table, _table(stored).encode())
    write_bytes(page, _page(stored, without_licence).encode())
    return AttributionsResult([str(table), str(page)], len(stored), without_licence)


def _table(stored: Sequence[PictureFile]) -> str:
    return as_csv(_COLUMNS, map(_row, stored))


def _row(file: PictureFile) -> tuple[str | None, ...]:
    origin = file.provenance
    return (
        file.label, _path(file), origin.title, origin.author, origin.licence, _deed(file), origin.attribution,
        origin.source, _web_address(origin.page_url), _web_address(origin.image_url), file.added_at,
    )  # fmt: skip


def _page(stored: Sequence[PictureFile], without_licence: int) -> str:
    lines = [
        "# Attributions",
        "",
        f"Pictures: {len(stored)}. With {_NO_LICENCE}: {without_licence}; nobody has said that those may be used.",
    ]
    for label, pictures in groupby(stored, key=lambda file: file.label):
        lines += ["", f"## {_escaped(label)}", "", *map(_line, pictures)]
    return "\n".join(lines) + "\n"


def _line(file: PictureFile) -> str:
    """One picture: what it is, who made it, its licence, and where it was found."""
    return f"- {_link(file.name, quote(_path(file)))}: {'; '.join(_statements(file))}"


def _statements(file: PictureFile) -> Iterator[str]:
    origin = file.provenance
    if origin.title:
        yield f"“{_escaped(origin.title)}”"
    if origin.author:
        yield f"by {_escaped(origin.author)}"
    yield _link(licence_name(origin.licence), _deed(file)) if origin.licence else _NO_LICENCE
    if origin.attribution:
        yield _escaped(origin.attribution)
    yield f"from {_escaped(origin.source)}"
    yield from (
        _link(text, address)
        for text, address in (("page", _web_address(origin.page_url)), ("picture", _web_address(origin.image_url)))
        if address
    )


def _path(file: PictureFile) -> str:
    return f"images/{file.label}/{file.name}"


def _deed(file: PictureFile) -> str:
    """Where the licence can be read; empty where that is not known."""
    licence = file.provenance.licence
    return _web_address(file.provenance.licence_url) or (licence and licence_url(licence)) or ""


def _web_address(url: str | None) -> str:
    """`url` where others can follow it: not a path on this computer, not a script."""
    return url if url and url.startswith(("http://", "https://")) else ""


def _link(text: str, address: str) -> str:
    if not address:
        return _escaped(text)
    followed = quote(address, safe="%/:?#@!$&*+,;=~").replace("&", "&amp;")
    return f"[{_escaped(text)}]({followed})"


def _escaped(text: str) -> str:
    """`text` on one line, for Markdown: what could be markup, of Markdown or HTML, is a numeric reference."""
    visible = "".join(c for c in " ".join(text.split()) if c.isprintable())  # nor turn the line's direction around
    return re.sub(r"(?![,.'()-])[!-/:-@\[-`{-~]", lambda mark: f"&#{ord(mark[0])};", visible)
