"""What others may try against an open review page: none of them sees a picture, and none moves one.

The table is the one of the page's threats: who has no token, other sites and other local pages in the same browser,
names in addresses and bodies, links on the disk, and a page that puts ours into a frame.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from birds.clean import clean
from birds.clean.server import review_app
from birds.files import Project
from birds.record import PictureFile, Record, State
from birds.scrape.browser import open_browser
from birds.web import LocalServer, frame_session
from selenium.webdriver.support.ui import WebDriverWait
from starlette.requests import Request

TO_SEE = ("/", "/thumbnail/1", "/picture/1", "/static/main.js")
JPEG = b"\xff\xd8"


def _make_parrots(root: Path, write_images: Callable[..., list[Path]]) -> Project:
    write_images(root, {"loro": 3})
    clean(root)
    return Project(root)


@pytest.fixture(scope="module")
def parrots(tmp_path_factory: pytest.TempPathFactory, write_images) -> Project:
    """The project that is attacked. Nothing of it changes."""
    return _make_parrots(tmp_path_factory.mktemp("parrots"), write_images)


@pytest.fixture(scope="module")
def server(parrots: Project) -> Iterator[LocalServer]:
    with LocalServer(review_app(parrots)) as running:
        yield running


@pytest.fixture(scope="module")
def page(server: LocalServer, visitor):
    """The browser of the person who opened the page."""
    return visitor(server)


@pytest.fixture
def stranger(page):
    """Another browser, without the cookie."""
    return type(page)(f"{page.origin}/")


@pytest.fixture
def other(tmp_path: Path, write_images) -> Project:
    """A project that a test may change."""
    return _make_parrots(tmp_path, write_images)


@pytest.fixture
def other_page(other: Project, visitor):
    """The browser of the person who opened the page of `other`."""
    with LocalServer(review_app(other)) as running:
        yield visitor(running)


def _files(project: Project) -> list[PictureFile]:
    with Record(project) as record:
        return sorted(record.files(), key=lambda file: file.id)


def _on_disk(project: Project) -> set[str]:
    folders = (project.images, project.rejected)
    return {path.relative_to(project.root).as_posix() for folder in folders for path in folder.rglob("*")}


def _changes(file_id: Any = 1) -> list[tuple[str, bytes]]:
    """Requests each of which rejects the picture, or takes such a decision back."""
    body = json.dumps({"do": "reject", "ids": [file_id]}).encode()
    return [("/act", body), (f"/reject/{file_id}", b""), ("/undo", b""), ("/redo", b""), ("/done", b"")]


def _reject(one, file_id: int = 1, **headers: str) -> None:
    for path, body in _changes(file_id)[:2]:  # whichever of them the page knows
        one.post(path, body, **headers)


def _try_all(one, **headers: str | None) -> set[int]:
    return {one.post(path, body, **headers).status for path, body in _changes()}


@pytest.fixture
def nothing_moves(parrots: Project) -> Iterator[None]:
    """Fails the test if a picture was decided or moved in the meantime."""
    before = _files(parrots), _on_disk(parrots)
    yield
    assert (_files(parrots), _on_disk(parrots)) == before


def test_the_page_itself_may_do_what_others_may_not(other_page, other: Project) -> None:
    """Else the attacks below could fail for another reason."""
    assert [other_page.get(path).status for path in TO_SEE] == [200] * 4
    _reject(other_page)
    assert [file.state for file in _files(other)] == [State.REJECTED, State.STORED, State.STORED]


# -- without the token


@pytest.mark.usefixtures("nothing_moves")
def test_no_token(stranger) -> None:
    for path in (*TO_SEE, "/?label=loro", "/favicon.ico", "/nothing"):
        answer = stranger.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
        assert "loro" not in answer.text
    assert _try_all(stranger) == {403}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("guess", ["", "guessed", "\xe9", "x" * 60_000])
def test_a_guessed_token_cookie_or_session(stranger, server: LocalServer, guess: str) -> None:
    name = f"birds-{server.port}"
    for headers in ({"Cookie": f"{name}={guess}"}, {"X-Birds-Session": guess}, {"Authorization": f"token {guess}"}):
        assert _try_all(stranger, **headers) <= {400, 403}  # 400: more headers than are taken
        assert stranger.get("/picture/1", **headers).status in {400, 403}
    assert stranger.get(f"/?token={guess.encode().hex()}").status == 403


@pytest.mark.usefixtures("nothing_moves")
def test_a_stolen_address_after_its_token_was_used(server: LocalServer, page) -> None:
    thief = type(page)(server.url)
    assert thief.enter().status == 403
    assert thief.cookie == ""
    assert thief.get("/picture/1").status == 403
    assert _try_all(thief) == {403}


# -- by another name


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("host", ["example.org", "example.org:{port}", "127.0.0.1.nip.io:{port}", "localhost", ""])
def test_a_foreign_name_that_resolves_to_us(page, server: LocalServer, host: str) -> None:
    """DNS rebinding: to the browser the attacker's page and ours are then of one origin."""
    name = host.format(port=server.port)
    for path in TO_SEE:
        answer = page.get(path, Host=name)
        assert answer.status == 400
        assert not answer.body.startswith(JPEG)
    assert _try_all(page, Host=name, Origin=f"http://{name}") == {400}


