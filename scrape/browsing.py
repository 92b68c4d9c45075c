"""What the sources that search through a browser share: one browser for all searches, and their failures in words.

The browser starts with the first search and lives until `close`. A block is reported with its cause and ends the
source; nothing works around it.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import BrowserError, SourceError
from ..files import Project
from ..progress import SILENT, Progress
from ..reasons import Cause
from .browser import open_browser
from .saved_pages import SavedPages

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

_MESSAGES = {
    Cause.CAPTCHA: "asks for a captcha",
    Cause.CONSENT: "keeps asking for consent",
    Cause.JAVASCRIPT_SHELL: "answered with a page that only asks for JavaScript",
    Cause.OUTDATED_BROWSER: "says that the browser is outdated",
    Cause.NO_RESULTS: "found no pictures",
    Cause.ONLY_THUMBNAILS: "gave thumbnails only",
    Cause.UNKNOWN_LAYOUT: "answered with a page that birds cannot read",
    Cause.NETWORK: "could not be reached, or answered with an error",
    Cause.QUOTA: "allows no more searches for now",
}
_HINTS = {
    Cause.CAPTCHA: "Wait some hours, ask for less at a time, or use another source; birds does not work around blocks.",
    Cause.CONSENT: "Open it once with --headed to see what it asks.",
    Cause.JAVASCRIPT_SHELL: "Open it once with --headed, or try again later.",
    Cause.OUTDATED_BROWSER: "Update Chrome or Chromium and its driver; `birds doctor` shows their versions.",
    Cause.NO_RESULTS: "Check the spelling, or give another search term with --query.",
    Cause.ONLY_THUMBNAILS: "The page shows thumbnails without their originals; try again later or with --headed.",
    Cause.UNKNOWN_LAYOUT: "Its pages may have changed; `birds scrape --from-page FILE` shows what is read of one.",
    Cause.NETWORK: "Check the connection and run the same command again.",
    Cause.QUOTA: "Wait, ask for less, or use another source.",
}
_WORTH_KEEPING = {Cause.ONLY_THUMBNAILS, Cause.UNKNOWN_LAYOUT}


class Browsing:
    """A source's browser.

    Parameters
    ----------
    source : its name, for the names of saved pages.
    address : what is said to have stopped, in messages.
    project : its ``.birds/tmp`` holds the browser's profile.
    headed, grid_url : see `open_browser`.
    hints : what to do about a cause, where this source has a way of its own.
    """

    def __init__(
        self,
        source: str,
        address: str,
        project: Project,
        *,
        headed: bool = False,
        grid_url: str | None = None,
        saved: SavedPages | None = None,
        hints: Mapping[Cause, str] | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self._source = source
        self._address = address
        self._project = project
        self._headed = headed
        self._grid_url = grid_url
        self._saved = saved or SavedPages(None, project.logs)
        self._hints = {**_HINTS, **(hints or {})}
        self._progress = progress
        self._resources = ExitStack()
        self._driver: WebDriver | None = None

    def close(self) -> None:
        """Close the browser; the next search starts another."""
        self._driver = None
        self._resources.close()

    @contextmanager
    def searching(self) -> Iterator["WebDriver"]:
        """The browser, started if need be. What fails in it leaves the block as an error of ours, the browser closed.

        Raises
        ------
        SourceError : the page could not be reached.
        BrowserError : the browser did not start, or died.
        """
        from selenium.common.exceptions import WebDriverException
        from urllib3.exceptions import HTTPError  # what Selenium lets through when the driver itself is gone

        try:
            yield self._driver or self._start()
        except (WebDriverException, HTTPError) as error:
            said = (getattr(error, "msg", None) or str(error)).strip().partition("\n")[0]
            self.close()
            if isinstance(error, WebDriverException) and ("net::ERR" in said or "timeout" in said.lower()):
                raise self.stopped(Cause.NETWORK) from error
            raise BrowserError(
                f"The browser failed during the search: {said.rstrip('.') or type(error).__name__}.",
                "Run the same command again: what was stored is kept.",
            ) from error

    def stopped(self, cause: Cause, html: str = "") -> SourceError:
        """The error that says why the source ended; `html` is saved where somebody may want to read it."""
        kept = f"; saved as {self._saved.keep_unreadable(self._source, html)}" if cause in _WORTH_KEEPING else ""
        return SourceError(f"{self._address} {_MESSAGES[cause]}{kept}.", self._hints[cause], cause=cause)

    def _start(self) -> "WebDriver":
        profile = self._project.staging("browser")
        self._driver = self._resources.enter_context(
            open_browser(profile, headed=self._headed, grid_url=self._grid_url, progress=self._progress)
        )
        return self._driver


def refusal(driver: "WebDriver") -> Cause | None:
    """The cause that the HTTP status of the page just loaded stands for; None for an ordinary one."""
    return cause_of_status(
        driver.execute_script("return performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0")
    )


def cause_of_status(status: int) -> Cause | None:
    """The cause that an HTTP status stands for; None for an ordinary one."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Cause.QUOTA
    return Cause.NETWORK if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None


def press_first(driver: "WebDriver", *button_ids: str) -> bool:
    """Press the first of these buttons that the page shows; whether there was one."""
    from selenium.webdriver.common.by import By

    buttons = (button for one in button_ids for button in driver.find_elements(By.ID, one) if button.is_displayed())
    button = next(buttons, None)
    if button:
        button.click()
    return button is not None
