"""Finding and starting the browser, the one place that does.

An existing Chrome or Chromium with its driver is used as found on PATH; only without them is Selenium Manager asked,
which may download both. Its statistics are turned off.
"""

import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BrowserError
from ..progress import SILENT, Progress

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

_BROWSERS = ("google-chrome", "google-chrome-stable", "chrome", "chromium", "chromium-browser")
_MAC_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_ARGUMENTS = (
    "--remote-debugging-pipe",  # a browser whose driver is gone ends too, even after kill -9
    "--window-size=1280,1024",
    "--lang=en",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
)
PAGE_LOAD_S = 30
_CLOSING_S = 3.0
BROWSER_HINT = "Run `birds doctor` to see what is missing; on Debian: apt-get install chromium chromium-driver."


@dataclass(frozen=True)
class BrowserPaths:
    """The programs to start; None where none was found on PATH and Selenium Manager is to look."""

    browser: str | None
    driver: str | None


def find_browser() -> BrowserPaths:
    """Chrome or Chromium, and chromedriver, from PATH and macOS's usual folders."""
    browsers = (*filter(None, map(shutil.which, _BROWSERS)), *(path for path in _MAC_BROWSERS if Path(path).exists()))
    return BrowserPaths(next(iter(browsers), None), shutil.which("chromedriver"))


@contextmanager
def open_browser(profile: Path, *, headed: bool = False, progress: Progress = SILENT) -> Iterator["WebDriver"]:
    """A fresh Chromium on the empty folder `profile`, closed when the block ends, with its network events logged.

    Raises
    ------
    BrowserError : none is installed, or it does not start.
    """
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException

    paths = find_browser()
    options = webdriver.ChromeOptions()
    if paths.browser:
        options.binary_location = paths.browser
    if not headed:
        options.add_argument("--headless=new")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        progress.note("Running as root: the browser starts without its sandbox. An ordinary user is safer.")
        options.add_argument("--no-sandbox")
    for argument in (f"--user-data-dir={profile}", *_ARGUMENTS):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})  # answers to XHR are read from there
    os.environ["SE_AVOID_STATS"] = "true"
    die_with_us = {"preexec_fn": _end_with_parent()} if sys.platform == "linux" else {}
    service = webdriver.ChromeService(executable_path=paths.driver, log_output=os.devnull, popen_kw=die_with_us)
    try:
        driver = webdriver.Chrome(options=options, service=service)
    except (WebDriverException, OSError) as error:
        what = "The browser did not start" if paths.browser else "No Chrome or Chromium was found"
        detail = (str(getattr(error, "msg", None) or error).strip().splitlines() or [""])[0]
        raise BrowserError(f"{what}: {detail.rstrip('.')}.", BROWSER_HINT) from error
    try:
        driver.set_page_load_timeout(PAGE_LOAD_S)
        yield driver
    finally:
        driver.quit()
        _remove(profile)


def _remove(profile: Path) -> None:
    """Remove a closed browser's profile; its last processes may write to it for a moment longer."""
    deadline = time.monotonic() + _CLOSING_S
    while profile.exists() and time.monotonic() < deadline:
        shutil.rmtree(profile, ignore_errors=True)
        if profile.exists():
            time.sleep(0.05)


def _end_with_parent() -> Callable[[], None]:
    """What the driver's process does before it becomes chromedriver: ask the kernel to end it when we are gone."""
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h

    def ask() -> None:
        prctl(set_parent_death_signal, signal.SIGKILL)

    return ask
