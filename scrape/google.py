"""Google Images through Selenium: the thin fetcher around ``google_page``.

One browser serves all species. Candidates come from the records of the first page and from the XHR answers that
scrolling brings, which are not in the page's source: they are read from the browser's own network log, the page
itself is left as it is. Where there are none, the cards are worked by mouse (`google_cards`). A block (captcha, consent
that cannot be given, ...) ends the source; nothing works around it.
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..errors import BrowserError, SourceError
from ..files import Project
from ..progress import SILENT, Progress
from ..reasons import Cause
from .browser import open_browser
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

_HINTS = {
    Cause.CAPTCHA: "Wait some hours, ask for less at a time, or use another source; birds does not work around blocks.",
    Cause.CONSENT: "Open it once with --headed to see what it asks.",
    Cause.JAVASCRIPT_SHELL: "Open it once with --headed, or try again later.",
    Cause.OUTDATED_BROWSER: "Update Chrome or Chromium and its driver; `birds doctor` shows their versions.",
    Cause.NO_RESULTS: "Check the spelling, or give another search term with --query.",
    Cause.ONLY_THUMBNAILS: "Try again later, or store the thumbnails themselves with --thumbnails.",
    Cause.UNKNOWN_LAYOUT: "Google may have changed its page; `birds scrape --from-page FILE` shows what is read of it.",
    Cause.NETWORK: "Check the connection and run the same command again.",
    Cause.QUOTA: "Wait some hours, ask for less at a time, or use another source.",
}
_MESSAGES = {
    Cause.CAPTCHA: "asks for a captcha ('unusual traffic')",
    Cause.CONSENT: "keeps asking for consent",
    Cause.JAVASCRIPT_SHELL: "answered with a page that only asks for JavaScript",
    Cause.OUTDATED_BROWSER: "says that the browser is outdated",
    Cause.NO_RESULTS: "found no pictures",
    Cause.ONLY_THUMBNAILS: "gave thumbnails only",
    Cause.UNKNOWN_LAYOUT: "answered with a page that birds cannot read",
    Cause.NETWORK: "could not be reached",
}


class GoogleImages:
    """Google Images, or what behaves like it at `base_url`.

    Parameters
    ----------
    project : its ``.birds/tmp`` holds the browser's profile, its ``.birds/logs`` pages that could not be read.
    headed : show the browser.
    grid_url : a Selenium Grid to take the browser from, see `open_browser`.
    thumbnails : give thumbnails, marked as such by their strategy, where there is nothing larger.
    licence : "any", or what else `licences.WANTED` has: only pictures that Google holds for Creative Commons are
        searched then. It shows no licence, so whoever wants one must look further.
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
        licence: str = "any",
        saved: SavedPages | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self._project = project
        self._base_url = base_url.rstrip("/")
        self._headed, self._grid_url = headed, grid_url
        self._thumbnails = thumbnails
        self._parameters = {"udm": "2", "hl": "en", **({} if licence == "any" else {"tbs": "il:cl"})}
        self._saved = saved or SavedPages(None, project.logs)
        self._progress = progress
        self._resources = ExitStack()
        self._driver: WebDriver | None = None
        self._asked: set[str] = set()  # ids of the page's XHR requests without an answer yet

    def close(self) -> None:
        """Close the browser."""
        self._driver = None
        self._resources.close()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. Scrolls, hovers and clicks only as far as the caller reads."""
        del limit  # the page sets the size of its batches
        from selenium.common.exceptions import WebDriverException

        try:
            yield from self._search(query)
        except WebDriverException as error:
            detail = ((error.msg or "").strip().splitlines() or [type(error).__name__])[0]
            self.close()
            if "net::ERR" in detail or "timeout" in detail.lower():
                raise self._stopped(Cause.NETWORK) from error
            raise BrowserError(
                f"The browser failed during the search: {detail}.",
                "Run the same command again: what was stored is kept.",
            ) from error

    def _search(self, query: str) -> Iterator[Candidate]:
        driver = self._driver or self._start()
        driver.get_log("performance")  # type: ignore[no-untyped-call]  # what an earlier search left there
        self._asked.clear()
        driver.get(f"{self._base_url}/search?{urlencode({'q': query, **self._parameters})}")
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
            raise self._stopped(cause)
        if not seen:
            page = parse(html)
            yield from page.candidates  # links that no card leads to
            if page.cause:
                raise self._stopped(page.cause, html)

    def _check(self, driver: "WebDriver", html: str) -> None:
        """Stop at a page that is a block, or whose HTTP status says that there is no answer."""
        if cause := block_cause(driver.current_url, html):
            raise self._stopped(cause)
        status: int = driver.execute_script("return performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0")
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            cause = Cause.QUOTA if status == HTTPStatus.TOO_MANY_REQUESTS else Cause.NETWORK
            raise self._stopped(cause, what=f"answered with HTTP status {status}")

    def _start(self) -> "WebDriver":
        profile = self._project.staging("browser")
        self._driver = self._resources.enter_context(
            open_browser(profile, headed=self._headed, grid_url=self._grid_url, progress=self._progress)
        )
        return self._driver

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

    def _stopped(self, cause: Cause, html: str | None = None, *, what: str | None = None) -> SourceError:
        message = f"{self._base_url} {what or _MESSAGES[cause]}."
        if html is not None:
            message = f"{message[:-1]}; saved as {self._saved.keep_unreadable(self.name, html)}."
        return SourceError(message, _HINTS[cause], cause=cause)


def _unseen(candidates: Iterable[Candidate], seen: set[str]) -> Iterator[Candidate]:
    """Those of `candidates` whose address is not in `seen`, which learns them."""
    for candidate in candidates:
        if candidate.url not in seen:
            seen.add(candidate.url)
            yield candidate
