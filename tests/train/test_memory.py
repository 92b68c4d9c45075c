"""That memory which training has freed goes back to the system."""

import platform
from pathlib import Path

import pytest
from birds.train.memory import FreedMemory

HOLES, HOLE = 1000, 100_000  # bytes each: below what glibc gives back at once
KEPT = 1_000


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no malloc_trim")
def test_holes_between_what_is_kept_are_given_back() -> None:
    holes, kept = [], []
    for _ in range(HOLES):
        holes.append(bytearray(b"x") * HOLE)
        kept.append(bytearray(b"x") * KEPT)
    full = resident_mb()
    del holes
    callback = FreedMemory()
    for _ in range(100):
        callback.after_batch()
    assert full - resident_mb() > 0.8 * HOLES * HOLE / 2**20
    assert len(kept) == HOLES
