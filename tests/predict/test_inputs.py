"""What may be asked about, and what becomes of it."""

import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from birds.errors import FetchError, ImageError
from birds.predict.inputs import Reader, as_shown, expand
from birds.reasons import Reason


def test_a_folder_is_searched_to_the_bottom_without_what_is_hidden(pictures: Path) -> None:
    found = [Path(name).relative_to(pictures).as_posix() for name in expand([pictures])]
    assert found == ["notes.txt", "rojo.png", "deep/cut.png", "deep/verde.jpeg", "deep/er/azul"]


def test_a_pattern_finds_files_at_every_depth(pictures: Path) -> None:
    found = [Path(name).relative_to(pictures).as_posix() for name in expand([f"{pictures}/**/*.[jp][pn]*g"])]
    assert found == ["deep/cut.png", "deep/verde.jpeg", "rojo.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    (tmp_path / "bird[1].png").write_bytes(draw("rojo"))
    (tmp_path / "bird1.png").write_bytes(draw("azul"))
    assert expand([tmp_path / "bird[1].png"]) == [str(tmp_path / "bird[1].png")]


def test_each_picture_counts_once_in_the_order_given(pictures: Path) -> None:
    red = str(pictures / "rojo.png")
    names = expand(["-", red, pictures, red, "-", "https://example.org/a.jpg"])
    assert names[:2] == ["-", red]
    assert names[-1] == "https://example.org/a.jpg"
    assert len(names) == len(set(names)) == 7


def test_links_to_folders_cannot_lead_in_circles(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    (tmp_path / "a.png").write_bytes(draw("rojo"))
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert expand([tmp_path]) == [str(tmp_path / "a.png")]
    assert expand([tmp_path / "again"]) == [str(tmp_path / "again" / "a.png")], "what is named is followed"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.jpg", "no such file"),
        ("*.tiff", "No file matches"),
        ("empty", "holds no files"),
        ("pipe", "no plain file"),
        ("nul\0l.jpg", "cannot be read"),
        ("dangling.jpg", "no such file"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (one,) = [name] if "\0" in name else expand([tmp_path / name])
    with pytest.raises(ImageError, match=why):
        Reader().read(one)


def test_a_name_that_is_no_utf8_can_be_shown(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    try:
        (tmp_path / os.fsdecode(b"a\xff.png")).write_bytes(draw("rojo"))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (name,) = expand([tmp_path])
    assert Reader().read(name) == draw("rojo")
    assert as_shown(name).endswith("a\N{REPLACEMENT CHARACTER}.png")


@pytest.fixture
def website(draw: Callable[..., bytes]) -> Iterator[str]:
    """HOST:PORT of a web server with a picture at every address but /private/ and /missing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"User-agent: *\nDisallow: /private/" if self.path == "/robots.txt" else draw("rojo")
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Nothing to standard error."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_web_address_is_fetched_behind_the_guard(website: str, draw: Callable[..., bytes]) -> None:
    assert Reader([website]).read(f"http://{website}/bird.png") == draw("rojo")
    with pytest.raises(FetchError) as refused:
        Reader().read(f"http://{website}/bird.png")
    assert refused.value.reason is Reason.FORBIDDEN_ADDRESS


def test_robots_txt_and_http_errors_are_reasons(website: str) -> None:
    reader = Reader([website])
    with pytest.raises(FetchError) as closed:
        reader.read(f"http://{website}/private/bird.png")
    assert closed.value.reason is Reason.ROBOTS_TXT
    with pytest.raises(FetchError, match="404"):
        reader.read(f"http://{website}/missing")
    with pytest.raises((FetchError, ImageError)):
        reader.read("http://[::1/bird.png")
