"""Pictures that are on this computer already: ``--source folder:DIR``.

Either ``DIR/<label>/*``, the folders named by label in any spelling, or a flat folder whose pictures are of whatever
label is asked for. Whether a file is a picture is decided later, by its content.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import SourceError, UsageError
from ..reasons import Cause
from .candidates import AsksBy, Candidate
from .labelled import LabelledCandidates


class PictureFolder:
    """The files of a folder, by label where it has sub-folders; files beside sub-folders are left alone.

    Hidden files, and links that lead out of the folder, are not followed.

    Raises
    ------
    UsageError : there is no such folder, or it cannot be read.
    """

    name = "folder"
    asks_by = AsksBy.LABEL
    shows_licences = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._candidates = LabelledCandidates()
        try:
            root = path.expanduser().resolve(strict=True)
            folders: list[tuple[str | None, Path]] = [(name, one) for name, one in _shown(root, root) if one.is_dir()]
            for name, folder in folders or [(None, root)]:
                for file_name, file in _shown(folder, root):
                    if file.is_file():
                        self._candidates.add(_candidate(file_name, file), name)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            detail = getattr(error, "strerror", None) or error
            raise UsageError(
                f"The folder {str(path)!r} cannot be read: {detail}.", "Give a folder of pictures: --source folder:DIR."
            ) from error

    def labels(self) -> list[str]:
        """The labels that have files, in natural order; none where the folder is flat."""
        return self._candidates.labels()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. All files of the label `query`; every file where the folder is flat."""
        del limit  # nothing is fetched
        candidates = self._candidates.of(query)
        if not candidates:
            raise SourceError(
                f"The folder {str(self._path)!r} has no files for {query!r}.",
                f"Its labels: {', '.join(self.labels()) or 'none'}.",
                cause=Cause.NO_RESULTS,
            )
        yield from candidates

    def close(self) -> None:
        """Nothing is held."""


def _shown(folder: Path, root: Path) -> list[tuple[str, Path]]:
    """(name, where it really is) of what is not hidden in `folder` and lies within `root`, in natural order."""
    shown = []
    for entry in folder.iterdir():
        real = Path(os.path.realpath(entry)) if entry.is_symlink() else entry
        if not entry.name.startswith(".") and real.is_relative_to(root):
            shown.append((entry.name, real))
    return sorted(shown, key=lambda pair: _natural(pair[0]))


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts ``stork2`` before ``stork10``."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def _candidate(name: str, file: Path) -> Candidate:
    title = os.fsencode(name).decode(errors="replace")  # a name may be no UTF-8, the record is
    return Candidate(url=file.as_uri(), strategy="folder", title=title, path=file)
