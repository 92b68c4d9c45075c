"""Every error a user can cause or meet, in one tree. The command line catches its root and prints one line.

    BirdsError
    ├── UsageError        a name, path or value that cannot work as given
    ├── ProjectError      what lies in the project folder stands in the way (nothing to split, locked, vanished)
    ├── SourceError       a source of pictures stopped: blocked, unreachable, not understood
    ├── BrowserError      no browser, or it would not start
    ├── ImageError        one file is no usable picture; carries its Reason
    ├── FetchError        one download failed; carries its Reason
    ├── WeightsError      pretrained weights are missing or do not fit
    ├── TrainError        training could not reach a model
    ├── ModelError        an exported model is missing, damaged or of another version
    └── PublishError      a model could not be put on the Hub: not logged in, refused, unreachable

A message says what happened; the hint says what to do next.
"""

from .reasons import Cause, Reason


class BirdsError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : what happened, one sentence.
    hint : what to do about it, one sentence. May be empty where the message says it all.

    Attributes
    ----------
    partial : what the stage achieved before it failed, as it stands in its JSON result.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.partial: dict[str, object] = {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints: the error's type, message and hint; `partial` results of the stage beside it."""
        return {**self.partial, "error": {"type": type(self).__name__, "message": self.message, "hint": self.hint}}


class UsageError(BirdsError):
    """A name, path or value that cannot work as given."""


class ProjectError(BirdsError):
    """What lies in the project folder stands in the way."""


class SourceError(BirdsError):
    """A source of pictures stopped before it was asked enough. ``cause`` says why."""

    def __init__(self, message: str, hint: str = "", *, cause: Cause) -> None:
        super().__init__(message, hint)
        self.cause = cause


class BrowserError(BirdsError):
    """No browser could be found or started."""


class ImageError(BirdsError):
    """One file is no picture that can be used. ``reason`` says why."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class FetchError(BirdsError):
    """One download failed.

    Attributes
    ----------
    reason : why.
    is_passing : whether another try may fare better.
    retry_after_s : how long the server asks to be left alone, in seconds.
    """

    def __init__(
        self, message: str, *, reason: Reason, is_passing: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


class WeightsError(BirdsError):
    """Pretrained weights are missing, unreachable or do not fit the architecture."""


class TrainError(BirdsError):
    """Training could not reach a usable model."""


class ModelError(BirdsError):
    """An exported model is missing, damaged or was made by versions that do not fit."""


class PublishError(BirdsError):
    """A model could not be published: not logged in, refused by the Hub, or the Hub cannot be reached."""
