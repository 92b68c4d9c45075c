"""The downloaders that `benchmarks/scrape.py` compares, one in a process:

    python benchmarks/downloaders.py NAME URLS_FILE FOLDER ALLOW_HOST

downloads every URL of URLS_FILE into FOLDER and prints one JSON line with the seconds that the call took. What it needs
is imported before the clock starts. Run by the Python that has NAME's packages; nothing else is imported.
"""

import asyncio
import io
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

Call = Callable[[], object]


def birds(urls: Path, folder: Path, allow_host: str) -> Call:
    """The stage as a user calls it: every check, robots.txt, limits a host, provenance."""
    import numpy as np  # noqa: F401 - what the stage imports when it needs it counts for none of the others either
    import requests  # noqa: F401
    from birds.scrape.stage import scrape

    return lambda: scrape(
        folder, species=["cigüeña"], sources=[f"urls:{urls}"], limit=len(_lines(urls)), allow_hosts=[allow_host]
    )


def plain_threads(urls: Path, folder: Path, _: str) -> Call:
    """32 threads, one session, every picture fully decoded and written: the practical limit in Python."""
    import requests
    from PIL import Image
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_connections=64, pool_maxsize=32))

    def one(number: int, url: str) -> None:
        data = session.get(url, timeout=20).content
        Image.open(io.BytesIO(data)).load()
        (folder / f"{number}.jpg").write_bytes(data)

    def call() -> None:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(one, *zip(*enumerate(_lines(urls)), strict=True)))

    return call


def jmd_imagescraper(urls: Path, folder: Path, _: str) -> Call:
    """Its `download_urls` at its defaults: one after the other."""
    from jmd_imagescraper.core import download_urls

    return lambda: download_urls(folder, _lines(urls))


def fastai(urls: Path, folder: Path, n_workers: int | None) -> Call:
    """Its `download_images`; 8 threads by default, nothing is checked."""
    from fastai.vision.utils import download_images

    options = {"n_workers": n_workers} if n_workers else {}
    return lambda: download_images(folder, urls=_lines(urls), **options)


def icrawler(urls: Path, folder: Path, threads: int | None) -> Call:
    """Its crawler for lists of URLs; one downloading thread by default. At the end it waits 5 s for more URLs."""
    from icrawler.builtin import UrlListCrawler

    options = {"downloader_threads": threads} if threads else {}
    return lambda: UrlListCrawler(storage={"root_dir": str(folder)}, **options).crawl(str(urls))


def img2dataset(urls: Path, folder: Path, threads: int | None) -> Call:
    """Its `download`; 256 threads in one process of its own by default, pictures are shrunk to 256 pixels."""
    from img2dataset import download

    options = {"thread_count": threads} if threads else {}
    return lambda: download(url_list=str(urls), output_folder=str(folder), **options)


def bare_sockets(urls: Path, _folder: Path, _: str) -> Call:
    """What the server can give: four connections a host that read and throw away. Returns how many they read."""
    by_host: dict[str, list[str]] = {}
    for url in _lines(urls):
        parts = urlsplit(url)
        by_host.setdefault(parts.netloc, []).append(parts.path)

    async def read(host: str, paths: list[str]) -> None:
        address, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(address, int(port), limit=2**20)
        for path in paths:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        writer.close()

    async def read_all() -> int:
        await asyncio.gather(*(read(host, paths[n::4]) for host, paths in by_host.items() for n in range(4)))
        return sum(map(len, by_host.values()))

    return lambda: asyncio.run(read_all())


DOWNLOADERS: dict[str, Callable[[Path, Path, str], Call]] = {
    "birds": birds,
    "32 plain threads": plain_threads,
    "jmd_imagescraper": jmd_imagescraper,
    "fastai": lambda urls, folder, _: fastai(urls, folder, None),
    "fastai, 32 threads": lambda urls, folder, _: fastai(urls, folder, 32),
    "icrawler": lambda urls, folder, _: icrawler(urls, folder, None),
    "icrawler, 32 threads": lambda urls, folder, _: icrawler(urls, folder, 32),
    "img2dataset": lambda urls, folder, _: img2dataset(urls, folder, None),
    "img2dataset, 32 threads": lambda urls, folder, _: img2dataset(urls, folder, 32),
    "the server alone": bare_sockets,
}


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split()


def main() -> None:
    name, urls, folder, allow_host = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    call = DOWNLOADERS[name](urls, folder, allow_host)
    out = os.fdopen(os.dup(1), "w")  # peers print their progress: theirs goes to standard error, ours stays alone
    os.dup2(2, 1)
    began, started = time.time(), time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    written = [path.stat().st_mtime for path in folder.rglob("*.jpg")]
    turn = {
        "seconds": round(seconds, 3),
        "last_file_s": round(max(written) - began, 3) if written else None,
        "pictures": result if isinstance(result, int) else len(written),
    }
    print(json.dumps(turn), file=out, flush=True)


if __name__ == "__main__":
    main()
