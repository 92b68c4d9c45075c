"""Pages as a source gave them, on disk: all of them where a person asks for it, and each that could not be read.

With them a redesign can be diagnosed and mended without the source: see ``birds scrape --from-page``.
"""

import re
import threading
from itertools import count
from pathlib import Path

from .. import files


class SavedPages:
    """Where pages are saved. May be used from several threads.

    Parameters
    ----------
    folder : for every page; None to keep only those that cannot be read.
    logs : for those that cannot be read.
    """

    def __init__(self, folder: Path | None, logs: Path) -> None:
        self._folder = folder
        self._logs = logs
        self._numbers = count(1)
        self._lock = threading.Lock()

    def keep(self, source: str, query: str, text: str, suffix: str = ".html") -> None:
        """Save `text` as ``0001-google-white-stork.html``, where a folder for all pages was given."""
        if self._folder is None:
            return
        words = "-".join(re.findall(r"\w+", query))[:60]
        with self._lock:
            path = self._folder / f"{next(self._numbers):04}-{source}-{words}{suffix}"
            while path.exists():  # an earlier run's
                path = self._folder / f"{next(self._numbers):04}-{source}-{words}{suffix}"
            files.write_bytes(path, text.encode("utf-8", "surrogatepass"))

    def keep_unreadable(self, source: str, text: str, suffix: str = ".html") -> Path:
        """Save `text` among the logs, in the place of the last such page of this source; returns where."""
        path = self._logs / f"{source}-unreadable-page{suffix}"
        files.write_bytes(path, text.encode("utf-8", "surrogatepass"))
        return path
