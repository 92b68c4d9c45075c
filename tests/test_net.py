import contextlib
import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
import requests
from birds import net
from birds.errors import FetchError, UsageError
from birds.reasons import Reason

Respond = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A real HTTP server on loopback; `pages` maps a path to what answers it. ``connections`` counts them."""

    def __init__(self) -> None:
        self.pages: dict[str, Respond] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def do_GET(self) -> None:
                server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                server.pages[self.path](self)

            def log_message(self, *_args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def _answer(body: bytes = b"", status: int = 200, headers: tuple[tuple[str, str], ...] = (), **more: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        own = {name.replace("_", "-"): value for name, value in {"Content_Length": str(len(body)), **more}.items()}
        for name, value in (*own.items(), *headers):
            handler.send_header(name, value)
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


def test_the_user_agent_says_who_asks_and_where_to_read_about_it(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer()
    net.fetch(session, server.url("/"))
    said = f"birds/{version('birds')} (+https://github.com/birds-classifier/birds)"
    assert server.asked[0][1]["user-agent"] == net.user_agent() == said


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


DATA = bytes(range(256)) * 4000


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(DATA)),
        ("X-GZip", gzip.compress(DATA)),
        ("deflate", zlib.compress(DATA)),
        ("deflate", zlib.compress(DATA, wbits=-15)),
        ("identity", DATA),
        ("br", DATA),  # was not asked for: whoever says so may as well send the picture itself
    ],
)
def test_a_compressed_body_is_unpacked(server: Server, session: requests.Session, coding: str, packed: bytes) -> None:
    server.pages["/"] = _answer(packed, Content_Encoding=coding)
    assert net.fetch(session, server.url("/")).data == DATA
    assert server.asked[0][1]["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_that_breaks_off_is_no_body(server: Server, session: requests.Session, coding: str) -> None:
    packed = gzip.compress(DATA) if coding == "gzip" else zlib.compress(DATA)
    server.pages["/"] = _answer(packed[:-9], Content_Encoding=coding)
    assert _failure(session, server.url("/")).reason is Reason.NETWORK


def test_a_chunked_body_is_put_together(server: Server, session: requests.Session) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    server.pages["/"] = respond
    assert net.fetch(session, server.url("/")).data == b"abcdefg"


def test_one_connection_serves_many_requests(server: Server, session: requests.Session) -> None:
    for n in (1, 300_000):
        server.pages["/"] = _answer(bytes(n))
        assert len(net.fetch(session, server.url("/")).data) == n
    assert server.connections == 1


def test_no_cookie_is_kept(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(Set_Cookie="who=me; Path=/")
    for _ in range(2):
        net.fetch(session, server.url("/"))
    assert "cookie" not in server.asked[1][1]


def test_every_address_is_checked_before_it_is_asked(server: Server, session: requests.Session) -> None:
    server.pages["/1"] = _redirect("/2")
    server.pages["/2"] = _redirect("/cigüeña".encode().decode("latin-1"))

    def check(url: str) -> None:
        checked.append(url)
        if url.endswith("a"):
            raise FetchError("It is closed.", reason=Reason.ROBOTS_TXT)

    checked: list[str] = []
    with pytest.raises(FetchError) as caught:
        net.fetch(session, server.url("/1"), check=check)
    assert caught.value.reason is Reason.ROBOTS_TXT
    assert checked == [server.url(path) for path in ("/1", "/2", "/cig%C3%BCe%C3%B1a")]
    assert [path for path, _ in server.asked] == ["/1", "/2"]


def test_a_check_may_fetch_something_itself(server: Server, session: requests.Session) -> None:
    server.pages["/a.jpg"] = _answer(b"picture")
    server.pages["/robots.txt"] = _answer(b"all welcome")
    fetched = net.fetch(
        session,
        server.url("/a.jpg"),
        max_bytes=7,
        check=lambda _url: net.fetch(session, server.url("/robots.txt"), max_bytes=11) and None,  # type: ignore[func-returns-value]
    )
    assert fetched.data == b"picture"


def test_limits_end_with_the_fetch(server: Server, session: requests.Session) -> None:
    server.pages |= {"/a": _answer(b"a"), "/large": _answer(bytes(1_000_000))}
    net.fetch(session, server.url("/a"), max_bytes=1, deadline_s=0.3)
    time.sleep(0.3)
    assert len(session.get(server.url("/large"), timeout=20).content) == 1_000_000


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


def test_the_largest_body_allowed_is_fetched_whole(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(bytes(300_000))
    assert len(net.fetch(session, server.url("/"), max_bytes=300_000).data) == 300_000
    assert _failure(session, server.url("/"), max_bytes=299_999).reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("status", "header", "wait_s"),
    [
        (429, "7", 7),
        (503, " 120 ", 120),
        (404, "3", 3),
        (503, "soon", None),
        (503, "-1", None),
        (503, "\xb2", None),
        (503, "9" * 400, 999_999_999),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", 0),
        (503, "Wed, 99 Oct 2015 07:28:00 GMT", None),
        (503, "", None),
    ],
)
def test_a_server_may_ask_for_a_rest(
    server: Server, session: requests.Session, status: int, header: str, wait_s: float | None
) -> None:
    server.pages["/"] = _answer(status=status, Retry_After=header)
    assert _failure(session, server.url("/")).retry_after_s == wait_s


def test_a_server_may_ask_for_a_rest_until_a_moment(server: Server, session: requests.Session) -> None:
    moment = datetime.now(UTC) + timedelta(hours=10)
    server.pages["/"] = _answer(status=503, Retry_After=format_datetime(moment, usegmt=True))
    wait_s = _failure(session, server.url("/")).retry_after_s
    assert wait_s is not None
    assert timedelta(hours=9) < timedelta(seconds=wait_s) <= timedelta(hours=10)


# -- what its owner does not want collected


@pytest.mark.parametrize(
    "tags",
    [["noai"], ["noimageai"], ["noindex"], ["noimageindex"], ["none"], ["NoAI"], ["nofollow, noimageai"],
     ["birds: noai"], ["Birds:noindex"], ["*: noai"], ["otherbot: noindex", "noai"], ["otherbot: noindex, birds: noai"],
     ["max-snippet: 20, noimageindex"], ["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], ["all", "", "noindex"]],
)  # fmt: skip
def test_an_opt_out_is_respected(server: Server, session: requests.Session, tags: list[str]) -> None:
    server.pages["/"] = _answer(b"picture", headers=tuple(("X-Robots-Tag", tag) for tag in tags))
    error = _failure(session, server.url("/"))
    assert (error.reason, error.is_passing) == (Reason.OPTED_OUT, False)
    assert net.fetch(session, server.url("/"), may_opt_out=False).data == b"picture"


@pytest.mark.parametrize(
    "tags",
    [["all"], [""], ["nofollow, noarchive"], ["otherbot: noindex"], ["otherbot: nofollow, noindex, noai"],
     ["birdsong: noai"], ["max-image-preview: none"], ["birds: max-image-preview: none"], ["unavailable_after: noai"],
     ["unavailable_after: Friday, 25-Jun-10 15:00:00 GMT"], ["noaim"]],
)  # fmt: skip
def test_other_wishes_are_for_others(server: Server, session: requests.Session, tags: list[str]) -> None:
    server.pages["/"] = _answer(b"picture", headers=tuple(("X-Robots-Tag", tag) for tag in tags))
    assert net.fetch(session, server.url("/")).data == b"picture"


def test_an_opt_out_is_known_before_the_body_is_read(server: Server, session: requests.Session) -> None:
    server.pages["/"] = _answer(X_Robots_Tag="noai", Content_Length="1000")  # of which nothing comes
    assert _failure(session, server.url("/"), timeout_s=20).reason is Reason.OPTED_OUT


# -- large bodies


def test_only_some_large_bodies_come_in_at_a_time(server: Server, session: requests.Session) -> None:
    large, enough = bytes(3_000_000), threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(large)))
        handler.end_headers()
        handler.wfile.write(large[:-1])
        enough.wait(60)
        handler.wfile.write(large[-1:])

    server.pages |= {"/stalling": stall, "/large": _answer(large), "/small": _answer(b"small")}
    with ThreadPoolExecutor() as pool:
        stalled = [pool.submit(net.fetch, session, server.url("/stalling")) for _ in range(4)]
        try:
            while net._LARGE_SLOTS.acquire(blocking=False):  # until the four have all of them
                net._LARGE_SLOTS.release()
                time.sleep(0.01)
            assert _failure(session, server.url("/large"), deadline_s=0.5).reason is Reason.TIMEOUT
            assert net.fetch(session, server.url("/small")).data == b"small"
        finally:
            enough.set()
        assert [len(one.result().data) for one in stalled] == [len(large)] * 4
    for _ in range(5):  # every slot was given back
        assert len(net.fetch(session, server.url("/large"), deadline_s=20).data) == len(large)


# -- the guard (what it refuses is in test_attacks.py)


def test_a_name_that_was_allowed_may_be_private(
    server: Server, monkeypatch: pytest.MonkeyPatch, session: requests.Session
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *args, **options: resolve("127.0.0.1", *args, **options))
    server.pages["/"] = _answer(b"mine")
    with net.make_session(net.parse_allowed_hosts([f"Gallery.test:{server.port}"])) as allowed:
        assert net.fetch(allowed, f"http://gallery.test:{server.port}/").data == b"mine"
    assert server.asked[-1][1]["host"] == f"gallery.test:{server.port}"
    assert _failure(session, f"http://gallery.test:{server.port}/").reason is Reason.FORBIDDEN_ADDRESS


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


# -- through a proxy


class Proxy(Server):
    """Answers for every host itself; ``asked`` has whole URLs."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = _EveryPage()  # type: ignore[assignment]


