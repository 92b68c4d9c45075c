"""Chrome on another machine: a Selenium Grid, or any remote end that speaks WebDriver (https://w3.org/TR/webdriver2).

Only `browser.open_browser` imports this module, and only once a grid is asked for: it loads Selenium.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from selenium.webdriver.chrome.webdriver import WebDriver as Chrome
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.webdriver import WebDriver as Remote
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ..errors import BrowserError, UsageError
from ..progress import SILENT, Progress
from .browser import driver_message

STATUS_S = 15  # for a grid to say that it is there
SESSION_S = 120  # for one of its browsers to become free and start
COMMAND_S = 60  # for anything later; loading a page takes half of it at most
_NO_ANSWER = (HTTPError, OSError)  # Selenium lets both through as they are
_URL_HINT = (
    "Check that the grid runs there and can be reached from here; Grid 4 listens at http://HOST:4444, "
    "Grid 3 at http://HOST:4444/wd/hub."
)
_CHROME_HINT = (
    "Check that a node there offers Chrome, has a slot for each of --browsers, and does not run as root: there Chrome "
    "starts only if the node's stereotype gives it --no-sandbox."
)


class ChromeOnGrid(Chrome):
    """Chrome's commands, `get_log` and `execute_cdp_cmd` among them, for a driver that someone else started.

    Whether Chrome needs ``--no-sandbox`` is left to the node, which alone knows how it runs: Grid 4 takes it from the
    stereotype's ``goog:chromeOptions``, and Selenium's own container images from a wrapper around Chrome.

    Parameters
    ----------
    url : http or https address, ``user:password@`` included where the grid asks for them.
    options : for Chrome; paths in them would be the node's.

    Raises
    ------
    UsageError : `url` is no such address.
    BrowserError : nothing answers there within `STATUS_S`, it is no remote end, or it gives no Chrome.
    """

    def __init__(self, url: str, options: Options, *, progress: Progress = SILENT) -> None:
        self.url, user, password = _split(url)
        self._progress = progress
        once = {"init_args_for_pool_manager": {"retries": False}}  # else urllib3 waits four times over
        config = ClientConfig(
            self.url, timeout=STATUS_S, username=user, password=password, init_args_for_pool_manager=once
        )
        connection = ChromeRemoteConnection(self.url, client_config=config)
        self._check(connection)
        config.timeout = SESSION_S  # a Grid 4 drops a waiting request when its asker is gone: no browser is left over
        try:
            Remote.__init__(self, command_executor=connection, options=options)
        except WebDriverException as error:
            if isinstance(error.__cause__, ReadTimeoutError):
                raise BrowserError(f"{self.url} gave no Chrome within {SESSION_S} s.", _CHROME_HINT) from error
            raise BrowserError(f"{self.url} started no Chrome: {driver_message(error)}.", _CHROME_HINT) from error
        config.timeout = COMMAND_S

    def _check(self, connection: ChromeRemoteConnection) -> None:
        """Ask the remote end whether it is one and is ready."""
        connection.add_command("status", "GET", "/status")  # type: ignore[no-untyped-call]
        try:
            answer = connection.execute("status", {})  # type: ignore[no-untyped-call]
        except _NO_ANSWER as error:
            raise BrowserError(f"No Selenium Grid answers at {self.url}: {_why(error)}.", _URL_HINT) from error
        except (ValueError, TypeError):  # bytes that are no text, JSON that is no object
            answer = {"value": None}
        if answer.get("status") == 401:
            hint = "Give them in its URL: http://USER:PASSWORD@HOST:4444."
            raise BrowserError(f"The grid at {self.url} asks for a user and a password, or for others.", hint)
        state = answer["value"]
        if not isinstance(state, dict) or "ready" not in state:
            raise BrowserError(f"What answers at {self.url} is no Selenium Grid.", _URL_HINT)
        if not state["ready"]:
            self._progress.note(f"No browser is free at {self.url}: waiting for one, {SESSION_S} s at most.")

    def execute(self, driver_command: Any, params: dict[str, Any] | None = None) -> Any:
        """As Selenium's; a grid that no longer answers is a `WebDriverException` like any other failure."""
        try:
            return super().execute(driver_command, params)
        except _NO_ANSWER as error:
            raise WebDriverException(f"{self.url} does not answer any more: {_why(error)}") from error

    def quit(self) -> None:
        """End the session, and with it the browser; where the grid is gone by now, say so."""
        try:
            Remote.quit(self)
        except WebDriverException:
            self._progress.note(f"The browser at {self.url} could not be closed; the grid ends it once it is idle.")


def _split(url: str) -> tuple[str, str | None, str | None]:
    """The address as Selenium joins paths to it and messages show it, then user and password."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half a bracket
        is_web = False
    if not is_web:
        raise UsageError("The grid's URL is no http or https address.", "Give one like http://localhost:4444.")
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
    return address, user, password


def _why(error: Exception) -> str:
    """The end of urllib3's message, which names the connection before it says what is wrong with it."""
    return str(error).rpartition(": ")[2].rstrip(". ")
