"""The review page as a person meets it, in headless Chromium: one browser for all of these tests."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from birds.clean.page import TITLES
from birds.clean.queues import QUEUES
from birds.clean.server import MAX_BODY_BYTES, review_app
from birds.clean.session import Session
from birds.files import Project
from birds.moves import current_path, image_path, rejected_path
from birds.reasons import Reason
from birds.reconcile import inspect_stored, reconcile
from birds.record import PictureFile, Record, State
from birds.record_review import Finding, Guess
from birds.scrape.browser import open_browser
from birds.web import LocalServer
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
AXE = "axe-core-4.14.1"
ODD_LABEL = "a <b>&amp; \"c' d"
ODD_NAME = "<img src=x onerror=alert(1)>\"'.jpg"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile") / "chromium") as driver:
        yield driver


def _known(project: Project) -> Project:
    with Record(project) as record:
        reconcile(project, record)
        inspect_stored(project, record)
    return project


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Four storks and twelve kites, as the record knows them; labels with an accent and a space."""
    write_images(project.root, {"cigüeña": 4, "milano negro": 12})
    return _known(project)


def _file(project: Project, name: str = "cigüeña/000.jpg") -> PictureFile:
    with Record(project) as record:
        return {f"{file.label}/{file.name}": file for file in record.files()}[name]


def _plant(project: Project) -> None:
    """Something in every queue; of duplicates there are two bundles."""
    with Record(project) as record:
        storks = record.files(label="cigüeña")
        kites = record.files(label="milano negro")
        findings = [Finding(f.id, Reason.NEAR_DUPLICATE, 0.1, 1, is_best=f is kites[1]) for f in kites[:3]]
        findings += [Finding(f.id, Reason.NEAR_DUPLICATE, 0.1, 2, is_best=f is kites[3]) for f in kites[3:5]]
        findings += [Finding(f.id, Reason.LABEL_CONFLICT, 0.1, 3) for f in (storks[0], kites[5])]
        findings += [Finding(kites[6].id, Reason.SUSPECTED_LABEL, 0.1), Finding(kites[7].id, Reason.DARK, 0.2)]
        record.review.replace_findings(findings)
        guess = Guess("cigüeña", 0.9, 0.1, is_suspected=True)
        record.review.replace_guesses((f.id, f.label, guess) for f in (kites[6], kites[8]))
        record.remember_split([(kites[8].id, "test"), (storks[1].id, "test")])
    Session(project).reject([kites[9].id])


class Screen:
    """The page in Chromium, by what a person sees and presses."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver, self.origin = driver, url.rpartition("/")[0]
        driver.get_log("performance")
        driver.get(url)
        self.until(lambda: self.script("return document.body && document.body.dataset.ready"))
        self.until(lambda: not self.all(".waiting"))

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def until(self, is_so: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: is_so())

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys wherever the focus is by then."""
        chain = ActionChains(self.driver)
        if holding:
            chain.key_down(holding)
        chain.send_keys("".join(keys))
        if holding:
            chain.key_up(holding)
        chain.perform()

    def says(self, text: str) -> bool:
        return bool(self.until(lambda: text in self.one("#said").text))

    def open(self, queue: str, label: str | None = None) -> None:
        self.script("document.querySelector(`[data-queue='${arguments[0]}']`).click()", queue)
        self.until(lambda: self.one("#queue-name").get_attribute("textContent") == TITLES[queue])
        if label is not None:
            self.script("document.querySelector(`[data-label='${arguments[0]}']`).click()", label)
        self.until(lambda: self.script("return !document.querySelector('.waiting')"))
        time.sleep(0.1)  # the list of before was full, too

    @property
    def states(self) -> str:
        """``.`` for each picture in the document, ``v`` for one that was reviewed, ``x`` for one that is rejected."""
        signs = {"rejected": "x", "reviewed": "v", "stored": "."}
        script = "return [...document.querySelectorAll('.card')].map((card) => card.dataset.state)"
        return "".join(signs.get(state, "?") for state in self.script(script))

    def shows(self, states: str) -> bool:
        return bool(self.until(lambda: self.states == states))

    @property
    def focused(self) -> int:
        """Index of the picture that has the focus, -1 for none."""
        return int(self.script("return document.activeElement.dataset.index ?? -1"))

    @property
    def names(self) -> list[str]:
        return [one.text for one in self.all(".name")]

    @property
    def selected(self) -> list[int]:
        return [int(one.get_attribute("data-index")) for one in self.all('.card[aria-selected="true"]')]

    def settle(self) -> None:
        """Wait until every change asked for has been answered."""
        self.until(lambda: self.one("#pictures").get_attribute("aria-busy") != "true")

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@contextmanager
def _serving(project: Project, session: Session | None = None) -> Iterator[str]:
    with LocalServer(review_app(project, session), max_body_bytes=MAX_BODY_BYTES) as server:
        yield server.url


