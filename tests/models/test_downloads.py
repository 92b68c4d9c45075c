"""Weights of a URL, from a real server on loopback: that they are what was asked for, or are not kept."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from birds.errors import UsageError, WeightsError
from birds.models.architectures import make_body
from birds.models.downloads import fetch_weights
from birds.models.weights import load_pretrained
from birds.progress import Bar, Progress
from safetensors.torch import save_file
from torch import nn

ARCH = "squeezenet1_1"


class Server:
    """Answers each path with the bytes in ``files``, or redirects to what is no bytes. ``asked`` are the paths."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | str] = {}
        self.asked: list[str] = []
        self.cut_after: int | None = None  # bytes of a body, less than its Content-Length says
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                answer = server.files.get(self.path)
                if isinstance(answer, str):
                    self.send_response(302)
                    self.send_header("Location", answer)
                    self.end_headers()
                elif answer is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    with contextlib.suppress(ConnectionError):
                        self.wfile.write(answer[: server.cut_after])

            def log_message(self, *_args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path: str, content: bytes) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}#sha256={hashlib.sha256(content).hexdigest()}"

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def other_server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


CONTENT = bytes(range(256)) * 10_000  # 2.56 MB


class Bars(Progress):
    """Keeps what each bar was called, how long it was to be and how far it came."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seen: list[list[Any]] = []
        self.stop_at = stop_at

    @contextmanager
    def bar(self, title: str, total: int | None = None) -> Iterator[Bar]:
        outer = self
        self.seen.append([title, total, 0])

        class One(Bar):
            def advance(self, n: int = 1) -> None:
                outer.seen[-1][2] += n
                if outer.seen[-1][2] == outer.stop_at:
                    raise KeyboardInterrupt

        yield One()


def test_weights_of_a_url_are_downloaded_once_and_fill_the_body(tmp_path: Path, server: Server) -> None:
    published, _ = make_body(ARCH)
    save_file(published.state_dict(), tmp_path / "s.safetensors")
    content = (tmp_path / "s.safetensors").read_bytes()
    server.files["/w.safetensors"] = content
    url = server.url("/w.safetensors", content)
    for _ in range(2):
        body, _ = make_body(ARCH)
        assert load_pretrained(body, ARCH, url) == url
        assert all(torch.equal(tensor, body.state_dict()[key]) for key, tensor in published.state_dict().items())
    assert server.asked == ["/w.safetensors"]


def test_a_download_is_kept_under_its_digest_and_shows_how_far_it_is(server: Server, checkpoints: Path) -> None:
    server.files["/a/w.pth"] = CONTENT
    url, _, digest = server.url("/a/w.pth", CONTENT).partition("#sha256=")
    bars = Bars()
    path = fetch_weights(f"{url}#sha256={digest.upper()}", progress=bars)
    assert path == checkpoints / f"{digest}.pth"
    assert path.read_bytes() == CONTENT
    assert bars.seen == [["downloading w.pth (MB)", 3, 3]]


def test_a_damaged_copy_in_the_cache_is_fetched_again(server: Server) -> None:
    server.files["/w.pth"] = CONTENT
    url = server.url("/w.pth", CONTENT)
    fetch_weights(url).write_bytes(CONTENT[:-1])
    assert fetch_weights(url).read_bytes() == CONTENT


def test_another_file_than_was_asked_for_is_refused_and_not_kept(server: Server, checkpoints: Path) -> None:
    server.files["/w.pth"] = CONTENT[:-1] + b"!"
    with pytest.raises(WeightsError, match=r"is not the file that was asked for: its SHA-256 is [0-9a-f]{64}"):
        fetch_weights(server.url("/w.pth", CONTENT))
    assert list(checkpoints.iterdir()) == []


@pytest.mark.parametrize("fragment", ["", "#", "#sha256=", "#sha256=abc", "#md5=" + "0" * 32])
def test_a_url_without_its_digest_is_refused_before_anybody_is_asked(server: Server, fragment: str) -> None:
    server.files["/w.pth"] = CONTENT
    url = server.url("/w.pth", CONTENT).partition("#")[0] + fragment
    with pytest.raises(UsageError, match=r"does not say which file has to come.*`sha256sum FILE`"):
        load_pretrained(nn.Identity(), ARCH, url)
    assert server.asked == []


def test_a_download_that_breaks_off_leaves_nothing_and_starts_again(server: Server, checkpoints: Path) -> None:
    server.files["/w.pth"], server.cut_after = CONTENT, 1_500_000
    url = server.url("/w.pth", CONTENT)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        fetch_weights(url)
    with pytest.raises(KeyboardInterrupt):
        fetch_weights(url, progress=Bars(stop_at=1))
    assert list(checkpoints.iterdir()) == []
    server.cut_after = None
    assert fetch_weights(url).read_bytes() == CONTENT


def test_a_file_larger_than_the_limit_is_not_read_to_its_end(server: Server, checkpoints: Path) -> None:
    server.files["/w.pth"] = CONTENT
    bars = Bars()
    with pytest.raises(WeightsError, match="sends too much"):
        fetch_weights(server.url("/w.pth", CONTENT), max_bytes=1_200_000, progress=bars)
    assert bars.seen[0][2] == 1
    assert list(checkpoints.iterdir()) == []


def test_a_redirect_is_followed_but_not_to_another_private_host(server: Server, other_server: Server) -> None:
    server.files |= {"/here": "/w.pth", "/w.pth": CONTENT}
    server.files["/there"] = other_server.url("/w.pth", b"").partition("#")[0]
    other_server.files["/w.pth"] = CONTENT
    with pytest.raises(WeightsError, match="not on the public internet"):
        fetch_weights(server.url("/there", CONTENT))
    assert other_server.asked == []
    assert fetch_weights(server.url("/here", CONTENT)).read_bytes() == CONTENT


def test_what_a_server_does_not_have_or_that_is_not_there_is_an_error_in_words(server: Server) -> None:
    url = server.url("/nothing.pth", b"")
    with pytest.raises(WeightsError, match=r"/nothing\.pth could not be downloaded: HTTP 404\. .*--weights FILE"):
        fetch_weights(url)
    server.files["/round"] = "/round"
    with pytest.raises(WeightsError, match="more than 5 redirects"):
        fetch_weights(server.url("/round", b""))
    server.http.server_close()
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        fetch_weights(url)


def test_a_cache_that_cannot_be_written_is_an_error_in_words(server: Server, checkpoints: Path) -> None:
    checkpoints.rmdir()
    checkpoints.write_text("a file")
    server.files["/w.pth"] = CONTENT
    with pytest.raises(WeightsError, match=r"cannot be written.*TORCH_HOME"):
        fetch_weights(server.url("/w.pth", CONTENT))
