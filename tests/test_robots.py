import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from birds import net
from birds.errors import FetchError
from birds.reasons import Reason
from birds.robots import MAX_DELAY_S, Robots, rules_for_us
from hypothesis import given
from hypothesis import strategies as st


class Site:
    """A server on loopback with a robots.txt. ``asked`` has the paths."""

    def __init__(self, robots: str | bytes = "", status: int = 200, **headers: str) -> None:
        self.robots = robots.encode() if isinstance(robots, str) else robots
        self.status, self.headers = status, headers
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                is_robots = self.path == "/robots.txt"
                self.send_response(site.status if is_robots else 302 if "to=" in self.path else 200)
                for name, value in site.headers.items() if is_robots else ():
                    self.send_header(name.replace("_", "-"), value)
                if "to=" in self.path:
                    self.send_header("Location", self.path.partition("to=")[2])
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(site.robots if is_robots or self.path == "/moved" else b"picture")

            def log_message(self, *_args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def refusal(self, path: str, robots: Robots | None = None) -> FetchError | None:
        """Why `path` may not be fetched; None where it may."""
        try:
            (robots or Robots(session_for(self))).check(self.origin + path)
        except FetchError as error:
            return error
        return None

    def is_open(self, path: str) -> bool:
        error = self.refusal(path)
        assert error is None or (error.reason, error.is_passing) == (Reason.ROBOTS_TXT, False)
        return error is None


def session_for(*sites: Site) -> requests.Session:
    return net.make_session(net.parse_allowed_hosts(site.origin.removeprefix("http://") for site in sites))


# -- what the file says


@pytest.mark.parametrize(
    ("text", "path", "is_open"),
    [
        ("", "/a.jpg", True),
        ("User-agent: *\nDisallow: /", "/a.jpg", False),
        ("User-agent: *\nDisallow:", "/a.jpg", True),
        ("User-agent: *\nDisallow: /private", "/private/a.jpg", False),
        ("User-agent: *\nDisallow: /private", "/a.jpg", True),
        ("User-agent: *\nDisallow: /\nAllow: /pictures/", "/pictures/a.jpg", True),
        ("User-agent: *\nDisallow: /*.jpg$", "/a.jpg", False),
        ("User-agent: *\nDisallow: /*.jpg$", "/a.jpg?size=2", True),
        ("User-agent: *\nDisallow: /*?size=", "/a.jpg?size=2", False),
        ("User-agent: *\nDisallow: /cigüeña", "/cig%C3%BCe%C3%B1a.jpg", False),
        ("User-agent: *\nDisallow: /%7Eme", "/~me/a.jpg", False),
        ("User-agent: *\nDisallow: /  # all of it", "/a.jpg", False),
        ("\ufeffUSER-AGENT:*\r\ndisallow:/\r\n", "/a.jpg", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("<html>Disallow: /</html>", "/a.jpg", True),
    ],
)  # fmt: skip
def test_rules_for_everybody_are_kept(text: str, path: str, is_open: bool) -> None:
    with Site(text) as site:
        assert site.is_open(path) is is_open


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("User-agent: birds\nDisallow: /", False),
        ("User-agent: Birds/0.1\nDisallow: /", False),
        ("User-agent: otherbot\nUser-agent: birds\nDisallow: /", False),
        ("User-agent: birds\nUser-agent: otherbot\nDisallow: /", False),
        ("User-agent: birds\n\nSitemap: /map.xml\nUser-agent: otherbot\nDisallow: /", False),
        ("User-agent: birds\nDisallow: /x\nUser-agent: *\nDisallow: /y\nUser-agent: birds\nDisallow: /", False),
        ("User-agent: *\nDisallow: /\nUser-agent: birds\nDisallow:", True),
        ("User-agent: *\nDisallow: /\nUser-agent: birds", True),
        ("User-agent: birds\nDisallow: /x\nUser-agent: otherbot\nDisallow: /", True),
        ("User-agent: otherbot\nDisallow: /", True),
        ("User-agent: bird\nDisallow: /", True),
        ("User-agent: birdsong\nDisallow: /", True),
        ("User-agent: my-birds\nDisallow: /", True),
        ("User-agent: bird\nAllow: /\nUser-agent: *\nDisallow: /", False),
        ("Disallow: /\nUser-agent: birds\nAllow: /", True),
    ],
)
def test_rules_for_our_name_come_first_and_those_for_others_do_not_count(text: str, is_open: bool) -> None:
    with Site(text) as site:
        assert site.is_open("/a.jpg") is is_open


def test_of_a_very_long_file_the_beginning_counts() -> None:
    filling = "# nothing\n" * 51_100
    with Site(f"User-agent: *\nDisallow: /first\n{filling}Disallow: /middle\n{filling}Disallow: /last\n") as site:
        robots = Robots(session_for(site))
        assert [bool(site.refusal(path, robots)) for path in ("/first", "/middle", "/last")] == [True, True, False]


def test_a_file_made_to_multiply_robots_with_rules_is_read_like_any_other() -> None:
    names = "".join(f"User-agent: bot{chr(97 + n % 26)}{'x' * (n // 26 % 40)}\n" for n in range(12_000))
    rules = "".join(f"Disallow: /{n}\n" for n in range(10_000))
    assert rules_for_us(names + rules) == []
    assert len(rules_for_us(names + "User-agent: *\n" + rules)) == 10_000


@given(st.text() | st.text("User-agnt: *birds/$%#\n\r", max_size=200), st.text())
def test_any_text_can_be_asked(text: str, path: str) -> None:
    from protego import Protego

    rules = "\n".join(["User-agent: birds", *rules_for_us(text)])
    assert isinstance(Protego.parse(rules).can_fetch(f"http://h/{path}", "birds"), bool)


