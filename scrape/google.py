"""Google Images through Selenium: the thin fetcher around ``google_page``.

One browser serves all species. Candidates come from the records of the first page and from the XHR answers that
scrolling brings, which are not in the page's source: they are read from the browser's own network log, the page
itself is left as it is. A block (captcha, consent that cannot be given, ...) ends the source; nothing works around it.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..errors import BrowserError, SourceError
from ..files import Project
from ..progress import SILENT, Progress
from ..reasons import Cause
from .browser import open_browser
from .candidates import Candidate
from .google_page import block_cause, has_thumbnails, parse_records

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
    Cause.ONLY_THUMBNAILS: "The page shows thumbnails without their originals; try again later or with --headed.",
    Cause.UNKNOWN_LAYOUT: "Google may have changed its page; the saved copy lets someone mend the parser.",
    Cause.NETWORK: "Check the connection and run the same command again.",
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
    """

    name = "google"

    def __init__(
        self, project: Project, *, base_url: str = GOOGLE_URL, headed: bool = False, progress: Progress = SILENT
    ) -> None:
        self._project = project
        self._base_url = base_url.rstrip("/")
        self._headed = headed
        self._progress = progress
        self._resources = ExitStack()
        self._driver: WebDriver | None = None
        self._asked: set[str] = set()  # ids of the page's XHR requests without an answer yet

    def close(self) -> None:
        """Close the browser."""
        self._driver = None
        self._resources.close()

    def search(self, query: str, limit: int) -> Iterator[Candidate]:
        """See `Source.search`. Scrolls only as far as the caller reads."""
        del limit  # the page sets the size of its batches
        from selenium.common.exceptions import WebDriverException

        try:
            yield from self._search(query)
        except WebDriverException as error:
            detail = (error.msg or "").strip().splitlines()
            self.close()
            if any("net::ERR" in line or "timeout" in line.lower() for line in detail[:1]):
                raise self._stopped(Cause.NETWORK) from error
            raise BrowserError(
                f"The browser failed during the search: {detail[0] if detail else type(error).__name__}.",
                "Run the same command again: what was stored is kept.",
            ) from error

    def _search(self, query: str) -> Iterator[Candidate]:
        driver = self._driver or self._start()
        driver.get(f"{self._base_url}/search?{urlencode({'q': query, 'udm': '2', 'hl': 'en'})}")
        self._pass_consent(driver)
        html = driver.page_source
        if cause := block_cause(driver.current_url, html):
            raise self._stopped(cause)
        seen: set[str] = set()
        for candidate in parse_records(html):
            seen.add(candidate.url)
            yield candidate
        idle = 0
        while idle < _IDLE_SCROLLS:
            driver.execute_script("window.scrollTo(0, document.documentElement.scrollHeight)")
            fresh = [c for c in self._next_batch(driver) if c.url not in seen]
            idle = 0 if fresh else idle + 1
            for candidate in fresh:
                seen.add(candidate.url)
                yield candidate
        html = driver.page_source
        if cause := block_cause(driver.current_url, html):
            raise self._stopped(cause)
        if not seen:
            cause = Cause.ONLY_THUMBNAILS if has_thumbnails(html) else Cause.UNKNOWN_LAYOUT
            raise self._stopped(cause, html)

    def _start(self) -> "WebDriver":
        profile = self._project.staging("browser")
        self._driver = self._resources.enter_context(
            open_browser(profile, headed=self._headed, progress=self._progress)
        )
        return self._driver

    def _pass_consent(self, driver: "WebDriver") -> None:
        """Answer the consent page, where there is one; if it stays, `block_cause` tells."""
        from selenium.webdriver.common.by import By

        if block_cause(driver.current_url, driver.page_source) is not Cause.CONSENT:
            return
        for button_id in _CONSENT_BUTTONS:
            buttons = driver.find_elements(By.ID, button_id)
            if buttons:
                buttons[0].click()
                deadline = time.monotonic() + _CONSENT_S
                while (
                    time.monotonic() < deadline and block_cause(driver.current_url, driver.page_source) is Cause.CONSENT
                ):
                    time.sleep(_POLL_S)
                return

    def _next_batch(self, driver: "WebDriver") -> list[Candidate]:
        """Candidates of the next XHR answer that holds any; none, once the page has stopped asking."""
        started = time.monotonic()
        while (waited := time.monotonic() - started) < _ANSWER_S and (self._asked or waited < _QUIET_S):
            batch = [c for body in self._finished_answers(driver) for c in parse_records(body, strategy="xhr")]
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
                yield str(answer.get("body", ""))

    def _stopped(self, cause: Cause, html: str | None = None) -> SourceError:
        message = f"{self._base_url} {_MESSAGES[cause]}."
        if html is not None:
            page = self._project.logs / "google-unreadable-page.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(html, encoding="utf-8")
            message = f"{message[:-1]}; saved as {page}."
        return SourceError(message, _HINTS[cause], cause=cause)