# -- from another page in the same browser, which sends the cookie


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://example.org", "Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Origin": "https://example.org", "Sec-Fetch-Site": None}, id="cross-site, old browser"),
        pytest.param({"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, id="same site, other port"),
        pytest.param({"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": None}, id="other port, old browser"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="same site"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, id="sandboxed frame"),
        pytest.param({"Origin": None, "Sec-Fetch-Site": "none"}, id="typed by hand"),
        pytest.param({"Origin": None, "Sec-Fetch-Site": None}, id="says nothing of itself"),
        pytest.param({"Origin": None, "Sec-Fetch-Site": None, "Referer": "{origin}/"}, id="with a referrer only"),
        pytest.param({"Origin": "{origin}.example.org"}, id="longer name"),
        pytest.param({"Origin": "{origin}, https://example.org"}, id="two origins"),
    ],
)
@pytest.mark.parametrize("content", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_change_from_elsewhere(page, headers: dict[str, str | None], content: str) -> None:
    said = {name: value and value.format(origin=page.origin) for name, value in headers.items()}
    assert _try_all(page, **said, **{"Content-Type": content}) == {403}


@pytest.mark.usefixtures("nothing_moves")
def test_a_change_by_looking(page) -> None:
    for path, body in _changes():
        asked = f"{path}?do=reject&ids=1&_method=POST"
        assert page.ask("GET", asked, {"X-HTTP-Method-Override": "POST"}, body).status in {404, 405}
        assert page.ask("HEAD", asked, {}).status in {404, 405}


@pytest.mark.usefixtures("nothing_moves")
def test_asking_leave_for_a_change_from_elsewhere(page, stranger) -> None:
    asks = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-birds-session",
        "Access-Control-Request-Private-Network": "true",
    }
    for one in (page, stranger):
        for path, _ in (*_changes(), ("/picture/1", b"")):
            answer = one.ask("OPTIONS", path, asks)
            assert answer.status == 403
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "Access-Control-Allow-Origin" not in page.get("/picture/1", Origin="https://example.org").headers


EMBED = """
const [ours, done] = arguments;
const picture = (address) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve("shown");
  image.onerror = () => resolve("refused");
  image.src = address;
});
const asked = (path, options) =>
  fetch(ours + path, { credentials: "include", ...options }).then(() => "read", () => "refused");
const change = { method: "POST", mode: "no-cors", body: '{"do": "reject", "ids": [1]}' };
(async () => {
  const outcome = [await picture(`${ours}/thumbnail/1`), await picture(`${ours}/picture/1`)];
  for (const path of ["/", "/picture/1"]) outcome.push(await asked(path));
  for (const path of ["/act", "/reject/1"]) await asked(path, change); // whether it was done is for the record to say
  const frame = document.createElement("iframe");
  frame.src = ours;
  document.body.replaceChildren(frame);
  done(outcome);
})();
"""


def test_another_local_page_in_the_same_browser(other: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """To the browser the page is of the same site: it sends our cookie with whatever that page asks for."""
    before, folder = _files(other), tmp_path_factory.mktemp("evil")
    evil = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=evil.serve_forever, daemon=True).start()
    with LocalServer(review_app(other)) as server, open_browser(folder / "profile") as driver:
        ours = server.url.rpartition("/")[0]
        driver.get(server.url)
        driver.get(f"{ours}/")
        own = "const done = arguments[0]; fetch('/picture/1').then((answer) => done(answer.status))"
        assert driver.execute_async_script(own) == 200
        driver.get(f"http://127.0.0.1:{evil.server_port}/")
        assert driver.execute_async_script(EMBED, ours) == ["refused"] * 4
        driver.switch_to.frame(0)
        WebDriverWait(driver, 15, 0.05).until(lambda _: "chrome-error" in driver.execute_script("return location.href"))
    evil.shutdown()
    evil.server_close()
    assert _files(other) == before