# -- when it cannot be read


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_without_the_file_everything_is_open(status: int) -> None:
    with Site("User-agent: *\nDisallow: /", status) as site:
        assert site.is_open("/a.jpg")


@pytest.mark.parametrize("status", [429, 500, 503, 520])
def test_nothing_is_fetched_while_the_server_cannot_tell(status: int) -> None:
    with Site("", status) as site:
        error = site.refusal("/a.jpg")
    assert error is not None
    assert (error.reason, error.is_passing) == (Reason.ROBOTS_TXT, True)


def test_nothing_is_fetched_from_a_host_that_cannot_be_reached() -> None:
    with Site() as site:
        session = session_for(site)
    error = site.refusal("/a.jpg", Robots(session))
    assert error is not None
    assert (error.reason, error.is_passing) == (Reason.NETWORK, True)


def test_a_moved_file_is_followed() -> None:
    with Site("User-agent: *\nDisallow: /private", 301, Location="/moved") as site:
        assert not site.is_open("/private")
        assert site.asked == ["/robots.txt", "/moved"]


def test_a_file_that_is_always_elsewhere_is_none() -> None:
    with Site("User-agent: *\nDisallow: /", 301, Location="/robots.txt") as site:
        assert site.is_open("/a.jpg")


def test_the_wish_not_to_index_the_file_itself_is_no_obstacle() -> None:
    with Site("User-agent: *\nDisallow: /private", X_Robots_Tag="noindex") as site:
        assert [site.is_open(path) for path in ("/private", "/a.jpg")] == [False, True]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "2130706433"])
def test_a_forbidden_address_is_named_as_such(host: str) -> None:
    robots = Robots(net.make_session())
    for _ in range(2):
        with pytest.raises(FetchError) as caught:
            robots.check(f"http://{host}/a.jpg")
        assert (caught.value.reason, caught.value.is_passing) == (Reason.FORBIDDEN_ADDRESS, False)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:,", "", "a.jpg", "http://[::1"])
def test_what_is_no_web_address_is_left_to_the_guard(url: str) -> None:
    robots = Robots(net.make_session())
    robots.check(url)
    assert robots.delay_s(url) is None


# -- how often it is asked for


def test_the_file_is_fetched_once_for_all_who_wait_for_it() -> None:
    with Site("User-agent: *\nDisallow: /private", 200) as site, ThreadPoolExecutor(16) as pool:
        robots = Robots(session_for(site))
        paths = ["/private", "/a.jpg"] * 16
        refused = pool.map(lambda path: site.refusal(path, robots) is not None, paths)
        assert list(refused) == [True, False] * 16
        assert site.asked == ["/robots.txt"]


@pytest.mark.parametrize("status", [404, 503])
def test_a_failure_is_remembered_too(status: int) -> None:
    with Site("", status) as site:
        robots = Robots(session_for(site))
        assert len({str(site.refusal("/a.jpg", robots)) for _ in range(3)}) == 1
        assert site.asked == ["/robots.txt"]


def test_each_port_has_its_own_file() -> None:
    with Site("User-agent: *\nDisallow: /") as closed, Site() as welcoming:
        robots = Robots(session_for(closed, welcoming))
        assert closed.refusal("/a.jpg", robots) is not None
        assert welcoming.refusal("/a.jpg", robots) is None


def test_spellings_of_one_host_share_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def getaddrinfo(host: str, *_args: object, **_options: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    robots = Robots(net.make_session())
    for url in ("http://pictures.test/a", "HTTP://Pictures.test:80/b", "http://me:secret@pictures.test/c"):
        with pytest.raises(FetchError):
            robots.check(url)
    assert asked == ["pictures.test"]
    with pytest.raises(FetchError):
        robots.check("https://pictures.test/a")
    assert asked == ["pictures.test"] * 2


# -- with what uses it


@pytest.fixture
def closed() -> Iterator[Site]:
    with Site("User-agent: *\nDisallow: /private\nCrawl-delay: 2") as site:
        yield site


def test_a_fetch_keeps_to_it_at_every_step(closed: Site) -> None:
    with session_for(closed) as session:
        robots = Robots(session)
        assert net.fetch(session, f"{closed.origin}/a.jpg", check=robots.check).data == b"picture"
        for path in ("/private/a.jpg", "/go?to=/private/a.jpg"):
            with pytest.raises(FetchError) as caught:
                net.fetch(session, closed.origin + path, check=robots.check)
            assert caught.value.reason is Reason.ROBOTS_TXT
    assert closed.asked == ["/robots.txt", "/a.jpg", "/go?to=/private/a.jpg"]


def test_a_pause_between_requests_is_told_once_the_file_is_known(closed: Site) -> None:
    robots = Robots(session_for(closed))
    assert robots.delay_s(f"{closed.origin}/a.jpg") is None
    assert closed.asked == []
    robots.check(f"{closed.origin}/a.jpg")
    assert robots.delay_s(f"{closed.origin}/b.jpg") == 2


@pytest.mark.parametrize(
    ("rules", "delay_s"),
    [("Crawl-delay: 0.5", 0.5), ("Crawl-delay: 86400", MAX_DELAY_S), ("Crawl-delay: soon", None), ("Disallow:", None)],
)
def test_a_pause_is_never_very_long(rules: str, delay_s: float | None) -> None:
    with Site(f"User-agent: *\n{rules}") as site:
        robots = Robots(session_for(site))
        robots.check(f"{site.origin}/a.jpg")
        assert robots.delay_s(f"{site.origin}/a.jpg") == delay_s