@pytest.fixture
def screen(chromium: Any, parrots: Project) -> Iterator[Screen]:
    with _serving(parrots) as url:
        yield Screen(chromium, url)


# -- keys


def test_keys_move_decide_undo_and_do_again(screen: Screen, parrots: Project) -> None:
    assert (screen.one("h1").text, screen.focused, screen.states) == ("cigüeña", 0, "....")
    assert not screen.one("#undo").is_enabled()
    screen.press("x")
    assert screen.shows("x...")
    assert screen.says("000.jpg rejected. Press u to undo.")
    assert screen.focused == 1  # on to the next
    screen.press("v", "j", "k", "k", "x")
    assert screen.shows("xx..")
    assert _file(parrots, "cigüeña/001.jpg").state is State.REJECTED
    screen.press("u")
    assert screen.shows("xv..")
    assert screen.focused == 1
    screen.press("u", "u")
    assert screen.shows("....")
    screen.until(lambda: not screen.one("#undo").is_enabled())
    screen.press("U", "y")
    assert screen.shows("xv..")
    screen.press(Keys.HOME, "x")  # rejected already: it comes back
    assert screen.shows("vv..")
    assert image_path(parrots, _file(parrots)).is_file()


def test_digits_and_typing_move_to_a_class(screen: Screen, parrots: Project) -> None:
    assert [one.text for one in screen.all("#classes kbd")] == ["1", "2"]
    screen.press("2")
    assert screen.says("000-2.jpg moved to milano negro.")
    assert _file(parrots, "milano negro/000-2.jpg").state is State.STORED
    screen.press("9")
    assert screen.says("There is no class number 9.")
    screen.press("m")
    screen.until(lambda: screen.one("#mover").is_displayed())
    screen.press("x", Keys.BACKSPACE)  # typed, not a rejection
    screen.press("NEG")
    screen.until(lambda: [one.text for one in screen.all("#mover-list li")] == ["milano negro"])
    screen.press(Keys.ENTER)
    assert screen.says("001-2.jpg moved to milano negro.")
    screen.press("u")
    assert screen.says("Undone: 001-2.jpg moved to milano negro.")
    assert _file(parrots, "cigüeña/001.jpg").state is State.STORED
    assert screen.states.count("x") == 0


def test_the_arrows_go_by_rows_and_stop_at_the_ends(screen: Screen) -> None:
    screen.press("]")
    screen.until(lambda: len(screen.all(".card")) == 12)
    screen.until(lambda: screen.focused == 0)
    columns = int(screen.one("#pictures").get_attribute("aria-colcount"))
    assert 1 < columns < 12
    screen.press(Keys.ARROW_DOWN)
    assert screen.focused == columns
    screen.press(Keys.ARROW_LEFT)
    assert screen.focused == columns - 1
    screen.press(Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert screen.focused == 0
    screen.press(Keys.END, Keys.ARROW_RIGHT)
    assert screen.focused == 11
    screen.press(Keys.PAGE_UP)
    assert screen.focused < 11


def test_a_selection_is_made_by_keys_and_mouse_and_decided_at_once(screen: Screen, parrots: Project) -> None:
    screen.press(" ")
    assert screen.selected == [0]
    screen.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, holding=Keys.SHIFT)
    assert screen.selected == [0, 1, 2]
    assert screen.one("#chosen").text == "3 selected"
    screen.press("x")
    assert screen.shows("xxx.")
    assert screen.says("3 pictures rejected.")
    assert screen.selected == []
    screen.press("u")
    assert screen.shows("....")
    first, *_, last = screen.all(".card .frame")
    first.click()
    ActionChains(screen.driver).key_down(Keys.SHIFT).click(last).key_up(Keys.SHIFT).perform()
    assert screen.selected == [0, 1, 2, 3]
    screen.press(Keys.ESCAPE)
    assert screen.selected == []
    screen.press("a", holding=Keys.CONTROL)
    screen.press("v")
    assert screen.shows("vvvv")
    assert _file(parrots).state is State.STORED