# -- by what is asked for

NAMES = [
    "..%2f..%2f.birds%2frecord.db", "%2e%2e/%2e%2e/.birds/record.db", "..%5c..%5cbirds.toml", "%252e%252e%252f1",
    "../../../../etc/passwd", "/etc/passwd", "%00", "1%00.jpg", "1%0a", "%0d%0aSet-Cookie:%20x=y", "1;2", "1 ", "+1",
    "-1", "0", "1.0", "1e0", "0x1", "1_0", "%D9%A1", "%EF%BC%91", "%C2%B9", "4711", "9" * 18, "9" * 19, "9" * 5_000,
    "NaN", "1'--", "loro/000.jpg", "1/../../1",
]  # fmt: skip


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:30])
def test_an_id_that_is_none(page, name: str) -> None:
    for kind in ("thumbnail", "picture", "static"):
        answer = page.get(f"/{kind}/{name.replace(' ', '%20')}")
        assert answer.status == 404
        assert not answer.body.startswith((JPEG, b"SQLite"))
        assert "Set-Cookie" not in answer.headers


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    "ids",
    [["../../birds.toml"], ["000.jpg"], [0], [-1], [4711], [10**30], ["١"], [""], [None], [[1]], [{}], [1e400],
     {}, None, 1, "", list(range(4, 9_000))],
    ids=lambda ids: str(ids)[:30],
)  # fmt: skip
def test_ids_in_a_change_that_are_none(page, ids: Any) -> None:
    for do in ("reject", "restore", "../reject", None, 1):
        assert 400 <= page.post("/act", json.dumps({"do": do, "ids": ids}).encode()).status < 500


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"reject"', b"\xff\xfe", b"[" * 60_000, b'{"do": "reject"}', b'{"ids": [1]}',
     b'{"a":' * 12_000, b"do=reject&ids=1", b'{"do": "reject", "ids": [' + b"9" * 60_000 + b"]}"],
    ids=lambda body: str(body[:20]),
)  # fmt: skip
def test_a_body_that_is_no_change(page, body: bytes) -> None:
    assert 400 <= page.post("/act", body).status < 500


@pytest.mark.usefixtures("nothing_moves")
def test_an_oversized_body(page) -> None:
    padded = b'{"do": "reject", "ids": [1], "more": "' + b"x" * 1_000_000 + b'"}'
    for path, _ in _changes():
        assert page.post(path, padded, **{"Content-Length": str(10**15)}).status == 413  # said, not sent
        assert page.post(path, iter([padded])).status == 411  # of a length nobody said
    assert page.ask("GET", "/", {"Content-Length": str(10**15)}).status == 413


# -- by what lies on the disk


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory, make_picture) -> Path:
    """A picture outside the project."""
    path = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    make_picture(5).save(path)
    return path


def _is_unseen(page, file: PictureFile) -> bool:
    return all(page.get(f"/{kind}/{file.id}").status == 404 for kind in ("thumbnail", "picture"))


def test_a_link_in_place_of_a_picture(other_page, other: Project, secret: Path) -> None:
    content = secret.read_bytes()
    file = _files(other)[0]
    place = other.images / file.label / file.name
    place.unlink()
    place.symlink_to(secret)
    assert _is_unseen(other_page, file)
    _reject(other_page, file.id)
    assert _is_unseen(other_page, file)
    assert secret.read_bytes() == content


def test_a_link_in_place_of_a_class(other_page, other: Project, secret: Path) -> None:
    file = _files(other)[0]
    elsewhere = secret.rename(secret.with_name(file.name)).parent
    folder = other.images / file.label
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(elsewhere)
    assert _is_unseen(other_page, file)
    _reject(other_page, file.id)
    assert (elsewhere / file.name).is_file()


