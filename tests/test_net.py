import contextlib
import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from birds import net
from birds.errors import FetchError, UsageError
from birds.reasons import Reason

Respond = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A real HTTP server on loopback; `pages` maps a path to what answers it."""

    def __init__(self) -> None:
        self.pages: dict[str, Respond] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                with contextlib.suppress(ConnectionError):
                    server.pages[self.path](self)

            def log_message(self, *_args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_port
        self.stopping = threading.Event()
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()


def _answer(body: bytes = b"", status: int = 200, **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def _redirect(location: str) -> Respond:
    return _answer(status=302, Location=location)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def session(server: Server) -> Iterator[requests.Session]:
    with net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{server.port}"])) as made:
        yield made


def _failure(session: requests.Session, url: str, **options: float) -> FetchError:
    with pytest.raises(FetchError) as caught:
        net.fetch(session, url, **options)
    return caught.value


# -- what is fetched


def test_a_body_is_fetched_with_what_the_server_says_of_it(server: Server, session: requests.Session) -> None:
    server.pages["/a.jpg"] = _answer(b"picture", Content_Type="image/jpeg")
    assert net.fetch(session, server.url("/a.jpg")) == net.Fetched(b"picture", server.url("/a.jpg"), "image/jpeg")


def test_the_user_agent_names_birds(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer()
    net.fetch(session, server.url("/"))
    assert server.asked[0][1]["user-agent"].startswith("birds/")


def test_redirects_are_followed_to_where_they_end(server: Server, session: requests.Session) -> None:
    server.pages["/1"] = _redirect("2?x=%20")
    server.pages["/2?x=%20"] = _redirect(server.url("/cig%C3%BCe%C3%B1a"))
    server.pages["/cig%C3%BCe%C3%B1a"] = _answer(b"here")
    fetched = net.fetch(session, server.url("/1"))
    assert (fetched.data, fetched.url) == (b"here", server.url("/cig%C3%BCe%C3%B1a"))


def test_a_location_may_be_raw_utf8(server: Server, session: requests.Session) -> None:
    server.pages["/1"] = _redirect("/cigüeña".encode().decode("latin-1"))
    server.pages["/cig%C3%BCe%C3%B1a"] = _answer(b"here")
    assert net.fetch(session, server.url("/1")).data == b"here"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_unpacked(server: Server, session: requests.Session, encoding: str) -> None:
    data = bytes(range(256)) * 1000
    packed = gzip.compress(data) if encoding == "gzip" else zlib.compress(data)
    server.pages["/"] = _answer(packed, Content_Encoding=encoding)
    assert net.fetch(session, server.url("/")).data == data


def test_a_chunked_body_is_put_together(server: Server, session: requests.Session) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    server.pages["/"] = respond
    assert net.fetch(session, server.url("/")).data == b"abcdefg"


def test_the_environment_has_no_say(
    server: Server, session: requests.Session, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.pages["/"] = _answer(b"direct")
    assert net.fetch(session, server.url("/")).data == b"direct"
    assert "authorization" not in server.asked[0][1]


# -- what goes wrong


@pytest.mark.parametrize(
    ("status", "is_passing"), [(400, False), (403, False), (404, False), (410, False), (429, True), (500, True),
    (503, True)]
)  # fmt: skip
def test_a_refusal_passes_or_not_by_its_status(
    server: Server, session: requests.Session, status: int, is_passing: bool
) -> None:
    server.pages["/"] = _answer(b"no", status)
    error = _failure(session, server.url("/"))
    assert (error.reason, error.is_passing) == (Reason.HTTP_ERROR, is_passing)
    assert str(status) in error.message


def test_nobody_listening_may_pass(session: requests.Session, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{port}"])) as other:
        error = _failure(other, f"http://127.0.0.1:{port}/")
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


def test_a_name_that_does_not_resolve_may_pass(session: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = _failure(session, "http://birds.invalid/")
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


def test_a_body_that_breaks_off_is_no_body(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(b"half", Content_Length="8")
    error = _failure(session, server.url("/"))
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


def test_headers_that_contradict_each_other_are_no_body(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(b"half", content_length="8")  # beside the right one
    assert _failure(session, server.url("/")).reason is Reason.NETWORK


def test_a_body_that_is_not_compressed_as_it_says_is_an_error(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(b"plain", Content_Encoding="gzip")
    assert _failure(session, server.url("/")).reason is Reason.NETWORK


def test_a_server_that_says_nothing_times_out(server: Server, session: requests.Session) -> None:
    server.pages["/"] = lambda _handler: server.stopping.wait(10) and None  # type: ignore[assignment]
    error = _failure(session, server.url("/"), timeout_s=0.2)
    assert (error.reason, error.is_passing) == (Reason.TIMEOUT, True)


def test_a_server_that_stops_halfway_times_out(server: Server, session: requests.Session) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        _answer(b"half", Content_Length="8")(handler)
        handler.wfile.flush()
        server.stopping.wait(10)

    server.pages["/"] = respond
    assert _failure(session, server.url("/"), timeout_s=0.2).reason is Reason.TIMEOUT


def test_a_body_that_drips_times_out(
    server: Server, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            if server.stopping.wait(0.03):
                return

    server.pages["/"] = drip
    monkeypatch.setattr(net, "DEADLINE_S", 0.3)
    error = _failure(session, server.url("/"), timeout_s=2)
    assert (error.reason, error.is_passing) == (Reason.TIMEOUT, True)


def test_an_endless_body_is_cut(server: Server, session: requests.Session) -> None:
    sent = 0

    def pour(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while not server.stopping.is_set():
            sent += handler.wfile.write(bytes(65_536))

    server.pages["/"] = pour
    error = _failure(session, server.url("/"), max_bytes=300_000)
    assert (error.reason, error.is_passing) == (Reason.TOO_LARGE, False)
    assert sent < 100_000_000


def test_the_largest_body_allowed_is_fetched_whole(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(bytes(300_000))
    assert len(net.fetch(session, server.url("/"), max_bytes=300_000).data) == 300_000
    assert _failure(session, server.url("/"), max_bytes=299_999).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("layers", [1, 2])
def test_a_bomb_is_cut_before_it_fills_the_memory(server: Server, session: requests.Session, layers: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    if layers == 2:
        bomb = gzip.compress(bomb)
    server.pages["/"] = _answer(bomb, Content_Encoding=", ".join(["gzip"] * layers))
    tracemalloc.start()
    try:
        assert _failure(session, server.url("/"), max_bytes=500_000).reason is Reason.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_redirects_end_after_a_few(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _redirect("/")
    error = _failure(session, server.url("/"))
    assert (error.reason, error.is_passing) == (Reason.TOO_MANY_REDIRECTS, False)
    assert len(server.asked) == net.MAX_REDIRECTS + 1


# -- the guard


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1",
     "ff0e::1",
     "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1",
     "64:ff9b:1::7f00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "100::1"],
)  # fmt: skip
def test_private_addresses_are_not_public_in_any_form(address: str) -> None:
    assert not net.is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "151.101.1.1", "2606:4700:4700::1111", "2a00:1450:4003::200e", "::ffff:8.8.8.8", "2002:808:808::1",
     "64:ff9b::808:808"],
)  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    assert net.is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[2002:7f00:1::]",
     "[64:ff9b::7f00:1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1",
     "127.1", "0", "localhost", "LOCALHOST", "user:pass@127.0.0.1"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_a_private_host_is_fetched(host: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("it connected"))
    with net.make_session() as session:
        error = _failure(session, f"{scheme}://{host}/")
    assert (error.reason, error.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to the next of `answers`; returns the list of names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

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


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["2606:4700::1111", "::1"]])
def test_a_name_with_any_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, answers: list[str]) -> None:
    asked = _resolve_to(monkeypatch, answers)
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("it connected"))
    with net.make_session() as session:
        assert _failure(session, "http://pictures.test/a.jpg").reason is Reason.FORBIDDEN_ADDRESS
    assert asked == ["pictures.test"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_that_changes_after_the_check_changes_nothing(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    asked = _resolve_to(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_args: object, **_options: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with net.make_session() as session:
        assert _failure(session, f"{scheme}://pictures.test/a.jpg").reason is Reason.NETWORK
    assert asked == ["pictures.test"]
    assert connected == [("93.184.216.34", 80 if scheme == "http" else 443)]


def test_a_name_that_was_allowed_may_be_private(
    server: Server, monkeypatch: pytest.MonkeyPatch, session: requests.Session
) -> None:
    _resolve_to(monkeypatch, ["127.0.0.1"])
    server.pages["/"] = _answer(b"mine")
    with net.make_session(net.parse_allowed_hosts([f"Gallery.test:{server.port}"])) as allowed:
        assert net.fetch(allowed, f"http://gallery.test:{server.port}/").data == b"mine"
    assert server.asked[-1][1]["host"] == f"gallery.test:{server.port}"
    assert _failure(session, f"http://gallery.test:{server.port}/").reason is Reason.FORBIDDEN_ADDRESS


def test_a_redirect_of_an_allowed_server_into_the_private_network_is_refused(
    server: Server, session: requests.Session
) -> None:
    other = Server()
    other.pages["/secret"] = _answer(b"secret")
    try:
        for target in (
            other.url("/secret"),
            "http://169.254.169.254/latest/meta-data/",
            f"http://localhost:{server.port}/",
        ):
            server.pages["/"] = _redirect(target)
            assert _failure(session, server.url("/")).reason is Reason.FORBIDDEN_ADDRESS
        assert other.asked == []
    finally:
        other.stop()


def test_an_allowed_port_allows_no_other_on_the_same_host(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(b"mine")
    assert net.fetch(session, server.url("/")).data == b"mine"
    with net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{server.port + 1}"])) as other:
        assert _failure(other, server.url("/")).reason is Reason.FORBIDDEN_ADDRESS
    with net.make_session() as none:
        assert _failure(none, server.url("/")).reason is Reason.FORBIDDEN_ADDRESS


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "data:image/gif;base64,R0lGODlhAQABAAAAACw=", "javascript:1", "",
     "a.jpg", "//h/a",
     "http://", "http://[::1", "http://.example.com/", "http://exa mple.com/", "http://a:b:c/", "http://h:99999/",
     f"http://{'a' * 70}.com/"],
)  # fmt: skip
def test_what_is_no_web_address_is_not_fetched(session: requests.Session, url: str) -> None:
    error = _failure(session, url)
    assert (error.reason, error.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)


def test_a_redirect_to_a_file_is_refused(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _redirect("file:///etc/passwd")
    assert _failure(session, server.url("/")).reason is Reason.FORBIDDEN_ADDRESS


# -- patterns of allowed hosts


@pytest.mark.parametrize(
    ("pattern", "n", "some"),
    [
        ("127.0.0.1:8000", 1, ("127.0.0.1", 8000)),
        ("LocalHost:80", 1, ("localhost", 80)),
        ("[::1]:8000", 1, ("::1", 8000)),
        ("127.0.1.1-60:8000", 60, ("127.0.1.60", 8000)),
        ("127.0.0.1:8001-8060", 60, ("127.0.0.1", 8060)),
        ("127.0.1.1-2:8001-8003", 6, ("127.0.1.2", 8003)),
        ("my-host.lan:65535", 1, ("my-host.lan", 65_535)),
    ],
)
def test_a_pattern_is_exact_pairs(pattern: str, n: int, some: tuple[str, int]) -> None:
    pairs = net.parse_allowed_hosts([pattern])
    assert len(pairs) == n
    assert some in pairs


def test_patterns_add_up() -> None:
    assert net.parse_allowed_hosts([]) == frozenset()
    assert net.parse_allowed_hosts(["a:1", "b:2", "a:1"]) == {("a", 1), ("b", 2)}


@pytest.mark.parametrize(
    "pattern",
    ["", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:http", "http://127.0.0.1:80", "::1:80", "127.0.0.1:80/", "a b:80",
     "127.0.0.1:65536", "127.0.0.1:8060-8001", "127.0.1.60-1:80", "127.0.1.1-999:80", "127.0.0.1:1-65535",
     "127.0.0.1-255:1-100", "*:80"],
)  # fmt: skip
def test_a_pattern_of_another_form_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        net.parse_allowed_hosts([pattern])
    assert "--allow-host" in caught.value.hint