def test_single_letters_do_nothing_outside_the_grid(screen: Screen) -> None:
    for css in ("#by-sort", "#done", "#classes button", "#queues button"):
        screen.script("arguments[0].focus()", screen.one(css))
        screen.press("x", "v", "2", "u", "?")
    screen.settle()
    assert screen.states == "...."
    assert not screen.one("#help").is_displayed()
    screen.script("document.getElementById('skip').click()")
    screen.press("?")
    assert screen.one("#help").is_displayed()
    screen.press("x")  # the dialog has the focus now
    screen.press(Keys.ESCAPE)
    screen.settle()
    assert (screen.states, screen.focused) == ("....", 0)


def test_brackets_go_through_the_classes(screen: Screen) -> None:
    screen.press("]")
    screen.until(lambda: screen.one("h1").text == "milano negro")
    screen.until(lambda: screen.focused == 0)
    screen.press("]")
    assert screen.says("This is the last class.")
    screen.press("[")
    screen.until(lambda: screen.one("h1").text == "cigüeña" and screen.focused == 0)
    screen.press("[")
    screen.until(lambda: screen.one("h1").text == "All classes" and len(screen.all(".card")) == 16)


def _make_answers_late(screen: Screen) -> None:
    late = "const now = fetch, later = (r) => setTimeout(r, 300);"
    screen.script(f"{late} window.fetch = (...asked) => new Promise(later).then(() => now(...asked))")


def test_a_key_pressed_while_the_next_class_is_on_its_way_decides_nothing(screen: Screen, parrots: Project) -> None:
    _make_answers_late(screen)
    screen.press("]", "x", " ", "x")
    screen.settle()
    assert screen.shows("." * 12)
    assert (screen.one("h1").text, screen.selected, screen.focused) == ("milano negro", [], 0)
    assert _file(parrots).state is State.STORED


def test_two_quick_keys_are_two_changes(screen: Screen) -> None:
    _make_answers_late(screen)
    screen.press("x", "k", "x")  # rejected, then brought back
    screen.settle()
    assert screen.shows("v...")


def test_an_undo_in_another_class_says_where(screen: Screen) -> None:
    screen.press("x", "]")
    screen.until(lambda: screen.one("h1").text == "milano negro" and screen.focused == 0)
    screen.press("u")
    assert screen.says("Undone: 000.jpg rejected. It is in the class cigüeña.")


def test_two_hundred_decisions_by_keyboard_survive_a_killed_server_with_the_last_fifty_undone(
    chromium: Any, project: Project, write_images: Callable[..., list[Path]]
) -> None:
    write_images(project.root, {"loro": 200, "garza": 2})
    _known(project)
    before = {path.read_bytes() for path in project.images.glob("*/*")}
    with _process(project) as (url, process):
        screen = Screen(chromium, url)
        screen.press("]")
        screen.settle()
        for _ in range(20):
            screen.press(*"xvxxvx1vxv")
        screen.settle()
        assert screen.one("#undo").get_attribute("title") == "199.jpg kept."
        screen.until(lambda: screen.one("#reviewed").text.startswith("200 of 202 reviewed"))
        for _ in range(50):
            screen.press("u")
        screen.settle()
        process.send_signal(signal.SIGKILL)
        process.wait()
        screen.press("x")
        assert screen.says("It has ended: run birds clean again.")
    expected = {f"{i:03}.jpg": "xvxxvx1vxv"[i % 10] for i in range(150)}
    with Record(project) as record:
        files = {file.id: file for file in record.files()}
        decided = {f"{file.name.removesuffix('-2.jpg').removesuffix('.jpg')}.jpg": file for file in files.values()}
    for name, key in expected.items():
        file = decided[name] if name not in ("000.jpg", "001.jpg") else _file(project, f"loro/{name}")
        assert (file.state is State.REJECTED, file.label) == (key == "x", "garza" if key == "1" else "loro")
    assert sum(file.author is not None for file in files.values()) == 150
    assert all(current_path(project, file).is_file() for file in files.values())
    everywhere = [*project.images.glob("*/*"), *project.rejected.glob("*/*")]
    assert len(everywhere) == 202
    assert {path.read_bytes() for path in everywhere} == before
    with _process(project) as (url, _):
        screen = Screen(chromium, url)
        screen.press("U")  # what was undone can still be done again
        assert screen.says("Done again: 150.jpg rejected.")
        screen.press("u", "u")
        assert screen.says("Undone: 149.jpg kept.")


