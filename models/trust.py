"""Which pickles this user exported on this machine: their digests, in a file of the user's own configuration.

A pickle runs code when it is opened. One whose digest is here was written by `birds export` for this user, and nobody
has changed it since; all others are refused until the user says ``--trust``.
"""

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from .. import files
from ..errors import ModelError


def trust_file() -> Path:
    """``birds/trusted.json`` in the user's configuration folder."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "birds" / "trusted.json"


def add(digest: str) -> bool:
    """Note that the pickle with this SHA-256 was exported here; returns whether that could be written."""
    known = _read()
    if digest in known:
        return True
    with contextlib.suppress(OSError):
        files.write_json(trust_file(), {**known, digest: datetime.now(UTC).isoformat(timespec="seconds")})
        return True
    return False


def is_known(digest: str) -> bool:
    """Whether the pickle with this SHA-256 was exported here."""
    return digest in _read()


def check(path: Path, digest: str, *, trust: bool = False) -> None:
    """Let a pickle pass that was exported here, or that the user trusts. Raises ModelError."""
    if not trust and not is_known(digest):
        raise ModelError(
            f"{path} is a pickle that was not exported on this machine, and a pickle runs any code its maker put in.",
            "Ask for the model.onnx or model.safetensors instead, or open it with --trust if you trust its maker.",
        )


def _read() -> dict[str, str]:
    """SHA-256 -> when it was exported. A damaged file is as good as none."""
    try:
        known = json.loads(trust_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}
