"""Where things lie in a project folder, and the only places that write, link, lock and swap them.

Every write is atomic: a temporary file in the same folder, then ``os.replace``. A reader, or the next run after a
``kill -9``, sees the old content or the new, never half of either.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import ProjectError

_TEMPORARY_SUFFIX = ".birds-tmp"
_NO_HARD_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


@dataclass(frozen=True)
class Project:
    """The folders of one project. Nothing is created by naming them."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def dataset(self) -> Path:
        return self.root / "dataset"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def hidden(self) -> Path:
        return self.root / ".birds"

    @property
    def record(self) -> Path:
        return self.hidden / "record.db"

    @property
    def rejected(self) -> Path:
        return self.hidden / "rejected"

    @property
    def cache(self) -> Path:
        return self.hidden / "cache"

    @property
    def logs(self) -> Path:
        return self.hidden / "logs"

    @property
    def temporary(self) -> Path:
        return self.hidden / "tmp"

    @contextmanager
    def locked(self, stage: str) -> Iterator[None]:
        """Hold the lock of the stages that change ``images/`` or ``dataset/``. The kernel frees it if we die.

        While it is held nobody else uses ``.birds/tmp``, so what this or an earlier, killed run left there is removed.

        Raises
        ------
        ProjectError : another stage is at work in this project, or the folder cannot be written.
        """
        lock = FileLock(self.hidden / "lock")
        try:
            self.hidden.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:  # an OSError too, so it comes first
            raise ProjectError(
                f"Another birds command is changing {self.root.resolve()} right now, so this {stage} did not start.",
                "Wait for it to end, or work in another folder with --project.",
            ) from error
        except OSError as error:
            raise ProjectError(
                f"The project folder {self.root} cannot be written: {error.strerror}.", "Choose another with --project."
            ) from error
        try:
            shutil.rmtree(self.temporary, ignore_errors=True)
            yield
        finally:
            shutil.rmtree(self.temporary, ignore_errors=True)
            lock.release()

    def staging(self, prefix: str) -> Path:
        """A new empty folder under ``.birds/tmp``, on the same file system as the project."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.temporary))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it takes the place of `path`, on disk for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:20]}-", suffix=_TEMPORARY_SUFFIX, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; ours are ordinary ones
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@cache  # reading it means changing it for a moment, for all threads
def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def is_temporary(path: Path) -> bool:
    """Whether `path` is a half-written file of ours that a killed run left behind."""
    return path.name.endswith(_TEMPORARY_SUFFIX)


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` to `path` and wait until it is on disk. For staging: a kill may leave a part of it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def put_in_place(staged: Path, path: Path) -> None:
    """Move a staged file of the same file system to `path` atomically, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(path)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically, making the folders above it."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given, atomically."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no hard links. Never a symlink."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
        shutil.copy2(source, target)


def sync_folder(folder: Path) -> None:
    """Wait until every file in `folder` is on disk. For folders that are filled by others and then swapped in."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def swap_folder(new: Path, target: Path, resting: Path) -> None:
    """Put the folder `new` in the place of `target`; what was there goes to `resting` first and is then removed.

    Killed between the two renames, `target` is missing and the stage that makes it runs again: never a mixture.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(resting)
    new.rename(target)
    shutil.rmtree(resting, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
