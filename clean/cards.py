"""What stands under a picture of the review page, in words: values for ``static/card.js``, never markup."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ..reasons import Reason
from ..record import Author, Record, State
from ..record_review import Finding, Shown
from .actions import is_reviewed
from .queues import ELSEWHERE

MAX_CARDS = 200  # at a time


def cards(record: Record, ids: Iterable[int]) -> list[dict[str, Any]]:
    """A card for each of the files that are stored or rejected, in no order."""
    files = record.review.shown(ids)
    findings: dict[int, list[Finding]] = defaultdict(list)
    shown = {file.id for file in files}
    for finding in record.review.findings():
        if finding.file in shown:
            findings[finding.file].append(finding)
    return [_card(file, findings[file.id]) for file in files]


def words(reason: str) -> str:
    """``near duplicate`` for ``near_duplicate``."""
    return reason.replace("_", " ")


def _card(file: Shown, findings: list[Finding]) -> dict[str, Any]:
    is_test = file.part == "test"  # shows neither prediction nor score, nor what follows from them
    told = [one for one in findings if not (is_test and one.reason is Reason.SUSPECTED_LABEL)]
    return {
        "id": file.id,
        "label": file.label,
        "name": file.name,
        "version": file.sha256[:16],
        "isRejected": file.state == State.REJECTED,
        "isReviewed": is_reviewed(file),
        "verdict": _verdict(file),
        "reasons": [
            {"text": words(one.reason), "score": None if is_test or one.reason in ELSEWHERE else one.score}
            for one in told
        ],
        "isBest": any(one.is_best for one in told),
        "source": "" if file.source == "local" else file.source,
        "page": file.page_url or "",
        "size": f"{file.width} × {file.height}" if file.width and file.height else "",
        "part": file.part or "",
        "predicted": file.predicted or "",
        "confidence": file.confidence,
        "labelQuality": file.label_quality,
        "scores": {words(check): score for check, score in json.loads(file.scores or "{}").items()},
    }


def _verdict(file: Shown) -> str:
    """``rejected`` and why, or that a person looked at it; empty for a picture that waits."""
    if file.state != State.REJECTED:
        return "reviewed" if is_reviewed(file) else ""
    reason = f" · {words(file.reason)}" if file.verdict == "reject" and file.reason else ""
    return f"rejected{reason}{' (automatic)' if file.decider == Author.AUTO else ''}"
