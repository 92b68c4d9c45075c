"""One picture of each class to show beside an answer: from the project's record, where its licence allows that.

Only training pictures that are under an open licence, by what their source said, are shown: scaled down, encoded again
without EXIF, with their attribution. Those of the test set stay out, so that nobody learns them by heart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..files import Project
from ..images import read_plain, scaled_down
from ..licences import credit, fits, licence_name, licence_url
from ..moves import image_path
from ..record import PictureFile, Record, State

SIDE = 320  # pixels of the longer side
_LONGEST = 300  # characters of a name or title; strangers wrote it


@dataclass(frozen=True)
class Example:
    """A picture of a class and what has to stand beside it.

    Attributes
    ----------
    version : changes with the picture, for its address.
    attribution : as its source words it, else author, licence and source.
    licence : as people write it, with ``licence_url`` where the deed's address is known.
    """

    file: PictureFile
    version: str
    attribution: str
    licence: str
    title: str | None = None
    author: str | None = None
    licence_url: str | None = None
    page_url: str | None = None


def examples(project: Project, labels: Sequence[str]) -> dict[str, Example]:
    """The example of each label that has one. Empty without a record."""
    if not project.record.is_file():  # opening it would make it
        return {}
    with Record(project) as record:
        parts = record.split_parts()
        liked = record.accepted_by_a_person()
        stored = record.files(State.STORED)
    wanted = set(labels)
    usable: dict[str, list[PictureFile]] = {}
    for file in stored:
        if file.label in wanted and parts.get(file.id) == "train" and fits(file.provenance.licence, "open"):
            usable.setdefault(file.label, []).append(file)
    return {label: _example(min(files, key=lambda file: _order(file, liked))) for label, files in usable.items()}


def rendered(project: Project, example: Example) -> bytes:
    """A JPEG of at most `SIDE` by `SIDE` pixels without EXIF. Raises `ImageError` where the file is gone."""
    return scaled_down(read_plain(image_path(project, example.file)), SIDE)


def _order(file: PictureFile, liked: set[tuple[int, str]]) -> tuple[object, ...]:
    """The freest licence first, then what a person kept, then the largest."""
    elements = str(file.provenance.licence).split("-")
    shorter_side = min(file.content.width or 0, file.content.height or 0)
    has_terms = ("nc" in elements) + ("nd" in elements)
    return has_terms, (file.picture, file.label) not in liked, -shorter_side, file.name


def _example(file: PictureFile) -> Example:
    origin = file.provenance
    code = str(origin.licence)
    author = _plain(origin.author)
    return Example(
        file=file,
        version=file.sha256[:12],
        attribution=_plain(origin.attribution) or credit(author, code, origin.source),
        licence=licence_name(code),
        title=_plain(origin.title),
        author=author,
        licence_url=_web_address(origin.licence_url) or licence_url(code),
        page_url=_web_address(origin.page_url),
    )


def _plain(text: str | None) -> str | None:
    """`text` on one line, without what cannot be seen or turns the line's direction around; None for nothing."""
    visible = "".join(c for c in " ".join((text or "").split()) if c.isprintable())
    return visible[:_LONGEST] or None


def _web_address(url: str | None) -> str | None:
    """`url` where a link may lead there: not a path on this computer, not a script."""
    return url if url and url.startswith(("http://", "https://")) else None
