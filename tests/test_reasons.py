import re
from pathlib import Path

from birds.errors import BirdsError, FetchError, ImageError, SourceError
from birds.reasons import Cause, Reason

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reasons.md"


def _listed(heading: str) -> list[str]:
    """Names in the first column of the table under `heading`."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_page_lists_every_reason_and_nothing_else() -> None:
    assert sorted(_listed("Reasons")) == sorted(Reason)


def test_the_page_lists_every_cause_and_nothing_else() -> None:
    assert sorted(_listed("Causes")) == sorted(Cause)


def test_the_causes_are_those_that_were_promised() -> None:
    assert set(Cause) == {
        "consent", "captcha", "javascript_shell", "outdated_browser", "no_results", "only_thumbnails", "unknown_layout",
        "network", "quota",
    }  # fmt: skip


def test_errors_carry_their_reason_and_say_what_to_do() -> None:
    error = BirdsError("It broke.", "Mend it.")
    assert str(error) == "It broke. Mend it."
    assert str(BirdsError("It broke.")) == "It broke."
    assert ImageError("x", reason=Reason.UNREADABLE).reason is Reason.UNREADABLE
    assert FetchError("x", reason=Reason.TIMEOUT, is_passing=True).is_passing
    assert SourceError("x", cause=Cause.CAPTCHA).cause is Cause.CAPTCHA


def test_errors_as_json_keep_what_was_achieved() -> None:
    error = SourceError("Blocked.", "Wait.", cause=Cause.CAPTCHA)
    error.partial = {"species": []}
    assert error.as_json() == {
        "species": [],
        "error": {"type": "SourceError", "message": "Blocked.", "hint": "Wait."},
    }
