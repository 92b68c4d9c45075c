"""What a local page refuses, to whom, and what it sends with every answer."""

import re
import socket
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
    return PlainTextResponse(f"the page, {len(body)} bytes", headers={"Access-Control-Allow-Origin": "*"})


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
    "host", ["example.org", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.example.org:{port}", "[::1]:{port}", ""]
)
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


def test_it_is_gone_when_the_block_ends() -> None:
    with LocalServer(Starlette()) as running:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)
