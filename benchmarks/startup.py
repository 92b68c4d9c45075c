"""How long `birds --help` takes to start, beside an empty Typer app and `python -c pass`, in one run.

    python benchmarks/startup.py [--repeats 15] [--json]

Turns are taken in rotation, so that a busy moment hits all alike; medians and best times are of each contender's turns.
Memory is the peak of anonymous resident memory, from /proc where there is one.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EMPTY_APP = """
import typer

app = typer.Typer()


@app.command()
def one() -> None: ...


@app.command()
def two() -> None: ...


app()
"""


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return time.perf_counter() - started


def peak_mb(command: list[str]) -> float | None:
    """Highest anonymous resident memory seen while `command` runs, in MB; None without /proc."""
    highest = None
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                break
            kb = next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
            highest = max(highest or 0, kb / 1024)
            time.sleep(0.002)
    return round(highest, 1) if highest is not None else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY_APP)
        contenders = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "empty typer app --help": [sys.executable, str(empty), "--help"],
            "birds --help": [sys.executable, "-m", "birds", "--help"],
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(arguments.repeats):
            for name, command in contenders.items():
                times[name].append(seconds(command))
        memory = {name: peak_mb(command) for name, command in contenders.items()}
    peer = statistics.median(times["empty typer app --help"])
    for name, values in times.items():
        median = statistics.median(values)
        row = {
            "name": name,
            "median_s": round(median, 3),
            "best_s": round(min(values), 3),
            "per_second": round(1 / median, 2),
            "peak_mb": memory[name],
            "ratio_to_best_peer": round(median / peer, 2),
        }
        print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
