"""The served page as a person meets it, in headless Chromium: one browser for all of these tests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from birds.files import Project
from birds.record import Provenance
from birds.scrape.browser import open_browser
from birds.serve.examples import Example, examples
from birds.serve.limits import Limits
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

Serving = Callable[..., Any]
DROP = """
const [name, bytes] = arguments;
const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type: "image/jpeg" });
const data = new DataTransfer();
data.items.add(file);
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile") / "chromium") as driver:
        yield driver


class Screen:
    """The page, by what a person sees."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver, self.origin = driver, url.rstrip("/")
        driver.get_log("performance")
        driver.get(url)
        self.until(lambda: driver.execute_script("return document.body.dataset.ready"))

    def one(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def texts(self, css: str) -> list[str]:
        return [one.text for one in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def until(self, is_so: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: is_so())

    def choose(self, path: Path) -> None:
        self.one("#file").send_keys(str(path))

    def said(self) -> str:
        """What a screen reader is told."""
        return str(self.one("#said").get_attribute("textContent"))

    def requests(self) -> list[str]:
        """What the page asked for; not what a fresh browser does by itself."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent if one["documentURL"].startswith(self.origin)]


@pytest.fixture
def picture(tmp_path: Path, red: bytes) -> Path:
    path = tmp_path / "red.jpg"
    path.write_bytes(red)
    return path


def test_a_chosen_picture_is_answered(chromium: Any, serving: Serving, picture: Path) -> None:
    with serving() as client:
        screen = Screen(chromium, client.url)
        screen.choose(picture)
        screen.until(lambda: screen.one("#answer").is_displayed())
        assert screen.one("h2").text.lower() == "cigüeña"
        assert screen.texts(".name")[0] == "cigüeña Ciconia ciconia"
        assert screen.texts(".confidence span")[0] == "over 99%"
        assert screen.said() == "cigüeña, over 99%."
        assert screen.one("#preview").is_displayed()
        assert not screen.one("#failure").is_displayed()
        asked = screen.requests()
        policy = [entry for entry in chromium.get_log("browser") if "Content Security Policy" in entry["message"]]
    assert {url.partition(":")[0] for url in asked} <= {"http", "blob"}
    assert all(url.startswith((screen.origin, "blob:")) for url in asked)  # nothing from elsewhere
    assert f"{screen.origin}/identify" in asked
    assert not policy


def test_an_unsure_answer_says_so(chromium: Any, serving: Serving, tmp_path: Path, grey: bytes) -> None:
    path = tmp_path / "grey.jpg"
    path.write_bytes(grey)
    with serving() as client:
        screen = Screen(chromium, client.url)
        screen.choose(path)
        screen.until(lambda: screen.one("#answer").is_displayed())
        assert screen.texts("h2") == ["Not sure"]
        assert "Below 60% it does not decide" in screen.one("#explanation").text
        assert screen.said().startswith("Not sure.")


def test_a_refusal_and_a_server_that_is_gone_are_told(
    chromium: Any, serving: Serving, tmp_path: Path, picture: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    with serving() as client:
        screen = Screen(chromium, client.url)
        screen.choose(path)
        screen.until(lambda: screen.one("#failure").is_displayed())
        assert screen.one("#failure").text.startswith("It is no picture of a known format. Send one of JPEG")
        assert not screen.one("#preview").is_displayed()
        screen.choose(picture)  # all is well again
        screen.until(lambda: screen.one("#answer").is_displayed())
        assert not screen.one("#failure").is_displayed()
    screen.choose(picture)
    screen.until(lambda: screen.one("#failure").is_displayed())
    assert "The server did not answer" in screen.one("#failure").text


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(chromium: Any, serving: Serving, red: bytes, event: str) -> None:
    from base64 import b64encode

    made = {
        "drop": "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })",
        "paste": "new ClipboardEvent('paste', { clipboardData: data, bubbles: true })",
    }
    with serving() as client:
        screen = Screen(chromium, client.url)
        chromium.execute_script(f"{DROP} document.body.dispatchEvent({made[event]})", "a.jpg", b64encode(red).decode())
        screen.until(lambda: screen.one("#answer").is_displayed())
        assert screen.said().startswith("cigüeña")


def test_a_picture_with_too_many_bytes_is_made_smaller_before_it_is_sent(
    chromium: Any, serving: Serving, tmp_path: Path, red: bytes
) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(red + bytes(30_000))
    with serving(Limits(per_minute=0, max_bytes=20_000)) as client:
        screen = Screen(chromium, client.url)
        screen.choose(path)
        screen.until(lambda: screen.one("#answer").is_displayed())
        assert "made smaller before it was sent" in screen.one("#explanation").text
        assert client.served.tally.identified == 1


def test_examples_stand_beside_the_names_with_their_attribution(
    chromium: Any, serving: Serving, project: Project, picture: Path, plant: Callable[..., None], red: bytes
) -> None:
    origin = Provenance("gbif", licence="cc-by-4.0", author="<b>D. Diaz</b>", page_url="https://example.org/1?a=b&c=d")
    plant(project, [("cigüeña", "a.jpg", origin, "train")], red)
    shown: dict[str, Example] = examples(project, ["cigüeña"])
    with serving(project=project, examples=shown) as client:
        screen = Screen(chromium, client.url)
        screen.choose(picture)
        screen.until(lambda: screen.one("#answer").is_displayed())
        screen.until(lambda: chromium.execute_script("return document.querySelector('#top img').naturalWidth"))
        assert screen.texts("figcaption")[0] == "Example: <b>D. Diaz</b>, CC BY 4.0, via gbif (licence)"
        links = [a.get_attribute("href") for a in chromium.find_elements(By.CSS_SELECTOR, "figcaption a")]
        assert links == ["https://example.org/1?a=b&c=d", "https://creativecommons.org/licenses/by/4.0/"]


def test_the_page_says_what_the_model_knows_and_what_becomes_of_pictures(chromium: Any, serving: Serving) -> None:
    with serving() as client:
        screen = Screen(chromium, client.url)
        assert "not stored" in screen.one(".privacy").text
        screen.one("summary").click()
        assert screen.texts("#classes li") == ["cigüeña Ciconia ciconia", "garza", "milano negro"]
        assert screen.one("#quality").text.startswith("On 120 pictures that it had not seen it was right in 90%")
        assert "83% to 94%" in screen.one("#quality").text


def test_everything_is_reached_by_keyboard_and_named(chromium: Any, serving: Serving) -> None:
    with serving() as client:
        Screen(chromium, client.url)
        names = chromium.execute_script(
            "return [...document.querySelectorAll('input')].map((one) => [one.type, one.labels.length, one.tabIndex])"
        )
        images = chromium.execute_script("return [...document.images].every((one) => one.hasAttribute('alt'))")
    assert names == [["file", 1, 0], ["file", 1, 0]]
    assert images
