"""What a local page refuses, to whom, what it sends with every answer, and where it listens."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from birds.errors import UsageError
from birds.web import LocalServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def _echo(request: Request) -> PlainTextResponse:
    body = await request.body()
    seen = f"{request.url.scheme} {request.client.host}" if request.client else ""
    return PlainTextResponse(
        f"the page, {len(body)} bytes", headers={"Access-Control-Allow-Origin": "*", "X-Seen": seen}
    )


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(Starlette(routes=[Route("/{path:path}", _echo, methods=["GET", "POST"])])) as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[LocalServer]:
    """A server whose token nobody used yet."""
    with LocalServer(Starlette(routes=[Route("/", _echo)])) as running:
        yield running


@pytest.fixture(scope="module")
def page(server: LocalServer, visitor):
    return visitor(server)


@pytest.fixture
def stranger(page):
    """Somebody without the cookie."""
    return type(page)(f"{page.origin}/")


def test_without_the_token_a_page_says_what_to_do(stranger) -> None:
    for path in ("/", "/picture/1", "/?token=", "/?token=wrong", "/?token=%ff"):
        answer = stranger.get(path)
        assert answer.status == 403
        assert "works only once" in answer.text
        assert "run the command again" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_wrong_cookie_is_none(stranger, page) -> None:
    name = page.cookie.partition("=")[0]
    for cookie in (f"{name}=guessed", f"{name}=", page.cookie.replace(name, "birds-1"), "\xe9"):
        assert stranger.get("/", Cookie=cookie).status == 403
    assert stranger.get("/", Cookie=page.cookie).status == 200


def test_the_token_is_good_once(fresh: LocalServer, page) -> None:
    first, second = type(page)(fresh.url), type(page)(fresh.url)
    assert first.enter().status == 200
    assert first.get("/").text == "the page, 0 bytes"
    assert second.enter().status == 403
    assert second.cookie == ""
    assert first.get(f"/{first.way_in}").status == 200  # a reload in the browser that came first


def test_the_cookie_is_for_no_script_and_no_other_site_and_bears_the_port(fresh: LocalServer, page) -> None:
    header = type(page)(fresh.url).enter().headers["Set-Cookie"]
    name, _, rest = header.partition("=")
    value, *attributes = rest.split("; ")
    assert name == f"birds-{fresh.port}"
    assert len(value) >= 40
    assert {"httponly", "samesite=strict"} <= {attribute.lower() for attribute in attributes}
    assert value not in fresh.url


def test_the_way_in_leads_to_the_page_itself_and_nowhere_else(fresh: LocalServer, page) -> None:
    token = fresh.url.partition("?")[2]
    answer = type(page)(fresh.url).get(f"//example.org/?{token}")
    assert re.findall(r'url=([^"]*)"', answer.text) == ["/"]


def test_tokens_differ(server: LocalServer, fresh: LocalServer) -> None:
    tokens = {one.url.partition("token=")[2] for one in (server, fresh)}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 40


@pytest.mark.parametrize(
    "host",
    ["example.org", "example.org:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.example.org:{port}", "[::1]:{port}",
     "10.0.0.1:{port}", "127.0.0.1:{port}:{port}", "127.0.0.1:{port}@example.org", ""],
)  # fmt: skip
def test_other_hosts_are_not_served(page, host: str, server: LocalServer) -> None:  # a name that resolves to us
    answer = page.get("/", Host=host.format(port=server.port))
    assert answer.status == 400
    assert "the page" not in answer.text


def test_localhost_is_served(page, server: LocalServer) -> None:
    assert page.get("/", Host=f"LOCALHOST:{server.port}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://example.org", "Sec-Fetch-Site": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": None, "Sec-Fetch-Site": None},
    ],
    ids=str,
)  # fmt: skip
def test_changes_from_elsewhere_are_refused(page, headers: dict[str, str | None]) -> None:
    answer = page.post("/change", **headers)
    assert answer.status == 403
    assert "from the page itself" in answer.text


def test_changes_from_the_page_are_taken(page) -> None:
    assert page.post("/change", b"small").text == "the page, 5 bytes"
    assert page.post("/change", **{"Sec-Fetch-Site": None}).status == 200  # browsers before 2023
    other = {
        "Host": page.host.replace("127.0.0.1", "localhost"),
        "Origin": page.origin.replace("127.0.0.1", "localhost"),
    }
    assert page.post("/change", **other).status == 200


def test_large_bodies_are_refused(page) -> None:
    assert page.post("/change", b"x" * 65_536).status == 200
    assert page.post("/change", b"x" * 65_537).status == 413
    assert page.ask("GET", "/", {}, b"x" * 65_537).status == 413
    assert page.post("/change", iter([b"of unknown length"])).status == 411


def test_an_app_may_take_larger_bodies(visitor) -> None:
    app = Starlette(routes=[Route("/", _echo, methods=["POST"])])
    with LocalServer(app, max_body_bytes=70_000) as running:
        assert visitor(running).post("/", b"x" * 70_000).text == "the page, 70000 bytes"


def test_every_answer_is_guarded_by_the_same_headers(page, stranger) -> None:
    for answer in (page.get("/"), stranger.get("/"), page.get("/", Host="x"), page.post("/", Origin="null")):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
        assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers


# -- requests no browser sends


def _raw(server: LocalServer, request: str, *, host: str | None = "127.0.0.1:{port}") -> str:
    """What the server answers to exactly these lines, and a Host header unless `host` is None."""
    lines = [request, *([f"Host: {host}"] if host else []), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall("\r\n".join(lines).format(port=server.port).encode())
        answer = b""
        while received := line.recv(65_536):
            answer += received
    return answer.decode()


def test_a_request_needs_exactly_one_host(server: LocalServer, page) -> None:
    cookie = f"Cookie: {page.cookie}"
    assert _raw(server, f"GET / HTTP/1.1\r\n{cookie}").startswith("HTTP/1.1 200")
    ours = "Host: 127.0.0.1:{port}"
    for request, host in (
        (f"GET / HTTP/1.0\r\n{cookie}", None),
        (f"GET / HTTP/1.1\r\n{cookie}", None),
        (f"GET / HTTP/1.1\r\n{cookie}\r\n{ours}", "example.org"),
        (f"GET / HTTP/1.1\r\n{cookie}\r\nHost: example.org", "127.0.0.1:{port}"),
        (f"GET / HTTP/1.1\r\n{cookie}\r\n{ours}", "127.0.0.1:{port}"),
        (f"GET / HTTP/1.1\r\n{cookie}\r\nX: y\r\n {ours}", "example.org"),
    ):
        answer = _raw(server, request, host=host)
        assert answer.startswith("HTTP/1.1 400"), request
        assert "the page" not in answer


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "http://example.org/", "*", "example.org:443", "x"])
def test_a_target_is_a_path(server: LocalServer, page, target: str) -> None:
    answer = _raw(server, f"GET {target} HTTP/1.1\r\nCookie: {page.cookie}")
    assert answer.startswith("HTTP/1.1 400")
    assert "not served here" in answer


def test_what_a_proxy_would_say_does_not_count(server: LocalServer, page) -> None:
    ours = {"X-Forwarded-Host": page.host, "Forwarded": f"host={page.host}"}
    assert page.get("/", Host="example.org", **ours).status == 400
    theirs = dict.fromkeys(ours, "example.org") | {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    answer = page.post("/change", **theirs)
    assert (answer.status, answer.headers["X-Seen"]) == (200, "http 127.0.0.1")
    assert page.post("/change", Origin="https://example.org", **theirs).status == 403


@pytest.mark.parametrize(
    ("length", "status"),
    [("65537", "413"), ("9" * 18, "413"), ("9" * 30, "400"), ("-1", "400"), ("+1", "400"), ("1_0", "400"),
     ("0x10", "400"), ("1, 2", "400"), ("2\r\nContent-Length: 1", "400"),
     ("4\r\nTransfer-Encoding: chunked", "411"), ("4\r\nTransfer-Encoding: gzip, chunked", "400")],
)  # fmt: skip
def test_the_length_of_a_body_is_one_small_number(server: LocalServer, page, length: str, status: str) -> None:
    """Nothing of the body is sent: who waits for it would wait for ever."""
    mine = f"Cookie: {page.cookie}\r\nOrigin: {page.origin}\r\nSec-Fetch-Site: same-origin"
    answer = _raw(server, f"POST /change HTTP/1.1\r\n{mine}\r\nContent-Length: {length}")
    assert answer.startswith(f"HTTP/1.1 {status}")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "post", "PROPFIND"])
def test_every_other_method_counts_as_a_change(page, method: str) -> None:
    answer = page.ask(method, "/", {"Origin": "http://example.org", "Access-Control-Request-Method": "POST"})
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


# -- where it listens


def test_it_listens_on_127_0_0_1_only(server: LocalServer) -> None:
    assert server.url.startswith(f"http://127.0.0.1:{server.port}/?token=")
    socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    for address in ("127.0.0.2", "::1", socket.gethostbyname(socket.gethostname())):
        if address != "127.0.0.1":
            with pytest.raises(OSError, match=r"."):
                socket.create_connection((address, server.port), timeout=2)


def test_a_port_that_is_taken_is_a_clear_error(server: LocalServer) -> None:
    with pytest.raises(UsageError, match=f"port {server.port}") as caught:
        LocalServer(Starlette(), port=server.port)
    assert "--port" in caught.value.hint
    with pytest.raises(UsageError):
        LocalServer(Starlette(), port=70_000)


PUBLIC = ["0.0.0.0", "::", "::ffff:0.0.0.0", "192.0.2.1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("host", PUBLIC)
def test_other_machines_are_let_in_only_where_somebody_said_so(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = []
    monkeypatch.setattr(socket, "create_server", lambda *a, **k: bound.append(a))
    with pytest.raises(UsageError, match="nothing on the way is encrypted") as caught:
        LocalServer(Starlette(), host=host)
    assert "--i-know-this-is-public" in caught.value.hint
    assert "ssh -L" in caught.value.hint
    assert bound == []


def test_a_name_is_public_if_it_stands_for_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [answer])
    with pytest.raises(UsageError, match="At localhost other machines"):
        LocalServer(Starlette(), host="localhost")


@pytest.mark.parametrize("host", ["nowhere.invalid", "", "a..b", "no host", "\0", "127.0.0.1:80", "http://localhost"])
def test_a_host_that_is_none_is_a_clear_error(host: str) -> None:
    with pytest.raises(UsageError, match="cannot be served") as caught:
        LocalServer(Starlette(), host=host, allow_public=True)
    assert "--host" in caught.value.hint


def test_a_public_page_still_asks_for_the_token_and_the_origin(visitor) -> None:
    with LocalServer(
        Starlette(routes=[Route("/", _echo, methods=["GET", "POST"])]), host="0.0.0.0", allow_public=True
    ) as server:
        assert server.url.startswith(f"http://127.0.0.1:{server.port}/?token=")
        one = visitor(server)
        assert type(one)(f"{one.origin}/").get("/").status == 403
        assert one.post("/", Origin="http://example.org", **{"Sec-Fetch-Site": None}).status == 403
        assert (
            one.post("/", **{"Sec-Fetch-Site": None}).status == 200
        )  # without TLS browsers send none to other machines


def test_a_public_page_is_found_by_addresses_and_by_the_machines_name_and_by_no_other(visitor) -> None:
    with LocalServer(Starlette(routes=[Route("/", _echo)]), host="0.0.0.0", allow_public=True) as server:
        one, port = visitor(server), server.port
        for name in ("192.168.1.5", "10.1.2.3", "[fe80::1]", "[::1]", "localhost", socket.gethostname().upper()):
            assert one.get("/", Host=f"{name}:{port}").status == 200, name
        rebound = (
            "example.org",
            "192.168.1.5.nip.io",
            "1.2.3",
            "0x7f.1",
            "[::1",
            "::1",
            "a[::1]",
            "2130706433",
            "٣.1.1.1",
        )
        for name in rebound:
            assert one.get("/", Host=f"{name}:{port}".encode().decode("latin-1")).status == 400, name
        assert one.get("/", Host="192.168.1.5").status == 400


def test_a_host_that_was_named_is_the_only_one(visitor) -> None:
    for host in ("localhost", "127.0.0.2"):
        with LocalServer(Starlette(routes=[Route("/", _echo)]), host=host) as server:
            assert server.url.startswith(f"http://{host}:{server.port}/")
            one = visitor(server)
            assert one.get("/").status == 200
            assert one.get("/", Host=f"127.0.0.3:{server.port}").status == 400


def test_the_loopback_address_of_ipv6_works_too(visitor) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with LocalServer(Starlette(routes=[Route("/", _echo, methods=["GET", "POST"])]), host="::1") as server:
        assert server.url.startswith(f"http://[::1]:{server.port}/?token=")
        one = visitor(server)
        assert one.post("/", b"small").text == "the page, 5 bytes"
        assert one.get("/", Host=f"localhost:{server.port}").status == 200


def test_ctrl_c_ends_it_well_whatever_visitors_are_doing() -> None:
    code = (
        "from birds.web import LocalServer; from starlette.applications import Starlette\n"
        "server = LocalServer(Starlette()); print(server.port, flush=True); server.serve_forever(); print('ended')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        at_last = threading.Timer(60, process.kill)
        at_last.start()
        assert process.stdout
        port = int(process.stdout.readline())
        with contextlib.ExitStack() as visitors:
            for half in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"):
                line = visitors.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
                line.sendall(half)
            line.recv(1)  # the last one is answered: all three are in
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        at_last.cancel()
    assert (process.returncode, output.strip(), errors) == (0, b"ended", b"")


def test_a_server_may_be_started_now_and_closed_later() -> None:
    server = LocalServer(Starlette()).start()
    socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_it_is_gone_when_the_block_ends() -> None:
    with LocalServer(Starlette()) as running:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)
