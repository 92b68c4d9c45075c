"""Real browsers: on this machine, and on a grid, whose part a chromedriver plays behind a small node."""

import base64
import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from birds.demo.gallery import Gallery
from birds.errors import BrowserError, UsageError
from birds.scrape import grid
from birds.scrape.browser import open_browser
from birds.scrape.google_page import parse_records
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    with Gallery(per_label=45, hosts=2) as running:
        yield running


def open_results(driver: WebDriver, gallery: Gallery) -> None:
    driver.get(f"{gallery.url}/search?q=upupa+epops&udm=2")
    for button in driver.find_elements(By.ID, "W0wltc"):
        button.click()
    WebDriverWait(driver, 20).until(lambda driver: "/search" in driver.current_url)


def bodies_brought_by_scrolling(driver: WebDriver) -> list[str]:
    """Bodies of the answers to the page's own requests, read from the performance log."""
    driver.execute_script("window.scrollTo(0, document.documentElement.scrollHeight)")
    asked, bodies = set(), []
    deadline = time.monotonic() + 20
    while not bodies and time.monotonic() < deadline:
        for entry in driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            request = event["params"].get("requestId")
            if event["method"] == "Network.requestWillBeSent" and event["params"].get("type") in ("XHR", "Fetch"):
                asked.add(request)
            elif event["method"] == "Network.loadingFinished" and request in asked:
                bodies.append(driver.execute_cdp_cmd("Network.getResponseBody", {"requestId": request})["body"])
    return bodies


def still_running_with(text: str) -> list[str]:
    """Command lines with `text` in them, once they had time to end."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found += [line] if text in line else []
        if not found:
            return []
        time.sleep(0.1)
    return found


# -- on this machine


def test_browsers_of_several_threads_keep_to_themselves(tmp_path: Path, gallery: Gallery) -> None:
    together = threading.Barrier(3)

    def title_in_own_browser(number: int) -> str:
        with open_browser(tmp_path / f"profile {number}") as driver:
            together.wait(120)
            open_results(driver, gallery)
            driver.execute_script("document.title = arguments[0]", f"browser {number}")
            together.wait(120)
            return driver.title

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(title_in_own_browser, range(3))) == ["browser 0", "browser 1", "browser 2"]
    assert not list(tmp_path.iterdir()), "profiles are left behind"


@needs_proc
def test_a_browser_ends_with_the_thread_that_opened_it(tmp_path: Path) -> None:
    """So a worker opens, uses and closes its own: handed to another thread, the browser would die with the first."""
    profile = tmp_path / "profile"
    never_closed = open_browser(profile)
    command_lines = []

    def work() -> None:
        never_closed.__enter__()
        command_lines.extend(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in browser_processes(profile))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert command_lines, "no browser was running"
    assert not still_running_with(str(profile))


def browser_processes(profile: Path) -> list[int]:
    """Ids of the processes that were started on `profile`."""
    option = f"--user-data-dir={profile}".encode()
    return [int(line.parent.name) for line in Path("/proc").glob("[0-9]*/cmdline") if option in line.read_bytes()]


def test_the_way_to_the_driver_leads_through_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with open_browser(tmp_path / "profile") as driver:
        assert driver.execute_script("return 6 * 7") == 42


def test_a_browser_that_does_not_start_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "bin" / "chromedriver"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\nexit 1\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}{os.pathsep}{os.environ['PATH']}")
    profile = tmp_path / "profile"
    profile.mkdir()
    with pytest.raises(BrowserError, match="did not start"), open_browser(profile):
        pass
    assert not profile.exists()


# -- on a grid


class Node(ThreadingHTTPServer):
    """A grid's node in front of a chromedriver: it says itself how its Chrome starts, as a stereotype does.

    Attributes
    ----------
    url : of the remote end.
    asked : the bodies of the requests for a session.
    chrome : options that its Chrome gets besides those asked for.
    password : what a visitor has to give, with the user ``wren``.
    is_ready : what it says of itself.
    has_free_slot : without it, requests for a session wait.
    """

    daemon_threads = True

    def __init__(self, driver_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.driver_port = driver_port
        self.asked: list[dict[str, Any]] = []
        self.chrome: dict[str, Any] = {}
        self.password: str | None = None
        self.is_ready = True
        self.has_free_slot = threading.Event()
        self.has_free_slot.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Visitors that left are no news."""