def test_a_link_in_place_of_what_was_rejected(other_page, other: Project, secret: Path) -> None:
    file = _files(other)[0]
    _reject(other_page, file.id)
    (rejected,) = other.rejected.rglob("*.jpg")
    rejected.unlink()
    rejected.symlink_to(secret)
    assert _is_unseen(other_page, file)


def test_no_link_is_in_the_grid_from_the_start(project: Project, write_images, visitor, secret: Path) -> None:
    write_images(project.root, {"loro": 1})
    (project.images / "loro" / "link.jpg").symlink_to(secret)
    (project.images / "zunzuncito").symlink_to(secret.parent)
    clean(project.root)
    with LocalServer(review_app(project)) as server:
        one = visitor(server)
        html = one.get("/").text
        statuses = [one.get(f"/picture/{number}").status for number in range(1, 5)]
    assert "link.jpg" not in html
    assert "zunzuncito" not in html
    assert statuses == [200, 404, 404, 404]


# -- in a frame


def test_every_answer_forbids_frames(page, stranger) -> None:
    answers = [page.get(path) for path in (*TO_SEE, "/nothing")]
    answers += [stranger.get("/"), page.get("/", Host="example.org")]
    answers += [page.post(path, Origin="null") for path, _ in _changes()]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


@contextmanager
def _frame(project: Project, page) -> Iterator[tuple[Any, list[str]]]:
    """The browser of a notebook that opened the page in a frame, and the sessions that the page was told."""
    app, told = review_app(project), []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        told.extend(filter(None, [frame_session(Request(scope))]))
        await app(scope, receive, send)

    with LocalServer(listening, framed=True) as running:
        one = type(page)(running.url)
        answer = one.get(f"/{one.way_in}&parent=http%3A%2F%2F127.0.0.1%3A8888")
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors http://127.0.0.1:8888")
        yield one, told


@pytest.fixture(scope="module")
def framed(parrots: Project, page) -> Iterator[tuple[Any, str]]:
    """The notebook's browser, and its session."""
    with _frame(parrots, page) as (one, told):
        (session,) = told
        yield one, session
        assert told == [session]  # and nobody else was told


def test_the_frame_shows_pictures_and_changes_them_with_its_session(other: Project, page) -> None:
    with _frame(other, page) as (one, (session,)):
        assert one.get("/picture/1", **{"X-Birds-Session": session}).body.startswith(JPEG)
        _reject(one, **{"X-Birds-Session": session})
    assert _files(other)[0].state is State.REJECTED


def test_the_page_in_the_frame_holds_its_session_and_other_pages_do_not(page, parrots: Project) -> None:
    with LocalServer(review_app(parrots), framed=True) as running:
        one = type(page)(running.url)
        meta = re.compile('<meta[^>]*name="birds-session"[^>]*>')
        (found,) = meta.findall(one.get(f"/{one.way_in}&parent=http%3A%2F%2F127.0.0.1%3A8888").text)
        session = re.findall('content="([^"]+)"', found)[0]
        assert not meta.search(one.get("/", **{"X-Birds-Session": session}).text)
    assert not meta.search(page.get("/").text)


@pytest.mark.usefixtures("nothing_moves")
def test_a_frame_without_its_session_or_with_another(framed, page) -> None:
    one, session = framed
    guesses = ("", "guessed", session[:-1], session.swapcase(), f"{session}, {session}")
    others = ({}, {"Cookie": page.cookie}, {"X-Session": session})
    for wrong in (*({"X-Birds-Session": guess} for guess in guesses), *others):
        for path in ("/", "/picture/1", "/thumbnail/1", f"/?birds-session={session}"):
            assert one.get(path, **wrong).status == 403
        assert _try_all(one, **wrong) == {403}


@pytest.mark.usefixtures("nothing_moves")
def test_a_frames_session_in_the_hands_of_another_site(framed) -> None:
    one, session = framed
    mine = {"X-Birds-Session": session}
    for headers in ({"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:8888"}, {"Origin": None}):
        assert _try_all(one, **mine, **headers) == {403}
    assert one.get("/picture/1", Host="example.org", **mine).status == 400


@pytest.mark.usefixtures("nothing_moves")
def test_a_frames_address_after_its_token_was_used(framed) -> None:
    one, _ = framed
    for parent in ("http://127.0.0.1:8888", "http://127.0.0.1:9999", "https://example.org"):
        answer = one.get(f"/{one.way_in}&parent={parent}")
        assert answer.status == 403
        assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors http://127.0.0.1:8888")
