"""The servers that `benchmarks/scrape.py` measures against, each in a process of its own.

    python benchmarks/picture_server.py photographs FOLDER LATENCY_S
    python benchmarks/picture_server.py gallery FOLDER LATENCY_S

The first answers on 60 loopback hosts with the files of FOLDER and does as little else as asyncio can, so that it is
never the bottleneck; the second is `birds gallery` with a wait before every picture. Both print one JSON line once they
serve, and end when their standard input does.
"""

import asyncio
import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from birds.demo.collection import collection
from birds.demo.draw import LABELS
from birds.demo.gallery import Gallery
from birds.demo.hosts import bind
from PIL import Image

HOSTS = 60
_SIZE = (1600, 1067)  # pixels; with the values below a JPEG of quality 75 has about 140 KB
_CONTRAST, _DECAY, _QUALITY = 70, 0.6, 75
_SEND_BUFFER = 1_000_000  # a whole picture goes to the kernel in one call
_GALLERY_LABELS = {**{label: label for label in LABELS}, "garza": LABELS[0], "loro": LABELS[1]}  # two drawn as


def draw_photograph(number: int) -> bytes:
    """A JPEG with the statistics of a photograph: noise at every scale, less of it the finer, on patches of colour."""
    random = np.random.default_rng(number)
    width, contrast = 3, _CONTRAST
    light = np.zeros((2, 3), np.float32)
    while width < _SIZE[0]:
        width = min(2 * width, _SIZE[0])
        height = round(width * _SIZE[1] / _SIZE[0])
        light = np.array(Image.fromarray(light).resize((width, height), Image.Resampling.BICUBIC))
        light += contrast * random.standard_normal((height, width), dtype=np.float32)
        contrast *= _DECAY
    patches = random.integers(60, 190, (8, 12, 3), dtype=np.uint8)
    colour = np.asarray(Image.fromarray(patches).resize(_SIZE, Image.Resampling.BICUBIC), np.float32)
    buffer = io.BytesIO()
    picture = Image.fromarray((colour + light[..., None]).clip(0, 255).astype(np.uint8))
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def draw_photographs(folder: Path, count: int) -> None:
    """See to it that `folder` holds photographs 0 to `count`; those of an earlier run are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not (folder / f"{number:05}.jpg").exists()]
    with ProcessPoolExecutor() as pool:
        for number, data in zip(missing, pool.map(draw_photograph, missing, chunksize=8), strict=True):
            _write(folder / f"{number:05}.jpg", data)


def draw_gallery(folder: Path, labels: int, per_label: int) -> list[str]:
    """See to it that `folder` holds `labels` folders of the demo's drawn pictures, dirt included; returns the labels.

    The demo draws six species: the seventh and eighth folder show other birds of the first two.
    """
    chosen = list(islice(_GALLERY_LABELS.items(), labels))
    for seed, (label, drawn_as) in enumerate(chosen):
        (folder / label).mkdir(parents=True, exist_ok=True)
        if len(list((folder / label).iterdir())) < per_label:
            for picture in collection(drawn_as, per_label, seed):
                _write(folder / label / picture.name, picture.data)
    return [label for label, _ in chosen]


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    temporary.replace(path)


@contextmanager
def serving(what: str, folder: Path, latency_s: float) -> Iterator[dict[str, Any]]:
    """Run one of the servers as long as the block; yields what it says of itself."""
    command = [sys.executable, __file__, what, str(folder), str(latency_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


class _Answers(asyncio.Protocol):
    """One connection: every GET is answered from memory after the wait, HTTP/1.1 with keep-alive."""

    def __init__(self, answers: dict[bytes, bytes], latency_s: float) -> None:
        self._answers, self._latency_s = answers, latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            is_last = b"\r\nconnection: close" in head.lower()
            path = head.split(b" ", 2)[1]
            asyncio.get_running_loop().call_later(self._latency_s, partial(self._answer, path, is_last=is_last))

    def _answer(self, path: bytes, *, is_last: bool) -> None:
        if self._transport.is_closing():  # the client gave up
            return
        self._transport.write(self._answers.get(path, _NOT_FOUND))
        if is_last:
            self._transport.close()


_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"


async def _serve_photographs(folder: Path, latency_s: float) -> None:
    hosts = bind(hosts=HOSTS)
    answers = {}
    for path in sorted(folder.glob("*.jpg")):
        data = path.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        answers[f"/{path.name}".encode()] = head.encode() + data
    loop = asyncio.get_running_loop()
    for sock in hosts.sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        await loop.create_server(lambda: _Answers(answers, latency_s), sock=sock, backlog=512)
    names = [path.decode() for path in answers]
    urls = [f"http://{hosts.pictures[n % HOSTS]}{name}" for n, name in enumerate(names)]
    print(json.dumps({"urls": urls, "allow_hosts": hosts.allow}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _serve_gallery(folder: Path, latency_s: float) -> None:
    with Gallery(folder, latency_s=latency_s, hosts=HOSTS) as gallery:
        print(json.dumps({"url": gallery.url, "allow_hosts": gallery.allow_hosts}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _, what, folder, latency_s = sys.argv
    if what == "photographs":
        asyncio.run(_serve_photographs(Path(folder), float(latency_s)))
    else:
        _serve_gallery(Path(folder), float(latency_s))
