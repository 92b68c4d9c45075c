"""How fast `birds` downloads, beside its peers on the same local server in one run.

    python benchmarks/scrape.py [--repeats 3] [--json] [--only NAME]    a list of 400 URLs, see downloaders.py
    python benchmarks/scrape.py --memory                                birds' peak for 2,000 pictures and for 200
    python benchmarks/scrape.py --species                               whole species from the gallery, browser included

The server answers on 60 loopback hosts after 100 ms with photographs of about 140 KB. Turns are taken in rotation, so
that a busy moment hits all alike; medians are of each contender's turns. `last_file_s` is the time until the last
picture was on disk: some peers wait for more work after it. Memory is the peak of anonymous resident memory of the
process and its children, from /proc where there is one. icrawler and img2dataset are installed into build/peers.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from downloaders import DOWNLOADERS
from picture_server import draw_gallery, draw_photographs, serving

BUILD = Path(__file__).resolve().parent.parent / "build"
WORK = BUILD / "benchmarks"  # on the disk that a project would be on: /tmp may be memory
PEERS_PYTHON = BUILD / "peers" / "bin" / "python"
PEERS = {"icrawler": "icrawler==0.6.10", "img2dataset": "img2dataset==1.47.0"}
LATENCY_S = 0.1
SAMPLING_S = 0.02
TIMEOUT_S = 600


def peak_mb_of(process: "subprocess.Popen[str]") -> Callable[[], float | None]:
    """Begin to watch `process` and its children; the result gives the highest sum seen so far, in MB."""
    highest = 0

    def watch() -> None:
        nonlocal highest
        while process.poll() is None:
            highest = max(highest, _anonymous_kb(process.pid))
            time.sleep(SAMPLING_S)

    threading.Thread(target=watch, daemon=True).start()
    return lambda: round(highest / 1024, 1) if highest else None


def _anonymous_kb(pid: int) -> int:
    total = 0
    with suppress(OSError):  # it ended
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        total = next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
        for task in Path(f"/proc/{pid}/task").iterdir():  # a child belongs to the thread that started it
            total += sum(_anonymous_kb(int(child)) for child in (task / "children").read_text().split())
    return total


def run_timed(command: Sequence[str], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Run `command`, which prints one JSON object; that, with its seconds from start to end and its peak memory."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as noise,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=noise, text=True, env=environment, start_new_session=True
        ) as process,
    ):
        peak_mb = peak_mb_of(process)
        try:
            out, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {timeout_s} s"}
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        process_s = round(time.perf_counter() - started, 3)
        try:
            return {"process_s": process_s, "peak_mb": peak_mb(), **json.loads(out)}
        except ValueError:
            noise.seek(0)
            return {"error": (noise.read().strip().splitlines() or ["it said nothing"])[-1]}


def install_peers(names: Iterable[str]) -> dict[str, str]:
    """See to the peers among `names` in build/peers; returns why those that are missing are missing."""
    missing = {}
    for module, package in PEERS.items():
        if not any(name.startswith(module) for name in names):
            continue
        if not PEERS_PYTHON.exists():
            _ran([sys.executable, "-m", "venv", str(BUILD / "peers")])
        if _ran([PEERS_PYTHON, "-c", f"import {module}"]) is None:
            continue
        if reason := _ran([PEERS_PYTHON, "-m", "pip", "install", "--quiet", package]):
            missing[module] = f"{package} cannot be installed: {reason}"
    return missing


def _ran(command: list[Any]) -> str | None:
    """Run `command`; None, or the last line of why it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else None


def measure_downloads(names: list[str], urls: list[str], allow_host: str, repeats: int) -> list[dict[str, Any]]:
    """A row for each contender, those of `DOWNLOADERS` called `names`."""
    missing = install_peers(names)
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names:
            peer = next((module for module in PEERS if name.startswith(module)), None)
            if peer in missing:
                turns[name].append({"error": missing[peer]})
                continue
            print(f"turn {turn + 1} of {repeats}: {name}", file=sys.stderr)
            turns[name].append(_download(PEERS_PYTHON if peer else Path(sys.executable), name, urls, allow_host))
    return [row_of(name, taken) for name, taken in turns.items()]


