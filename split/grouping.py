"""Which pictures belong on one side of a split, whatever their labels, and which stand under two labels.

What belongs together: near-duplicates; photographs of one observation; pictures of one page by one author; a person's
own photographs by one camera within a minute of each other; and, with ``--group-by``, what a person says.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from .. import duplicates
from ..errors import ProjectError, UsageError
from ..files import Project
from ..moves import current_path
from ..record import PictureFile, Provenance, Record
from .capture import capture_of, series

FOLDER = "folder"
COLUMNS = tuple(field.name for field in fields(Provenance))
_OWN = ("local", "folder")  # sources of a person's own photographs


@dataclass(frozen=True)
class Grouping:
    """Files that belong together.

    Attributes
    ----------
    near_duplicates : pairs that show one shot.
    series : why -> sets of two or more: ``observation``, ``page``, ``camera``, ``group_by``.
    """

    near_duplicates: list[tuple[PictureFile, PictureFile]]
    series: dict[str, list[list[PictureFile]]]

    def ties(self) -> list[tuple[int, ...]]:
        """All of it as sets of file ids."""
        sets = (*self.near_duplicates, *(one for of_reason in self.series.values() for one in of_reason))
        return [tuple(file.id for file in one) for one in sets]

    def counts(self) -> dict[str, int]:
        """Why -> number of pairs of near-duplicates, and of series."""
        return {"near_duplicate": len(self.near_duplicates), **{why: len(sets) for why, sets in self.series.items()}}


def check_group_by(group_by: str | None) -> None:
    """Raise UsageError unless `group_by` is None, ``folder`` or a column of the record's provenance."""
    if group_by is not None and group_by != FOLDER and group_by not in COLUMNS:
        raise UsageError(
            f"Pictures cannot be grouped by {group_by!r}.",
            f"Give {FOLDER} (where --source folder:DIR brought a picture from) or one of {', '.join(COLUMNS)}.",
        )


def group(project: Project, record: Record, files: Sequence[PictureFile], group_by: str | None = None) -> Grouping:
    """What of `files` belongs together.

    Parameters
    ----------
    group_by : ``folder``, or a column of `Provenance` whose equal values join pictures; see `check_group_by`.

    Raises
    ------
    ProjectError : no picture has what `group_by` names.
    """
    found = {
        "observation": _equal(files, lambda file: _all(file.provenance.source, file.provenance.observation)),
        "page": _equal(files, lambda file: _all(file.provenance.page_url, file.provenance.author)),
        "camera": _by_camera(project, files),
    }
    if group_by is not None:
        key = _folder if group_by == FOLDER else lambda file: getattr(file.provenance, group_by)
        if all(key(file) is None for file in files):
            raise ProjectError(
                f"No picture has any {group_by}, so --group-by {group_by} joins none.",
                "`birds images --json` shows what is known of each.",
            )
        found["group_by"] = _equal(files, key)
    pairs = duplicates.near_duplicates(record, files)  # however long their chains: a split without leaks comes first
    return Grouping([(pair.first, pair.second) for pair in pairs], found)


def _equal(files: Iterable[PictureFile], key: Callable[[PictureFile], Hashable | None]) -> list[list[PictureFile]]:
    """Two or more files with the same key each; None is the key of nothing."""
    found = defaultdict(list)
    for file in files:
        if (value := key(file)) is not None:
            found[value].append(file)
    return [together for together in found.values() if len(together) > 1]


def _all(*values: str | None) -> tuple[str | None, ...] | None:
    return values if all(values) else None


def _folder(file: PictureFile) -> str | None:
    """The folder that ``scrape/picture_folder.py`` found it in."""
    url = file.provenance.image_url
    if file.provenance.source != "folder" or not url:
        return None
    return str(Path(urlsplit(url).path).parent)


def _by_camera(project: Project, files: Iterable[PictureFile]) -> list[list[PictureFile]]:
    own = {file.id: file for file in files if file.provenance.source in _OWN}
    captures = ((id_, capture_of(current_path(project, file))) for id_, file in own.items())
    found = series((id_, capture) for id_, capture in captures if capture)
    return [[own[id_] for id_ in together] for together in found]