class _Forward(BaseHTTPRequestHandler):
    server: Node

    def do_POST(self) -> None:
        node = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if node.password and self.headers.get("Authorization") != _basic("wren", node.password):
            self._answer(401, b"")
            return
        if self.path == "/status" and not node.is_ready:
            self._answer(200, b'{"value": {"ready": false, "message": "no free slot"}}')
            return
        if self.path == "/session" and self.command == "POST":
            node.has_free_slot.wait(60)
            if self._visitor_has_left():  # Grid 4 starts no browser then either
                return
            body = self._with_chrome_of_the_node(body)
        connection = http.client.HTTPConnection("127.0.0.1", node.driver_port, timeout=120)
        connection.request(self.command, self.path, body or None, {"Content-Type": "application/json; charset=utf-8"})
        answer = connection.getresponse()
        self._answer(answer.status, answer.read())
        connection.close()

    do_GET = do_DELETE = do_POST  # noqa: N815 - names that http.server looks for

    def _visitor_has_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _with_chrome_of_the_node(self, body: bytes) -> bytes:
        self.server.asked.append(json.loads(body))
        asked = json.loads(body)
        options = asked["capabilities"]["alwaysMatch"]["goog:chromeOptions"]
        options.update(self.server.chrome)
        if os.geteuid() == 0:
            options["args"].append("--no-sandbox")
        return json.dumps(asked).encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to say."""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def driver_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a chromedriver waits for sessions, with its browsers' profiles in a folder of the tests'."""
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("node"))}
    process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    port = next(int(found[1]) for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line)))
    try:
        yield port
        assert not driver_says(port, "GET", "/sessions"), "a session is left open"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def driver_says(port: int, method: str, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    value = json.loads(connection.getresponse().read())["value"]
    connection.close()
    return value


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def node(driver_port: int) -> Iterator[Node]:
    one = Node(driver_port)
    with running(one):
        yield one
        one.has_free_slot.set()


def test_a_browser_on_a_grid_gives_sources_logs_and_bodies_as_a_local_one(
    tmp_path: Path, gallery: Gallery, node: Node
) -> None:
    for grid_url in (None, node.url):
        with open_browser(tmp_path / "profile", grid_url=grid_url) as driver:
            open_results(driver, gallery)
            at_once = {candidate.url for candidate in parse_records(driver.page_source)}
            later = {c.url for body in bodies_brought_by_scrolling(driver) for c in parse_records(body)}
        assert len(at_once) == len(later) == 20
        assert not at_once & later
    assert len(node.asked) == 1, "the second browser was not the node's"


def test_what_is_asked_of_a_grid_holds_nothing_of_this_machine(tmp_path: Path, node: Node) -> None:
    with open_browser(tmp_path / "profile", grid_url=node.url):
        pass
    chrome = node.asked[0]["capabilities"]["alwaysMatch"]["goog:chromeOptions"]
    assert "--headless=new" in chrome["args"]
    assert "binary" not in chrome
    named = " ".join(chrome["args"])
    assert not [word for word in ("user-data-dir", "no-sandbox", "remote-debugging", str(tmp_path)) if word in named]


@needs_proc
def test_leaving_the_block_ends_the_grids_browser(tmp_path: Path, node: Node) -> None:
    profiles = []

    def use_and_fail() -> None:
        with open_browser(tmp_path / "profile", grid_url=node.url) as driver:
            profiles.append(Path(driver.caps["chrome"]["userDataDir"]))
            assert browser_processes(profiles[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use_and_fail()
    assert not still_running_with(str(profiles[0]))


def test_several_threads_share_a_grid(tmp_path: Path, node: Node) -> None:
    def session(number: int) -> str | None:
        with open_browser(tmp_path / str(number), grid_url=node.url) as driver:
            return driver.session_id

    with ThreadPoolExecutor(2) as threads:
        assert len(set(threads.map(session, range(2)))) == 2


def test_user_and_password_are_sent_and_never_shown(tmp_path: Path, node: Node, notes) -> None:
    node.password = "n€st egg"
    address = node.url.removeprefix("http://")
    with open_browser(tmp_path / "profile", grid_url=f"http://wren:n%E2%82%ACst%20egg@{address}/") as driver:
        assert driver.execute_script("return 6 * 7") == 42
        assert "wren" not in json.dumps(node.asked)
    with pytest.raises(BrowserError, match="user and a password") as caught:
        open_browser(tmp_path / "profile", grid_url=f"http://wren:secret@{address}").__enter__()
    assert node.url in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "localhost:4444", "ftp://localhost", "http://", "http://host:port", "http://[::1", "file:///tmp"]
)
def test_a_grids_address_is_one_of_the_web(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match=re.escape("http://localhost:4444")), open_browser(tmp_path, grid_url=url):
        pass


def test_where_nothing_listens_the_error_names_the_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(BrowserError, match=f"{url}: .*refused.*wd/hub"), open_browser(tmp_path, grid_url=url):
        pass


def test_a_silent_server_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "STATUS_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BrowserError, match=f"{url}: .*timed out"), open_browser(tmp_path, grid_url=url):
            pass


@pytest.mark.parametrize("body", [b"[]", b"{}", b"\xff\xfe", b"<html>", b'{"value": "ready"}'])
def test_what_does_not_speak_webdriver_is_no_grid(tmp_path: Path, serving: Callable[[bytes], str], body: bytes) -> None:
    url = serving(body)
    with pytest.raises(BrowserError, match=f"{url} is no Selenium Grid"), open_browser(tmp_path, grid_url=url):
        pass


def test_the_gallery_is_no_grid(tmp_path: Path, gallery: Gallery) -> None:
    with pytest.raises(BrowserError, match="is no Selenium Grid"), open_browser(tmp_path, grid_url=gallery.url):
        pass


@pytest.fixture
def serving() -> Iterator[Callable[[bytes], str]]:
    """``serving(body)``: the address of a server that answers everything with `body`."""
    servers = []

    def serve(body: bytes) -> str:
        class Same(_Forward):
            def do_GET(self) -> None:
                self._answer(200, body)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Same)
        context = running(server)
        context.__enter__()
        servers.append(context)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for context in servers:
        context.__exit__(None, None, None)