def _download(python: Path, name: str, urls: list[str], allow_host: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        listed = Path(folder) / "urls.txt"
        listed.write_text("\n".join(urls))
        target = Path(folder) / "target"
        target.mkdir()
        script = Path(__file__).with_name("downloaders.py")
        return run_timed([str(python), str(script), name, str(listed), str(target), allow_host])


def row_of(name: str, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """One contender's turns in one row: medians, the highest memory, the fewest pictures."""
    good = [turn for turn in turns if "error" not in turn]
    if len(good) < len(turns):
        return {"name": name, "error": next(turn["error"] for turn in turns if "error" in turn)}
    seconds = [turn["seconds"] for turn in good]
    pictures = min(turn["pictures"] for turn in good)
    peaks = [turn["peak_mb"] for turn in good if turn["peak_mb"]]
    lasts = [turn["last_file_s"] for turn in good if turn.get("last_file_s")]
    return {
        "name": name,
        "median_s": round(statistics.median(seconds), 3),
        "per_second": round(pictures / statistics.median(seconds), 1),
        "pictures": pictures,
        "last_file_s": round(statistics.median(lasts), 3) if lasts else None,
        "process_s": round(statistics.median(turn["process_s"] for turn in good), 3),
        "peak_mb": max(peaks, default=None),
        "runs": [round(one, 2) for one in seconds],
    }


def compare(rows: list[dict[str, Any]]) -> None:
    """Add to each row how its time compares with the best peer's at its defaults; to birds', what it must show."""
    per_second = {row["name"]: row["per_second"] for row in rows if row.get("per_second")}
    peers = {name: rate for name, rate in per_second.items() if name.startswith(("jmd", "fastai", *PEERS))}
    best_default = max((rate for name, rate in peers.items() if "32" not in name), default=None)
    best_at_32 = max((rate for name, rate in peers.items() if "32" in name), default=None)
    for row in rows:
        if best_default and "median_s" in row and row["pictures"]:
            row["ratio_to_best_peer"] = round(best_default / row["per_second"], 2)
        if row["name"] == "birds" and "median_s" in row:
            for key, rate in (
                ("of_plain_threads", per_second.get("32 plain threads")),
                ("of_best_default_peer", best_default),
                ("of_best_peer_at_32", best_at_32),
            ):
                row[key] = round(row["per_second"] / rate, 2) if rate else None


def measure_memory(urls: list[str], allow_host: str, repeats: int) -> list[dict[str, Any]]:
    """Birds' peak for 200 pictures and for all of `urls`; the second must stay within 1.1 times the first + 20 MB."""
    rows = []
    for some in (urls[:200], urls):
        turns = [_download(Path(sys.executable), "birds", some, allow_host) for _ in range(repeats)]
        rows.append(row_of(f"birds, {len(some)} pictures", turns))
    few, many = rows
    if few.get("peak_mb") and many.get("peak_mb"):
        many["allowed_mb"] = round(1.1 * few["peak_mb"] + 20, 1)
    return rows


def measure_species(labels: list[str], gallery: dict[str, Any], browsers: int, repeats: int) -> dict[str, Any]:
    """`birds scrape` to 100 pictures of each of `labels`, from the start of the program to its end."""
    turns = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            command = [sys.executable, "-m", "birds", "scrape", "--project", folder, "--limit", "100", "--json"]
            command += ["--google-url", gallery["url"], "--browsers", str(browsers)]
            for option, values in (("--species", labels), ("--allow-host", gallery["allow_hosts"])):
                command += [word for value in values for word in (option, value)]
            turn = run_timed(command)
        if "species" in turn:
            turn = {**turn, "seconds": turn["process_s"], "pictures": sum(one["stored"] for one in turn["species"])}
        elif "error" in turn:
            turn = {"error": json.dumps(turn["error"], ensure_ascii=False)}
        turns.append(turn)
    return row_of(f"birds, {len(labels)} species, {browsers} browsers", turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pictures", type=int, default=400, help="in the list of URLs; 2,000 for --memory")
    parser.add_argument("--only", action="append", choices=sorted(DOWNLOADERS), help="this contender; may be repeated")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--species", action="store_true")
    arguments = parser.parse_args()
    if arguments.species:
        shelf = WORK / "gallery"
        labels = draw_gallery(shelf, labels=8, per_label=130)
        with serving("gallery", shelf, LATENCY_S) as gallery:
            one = measure_species(labels[:1], gallery, 1, arguments.repeats)
            rows = [one, measure_species(labels, gallery, 4, arguments.repeats)]
    else:
        count = 2000 if arguments.memory else arguments.pictures
        photographs = WORK / "photographs"
        draw_photographs(photographs, count)
        with serving("photographs", photographs, LATENCY_S) as server:
            urls, (allow_host,) = server["urls"][:count], server["allow_hosts"]
            if arguments.memory:
                rows = measure_memory(urls, allow_host, arguments.repeats)
            else:
                rows = measure_downloads(arguments.only or list(DOWNLOADERS), urls, allow_host, arguments.repeats)
                compare(rows)
    for row in rows:
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
