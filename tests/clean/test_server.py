"""The review page as a person meets it: over HTTP, and in a headless Chromium where the script is what counts."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from birds.clean import clean, review, thumbnails
from birds.clean.server import review_app
from birds.clean.session import Session
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.moves import image_path, rejected_path
from birds.progress import Progress
from birds.reasons import Reason
from birds.record import Author, PictureFile, Record, State
from birds.scrape.browser import open_browser
from birds.web import LocalServer
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ODD_LABEL = "a <b>&amp; \"c' d"
ODD_NAME = "<img src=x onerror=alert(1)>\"'.jpg"
STATIC = ("review.css", "review.js", "bird.svg", "unreadable.svg")


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Two classes, one with an accent and one with a space, that `clean` knows."""
    write_images(project.root, {"cigüeña": 4, "milano negro": 12})
    clean(project.root)
    return project


@contextmanager
def _open(project: Project, session: Session | None = None) -> Iterator[LocalServer]:
    with LocalServer(review_app(project, session)) as server:
        yield server


@pytest.fixture
def page(parrots: Project, visitor):
    """Somebody who opened the review page of `parrots`."""
    with _open(parrots) as server:
        yield visitor(server)


def _file(project: Project, name: str = "cigüeña/000.jpg") -> PictureFile:
    with Record(project) as record:
        return {f"{file.label}/{file.name}": file for file in record.files()}[name]


def _cards(html: str) -> list[str]:
    return re.findall(r'class="name" title="([^"]*)"', html)


# -- over HTTP


def test_the_first_class_is_shown_and_others_by_their_label(page) -> None:
    first = page.get("/").text
    assert "<h1>cigüeña</h1>" in first
    assert _cards(first) == [f"{i:03}.jpg" for i in range(4)]
    assert "Ciconia ciconia" in first
    other = page.get("/?label=milano+negro").text
    assert "<h1>milano negro</h1>" in other
    assert len(_cards(other)) == 12
    assert 'href="/?label=cig%C3%BCe%C3%B1a"' in other


def test_pictures_are_shown_in_counting_order(project: Project, write_images, visitor) -> None:
    paths = write_images(project.root, {"loro": 3})
    for path, name in zip(paths, ("loro10.jpg", "loro2.jpg", "loro1.jpg"), strict=True):
        path.rename(path.with_name(name))
    clean(project.root)
    with _open(project) as server:
        assert _cards(visitor(server).get("/").text) == ["loro1.jpg", "loro2.jpg", "loro10.jpg"]


def test_a_class_that_is_not_there_is_404(page) -> None:
    for label in ("loro", "", "..", "%00", "../cig%C3%BCe%C3%B1a"):
        answer = page.get(f"/?label={label}")
        assert answer.status == 404
        assert "no such class" in answer.text


def test_a_cookie_of_another_local_server_does_not_choose_the_class(page) -> None:
    assert "<h1>cigüeña</h1>" in page.get("/", Cookie=f"{page.cookie}; label=milano negro; file_id=1").text


def test_rejecting_moves_the_file_and_restoring_brings_it_back(page, parrots: Project) -> None:
    before = _file(parrots)
    content = image_path(parrots, before).read_bytes()
    answer = page.post(f"/reject/{before.id}").json()
    rejected = _file(parrots)
    assert (rejected.state, rejected.author, rejected.reason) == (State.REJECTED, Author.PERSON, Reason.BY_HAND)
    assert rejected_path(parrots, rejected).read_bytes() == content
    assert not image_path(parrots, rejected).exists()
    assert (answer["state"], answer["kept"], answer["rejected"], answer["decided"]) == ("rejected", 3, 1, 1)
    assert answer["verdict"] == "rejected · by hand"
    answer = page.post(f"/restore/{before.id}").json()
    assert _file(parrots).state is State.STORED
    assert image_path(parrots, before).read_bytes() == content
    assert (answer["state"], answer["kept"], answer["rejected"], answer["verdict"]) == ("stored", 4, 0, "")


def test_undo_takes_back_the_last_decision_and_says_when_none_is_left(page, parrots: Project) -> None:
    page.post(f"/reject/{_file(parrots).id}")
    assert page.post("/undo").json()["said"] == "Undone: 000.jpg kept."
    assert _file(parrots).state is State.STORED
    assert page.post("/undo").json() == {"said": "There is nothing left to undo.", "decided": 0}


