"""Many picture files with the SHA-256 of each: 32 bytes a digest, where a list of pairs takes 170 more a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from ..files import sha256_of

_DIGEST = 32  # bytes


class PictureList(Sequence[tuple[str, Path]]):
    """(SHA-256 in hexadecimal, path) of each of `paths`, which is kept and not copied. Every file is read once, now.

    Raises
    ------
    OSError : a file cannot be read; it has no digest.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._digests = bytearray()
        for path in paths:
            self._digests += bytes.fromhex(sha256_of(path))

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, at: int) -> tuple[str, Path]: ...
    @overload
    def __getitem__(self, at: slice) -> list[tuple[str, Path]]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, Path] | list[tuple[str, Path]]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        start = range(len(self))[at] * _DIGEST
        return self._digests[start : start + _DIGEST].hex(), self._paths[at]
