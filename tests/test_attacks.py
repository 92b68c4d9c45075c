"""What a hostile server may try, each refused with its reason, against real servers on loopback."""

import contextlib
import gzip
import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from birds import images, net, species
from birds.errors import BirdsError, FetchError, ImageError
from birds.reasons import Reason
from hypothesis import given, settings
from hypothesis import strategies as st

Behave = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = OK + b"Content-Encoding: gzip\r\n\r\n"
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of deflate: stored, of no bytes


class HostileServer:
    """Reads a request, behaves as it is told, hangs up. ``asked`` counts the requests."""

    def __init__(self, behave: Behave, tls: ssl.SSLContext | None = None) -> None:
        self.behave, self.tls, self.asked = behave, tls, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/a.jpg"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=self.listening.accept()[:1], daemon=True).start()

    def _answer(self, visitor: socket.socket) -> None:
        with contextlib.suppress(OSError), visitor:
            visitor.settimeout(20)
            with self.tls.wrap_socket(visitor, server_side=True) if self.tls else visitor as line:
                while (received := line.recv(65_536)) and b"\r\n\r\n" not in received:
                    pass
                if received:
                    self.asked += 1
                    self.behave(line)

    def __enter__(self) -> "HostileServer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)  # so that `accept` ends
        self.listening.close()

    def session(self) -> requests.Session:
        """One that may ask this server and no other on this computer."""
        return net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{self.port}"]))

    def refusal(self, url: str = "", **options: float) -> FetchError:
        """How a fetch of `url`, by default this server's, fails."""
        with self.session() as session, pytest.raises(FetchError) as caught:
            net.fetch(session, url or self.url, **options)
        return caught.value


def send(*parts: bytes) -> Behave:
    return lambda visitor: visitor.sendall(b"".join(parts))


def pour(*parts: bytes) -> Behave:
    """Send `parts`, the last of them again and again until the other side hangs up."""

    def behave(visitor: socket.socket) -> None:
        for part in itertools.chain(parts, itertools.repeat(parts[-1])):
            visitor.sendall(part)

    return behave


def drip(start: bytes, then: bytes) -> Behave:
    """Send `start`, then `then` byte by byte, over and over, faster than any timeout."""

    def behave(visitor: socket.socket) -> None:
        visitor.sendall(start)
        for byte in itertools.cycle(then):
            visitor.sendall(bytes([byte]))
            time.sleep(0.02)

    return behave


def redirect(location: str) -> Behave:
    return send(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def packed(megabytes: int, layers: int) -> bytes:
    """The rest of an answer: zeros, packed that many times over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return b"Content-Encoding: " + b", ".join([b"gzip"] * layers) + b"\r\n\r\n" + data


# -- too much


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(pour(OK + b"\r\n", bytes(65_536)), id="endless body"),
        pytest.param(pour(CHUNKED, b"8000\r\n" + bytes(32_768) + b"\r\n"), id="endless chunks"),
        pytest.param(pour(CHUNKED, b"1\r\nx\r\n" * 1000), id="endless chunks of one byte"),
        pytest.param(pour(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), id="endless trailers"),
        pytest.param(send(OK, b"Content-Length: 200001\r\n\r\n"), id="announced too large and nothing sent"),
        pytest.param(send(OK, packed(200, 1)), id="gzip bomb"),
        pytest.param(send(OK, packed(200, 2)), id="gzip bomb in gzip"),
        pytest.param(send(OK, packed(1, 3)), id="packed three times over"),
        pytest.param(send(OK, b"Content-Encoding: gzip", b",gzip" * 5000, b"\r\n\r\n"), id="thousands of codings"),
        pytest.param(pour(GZIPPED, gzip.compress(b"")[:10], EMPTY_BLOCK * 1000), id="gzip of nothing"),
        pytest.param(
            pour(OK + b"Content-Encoding: deflate\r\n\r\n", b"\x78\x9c", EMPTY_BLOCK * 1000), id="deflate of nothing"
        ),
        pytest.param(send(OK, *(b"X-%d: y\r\n" % n for n in range(5000)), b"\r\n"), id="5000 headers"),
        pytest.param(send(OK, *[b"X: " + b"y" * 60_000 + b"\r\n"] * 90, b"\r\n"), id="5 MB of headers"),
        pytest.param(pour(OK, b"X: y\r\n"), id="endless headers"),
        pytest.param(pour(OK, b"X: ", b"y" * 65_536), id="endless header"),
        pytest.param(pour(b"HTTP/1.1 200 ", b"OK" * 10_000), id="endless status line"),
        pytest.param(pour(b"HTTP/1.1 100 Continue\r\n\r\n"), id="endless 100 Continue"),
    ],
)
def test_too_much_is_cut_before_it_fills_the_memory(behave: Behave) -> None:
    with HostileServer(behave) as server:
        tracemalloc.start()
        try:
            error = server.refusal(max_bytes=200_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (error.reason, error.is_passing) == (Reason.TOO_LARGE, False)
    assert peak < 20_000_000


def test_what_follows_the_end_of_a_packed_body_is_left_alone() -> None:
    with HostileServer(pour(GZIPPED, gzip.compress(b"picture"))) as server, server.session() as session:
        assert net.fetch(session, server.url).data == b"picture"


def test_a_redirect_is_followed_without_reading_its_endless_body() -> None:
    with HostileServer(pour(b"HTTP/1.1 302 Found\r\nLocation: /a.jpg\r\n\r\n", bytes(65_536))) as server:
        assert server.refusal().reason is Reason.TOO_MANY_REDIRECTS


def test_a_hundred_redirects_end_after_a_few() -> None:
    with HostileServer(redirect("/a.jpg")) as server:
        error = server.refusal()
        assert (error.reason, error.is_passing) == (Reason.TOO_MANY_REDIRECTS, False)
        assert server.asked == net.MAX_REDIRECTS + 1


# -- too slow


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for 127.0.0.1 that nobody vouches for."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=birds"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {folder}/key -out {folder}/certificate"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions made now trust the certificate."""
    monkeypatch.setattr(requests.utils, "DEFAULT_CA_BUNDLE_PATH", str(certificate))


DRIPS = [
    pytest.param(drip(b"", b"HTTP/1.1 "), id="status line"),
    pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="100 Continue"),
    pytest.param(drip(OK, b"X: y\r\n"), id="headers"),
    pytest.param(drip(OK + b"\r\n", b"x"), id="body"),
    pytest.param(drip(OK + b"Content-Length: 100000\r\n\r\n", b"x"), id="body of known length"),
    pytest.param(drip(GZIPPED + gzip.compress(b"")[:10], EMPTY_BLOCK), id="gzip of nothing"),
    pytest.param(drip(CHUNKED, b"1\r\nx\r\n"), id="chunks"),
    pytest.param(drip(CHUNKED + b"1;", b"x"), id="size of a chunk"),
]