class _EveryPage(dict[str, Respond]):
    def __missing__(self, url: str) -> Respond:
        return _answer(url.encode())


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    running = Proxy()
    yield running
    running.stop()


def test_requests_go_through_the_proxy_and_names_are_its_business(proxy: Proxy) -> None:
    with net.make_session(proxy=f"http://me:secret@127.0.0.1:{proxy.port}") as session:
        assert net.fetch(session, "http://pictures.invalid/a.jpg").data == b"http://pictures.invalid/a.jpg"
    assert proxy.asked[0][1]["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("url", ["http://127.1/", "https://2130706433/", "http://[::ffff:7f00:1]/", "http://localhost/",
                                 "http://１２７.0.0.1/", "https://router/"])  # fmt: skip
def test_the_proxy_is_not_asked_for_what_is_plainly_private(proxy: Proxy, url: str) -> None:
    proxy.pages["http://pictures.invalid/"] = _redirect(url.encode().decode("latin-1"))
    with net.make_session(proxy=f"http://127.0.0.1:{proxy.port}") as session:
        for start in (url, "http://pictures.invalid/"):
            error = _failure(session, start)
            assert (error.reason, error.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)
    assert [asked for asked, _ in proxy.asked] == ["http://pictures.invalid/"]


def test_an_allowed_host_is_asked_for_through_the_proxy_too(proxy: Proxy) -> None:
    allowed = net.parse_allowed_hosts(["127.0.0.1:80"])
    with net.make_session(allowed, proxy=f"http://127.0.0.1:{proxy.port}") as session:
        assert net.fetch(session, "http://127.0.0.1/a.jpg").data == b"http://127.0.0.1/a.jpg"
        assert _failure(session, "http://127.0.0.1:81/a.jpg").reason is Reason.FORBIDDEN_ADDRESS