def test_nothing_changes_by_looking_or_from_elsewhere(page, parrots: Project) -> None:
    path = f"/reject/{_file(parrots).id}"
    assert page.get(path).status == 405
    assert page.post(path, Origin="http://example.org").status == 403
    assert page.post(path, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    stranger = type(page)(f"{page.origin}/")
    assert stranger.post(path).status == 403
    assert page.post(path, b"x" * 100_000).status == 413
    assert _file(parrots).state is State.STORED


@pytest.mark.parametrize(
    "name",
    ["0", "4711", "-1", "1.5", "x", "1%00", "%D9%A1", "1/2", "..%2f1", "../../birds.toml", "9" * 30, "9" * 5_000],
)
def test_what_is_no_pictures_number_is_404(page, name: str) -> None:
    for path in ("thumbnail", "picture"):
        assert page.get(f"/{path}/{name}").status == 404
    for path in ("reject", "restore"):
        assert page.post(f"/{path}/{name}").status == 404


@pytest.mark.parametrize("name", ["../server.py", "%2e%2e/server.py", "..%2fserver.py", "review.py", "", "/etc/passwd"])
def test_only_our_own_files_are_static(page, name: str) -> None:
    assert page.get(f"/static/{name}").status == 404


def test_no_page_holds_a_script_a_style_or_an_address_from_elsewhere(page) -> None:
    pages = [page.get(path).text for path in ("/", "/?label=milano+negro", "/?label=none", "/?token=wrong")]
    pages.append(type(page)(f"{page.origin}/").get("/").text)
    for html in pages:
        assert "//" not in html
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
        assert re.findall(r"<script([^>]*)>([^<]*)<", html) in ([], [(' src="/static/review.js" defer', "")])
    for name in STATIC:
        content = page.get(f"/static/{name}")
        assert content.status == 200
        text = content.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|@import|url\(|innerHTML|eval\(", text)


def test_names_are_text_and_never_markup(project: Project, write_images, visitor) -> None:
    (path,) = write_images(project.root, {ODD_LABEL: 1})
    path.rename(path.with_name(ODD_NAME))
    clean(project.root)
    with _open(project) as server:
        html = visitor(server).get("/").text
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<h1>a &lt;b&gt;&amp;amp; \"c' d</h1>" in html


def test_thumbnails_are_small_jpegs_that_are_made_once(page, parrots: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made, scaled_down = [], thumbnails._scaled_down
    monkeypatch.setattr(thumbnails, "_scaled_down", lambda *a: made.append(1) or scaled_down(*a))
    file = _file(parrots)
    first, second = page.get(f"/thumbnail/{file.id}"), page.get(f"/thumbnail/{file.id}?v=x")
    assert first.body == second.body
    assert first.body.startswith(b"\xff\xd8")
    assert first.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in first.headers["Cache-Control"]
    (cached,) = (parrots.cache / "thumbnails").rglob("*.jpg")
    assert (cached.stem, cached.read_bytes(), len(made)) == (file.sha256, first.body, 1)
    page.post(f"/reject/{file.id}")
    assert page.get(f"/thumbnail/{file.id}").body == first.body
    assert len(made) == 1


def test_strangers_bytes_reach_no_browser(project: Project, make_picture, visitor) -> None:
    path = project.images / "loro" / "1.png"
    path.parent.mkdir(parents=True)
    make_picture(1, (3_000, 1_500)).save(path)
    path.write_bytes(path.read_bytes() + b"<script>alert(1)</script>")
    clean(project.root)
    with _open(project) as server:
        one = visitor(server)
        for address, side in (("thumbnail", 240), ("picture", 2_048)):
            body = one.get(f"/{address}/1").body
            assert b"script" not in body
            assert body.startswith(b"\xff\xd8")
            assert _size(body) == (side, side // 2)


def _size(jpeg: bytes) -> tuple[int, int]:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(jpeg)).size


def test_an_unreadable_picture_has_a_placeholder_and_can_be_rejected(project: Project, write_images, visitor) -> None:
    (path,) = write_images(project.root, {"loro": 1})
    path.write_bytes(path.read_bytes()[:700])
    clean(project.root)
    with _open(project) as server:
        one = visitor(server)
        for address in ("/thumbnail/1", "/picture/1"):
            answer = one.get(address)
            assert (answer.status, answer.headers["Content-Type"]) == (404, "image/svg+xml")
            assert "cannot be opened" in answer.text
        assert one.post("/reject/1").json()["state"] == "rejected"


def test_a_symbolic_link_is_never_served(page, parrots: Project, tmp_path_factory, make_picture) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    make_picture(5).save(secret)
    file, other = _file(parrots), _file(parrots, "milano negro/000.jpg")
    image_path(parrots, file).unlink()
    image_path(parrots, file).symlink_to(secret)
    folder = image_path(parrots, other).parent
    folder.rename(tmp_path_factory.mktemp("moved") / "folder")
    folder.symlink_to(next(tmp_path_factory.getbasetemp().glob("moved*")) / "folder")
    assert image_path(parrots, other).is_file()
    for path in (f"/thumbnail/{file.id}", f"/picture/{file.id}", f"/thumbnail/{other.id}", f"/picture/{other.id}"):
        answer = page.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "image/svg+xml")
    assert not (parrots.cache / "thumbnails").exists()


def test_decisions_survive_a_restart_and_can_still_be_taken_back(parrots: Project, visitor) -> None:
    file = _file(parrots)
    with _open(parrots) as server:
        visitor(server).post(f"/reject/{file.id}")
    with _open(parrots) as server:
        one = visitor(server)
        assert f'<li data-id="{file.id}" data-state="rejected"' in one.get("/").text
        assert "rejected · by hand" in one.get("/").text
        one.post(f"/restore/{file.id}")
    assert _file(parrots).state is State.STORED


def test_nothing_is_ever_deleted(page, parrots: Project) -> None:
    before = sorted(path.read_bytes() for path in parrots.images.glob("*/*"))
    for file_id in range(1, 17):
        page.post(f"/reject/{file_id}")
    assert list(parrots.images.glob("*/*")) == []
    assert sorted(path.read_bytes() for path in parrots.rejected.glob("*/*")) == before
    for _ in range(5):
        page.post("/undo")
    everywhere = [*parrots.images.glob("*/*"), *parrots.rejected.glob("*/*")]
    assert sorted(path.read_bytes() for path in everywhere) == before


def test_what_the_disk_refuses_is_said(page, parrots: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    answer = page.post(f"/reject/{_file(parrots).id}")
    assert answer.status == 409
    assert "No space left on device" in answer.json()["error"]["message"]


def test_no_session_key_is_written_anywhere(
    parrots: Project, visitor, monkeypatch: pytest.MonkeyPatch, tmp_path_factory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    with _open(parrots) as server:
        assert visitor(server).get("/").status == 200
    assert list(Path().iterdir()) == []
    assert list(parrots.root.rglob(".sesskey")) == []


# -- starting and ending


def test_an_empty_project_is_a_clear_error_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no pictures to review") as caught:
        review(tmp_path, open_browser=False)
    assert "birds scrape" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "images").mkdir()
    clean(tmp_path)
    with pytest.raises(ProjectError, match="no pictures to review"):
        review(tmp_path, open_browser=False)


def test_a_port_that_is_taken_is_a_clear_error(parrots: Project) -> None:
    with _open(parrots) as server, pytest.raises(UsageError, match=str(server.port)):
        review(parrots.root, port=server.port)


def test_done_ends_the_page_and_returns_the_number_of_decisions(parrots: Project, visitor) -> None:
    class Clicking(Progress):
        def note(self, text: str) -> None:
            if found := re.search(r"http://\S+", text):
                threading.Thread(target=self.click, args=(found[0],)).start()

        def click(self, url: str) -> None:
            one = visitor(url)
            for path in ("/reject/1", "/reject/2", "/reject/3", "/undo", "/done"):
                one.post(path)

    assert review(parrots.root, open_browser=False, progress=Clicking()) == 2


def test_the_browser_is_opened_at_the_address(parrots: Project, visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: visitor(url).post("/done"))
    assert review(parrots.root) == 0


@pytest.mark.parametrize("flag", ["--json", "--quiet"])
def test_ctrl_c_ends_the_command_well_with_the_decisions_counted(parrots: Project, visitor, flag: str) -> None:
    command = [sys.executable, "-m", "birds", "clean", "--no-browser", flag, "--project", str(parrots.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        at_last = threading.Timer(60, process.kill)
        at_last.start()
        line = next(line for line in process.stderr if "http://" in line)  # before anybody presses anything
        one = visitor(line.split()[-1])
        one.post("/reject/1")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        at_last.cancel()
    assert process.returncode == 0
    assert "Traceback" not in errors
    if flag == "--json":
        result = json.loads(output)
        assert (result["reviewed"], result["accepted"]) == (1, 15)
    else:
        assert "15 in images/" in output


# -- in a browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile") / "chromium") as driver:
        yield driver


class Screen:
    """The page in Chromium, by what a person sees and presses."""

    def __init__(self, driver: Any, server: LocalServer) -> None:
        self.driver, self.origin = driver, server.url.rpartition("/")[0]
        driver.get_log("performance")
        driver.get(server.url)
        self.until(lambda: self.all("#help"))

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def until(self, is_so: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: is_so())

    def press(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    @property
    def states(self) -> str:
        """``.`` for each picture that is kept, ``x`` for each that is not."""
        return "".join("x" if card.get_attribute("data-state") == "rejected" else "." for card in self.all(".card"))

    def shows(self, states: str) -> bool:
        return bool(self.until(lambda: self.states == states))

    @property
    def focused(self) -> int:
        """Index of the picture that has the focus, -1 for none."""
        script = "return [...document.querySelectorAll('.toggle')].indexOf(document.activeElement)"
        return int(self.driver.execute_script(script))

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.fixture
def screen(chromium: Any, parrots: Project) -> Iterator[Screen]:
    with _open(parrots) as server:
        yield Screen(chromium, server)


def test_a_click_rejects_and_a_second_click_restores(screen: Screen, parrots: Project) -> None:
    screen.all(".toggle")[1].click()
    assert screen.shows(".x..")
    rejected = _file(parrots, "cigüeña/001.jpg")
    assert (rejected.state, rejected.author, rejected.reason) == (State.REJECTED, Author.PERSON, Reason.BY_HAND)
    assert rejected_path(parrots, rejected).is_file()
    card = screen.all(".card")[1]
    assert card.find_element(By.CSS_SELECTOR, ".verdict").text.split() == ["✕", "rejected", "·", "by", "hand"]
    assert screen.all(".toggle")[1].get_attribute("aria-pressed") == "true"
    assert [one.text for one in screen.all(".kept")] == ["3", "12", "3"]
    assert screen.one("#said").text == "001.jpg rejected."
    screen.all(".toggle")[1].click()
    assert screen.shows("....")
    assert _file(parrots, "cigüeña/001.jpg").state is State.STORED
    assert not card.find_element(By.CSS_SELECTOR, ".verdict").is_displayed()


def test_two_quick_clicks_are_two_changes(screen: Screen, parrots: Project) -> None:
    screen.driver.execute_script("const b = document.querySelector('.toggle'); b.click(); b.click(); b.click()")
    assert screen.shows("x...")
    screen.until(lambda: screen.one("#said").text == "000.jpg rejected.")
    assert screen.driver.execute_async_script("underWay.then(arguments[0])") is None
    assert screen.states == "x..."
    assert _file(parrots).state is State.REJECTED


def test_keys_move_reject_and_undo(screen: Screen) -> None:
    assert not screen.one("#undo").is_enabled()
    screen.press("x")  # the first press only shows where we are
    assert (screen.focused, screen.states) == (0, "....")
    screen.press(Keys.ARROW_RIGHT)
    screen.press("x")
    assert screen.shows(".x..")
    screen.press(Keys.END)
    screen.press("x")
    assert screen.shows(".x.x")
    screen.press(Keys.ARROW_RIGHT)
    assert screen.focused == 3  # there is none beyond the last
    screen.press("u")
    assert screen.shows(".x..")
    screen.press("u")
    assert screen.shows("....")
    screen.until(lambda: not screen.one("#undo").is_enabled())
    screen.press(Keys.HOME)
    assert screen.focused == 0


def test_arrows_up_and_down_go_by_rows(screen: Screen) -> None:
    screen.press("]")
    screen.until(lambda: len(screen.all(".card")) == 12)
    screen.until(lambda: screen.focused == 0)
    tops = [card.location["y"] for card in screen.all(".card")]
    in_a_row = tops.count(tops[0])
    assert 1 < in_a_row < 12
    screen.press(Keys.ARROW_DOWN)
    assert screen.focused == in_a_row
    screen.press(Keys.ARROW_LEFT)
    assert screen.focused == in_a_row - 1
    screen.press(Keys.ARROW_RIGHT)
    screen.press(Keys.ARROW_UP)
    assert screen.focused == 0


def test_brackets_go_through_the_classes(screen: Screen) -> None:
    assert screen.one("h1").text == "cigüeña"
    screen.press("]")
    screen.until(lambda: screen.one("h1").text == "milano negro")
    assert screen.one("#opened").text == "2 of 2 classes opened"
    screen.press("]")
    screen.until(lambda: screen.one("#said").text == "This is the last class.")
    screen.press("[")
    screen.until(lambda: screen.one("h1").text == "cigüeña")


def test_an_undo_in_another_class_says_where(screen: Screen) -> None:
    screen.press("]")
    screen.until(lambda: screen.one("h1").text == "milano negro")
    screen.all(".toggle")[0].click()
    assert screen.shows("x" + "." * 11)
    screen.press("[")
    screen.until(lambda: screen.one("h1").text == "cigüeña")
    screen.press("u")
    screen.until(lambda: screen.one("#said").text == "Undone: 000.jpg kept. It is in the class milano negro.")
    assert [one.text for one in screen.all('[data-label="milano negro"] .kept')] == ["12"]


def test_a_question_mark_shows_the_keys(screen: Screen) -> None:
    assert not screen.one("#help").is_displayed()
    screen.press("?")
    screen.until(lambda: screen.one("#help").is_displayed())
    assert "undo the last decision" in screen.one("#help").text
    screen.press("x")
    assert screen.states == "...."
    screen.press(Keys.ESCAPE)
    screen.until(lambda: not screen.one("#help").is_displayed())


def test_enter_opens_a_picture_large_and_keys_work_there(screen: Screen) -> None:
    screen.press(Keys.HOME)
    screen.press(Keys.ENTER)
    screen.until(lambda: screen.one("#viewer").is_displayed())
    screen.press(Keys.ARROW_RIGHT)
    screen.until(lambda: screen.one("#viewer-caption").text.startswith("001.jpg · 160 × 120 · added by hand"))
    screen.press("x")
    assert screen.shows(".x..")
    screen.until(lambda: screen.one("#viewer-toggle").text == "Bring back")
    screen.until(lambda: screen.driver.execute_script("return document.getElementById('viewer-picture').naturalWidth"))
    screen.press(Keys.ESCAPE)
    screen.until(lambda: screen.focused == 1)
    assert not screen.one("#viewer").is_displayed()


def test_nothing_is_asked_of_anybody_else_and_the_policy_blocks_nothing_of_ours(screen: Screen) -> None:
    script = "return [...document.images].filter((i) => i.loading === 'lazy').every((i) => i.naturalWidth > 0)"
    screen.until(lambda: screen.driver.execute_script(script))
    screen.all(".toggle")[0].click()
    assert screen.shows("x...")
    asked = screen.requests()
    assert {url for url in asked if not url.startswith((f"{screen.origin}/", "data:"))} == set()
    assert sum("/thumbnail/" in url for url in asked) == 4
    assert screen.one(".primary").value_of_css_property("background-color") == "rgba(31, 111, 107, 1)"
    assert screen.driver.execute_script("return document.cookie") == ""


def test_a_script_in_a_name_or_injected_into_the_page_does_not_run(
    chromium: Any, project: Project, write_images
) -> None:
    (path,) = write_images(project.root, {ODD_LABEL: 1})
    path.rename(path.with_name(ODD_NAME))
    clean(project.root)
    with _open(project) as server:
        screen = Screen(chromium, server)
        assert screen.one("h1").text == ODD_LABEL
        screen.all(".toggle")[0].click()
        assert screen.shows("x")
        assert screen.one("#said").text == f"{ODD_NAME} rejected."
        assert [one.text for one in screen.all(".rejected")] == ["1", "1"]
        screen.driver.execute_script(
            "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')"
        )
        time.sleep(0.3)
        assert screen.driver.execute_script("return window.ran") is None


def test_the_way_in_works_once_and_a_reload_keeps_working(screen: Screen, parrots: Project) -> None:
    assert "token" not in screen.driver.current_url
    screen.driver.refresh()
    screen.until(lambda: screen.one("h1").text == "cigüeña")


def test_done_says_so_and_the_ended_page_changes_nothing(chromium: Any, parrots: Project) -> None:
    session = Session(parrots)
    with _open(parrots, session) as server:
        session.when_done = server.stop
        screen = Screen(chromium, server)
        screen.all(".toggle")[0].click()
        assert screen.shows("x...")
        screen.one("#done").click()
        screen.until(lambda: "Done: 1 decision, all stored." in screen.one("main").text)
        assert screen.all(".card") == []
    assert _file(parrots).state is State.REJECTED


def test_a_page_whose_birds_has_ended_says_so(chromium: Any, parrots: Project) -> None:
    with _open(parrots) as server:
        screen = Screen(chromium, server)
    screen.all(".toggle")[0].click()
    screen.until(lambda: "run birds clean again" in screen.one("#said").text)
    assert screen.states == "...."


def test_every_static_file_is_used() -> None:
    here = {path.name for path in files("birds.clean").joinpath("static").iterdir()}
    assert here == set(STATIC)
