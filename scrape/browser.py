"""Finding and starting the browser, the one place that does.

An existing Chrome or Chromium with its driver is used as found on PATH; only without them is Selenium Manager asked,
which may download both. Its statistics are turned off. A browser on a Selenium Grid is asked for through `grid`.
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
from weakref import WeakSet

from ..errors import BrowserError
from ..progress import SILENT, Progress

if TYPE_CHECKING:
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.webdriver import WebDriver

_BROWSERS = ("google-chrome", "google-chrome-stable", "chrome", "chromium", "chromium-browser")
_MAC_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_ARGUMENTS = (
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
_TOLD: WeakSet[Progress] = WeakSet()  # who has been told that there is no sandbox: once is enough
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
def open_browser(
    profile: Path, *, headed: bool = False, grid_url: str | None = None, progress: Progress = SILENT
) -> Iterator["WebDriver"]:
    """A fresh Chrome or Chromium, closed when the block ends, with its network events logged.

    Threads may open browsers side by side, but each its own: on Linux a local browser ends with the *thread* that
    opened it (`_end_with_parent`), and only that thread should close it.

    Parameters
    ----------
    profile : folder for the browser's own files, empty or not there yet; removed with the browser. A grid's browser
        has its own and leaves this one unused.
    headed : show its window.
    grid_url : address of a Selenium Grid, or of any other WebDriver remote end; None for a browser on this machine.
        A run that is killed leaves the grid's browser to the grid's own idle timeout (300 s in Grid 4).

    Raises
    ------
    BrowserError : none is installed, the grid gives none, or it does not start.
    UsageError : `grid_url` is no http or https address.
    """
    try:
        if grid_url is None:
            driver = _start_here(profile, headed, progress)
        else:
            driver = _start_on_grid(grid_url, headed, progress)
        try:
            driver.set_page_load_timeout(PAGE_LOAD_S)
            yield driver
        finally:
            driver.quit()
    finally:
        _remove(profile)


def _options(headed: bool) -> "Options":
    """What Chrome is asked for wherever it runs."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    if not headed:
        options.add_argument("--headless=new")
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})  # answers to XHR are read from there
    return options


def _start_here(profile: Path, headed: bool, progress: Progress) -> "WebDriver":
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException

    paths = find_browser()
    options = _options(headed)
    if paths.browser:
        options.binary_location = paths.browser
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if progress not in _TOLD:
            _TOLD.add(progress)
            progress.note("Running as root: the browser starts without its sandbox. An ordinary user is safer.")
        options.add_argument("--no-sandbox")
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--remote-debugging-pipe")  # a browser whose driver is gone ends too, even after kill -9
    # http_proxy is no way to a driver on this machine; the public setter is deprecated, for what Chrome() doesn't take
    options._ignore_local_proxy = True
    os.environ.setdefault("SE_AVOID_STATS", "true")  # written once: other threads may read the environment
    die_with_us = {"preexec_fn": _end_with_parent()} if sys.platform == "linux" else {}
    service = webdriver.ChromeService(executable_path=paths.driver, log_output=os.devnull, popen_kw=die_with_us)
    try:
        return webdriver.Chrome(options=options, service=service)
    except (WebDriverException, OSError) as error:
        what = "The browser did not start" if paths.browser else "No Chrome or Chromium was found"
        raise BrowserError(f"{what}: {driver_message(error)}.", BROWSER_HINT) from error


def driver_message(error: Exception) -> str:
    """What the driver said, without the lines about its build, its host and its stack."""
    lines = str(getattr(error, "msg", None) or error).strip().splitlines() or ["no reason given"]
    return " ".join([lines[0], *(line for line in lines[1:] if line.startswith("from "))]).rstrip(". ")


def _start_on_grid(url: str, headed: bool, progress: Progress) -> "WebDriver":
    from .grid import ChromeOnGrid

    return ChromeOnGrid(url, _options(headed), progress=progress)


def _remove(profile: Path) -> None:
    """Remove a closed browser's profile; its last processes may write to it for a moment longer."""
    deadline = time.monotonic() + _CLOSING_S
    while profile.exists() and time.monotonic() < deadline:
        shutil.rmtree(profile, ignore_errors=True)
        if profile.exists():
            time.sleep(0.05)


def _end_with_parent() -> Callable[[], None]:
    """What the driver's process does before it becomes chromedriver: ask the kernel to end it when we are gone.

    To the kernel, we are the thread that forks (prctl(2), PR_SET_PDEATHSIG).
    """
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h

    def ask() -> None:  # of a process with threads: between fork and exec, no more than this
        prctl(set_parent_death_signal, signal.SIGKILL)

    return ask
