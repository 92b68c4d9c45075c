"""How quick the review page is with many pictures, in a real headless Chromium.

    python benchmarks/review.py [--pictures 20000] [--repeats 5] [--json]

A project of 64-pixel pictures in twenty classes is made in a temporary folder and its record filled as `birds clean`
fills it. Measured: from opening the page until the pictures in sight are painted (no thumbnail made yet), for one class
and for all; the requests of a list and of the overview; scrolling all pictures from top to bottom in six seconds; and
the server's anonymous resident memory, before anybody comes and after that. No peer: none of the tools compared
elsewhere has such a page and installs here (FiftyOne brings a database server of its own).
"""

import argparse
import io
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from birds.files import Project
from birds.images import Content
from birds.reasons import Reason
from birds.reconcile import reconcile
from birds.record import Record
from birds.record_review import Finding
from birds.scrape.browser import open_browser
from PIL import Image

CLASSES = 20
SERVE = """
import sys
from pathlib import Path
from birds.clean.server import review
from birds.progress import Progress

class Told(Progress):
    def note(self, text):
        print(text, flush=True)

review(Path(sys.argv[1]), open_browser=False, progress=Told())
"""
# Runs before the page's own scripts: notes when the cells in sight are filled, and when their pictures are there.
WATCH = """
const watch = () => {
  const cells = [...document.querySelectorAll(".card")];
  if (cells.length && !document.querySelector(".waiting")) {
    window.filledMs ??= performance.now();
    const height = document.getElementById("table").getBoundingClientRect().bottom;
    const seen = cells.filter((cell) => cell.getBoundingClientRect().top < height);
    if (seen.every((cell) => cell.querySelector("img").naturalWidth)) { window.paintedMs = performance.now(); return; }
  }
  requestAnimationFrame(watch);
};
requestAnimationFrame(watch);
"""
REQUEST = """
const done = arguments[1];
(async () => {
  const start = performance.now();
  const answer = await (await fetch(arguments[0])).text();
  done([performance.now() - start, answer.length]);
})();
"""
SCROLL = """
const [seconds, done] = arguments;
const table = document.getElementById("table");
let longest = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { longest = Math.max(longest, one.duration); }))
  .observe({ type: "longtask" });
const frames = [];
const bottom = table.scrollHeight - table.clientHeight;
const start = performance.now();
const step = (now) => {
  frames.push(now);
  const share = Math.min((now - start) / (1000 * seconds), 1);
  table.scrollTop = share * bottom;
  if (share < 1) return requestAnimationFrame(step);
  const gaps = frames.slice(1).map((one, i) => one - frames[i]);
  setTimeout(() => done({
    frames: gaps.length,
    dropped: gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / (1000 / 60)) - 1), 0),
    longest_task_ms: longest,
  }), 300);
};
requestAnimationFrame(step);
"""


def make_project(root: Path, pictures: int) -> None:
    """Pictures of which no two are alike byte for byte; one in ten is found blurred."""
    project, random = Project(root), Random(5)
    drawn = []
    for _ in range(200):
        buffer = io.BytesIO()
        patches = Image.frombytes("RGB", (8, 8), random.randbytes(8 * 8 * 3))
        patches.resize((64, 64), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=80)
        drawn.append(buffer.getvalue())
    for number in range(pictures):
        folder = project.images / f"class {number % CLASSES:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"picture {number}.jpg").write_bytes(drawn[number % len(drawn)] + number.to_bytes(4, "big"))
    with Record(project) as record:
        reconcile(project, record)
        files = record.files()
        with record.transaction():
            for file in files:
                record.picture(Content(file.content.sha256, file.content.bytes, "JPEG", 64, 64, random.getrandbits(64)))
            record.review.replace_findings(Finding(f.id, Reason.BLURRED, random.random()) for f in files[::10])


def anonymous_mb(pid: int) -> float | None:
    """Anonymous resident memory of a process, in MB; None without /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return round(int(found[1]) / 1024, 1) if found else None


def open_page(driver: Any, root: Path, fragment: str) -> tuple[subprocess.Popen[str], dict[str, float | None]]:
    """A fresh server, no thumbnail made yet, and how long the first screen took, in seconds."""
    shutil.rmtree(Project(root).cache, ignore_errors=True)
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    url = process.stdout.readline().split()[-1]
    before = anonymous_mb(process.pid)
    driver.get(url)
    deadline = time.monotonic() + 60
    is_painted = "return location.search === '' && window.paintedMs"
    while not driver.execute_script(is_painted) and time.monotonic() < deadline:
        time.sleep(0.05)
    if fragment:  # now that the cookie is there
        driver.get("about:blank")
        time.sleep(1)  # the next screen's thumbnails are still being made
        shutil.rmtree(Project(root).cache, ignore_errors=True)
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        driver.get(f"{url.partition('?')[0]}{fragment}")
        while not driver.execute_script(is_painted) and time.monotonic() < deadline:
            time.sleep(0.05)
    filled, painted = driver.execute_script("return [window.filledMs, window.paintedMs]")
    return process, {"filled_s": filled / 1000, "painted_s": painted / 1000, "idle_mb": before}


def measure(root: Path, repeats: int) -> dict[str, float | None]:
    found: dict[str, list[Any]] = {}

    def note(name: str, value: Any) -> None:
        found.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as folder, open_browser(Path(folder) / "profile") as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        driver.set_script_timeout(60)
        for _ in range(repeats):
            for view, fragment in (("one_class", ""), ("all", "#queue=all")):
                process, seconds = open_page(driver, root, fragment)
                try:
                    note(f"first_{view}_s", seconds["painted_s"])
                    if view == "all":
                        lists = {"list": "", "list_worst_first": "queue=quality"}
                        for name, query in lists.items():
                            note(f"{name}_s", driver.execute_async_script(REQUEST, f"/api/list?{query}")[0] / 1000)
                        note("overview_s", driver.execute_async_script(REQUEST, "/api/overview")[0] / 1000)
                        for name, value in driver.execute_async_script(SCROLL, 6).items():
                            note(f"scroll_{name}", value)
                        note("idle_mb", seconds["idle_mb"])
                        note("server_mb", anonymous_mb(process.pid))
                        note("cells", driver.execute_script("return document.querySelectorAll('.card').length"))
                finally:
                    process.kill()
                    process.wait()
    return {name: round(statistics.median(values), 3) if None not in values else None for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder), arguments.pictures)
        figures = measure(Path(folder), arguments.repeats)
    if arguments.json:
        print(json.dumps({"name": "birds", "pictures": arguments.pictures, **figures}))
        return
    print(f"{arguments.pictures} pictures, medians of {arguments.repeats}")
    for name, value in figures.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
