"""How a notebook, and nobody else, may show a local page in a frame: over HTTP, and in a headless Chromium."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from birds.scrape.browser import open_browser
from birds.web import LocalServer, frame_session
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

NOTEBOOK = "http://127.0.0.1:8888"
REFUSED = "chrome-error://chromewebdata/"
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


async def _front(request: Request) -> HTMLResponse:
    return HTMLResponse(
        f'<meta name="birds-session" content="{frame_session(request) or ""}">'
        f"<script src=/static/it.js defer></script><p>pictures for {request.url.query!r}</p>"
        f"<img id=shown><img id=unnamed src=/picture>"
    )


async def _script(request: Request) -> Response:
    code = """
    const session = document.querySelector("meta").content;
    const mine = { headers: { "X-Birds-Session": session } };
    (async () => {
      const picture = await fetch("/picture", mine);
      document.querySelector("#shown").src = URL.createObjectURL(await picture.blob());
      document.title = (await (await fetch("/change", { method: "POST", ...mine })).text());
    })();"""
    return Response(code, media_type="text/javascript")


async def _picture(request: Request) -> Response:
    return Response(PIXEL, media_type="image/gif")


async def _change(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"changed by {len(await request.body())} bytes")


APP = Starlette(
    routes=[
        Route("/", _front),
        Route("/static/it.js", _script),
        Route("/picture", _picture),
        Route("/change", _change, methods=["POST"]),
    ]
)


@pytest.fixture
def framed() -> Iterator[LocalServer]:
    """A server of a page that shows its session and the picture it fetched with it; nobody opened it yet."""
    with LocalServer(APP, framed=True) as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[LocalServer]:
    """A server of the same page that is for no frame; nobody opened it yet."""
    with LocalServer(APP) as running:
        yield running


@pytest.fixture(scope="module")
def page(visitor):
    """The page in an ordinary tab."""
    with LocalServer(APP) as running:
        yield visitor(running)


def _ancestors(answer) -> str:
    return re.findall("frame-ancestors ([^;]*)", answer.headers["Content-Security-Policy"])[0]


def _open(server: LocalServer, page, parent: str = NOTEBOOK, host: str = "127.0.0.1"):
    """A visitor and what the notebook at `parent` gets for its frame at `host`."""
    one = type(page)(server.url)
    address = f"/{one.way_in}&parent={quote(parent, safe='')}"
    return one, one.get(address, Host=f"{host}:{server.port}")


def _session(answer) -> dict[str, str]:
    return {"X-Birds-Session": re.findall('name="birds-session" content="([^"]*)"', answer.text)[0]}


def test_a_notebooks_frame_gets_the_page_and_a_session_that_its_script_sends(framed: LocalServer, page) -> None:
    one, answer = _open(framed, page)
    assert answer.status == 200
    assert "pictures for ''" in answer.text  # the app sees no token
    assert "Set-Cookie" not in answer.headers
    session = _session(answer)
    assert len(session["X-Birds-Session"]) >= 40
    assert session["X-Birds-Session"] not in framed.url
    assert one.get("/picture", **session).body == PIXEL
    assert one.post("/change", b"small", **session).text == "changed by 5 bytes"
    assert 'content=""' in one.get("/", **session).text  # said once


def test_in_a_frame_only_the_script_is_for_everybody(framed: LocalServer, page) -> None:
    one = type(page)(f"{page.origin.rpartition(':')[0]}:{framed.port}/")
    assert one.get("/static/it.js").status == 403  # nobody framed it yet
    session = _session(_open(framed, page)[1])
    assert one.get("/static/it.js").status == 200
    assert one.post("/static/it.js").status == 403
    assert one.get("/static/it.js", Host="example.org").status == 400
    for wrong in ({}, {"X-Birds-Session": ""}, {"X-Birds-Session": "guessed"}, {"X-Birds-Session": "\xe9"}):
        for path in ("/", "/picture", "/static", "//static/it.js"):
            answer = one.get(path, **wrong)
            assert answer.status == 403
            assert "run the cell again" in answer.text
        assert one.post("/change", **wrong).status == 403
    assert one.post("/change", **session, Origin=NOTEBOOK, **{"Sec-Fetch-Site": "same-site"}).status == 403


def test_a_frame_is_opened_once(framed: LocalServer, page) -> None:
    one, first = _open(framed, page)
    for again in (_open(framed, page)[1], _open(framed, page, "http://127.0.0.1:9999")[1], one.enter()):
        assert again.status == 403
        assert "run the cell again" in again.text
        assert _ancestors(again) == NOTEBOOK  # so that the sentence is seen
        assert "Set-Cookie" not in again.headers
    assert one.get("/picture", **_session(first)).status == 200


@pytest.mark.parametrize("parent", [NOTEBOOK, "http://127.0.0.1", "https://127.0.0.1:8888", "http://localhost:8888"])
def test_the_one_who_opened_the_frame_may_show_it_and_nobody_else(framed: LocalServer, page, parent: str) -> None:
    host = parent.split("/")[2].partition(":")[0]
    assert _ancestors(type(page)(framed.url).get("/")) == "'none'"
    one, answer = _open(framed, page, parent, host)
    everything = (answer, one.get("/"), one.get("/picture", **_session(answer)), one.get("/", Host="example.org"))
    assert [each.status for each in everything] == [200, 403, 200, 400]
    for each in everything:
        assert _ancestors(each) == parent
        assert "img-src 'self' blob:;" in each.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "parent",
    ["", "null", "*", "'self'", "http:", "http://example.org", "http://localhost:8888", "http://127.0.0.1.example.org",
     "http://127.0.0.1:8888/", "http://127.0.0.1:8888 *", "http://127.0.0.1:8888;script-src *", "http://127.0.0.1:*",
     "http://127.0.0.1:8888\n", "http://127.0.0.1:8888, x", "http://u@127.0.0.1", "file://127.0.0.1", "HTTP://127.0.0.1",
     "http://127.0.0.1:٣", "http://[::1]:8888", "vscode-webview://127.0.0.1"],
)  # fmt: skip
def test_other_parents_are_refused_and_the_token_stays_good(framed: LocalServer, page, parent: str) -> None:
    answer = _open(framed, page, parent)[1]
    assert answer.status == 403
    assert "Only a notebook on this machine" in answer.text
    assert _ancestors(answer) == "'none'"
    assert _open(framed, page)[1].status == 200


def test_a_parent_without_the_token_or_where_no_frame_is_expected_is_nothing(framed, fresh, page) -> None:
    parent = quote(NOTEBOOK, safe="")
    stranger = type(page)(framed.url)
    for way_in in (f"/?parent={parent}", f"/?token=&parent={parent}", f"/?token=wrong&parent={parent}"):
        answer = stranger.get(way_in)
        assert (answer.status, _ancestors(answer)) == (403, "'none'")
    assert stranger.ask("POST", f"/{stranger.way_in}&parent={parent}", {}).status == 403
    _, answer = _open(fresh, page)
    assert "pictures" not in answer.text
    assert "Set-Cookie" in answer.headers  # an ordinary tab
    assert _ancestors(answer) == "'none'"


def test_the_framed_page_may_be_opened_in_a_tab_instead(framed: LocalServer, page) -> None:
    one = type(page)(framed.url)
    one.enter()
    answer = one.get("/")
    assert (answer.status, _ancestors(answer)) == (200, "'none'")
    assert "blob:" not in answer.headers["Content-Security-Policy"]
    assert 'content=""' in answer.text  # the cookie says who it is, and no script can read it
    assert _open(framed, page)[1].status == 403


# -- in a browser


class _Notebook(BaseHTTPRequestHandler):
    """Pages that show the address after ``?`` in a frame."""

    def do_GET(self) -> None:
        address = self.path.partition("?")[2]
        page = f'<!doctype html><meta charset="utf-8"><iframe src="{address.replace("&", "&amp;")}"></iframe>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def notebook() -> Iterator[int]:
    """The port of a page on 127.0.0.1 that frames others."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Notebook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile") / "chromium") as driver:
        yield driver


