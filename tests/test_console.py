"""Bars of several threads share one display; a log gets plain lines."""

import sys
import threading

import pytest
from birds.console import Console


class Terminal:
    """What stands for the terminal: remembers what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def test_bars_of_several_threads_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    console = Console()
    both_open = threading.Barrier(2, timeout=20)

    def work(title: str) -> None:
        with console.bar(title, 3) as bar:
            both_open.wait()
            bar.advance(3)
            bar.describe("(found 3)")
            both_open.wait()

    threads = [threading.Thread(target=work, args=(title,)) for title in ("garza", "loro")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    last = terminal.text[terminal.text.rindex("garza") :]
    assert "loro  (found 3)" in last
    assert "3/3" in last
    console.note("done")
    with console.bar("cigüeña", 1) as bar:  # a display that was closed opens again
        bar.advance()
    assert "cigüeña" in terminal.text


def test_without_a_terminal_bars_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.bar("garza", 2) as bar:
        bar.describe("(found 5)")
        bar.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["garza ...", "garza: 2/2 (found 5)"]
