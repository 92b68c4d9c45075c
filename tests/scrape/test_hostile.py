"""Awkward real files over real HTTP: each is stored as an upright RGB JPEG or refused with its reason."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from birds.files import Project
from birds.reasons import Reason
from birds.record import Record
from PIL import Image, ImageOps

MAX_MB = 500


@pytest.fixture
def served(real_data: Path) -> Iterator[tuple[Path, str]]:
    """The folder of hostile files and the host that serves it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = real_data / "hostile"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_every_hostile_file_is_stored_well_or_refused_with_a_reason(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, host = served
    names = sorted(path.name for path in folder.iterdir())
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"http://{host}/{name}\n" for name in names))
    root = tmp_path / "project"
    command = [sys.executable, "-c", SCRAPE_AND_TELL_MEMORY, str(root), str(listed), host]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert answer.returncode == 0, answer.stderr
    result, peak_mb = json.loads(answer.stdout)
    assert result["stored"] + sum(result["refused"].values()) == len(names) == result["found"]
    assert result["stored"] > 20
    assert result["refused"].keys() <= {str(reason) for reason in Reason}
    assert peak_mb < MAX_MB
    print(f"\n{result['stored']} stored, refused {result['refused']}, peak {peak_mb:.0f} MB")
    with Record(Project(root)) as record:
        files = record.files()
    assert len(files) == result["stored"]
    for file in files:
        original = folder / str(file.provenance.image_url).rpartition("/")[2]
        with Image.open(root / "images" / file.label / file.name) as stored, Image.open(original) as given:
            stored.load()
            assert (stored.format, stored.mode) == ("JPEG", "RGB"), original.name
            assert stored.getexif().get(0x0112, 1) == 1, original.name
            assert stored.size == ImageOps.exif_transpose(given).size, original.name


SCRAPE_AND_TELL_MEMORY = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from birds.scrape import scrape

root, listed, host = sys.argv[1:]
result = scrape(Path(root), species=["loro"], sources=[f"urls:{listed}"], allow_hosts=[host]).species[0]
status = Path("/proc/self/status").read_text()  # getrusage would begin with what the parent had when it forked
peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([asdict(result), peak_mb]))
"""