def test_a_grid_without_a_chrome_that_starts_says_so(tmp_path: Path, node: Node) -> None:
    node.chrome = {"binary": "/nonexistent/chrome"}
    with pytest.raises(BrowserError, match=f"{node.url} started no Chrome.*/nonexistent/chrome") as caught:
        open_browser(tmp_path, grid_url=node.url).__enter__()
    assert "--no-sandbox" in caught.value.hint


def test_a_busy_grid_is_waited_for(tmp_path: Path, node: Node, notes) -> None:
    node.is_ready = False
    node.has_free_slot.clear()
    threading.Timer(0.5, node.has_free_slot.set).start()
    with open_browser(tmp_path / "profile", grid_url=node.url, progress=notes) as driver:
        assert driver.execute_script("return 6 * 7") == 42
    assert any("No browser is free" in line for line in notes.lines)


def test_a_grid_that_stays_busy_is_given_up(tmp_path: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "SESSION_S", 0.3)
    node.has_free_slot.clear()
    with pytest.raises(BrowserError, match=f"{node.url} gave no Chrome within .*--browsers"):
        open_browser(tmp_path, grid_url=node.url).__enter__()


def test_a_grid_that_goes_away_is_a_failure_of_the_browser(tmp_path: Path, driver_port: int, notes) -> None:
    node = Node(driver_port)
    with running(node):
        opened = open_browser(tmp_path / "profile", grid_url=node.url, progress=notes)
        driver = opened.__enter__()
    try:
        with pytest.raises(WebDriverException, match=f"{node.url} does not answer any more"):
            driver.get("about:blank")
        opened.__exit__(None, None, None)
        assert any("could not be closed" in line for line in notes.lines)
    finally:  # behind the node's back
        driver_says(driver_port, "DELETE", f"/session/{driver.session_id}")