@pytest.mark.parametrize("behave", DRIPS)
def test_what_drips_ends_with_the_deadline(behave: Behave) -> None:
    with HostileServer(behave) as server:
        error = server.refusal(deadline_s=0.4)
    assert (error.reason, error.is_passing) == (Reason.TIMEOUT, True)


@pytest.mark.parametrize("behave", DRIPS[2:4])
@pytest.mark.usefixtures("trusted")
def test_what_drips_through_tls_ends_with_the_deadline(behave: Behave, tls: ssl.SSLContext) -> None:
    with HostileServer(behave, tls) as server:
        assert server.refusal(deadline_s=0.4).reason is Reason.TIMEOUT
        assert server.asked == 1


@pytest.mark.parametrize("limits", [{"timeout_s": 0.3}, {"deadline_s": 0.3}])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_times_out(scheme: str, limits: dict[str, float]) -> None:
    hung_up = threading.Event()
    with HostileServer(lambda _: hung_up.wait(10) and None) as server:  # type: ignore[func-returns-value]
        error = server.refusal(f"{scheme}://127.0.0.1:{server.port}/", **limits)
        hung_up.set()
    assert (error.reason, error.is_passing) == (Reason.TIMEOUT, True)


def test_an_address_where_nobody_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_in_vain(*_args: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait_in_vain)
    with net.make_session() as session, pytest.raises(FetchError) as caught:
        net.fetch(session, "http://93.184.216.34/")
    assert (caught.value.reason, caught.value.is_passing) == (Reason.TIMEOUT, True)


# -- nonsense


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\xff\r\n\r\n", id="no HTTP"),
        pytest.param(OK + b"Content-Length: 8\r\n\r\nhalf", id="half of what was announced"),
        pytest.param(OK + b"Content-Length: 4\r\nContent-Length: 8\r\n\r\nhalf", id="two lengths"),
        pytest.param(CHUNKED + b"zz\r\n", id="no chunk"),
        pytest.param(CHUNKED + b"8\r\nhalf", id="half a chunk"),
        pytest.param(CHUNKED + b"0" * 100_000, id="a size without end"),
        pytest.param(GZIPPED + b"plain", id="not gzip"),
    ],
)
def test_a_broken_answer_is_a_failure_that_may_pass(answer: bytes) -> None:
    with HostileServer(send(answer)) as server:
        error = server.refusal()
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


def test_any_bytes_are_an_answer_or_a_fetch_error() -> None:
    starts = [b"", OK, OK + b"\r\n", CHUNKED, GZIPPED, b"HTTP/1.1 302 Found\r\nLocation: "]
    with HostileServer(send()) as server, server.session() as session:

        @settings(max_examples=100, deadline=None)
        @given(st.sampled_from(starts), st.binary(max_size=40))
        def fetch(start: bytes, rest: bytes) -> None:
            server.behave = send(start, rest, b"\r\n\r\n")
            with contextlib.suppress(FetchError):
                assert isinstance(net.fetch(session, server.url, timeout_s=5).data, bytes)

        fetch()


