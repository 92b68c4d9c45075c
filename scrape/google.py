"""Google Images through Selenium: the thin fetcher around ``google_page``.

One browser serves all species. Candidates come from the records of the first page and from the XHR answers that
scrolling brings, which are not in the page's source: they are read from the browser's own network log, the page
itself is left as it is. Where there are none, the cards are worked by mouse (`google_cards`). A block (captcha, consent
that cannot be given, ...) ends the source; nothing works around it.
"""

import json
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..files import Project
from ..progress import SILENT, Progress
from ..reasons import Cause
from .browsing import Browsing, cause_of_status, refusal
from .candidates import AsksBy, Candidate
from .google_cards import Cards
from .google_page import block_cause, parse, parse_records
from .saved_pages import SavedPages

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

GOOGLE_URL = "https://www.google.com"
_CONSENT_BUTTONS = ("W0wltc", "L2AGLb")  # 'reject all' first: no more cookies than needed
_QUIET_S = 1.5  # after a scroll, without the page asking for more
_ANSWER_S = 15.0  # for an answer that was asked for
_CONSENT_S = 5.0
_IDLE_SCROLLS = 2  # without more results: they have ended
_POLL_S = 0.1

_HINTS = {Cause.ONLY_THUMBNAILS: "Try again later, or store the thumbnails themselves with --thumbnails."}


class GoogleImages:
    """Google Images, or what behaves like it at `base_url`.

    Parameters
    ----------
    project : its ``.birds/tmp`` holds the browser's profile, its ``.birds/logs`` pages that could not be read.
    headed : show the browser.
    grid_url : a Selenium Grid to take the browser from, see `open_browser`.
    thumbnails : give thumbnails, marked as such by their strategy, where there is nothing larger.
    saved : where pages are saved.
    """

    name = "google"
    asks_by = AsksBy.TERM
    shows_licences = False

    def __init__(
        self,
        project: Project,
        *,
        base_url: str = GOOGLE_URL,
        headed: bool = False,
        grid_url: str | None = None,
        thumbnails: bool = False,
        saved: SavedPages | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self._project = project
        self._base_url = base_url.rstrip("/")
        self._thumbnails = thumbnails
        self._saved = saved or SavedPages(None, project.logs)
        self._browsing = Browsing(
            self.name, self._base_url, project, headed=headed, grid_url=grid_url, saved=self._saved, hints=_HINTS,
            progress=progress,
        )  # fmt: skip
        self._asked: set[str] = set()  # ids of the page's XHR requests without an answer yet

    def close(self) -> None:
        """Close the browser."""
        self._browsing.close()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. Scrolls, hovers and clicks only as far as the caller reads."""
        del limit  # the page sets the size of its batches
        with self._browsing.searching() as driver:
            yield from self._search(driver, query)

    def _search(self, driver: "WebDriver", query: str) -> Iterator[Candidate]:
        driver.get_log("performance")  # type: ignore[no-untyped-call]  # what an earlier search left there
        self._asked.clear()
        driver.get(f"{self._base_url}/search?{urlencode({'q': query, 'udm': '2', 'hl': 'en'})}")
        self._pass_consent(driver)
        html = driver.page_source
        self._saved.keep(self.name, query, html)
        if parse(html).cause:
            self._check(driver, html)
        seen: set[str] = set()
        yield from _unseen(parse_records(html), seen)
        idle = 0
        while idle < (_IDLE_SCROLLS if seen else 1):
            driver.execute_script("window.scrollTo(0, document.documentElement.scrollHeight)")
            batch = list(_unseen(self._next_batch(driver, query), seen))
            idle = 0 if batch else idle + 1
            yield from batch
        if not seen:
            thumbnails = self._project.staging("thumbnails") if self._thumbnails else None  # goes with the stage's lock
            yield from _unseen(Cards(driver, thumbnails).candidates(), seen)
        html = driver.page_source
        if cause := block_cause(driver.current_url, html):
            raise self._browsing.stopped(cause)
        if not seen:
            page = parse(html)
            yield from page.candidates  # links that no card leads to
            if page.cause:
                raise self._browsing.stopped(page.cause, html)

    def _check(self, driver: "WebDriver", html: str) -> None:
        """Stop at a page that is a block, or whose HTTP status says that there is no answer."""
        if cause := block_cause(driver.current_url, html) or refusal(driver):
            raise self._browsing.stopped(cause)

    def _pass_consent(self, driver: "WebDriver") -> None:
        """Answer the consent page, or the dialog before a page, where there is one; `block_cause` tells if it stays."""
        find = (
            "return arguments[0].map((id) => document.getElementById(id)).find((one) => one?.checkVisibility()) ?? null"
        )
        button = driver.execute_script(find, _CONSENT_BUTTONS)
        if button is None:
            return
        button.click()
        deadline = time.monotonic() + _CONSENT_S
        while time.monotonic() < deadline and driver.execute_script(find, _CONSENT_BUTTONS):
            time.sleep(_POLL_S)

    def _next_batch(self, driver: "WebDriver", query: str) -> list[Candidate]:
        """Candidates of the next XHR answer that holds any; none, once the page has stopped asking."""
        started = time.monotonic()
        while (waited := time.monotonic() - started) < _ANSWER_S and (self._asked or waited < _QUIET_S):
            batch: list[Candidate] = []
            for body in self._finished_answers(driver):
                self._saved.keep(self.name, query, body, suffix=".txt")
                batch += parse_records(body, strategy="xhr")
            if batch:
                return batch
            time.sleep(_POLL_S)
        return []

    def _finished_answers(self, driver: "WebDriver") -> Iterator[str]:
        """Bodies of XHR answers that are complete since the last call."""
        from selenium.common.exceptions import WebDriverException

        for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
            event: dict[str, Any] = json.loads(entry["message"])["message"]
            method, details = event["method"], event.get("params", {})
            if method == "Network.requestWillBeSent" and details.get("type") in ("XHR", "Fetch"):
                self._asked.add(details["requestId"])
            elif method == "Network.responseReceived" and details["requestId"] in self._asked:
                response = details["response"]
                if cause := block_cause(response["url"], "") or cause_of_status(response["status"]):
                    raise self._browsing.stopped(cause)
            elif method == "Network.loadingFailed":
                self._asked.discard(details["requestId"])
            elif method == "Network.loadingFinished" and details["requestId"] in self._asked:
                self._asked.remove(details["requestId"])
                try:
                    answer = driver.execute_cdp_cmd("Network.getResponseBody", {"requestId": details["requestId"]})
                except WebDriverException:  # the page dropped it already
                    continue
                if body := str(answer.get("body", "")):
                    yield body


def _unseen(candidates: Iterable[Candidate], seen: set[str]) -> Iterator[Candidate]:
    """Those of `candidates` whose address is not in `seen`, which learns them."""
    for candidate in candidates:
        if candidate.url not in seen:
            seen.add(candidate.url)
            yield candidate
