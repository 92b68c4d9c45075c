"""``kill -9`` at random moments: after a last run there is the same set of pictures as if nothing had happened.

Three kills here; ``make faults`` runs thirty and prints what happened (docs/reliability.md).
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from birds.demo.gallery import Gallery
from birds.files import Project, is_temporary
from birds.record import Record, State
from PIL import Image

KILLS = int(os.environ.get("BIRDS_KILLS", "3"))
KILLS_A_PROJECT = 3
SPECIES = ("cigüeña", "garza", "loro")
LIMIT = 25


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> Iterator[Gallery]:
    """Forty pictures a species, more than are asked for, with copies and broken files among the first."""
    shelf = tmp_path_factory.mktemp("shelf")
    for start, label in enumerate(SPECIES):
        (shelf / label).mkdir()
        for number in range(38):
            make_picture(1000 * start + number).save(shelf / label / f"{number:02}.jpg", quality=90)
        (shelf / label / "05 copy.jpg").write_bytes((shelf / label / "05.jpg").read_bytes())
        (shelf / label / "07 broken.jpg").write_bytes((shelf / label / "07.jpg").read_bytes()[:500])
    with Gallery(shelf, latency_s=0.4) as running:
        yield running


def start(root: Path, gallery: Gallery) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "birds", "scrape", "--project", str(root), "--limit", str(LIMIT), "--quiet"]
    command += [part for name in SPECIES for part in ("--species", name)]
    command += ["--google-url", gallery.url]
    command += [part for pattern in gallery.allow_hosts for part in ("--allow-host", pattern)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pictures(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "images").glob("*/*.jpg")}


@pytest.mark.timeout(90 + 40 * KILLS)
@pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over browsers in /proc")
def test_killed_at_random_moments_a_scrape_ends_in_the_same_set(gallery: Gallery, tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed"
    began = time.monotonic()
    assert start(undisturbed, gallery).wait(120) == 0
    duration = time.monotonic() - began
    expected = pictures(undisturbed)
    assert len(expected) == LIMIT * len(SPECIES)
    seed = int(os.environ.get("BIRDS_SEED", "0")) or random.randrange(10**6)
    moments = random.Random(seed)
    print(f"\nseed {seed}; an undisturbed run takes {duration:.1f} s")
    killed = 0
    for number in count():
        if killed == KILLS:
            break
        root = tmp_path / f"killed-{number}"
        story = []
        for _ in range(min(KILLS_A_PROJECT, KILLS - killed)):
            process = start(root, gallery)
            moment = moments.uniform(0.3, duration)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()
            if process.wait() != -signal.SIGKILL:  # it ended before; the next project gets its turn
                break
            story.append(f"{moment:.1f} s with {len(pictures(root))} pictures")
        killed += len(story)
        assert start(root, gallery).wait(120) == 0
        assert pictures(root) == expected, f"seed {seed}"
        with Record(Project(root)) as record:
            rows = record.files()
        assert {row.state for row in rows} == {State.STORED}, f"seed {seed}: something is pending"
        assert len({(row.label, row.name) for row in rows}) == len(rows) == len(expected)
        assert len({(row.label, row.content.sha256) for row in rows}) == len(rows), "a duplicate row"
        assert not browsers_on(root), f"seed {seed}: a killed run's browser is still running"
        assert not Project(root).temporary.exists(), "a browser profile or staged file is left"
        assert not [path for path in root.rglob("*") if is_temporary(path)]
        print(
            f"killed after {', '.join(story) or 'its end'}; then the same {len(expected)} pictures, nothing left behind"
        )
    print(f"{killed} kills")


def browsers_on(root: Path) -> list[str]:
    """Command lines of processes that use a profile under `root`, after giving them a moment to end."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found += [line] if f"--user-data-dir={root}" in line else []
        if not found:
            return []
        time.sleep(0.2)
    return found