@contextmanager
def _process(project: Project) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The review page in a process of its own, and the address it prints."""
    code = (
        "import sys; from pathlib import Path\n"
        "from birds.clean.server import review; from birds.progress import Progress\n"
        "class Told(Progress):\n    def note(self, text): print(text, flush=True)\n"
        "review(Path(sys.argv[1]), open_browser=False, progress=Told())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(project.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            yield found[0], process
        finally:
            process.kill()


# -- duplicates, large pictures, what is said


def test_duplicates_stand_side_by_side_and_are_settled_with_one_key(screen: Screen, parrots: Project) -> None:
    _plant(parrots)
    screen.driver.refresh()
    screen.until(lambda: screen.script("return document.body.dataset.ready"))
    screen.open("duplicates")
    assert screen.names == ["001.jpg", "000.jpg", "002.jpg", "003.jpg", "004.jpg"]
    assert [one.is_displayed() for one in screen.all(".badge")] == [True, False, False, True, False]
    tops = [one.location["y"] for one in screen.all(".card")]
    assert len(set(tops[:3])) == len(set(tops[3:])) == 1
    screen.script("document.getElementById('skip').click()")
    screen.press("b")
    assert screen.shows("vxx..")
    assert screen.says("1 kept, 2 rejected.")
    assert screen.focused == 3  # the next bundle
    screen.press("n")
    assert screen.says("2 pictures no duplicates.")
    screen.open("duplicates")
    assert screen.all(".card") == []
    assert "No duplicates wait" in screen.one("#empty").text
    screen.script("document.getElementById('empty').focus()")
    screen.press("u", "u")
    screen.settle()
    screen.open("duplicates")
    assert screen.states == "....."


def test_of_a_picture_under_two_labels_the_one_with_the_focus_is_kept(screen: Screen, parrots: Project) -> None:
    _plant(parrots)
    screen.open("conflicts")
    assert screen.names == ["000.jpg", "005.jpg"]
    assert not any(one.is_displayed() for one in screen.all(".badge"))
    screen.script("document.getElementById('skip').click()")
    screen.press(Keys.ARROW_RIGHT, "b")
    assert screen.shows("x.")
    assert _file(parrots, "milano negro/005.jpg").state is State.STORED
    screen.open("conflicts")
    assert screen.all(".card") == []


def test_enter_opens_a_picture_large_and_keys_work_there(screen: Screen) -> None:
    screen.press(Keys.ENTER)
    screen.until(lambda: screen.one("#viewer").is_displayed())
    screen.press(Keys.ARROW_RIGHT)
    screen.until(lambda: screen.one("#viewer-name").text == "001.jpg")
    assert "160 × 120" in screen.one("#viewer-facts").text
    screen.until(lambda: screen.script("return document.getElementById('viewer-picture').naturalWidth"))
    screen.press("x")
    assert screen.shows(".x..")
    screen.until(lambda: screen.one("#viewer-name").text == "002.jpg")
    screen.press("k")
    screen.until(lambda: screen.one("#viewer-name").text == "001.jpg · rejected · by hand")
    assert screen.one("#viewer-toggle .text").text == "Bring back"
    screen.press(Keys.ESCAPE)
    screen.until(lambda: screen.focused == 1)
    assert not screen.one("#viewer").is_displayed()


def test_the_test_set_is_shown_without_prediction_or_score(screen: Screen, parrots: Project) -> None:
    _plant(parrots)
    screen.open("suspected")
    assert screen.one(".what").text == "looks like cigüeña, 90 %"
    screen.open("test")
    assert len(screen.all(".card")) == 2
    assert [one.text for one in screen.all(".what")] == ["", ""]
    assert not screen.one("#by-sort").is_enabled()
    assert "random order" in screen.one("#hint").text


def test_filters_and_order_are_kept_over_a_reload(screen: Screen) -> None:
    choose = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    screen.script(choose, "by-sort", "-size")
    screen.script(choose, "by-state", "rejected")
    screen.until(lambda: "No picture here is like that." in screen.one("#empty").text)
    screen.driver.refresh()
    screen.until(lambda: screen.script("return document.body.dataset.ready"))
    assert screen.one("#by-state").get_attribute("value") == "rejected"
    assert screen.one("#by-sort").get_attribute("value") == "-size"
    screen.one("#show-all").click()
    screen.until(lambda: len(screen.all(".card")) == 16)


def test_buttons_do_what_keys_do(screen: Screen) -> None:
    card = screen.all(".card")[1]
    ActionChains(screen.driver).move_to_element(card).perform()
    card.find_element(By.CSS_SELECTOR, ".toggle").click()
    assert screen.shows(".x..")
    screen.one("#undo").click()
    assert screen.shows("....")
    screen.one("#redo").click()
    assert screen.shows(".x..")
    screen.all(".card .frame")[0].click()
    assert screen.selected == [], "a plain click only looks"
    frame = screen.all(".card .frame")[0]
    ActionChains(screen.driver).key_down(Keys.CONTROL).click(frame).key_up(Keys.CONTROL).perform()
    screen.one("#do-keep").click()
    assert screen.shows("vx..")


def test_what_is_rejected_is_told_in_words_too(screen: Screen) -> None:
    screen.press("x")
    assert screen.shows("x...")
    card = screen.all(".card")[0]
    assert card.find_element(By.CSS_SELECTOR, ".verdict").text == "✕ rejected · by hand"
    assert card.accessible_name.startswith("✕ rejected · by hand 000.jpg")
    screen.until(lambda: "1 of 16 reviewed" in screen.one("#reviewed").text)
    assert screen.one("#classes [aria-current] .count").text == "3 kept · 1 rejected"


def test_only_what_is_in_sight_is_in_the_document(chromium: Any, project: Project) -> None:
    """Three thousand files of one content: the grid must stay small, and its end be reached."""
    with Record(project) as record:
        folder = project.images / "loro"
        folder.mkdir(parents=True)
        (folder / "0.jpg").write_bytes(b"x")
        reconcile(project, record)
        (file,) = record.files()
        with record.transaction():
            for i in range(1, 3_000):
                record.add_file(
                    "loro", f"{i}.jpg", sha256=file.sha256, picture=file.picture, provenance=file.provenance,
                    state=State.STORED,
                )  # fmt: skip
    with _serving(project) as url:
        screen = Screen(chromium, url)
        assert screen.one("#shown").text == "3000 pictures"
        assert len(screen.all(".card")) < 100
        screen.press(Keys.END)
        screen.until(lambda: "2999.jpg" in screen.names)
        assert (screen.focused, len(screen.all(".card")) < 100) == (2_999, True)
        assert screen.one(".row:last-child").get_attribute("aria-rowindex") == screen.one("#pictures").get_attribute(
            "aria-rowcount"
        )
        screen.press(Keys.HOME, *[Keys.PAGE_DOWN] * 30)
        screen.until(lambda: not screen.all(".waiting"))
        assert len(screen.all(".card")) < 100


# -- offline, safe, and for everybody


def test_nothing_is_asked_of_anybody_else_and_the_policy_blocks_nothing_of_ours(screen: Screen) -> None:
    script = "return [...document.querySelectorAll('.card img')].every((i) => i.naturalWidth > 0)"
    screen.until(lambda: screen.script(script))
    screen.press("x")
    assert screen.shows("x...")
    asked = screen.requests()
    assert {url for url in asked if not url.startswith((f"{screen.origin}/", "data:"))} == set()
    assert len({url for url in asked if "/thumbnail/" in url}) == 4
    assert screen.one(".primary").value_of_css_property("background-color") == "rgba(31, 111, 107, 1)"
    assert screen.script("return document.cookie") == ""


def test_a_script_in_a_name_or_injected_into_the_page_does_not_run(
    chromium: Any, project: Project, write_images
) -> None:
    (path,) = write_images(project.root, {ODD_LABEL: 1})
    path.rename(path.with_name(ODD_NAME))
    _known(project)
    with _serving(project) as url:
        screen = Screen(chromium, url)
        assert screen.one("h1").text == ODD_LABEL
        assert screen.names == [ODD_NAME]
        screen.press("x")
        assert screen.says(f"{ODD_NAME} rejected.")
        screen.script(
            "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')"
        )
        time.sleep(0.3)
        assert screen.script("return window.ran") is None


def test_done_says_so_and_the_ended_page_changes_nothing(chromium: Any, parrots: Project) -> None:
    session = Session(parrots)
    with LocalServer(review_app(parrots, session)) as server:
        session.when_done = server.stop
        screen = Screen(chromium, server.url)
        screen.press("x")
        assert screen.shows("x...")
        screen.one("#done").click()
        screen.until(lambda: "Done: 1 picture decided, all stored." in screen.one("main").text)
        assert screen.all(".card") == []
    screen.script("window.dispatchEvent(new Event('resize'))")
    time.sleep(0.5)  # what the grid still asks for is refused by now, and nobody needs to hear of it
    assert screen.one("#said").text.startswith("Done:")
    assert "failed" not in screen.one("#said").get_attribute("class")
    assert rejected_path(parrots, _file(parrots)).is_file()


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_scrolls_one_way_only_and_a_tap_selects(screen: Screen, width: int) -> None:
    screen.press(Keys.END)
    emulate = screen.driver.execute_cdp_cmd
    emulate(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        screen.until(lambda: screen.one("#pictures").get_attribute("aria-colcount") == "2")
        assert screen.focused == 3
        assert screen.script("return document.scrollingElement.scrollWidth") <= width
        assert screen.script("return document.getElementById('table').scrollWidth") <= width
        tap = ActionBuilder(screen.driver, mouse=PointerInput(POINTER_TOUCH, "finger"))
        tap.pointer_action.move_to(screen.all(".card .frame")[1]).click()
        tap.perform()
        screen.until(lambda: screen.selected == [1])
        heights = {
            one.id: one.size["height"] for one in screen.all(".bottom button, .side button") if one.is_displayed()
        }
        assert min(heights.values()) >= 44
        screen.one("#do-toggle").click()
        assert screen.shows(".x..")
    finally:
        emulate("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker axe-core, from npm's registry and kept under build/."""
    folder = ROOT / "build" / "axe-core"
    package = folder / f"{AXE}.tgz"
    npm = shutil.which("npm")
    if not package.is_file() and npm:
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", "--silent", AXE.replace("core-", "core@")]
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(folder)
            subprocess.run(command, check=False, capture_output=True, timeout=60)
    if not package.is_file():
        pytest.skip(f"{AXE} is neither in build/axe-core nor to be had from npm here")
    with tarfile.open(package) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source
        return source.read().decode()


