"""`birds serve` under load on loopback, and under attack: throughput, waiting times, errors and memory.

    python benchmarks/serve.py [MODEL] [--seconds 60] [--connections 16] [--attack] [--bad 1000] [--json]

MODEL is a bundle or an .onnx file; without one, mobilenet_v2 with random weights and eight classes is exported. The
server runs in a process of its own, without a rate limit, all else as it is by default. Pictures are drawn, 1600x1067
JPEGs of about 140 KB; each connection sends one after the other and keeps open. Memory is the server's anonymous
resident memory, before the load and after each quarter of it.

With `--attack`, four connections send good pictures while others send bad ones: hostile files (of ../shared, or
BIRDS_TEST_DATA, and drawn ones), bombs of pixels, other types, bodies without end, headers and bodies that trickle in.
Each must be refused with a reason, and the good ones answered. No peer: no other server of the field's answers to the
same questions.
"""

import argparse
import http.client
import io
import json
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from birds.errors import ImageError
from birds.images import MIN_SIDE, decode
from picture_server import draw_photograph
from PIL import Image
from review import anonymous_mb

from scrape import WORK

HOSTILE = Path(os.environ.get("BIRDS_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "hostile"
PICTURES = 16  # different ones
GOOD_BESIDE_BAD = 4  # connections
AT_ONCE = 24  # bad uploads, beside those that take their time
SENDING_S = 90  # a sender gives up after that: nothing cut it
MAKE_MODEL = """
import sys
from pathlib import Path
from birds.export.onnx_graph import write_onnx
from birds.models.manifest import Manifest, ModelClass, Preprocess
from birds.models.network import build_network

classes = tuple(ModelClass(f"class {i}") for i in range(8))
manifest = Manifest(classes, Preprocess("squish", 224), "mobilenet_v2", "default", False, 1, 0.5)
write_onnx(build_network(manifest, "random weights"), manifest.preprocess, Path(sys.argv[1]), manifest.to_json())
"""
Outcome = tuple[str, int | None, str]  # kind, status, reason


@contextmanager
def serving(model: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process of `birds serve` and its port; it ends with the block."""
    command = [sys.executable, "-m", "birds", "serve", model, "--port", "0", "--rate", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            said = []
            for line in process.stderr:
                said.append(line)
                if address := re.search(r"Serving http://127\.0\.0\.1:(\d+)/", line):
                    break
            else:
                sys.exit("".join(said))
            yield process, int(address[1])
        finally:
            process.terminate()
            process.wait(30)


class Senders:
    """Connections that send good pictures, one after the other, until told to stop."""

    def __init__(self, port: int, pictures: list[bytes], connections: int) -> None:
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._send, args=(port, pictures[i % len(pictures) :] + pictures[: i % len(pictures)])
            )
            for i in range(connections)
        ]

    def __enter__(self) -> "Senders":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _send(self, port: int, pictures: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        number = 0
        while not self._is_over.is_set():
            started = time.perf_counter()
            try:
                connection.request(
                    "POST", "/identify", pictures[number % len(pictures)], {"Content-Type": "image/jpeg"}
                )
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200 and b'"label"' in body:
                    self.seconds.append(time.perf_counter() - started)
                else:
                    self.errors[str(answer.status)] += 1
            except OSError as error:
                self.errors[type(error).__name__] += 1
                connection.close()
            number += 1
        connection.close()

    def figures(self) -> dict[str, Any]:
        """Answers and how long they took, in milliseconds."""
        ordered = sorted(self.seconds)
        if not ordered:
            return {"answers": 0, "errors": dict(self.errors)}
        return {
            "answers": len(ordered),
            "errors": dict(self.errors),
            "p50_ms": round(1000 * statistics.median(ordered), 1),
            "p99_ms": round(1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 1),
            "longest_ms": round(1000 * ordered[-1], 1),
        }


def load(model: str, pictures: list[bytes], seconds: float, connections: int) -> dict[str, Any]:
    with serving(model) as (process, port):
        memory = [anonymous_mb(process.pid)]
        with Senders(port, pictures, connections) as senders:
            for _ in range(4):
                time.sleep(seconds / 4)
                memory.append(anonymous_mb(process.pid))
        figures = senders.figures()
    return {
        "name": "birds serve",
        "connections": connections,
        "seconds": seconds,
        "per_second": round(figures["answers"] / seconds, 1),
        **figures,
        "idle_mb": memory[0],
        "quarters_mb": memory[1:],
    }


# -- bad uploads


def hostile_files(pictures: list[bytes]) -> list[bytes]:
    """Files that `images.decode` refuses: those of the collection, and photographs cut, garbled or emptied."""
    files = [path.read_bytes() for path in sorted(HOSTILE.iterdir())] if HOSTILE.is_dir() else []
    for number, picture in enumerate(pictures):
        files.append(picture[: len(picture) * (number + 1) // (len(pictures) + 1)])
        files.append(bytes(255 - byte for byte in picture[:5000]))
    return [data for data in files if data and _is_refused(data)]


def _is_refused(data: bytes) -> bool:
    try:
        decoded = decode(data)
    except ImageError:
        return True
    return min(decoded.width, decoded.height) < MIN_SIDE


def bombs() -> list[bytes]:
    """Small files of many pixels: too many for anybody, and as many as are allowed, but cut at the end."""
    made = []
    for size, mode, picture_format in (((30_000, 30_000), "1", "PNG"), ((20_000, 20_000), "L", "GIF")):
        buffer = io.BytesIO()
        Image.new(mode, size).save(buffer, picture_format)
        made.append(buffer.getvalue())
    buffer = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(buffer, "PNG")
    made.append(buffer.getvalue()[:-2000])
    text = zlib.compress(bytes(50_000_000))  # a comment that grows a thousandfold
    chunk = b"zTXtComment\0\0" + text
    small = io.BytesIO()
    Image.new("RGB", (100, 100)).save(small, "PNG")
    head, rest = small.getvalue()[:33], small.getvalue()[33:]
    check = zlib.crc32(chunk).to_bytes(4, "big")
    made.append(head + len(text + b"Comment\0\0").to_bytes(4, "big") + chunk + check + rest)
    return [data for data in made if _is_refused(data)]


def post(port: int, kind: str, body: bytes, content_type: str) -> Outcome:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SENDING_S)
    try:
        connection.request("POST", "/identify", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return kind, answer.status, _reason(answer.read())
    except OSError as error:
        return kind, None, type(error).__name__
    finally:
        connection.close()


def stream(port: int, kind: str, head: list[str], piece: bytes, pause_s: float) -> Outcome:
    """Send `piece` again and again until an answer comes, and read that."""
    with socket.create_connection(("127.0.0.1", port), timeout=SENDING_S) as connection:
        deadline = time.monotonic() + SENDING_S
        try:
            connection.sendall("\r\n".join([*head, ""]).encode())
            while time.monotonic() < deadline and not select.select([connection], [], [], pause_s)[0]:
                connection.sendall(piece)
        except OSError:
            pass  # it was cut; what it was told may still be read
        received = b""
        try:
            while data := connection.recv(65_536):
                received += data
        except OSError:
            pass
    status = re.match(rb"HTTP/1\.1 (\d+)", received)
    return kind, int(status[1]) if status else None, _reason(received.partition(b"\r\n\r\n")[2])


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["reason"])
    except (ValueError, KeyError, TypeError):
        return ""


def attacks(port: int, count: int, pictures: list[bytes]) -> list[tuple[bool, Callable[[], Outcome]]]:
    """(whether it takes its time, how to do it) of `count` bad uploads."""
    hostile, pixels = hostile_files(pictures), bombs()
    types = [(b"%PDF-1.7 " * 99, "application/pdf"), (b"<html></html>", "text/html"), (b"{}", "application/json"),
             (b"#!/bin/sh\n", "image/jpeg"), (b"MZ" + bytes(5000), "image/png"), (b"a=b", "multipart/form-data"),
             (pictures[0], "multipart/form-data; boundary=x"), (b"", "image/jpeg")]  # fmt: skip
    first = ["POST /identify HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: image/jpeg"]
    made: list[tuple[bool, Callable[[], Outcome]]] = []
    for number in range(count):
        turn, share = divmod(number, 20)
        if share < 10:
            data = hostile[(10 * turn + share) % len(hostile)]
            made.append((False, lambda data=data: post(port, "hostile file", data, "image/jpeg")))
        elif share < 13:
            data = pixels[(3 * turn + share) % len(pixels)]
            made.append((False, lambda data=data: post(port, "bomb", data, "application/octet-stream")))
        elif share < 16:
            body, kind = types[(3 * turn + share) % len(types)]
            made.append((False, lambda body=body, kind=kind: post(port, "wrong type", body, kind)))
        elif share < 18:
            endless = "Transfer-Encoding: chunked" if share == 16 else "Content-Length: 1000000000000"
            piece = b"1\r\nx\r\n" * 500 if share == 16 else bytes(3000)
            head = [*first, endless, ""]
            made.append((False, lambda head=head, piece=piece: stream(port, "endless body", head, piece, 0)))
        elif share == 18:
            made.append((True, lambda: stream(port, "slow headers", [*first, "X-Slow: "], b"a", 0.5)))
        else:
            head = [*first, "Content-Length: 5000000", ""]
            made.append((True, lambda head=head: stream(port, "slow body", head, b"\xff", 0.5)))
    return made


def attack(model: str, pictures: list[bytes], count: int) -> dict[str, Any]:
    with serving(model) as (process, port):
        idle = anonymous_mb(process.pid)
        bad = attacks(port, count, pictures)
        started = time.perf_counter()
        with (
            Senders(port, pictures, GOOD_BESIDE_BAD) as senders,
            ThreadPoolExecutor(max(1, sum(is_slow for is_slow, _ in bad))) as slow,
            ThreadPoolExecutor(AT_ONCE) as quick,
        ):
            waiting = [(slow if is_slow else quick).submit(send) for is_slow, send in bad]
            outcomes = [one.result() for one in waiting]
        seconds = time.perf_counter() - started
        after = anonymous_mb(process.pid)
        figures = senders.figures()
    refused = [one for one in outcomes if one[1] is not None and one[1] >= 400 and one[2]]
    kinds = Counter(kind for kind, _, _ in outcomes)
    return {
        "name": "birds serve under attack",
        "seconds": round(seconds, 1),
        "bad": len(outcomes),
        "refused_with_reason": len(refused),
        "kinds": dict(kinds),
        "reasons": dict(Counter(reason for _, _, reason in refused)),
        "not_refused": [one for one in outcomes if one not in refused][:10],
        **{f"good_{name}": value for name, value in figures.items()},
        "idle_mb": idle,
        "after_mb": after,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--attack", action="store_true", help="bad uploads beside good ones, instead of load")
    parser.add_argument("--bad", type=int, default=1000, help="uploads of an attack")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    pictures = [draw_photograph(number) for number in range(PICTURES)]
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        model = arguments.model or str(Path(folder) / "model.onnx")
        if not arguments.model:
            subprocess.run([sys.executable, "-c", MAKE_MODEL, model], check=True)
        if arguments.attack:
            row = attack(model, pictures, arguments.bad)
        else:
            row = load(model, pictures, arguments.seconds, arguments.connections)
    print(json.dumps(row) if arguments.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
