"""What is installed here, what is missing, and what to do about each miss."""

import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .files import Project
from .scrape.browser import BROWSER_HINT, find_browser

_PACKAGES = (
    "torch", "torchvision", "fastai", "selenium", "jmd_imagescraper", "split-folders", "requests", "typer", "pillow",
    "python-fasthtml", "matplotlib", "scikit-learn", "cleanlab", "ipywidgets",
)  # fmt: skip
_WEIGHTS_HOST = "https://download.pytorch.org/models/"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``is_needed`` tells a miss that stops the main job from one that narrows it."""

    name: str
    is_well: bool
    detail: str
    remedy: str = ""
    is_needed: bool = True


def examine(project: Path) -> list[Finding]:
    """Look at Python, packages, browser, driver, weights and the project folder."""
    findings = [
        Finding("python", sys.version_info >= (3, 11), platform.python_version(), "Install Python 3.11 or newer.")
    ]
    findings += [_package(name) for name in _PACKAGES]
    findings += [*_browser(), _torchvision(), _weights(), _folder(project)]
    return findings


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}, with the version of constraints.txt.")


def _browser() -> list[Finding]:
    paths = find_browser()
    manager = "none on PATH; Selenium Manager will try to download one"
    return [
        Finding(
            "browser", paths.browser is not None, _program(paths.browser) or manager, BROWSER_HINT, is_needed=False
        ),
        Finding("driver", paths.driver is not None, _program(paths.driver) or manager, BROWSER_HINT, is_needed=False),
    ]


def _program(path: str | None) -> str:
    """Path and version of a program, or nothing."""
    if path is None:
        return ""
    try:
        command = [path, "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    return f"{path}  {answer.strip().partition(' (')[0]}".strip()


def _torchvision() -> Finding:
    try:
        from .models import gate

        mended = ", its compiled operators are missing and not needed" if gate.is_mended else ""
        return Finding("import torchvision, fastai", True, f"works{mended}")
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is what is to be shown
        first_line = str(error).partition("\n")[0]
        return Finding("import torchvision, fastai", False, first_line, "Install the versions of constraints.txt.")


def _weights() -> Finding:
    import requests
    import torch

    cached = sorted(Path(torch.hub.get_dir(), "checkpoints").glob("*.pth"))
    have = f"; cached: {', '.join(file.name for file in cached)}" if cached else "; none cached"
    try:
        requests.head(_WEIGHTS_HOST, timeout=_TIMEOUT_S)
    except requests.RequestException:
        remedy = "Give weights with --weights FILE, or train from scratch with --no-pretrained."
        detail = f"{_WEIGHTS_HOST} cannot be reached{have}"
        return Finding("pretrained weights", bool(cached), detail, remedy, is_needed=False)
    return Finding("pretrained weights", True, f"{_WEIGHTS_HOST} can be reached{have}")


def _folder(project: Path) -> Finding:
    import shutil

    root = Project(Path(project)).root.resolve()
    if not root.is_dir():
        return Finding("project folder", True, f"{root} will be made by the first stage")
    free = shutil.disk_usage(root).free / 1e9
    return Finding("project folder", free > 2, f"{root}, {free:.0f} GB free", "Free some space: a project takes a few.")