def _show(driver: Any, at: str, address: str) -> str:
    """Open the page `at`, which frames `address`; the address of what is then in the frame."""
    driver.get(f"{at}/?{address}")
    return _inside(driver)


def _inside(driver: Any) -> str:
    """The address of what is shown in the frame of what we look at."""
    driver.switch_to.frame(0)
    WebDriverWait(driver, 15, 0.05).until(lambda _: driver.execute_script("return document.readyState") == "complete")
    return str(driver.execute_script("return location.href"))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_browser_shows_the_frame_to_the_notebook_that_opened_it(chromium, framed, notebook, name: str) -> None:
    parent = f"http://{name}:{notebook}"
    address = framed.url.replace("127.0.0.1", name) + f"&parent={quote(parent, safe='')}"
    assert _show(chromium, parent, address) == address
    WebDriverWait(chromium, 15, 0.05).until(lambda _: chromium.execute_script("return document.title"))
    assert chromium.execute_script("return document.title") == "changed by 0 bytes"
    width = "return document.querySelector(arguments[0]).naturalWidth"
    WebDriverWait(chromium, 15, 0.05).until(lambda _: chromium.execute_script(width, "#shown") == 1)
    assert chromium.execute_script(width, "#unnamed") == 0  # asked for without the header
    chromium.execute_script("location.reload()")
    WebDriverWait(chromium, 15, 0.05).until(
        lambda _: "run the cell again" in chromium.find_element(By.TAG_NAME, "body").text
    )


@pytest.mark.parametrize(
    ("top", "parent"),
    [
        pytest.param("http://localhost:{n}", "http://127.0.0.1:{n}", id="another name"),
        pytest.param("http://127.0.0.1:{n}", "http://127.0.0.1:1", id="another port"),
        pytest.param("http://127.0.0.1:{n}", "https://127.0.0.1:{n}", id="another scheme"),
        pytest.param("http://127.0.0.1:{n}", "http://example.org", id="a parent that is refused"),
        pytest.param("http://127.0.0.1:{n}", "", id="no parent"),
    ],
)
def test_a_browser_shows_the_frame_to_nobody_else(chromium, framed, notebook, top: str, parent: str) -> None:
    address = f"{framed.url}&parent={quote(parent.format(n=notebook), safe='')}" if parent else framed.url
    assert _show(chromium, top.format(n=notebook), address) == REFUSED


def test_a_browser_shows_no_frame_of_a_frame_of_a_stranger(chromium, framed, notebook) -> None:
    mine = f"http://127.0.0.1:{notebook}"
    address = f"{framed.url}&parent={quote(mine, safe='')}"
    assert _show(chromium, f"http://localhost:{notebook}", f"{mine}/?{address}").startswith(mine)
    assert _inside(chromium) == REFUSED


def test_a_browser_frames_no_page_that_is_not_meant_for_it(chromium, fresh, notebook) -> None:
    assert _show(chromium, f"http://127.0.0.1:{notebook}", fresh.url) == REFUSED