# -- into the private network


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
     "127.1", "0", "localhost", "LOCALHOST", "user:pass@127.0.0.1"],
)  # fmt: skip
def test_no_spelling_of_this_computer_is_asked_or_followed(host: str) -> None:
    with HostileServer(send(OK, b"\r\nsecret")) as secret, HostileServer(send()) as server:
        target = f"{host}:{secret.port}/"
        for url in (f"http://{target}", f"https://{target}", server.url):
            server.behave = redirect(f"http://{target}")
            error = server.refusal(url)
            assert (error.reason, error.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)
        assert (server.asked, secret.asked) == (1, 0)


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[fe80::1]/", "http://[64:ff9b::7f00:1]/",
     "https://[2002:7f00:1::]/", "//192.168.1.1/", "file:///etc/passwd", "FILE:/etc/passwd", "ftp://example.com/a.jpg",
     "data:image/gif;base64,R0lGODlhAQABAAAAACw=", "javascript:1", "gopher://127.0.0.1:6379/_INFO", "http://[::1"],
)  # fmt: skip
def test_a_redirect_to_where_no_picture_can_be_is_refused(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, connected = socket.create_connection, []

    def noted(address: tuple[str, int], *args: object) -> socket.socket:
        connected.append(address)
        return connect(address, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", noted)
    with HostileServer(redirect(location)) as server:
        error = server.refusal()
    assert (error.reason, error.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)
    assert connected == [("127.0.0.1", server.port)]


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``resolve_to(answer, ...)``: names under .test resolve to the next of the answers, each a list of addresses.

    Returns the list of names that were asked for.
    """
    real = socket.getaddrinfo

    def resolve_to(*answers: list[str]) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, *args: object, **options: object) -> object:
            if not host.endswith(".test"):
                return real(host, port, *args, **options)  # type: ignore[arg-type]
            asked.append(host)
            return [
                (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in answers[min(len(asked), len(answers)) - 1]
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve_to


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["2606:4700::1111", "::1"]])
@pytest.mark.parametrize("is_redirect", [True, False])
def test_a_name_with_any_private_address_is_refused(
    resolve_to: Callable[..., list[str]], answer: list[str], is_redirect: bool
) -> None:
    asked = resolve_to(answer)
    with HostileServer(send(OK, b"\r\nsecret")) as secret, HostileServer(send()) as server:
        target = f"http://pictures.test:{secret.port}/"
        server.behave = redirect(target)
        assert server.refusal("" if is_redirect else target).reason is Reason.FORBIDDEN_ADDRESS
        assert secret.asked == 0
    assert asked == ["pictures.test"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dns_answer_that_changes_after_the_check_changes_nothing(
    resolve_to: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    asked = resolve_to(["93.184.216.34"], ["127.0.0.1"])
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_args: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with net.make_session() as session, pytest.raises(FetchError) as caught:
        net.fetch(session, f"{scheme}://pictures.test/a.jpg")
    assert caught.value.reason is Reason.NETWORK
    assert asked == ["pictures.test"]
    assert connected == [("93.184.216.34", 80 if scheme == "http" else 443)]


# -- under a false name


@pytest.mark.usefixtures("tls")
def test_a_certificate_that_nobody_vouches_for_is_refused(tls: ssl.SSLContext) -> None:
    with HostileServer(send(OK, b"\r\nsecret"), tls) as server:
        assert server.refusal().reason is Reason.NETWORK
        assert server.asked == 0


@pytest.mark.usefixtures("trusted")
def test_a_certificate_counts_only_for_the_host_it_names(tls: ssl.SSLContext) -> None:
    with HostileServer(send(OK, b"\r\npicture"), tls) as server:
        allowed = net.parse_allowed_hosts([f"127.0.0.1:{server.port}", f"localhost:{server.port}"])
        with net.make_session(allowed) as session:
            assert net.fetch(session, server.url).data == b"picture"
            with pytest.raises(FetchError) as caught:
                net.fetch(session, f"https://localhost:{server.port}/")
    assert caught.value.reason is Reason.NETWORK


HTML = b"<!doctype html><title>404</title><img src=a.jpg><script>alert(1)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("content", [HTML, SVG, b"\xff\xd8\xff" + HTML, b"GIF89a" + SVG, b"\x89PNG\r\n\x1a\n" + HTML])
def test_html_and_svg_are_no_pictures_whatever_they_are_called(content: bytes) -> None:
    answer = send(OK, b"Content-Type: image/jpeg\r\n\r\n", content)
    with HostileServer(answer) as server, server.session() as session:
        data = net.fetch(session, server.url).data
    with pytest.raises(ImageError) as caught:
        images.decode(data)
    assert caught.value.reason in {Reason.NOT_AN_IMAGE, Reason.UNREADABLE}


@pytest.mark.parametrize("name", ["../../x", "..", "/etc", "a/b", "a\\b", "C:\\x", "\0", "."])
def test_no_label_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with contextlib.suppress(BirdsError):
        label = species.clean_label(name)
        assert (tmp_path / label).resolve().parent == tmp_path.resolve()
        assert not set(label) & set("/\\\0")