def _violations(screen: Screen, axe: str) -> list[str]:
    """Serious and critical findings of axe-core, as ``rule: element``."""
    screen.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})  # the page's own policy stays on
    answer = screen.driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[0], (e) => arguments[0]({error: String(e)}))"
    )
    assert "error" not in answer, answer
    assert len(answer["passes"]) > 10
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in answer["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_queue(screen: Screen, parrots: Project, axe: str, scheme: str) -> None:
    _plant(parrots)
    emulate = screen.driver.execute_cdp_cmd
    emulate("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    try:
        found = {}
        for queue in QUEUES:
            screen.open(queue)
            assert screen.all(".card"), queue
            found[queue] = _violations(screen, axe)
        screen.open("all", "milano negro")
        screen.script("document.getElementById('skip').click()")
        screen.press(" ", "v", Keys.ARROW_RIGHT, "x", Keys.ARROW_RIGHT, " ")
        screen.settle()
        found["decided"] = _violations(screen, axe)
        for key, dialog in (("?", "help"), ("m", "mover"), (Keys.ENTER, "viewer")):
            screen.press(key)
            screen.until(lambda dialog=dialog: screen.one(f"#{dialog}").is_displayed())
            found[dialog] = _violations(screen, axe)
            screen.press(Keys.ESCAPE)
        assert {name: some for name, some in found.items() if some} == {}
    finally:
        emulate("Emulation.setEmulatedMedia", {"features": []})