def test_limits_hold_behind_a_proxy(proxy: Proxy) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        while True:
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.02)

    proxy.pages["http://pictures.invalid/"] = drip
    with net.make_session(proxy=f"http://127.0.0.1:{proxy.port}") as session:
        assert _failure(session, "http://pictures.invalid/", deadline_s=0.3).reason is Reason.TIMEOUT


def test_a_proxy_that_will_not_connect_is_a_failure_that_may_pass(proxy: Proxy) -> None:
    with net.make_session(proxy=f"http://127.0.0.1:{proxy.port}") as session:  # it knows no CONNECT
        error = _failure(session, "https://pictures.invalid/")
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


class _Socks(BaseRequestHandler):
    """The least of a SOCKS 5 proxy (RFC 1928): takes every visitor and answers for the host itself."""

    def handle(self) -> None:
        self.request.recv(100)
        self.request.sendall(b"\x05\x00")
        asked = self.request.recv(300)
        self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self.request.recv(65_536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + asked[5 : 5 + asked[4]])


def test_requests_go_through_a_socks_proxy() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), _Socks) as socks:
        threading.Thread(target=socks.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        with net.make_session(proxy=f"socks5h://127.0.0.1:{socks.server_address[1]}") as session:
            assert net.fetch(session, "http://pictures.invalid/a.jpg").data == b"pictures.invalid"
            assert _failure(session, "http://10.0.0.1/a.jpg").reason is Reason.FORBIDDEN_ADDRESS
        socks.shutdown()


@pytest.mark.parametrize(
    "proxy", ["127.0.0.1:3128", "ftp://h:1", "http://", "http://h", "socks4://h:1", "http://h:x", "h"]
)
def test_a_proxy_of_another_form_is_refused(proxy: str) -> None:
    with pytest.raises(UsageError) as caught:
        net.make_session(proxy=proxy)
    assert "--proxy" in caught.value.hint


def test_a_socks_proxy_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="PySocks"):
        net.make_session(proxy="socks5://127.0.0.1:1080")
