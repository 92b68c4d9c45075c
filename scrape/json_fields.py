"""Reading JSON of an uncertain shape: what is not there, or is something else than it should be, is None or empty.

Nothing here raises, so that a parser needs no guard around every field.
"""

import json
from collections.abc import Mapping

JsonObject = Mapping[str, object]


def json_object(text: str) -> JsonObject | None:
    """The object that `text` is, or None if it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def objects(value: object) -> list[JsonObject]:
    """The objects in a list; what is no list has none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def object_at(owner: JsonObject, key: str) -> JsonObject:
    """The object under `key`; an empty one where there is none."""
    value = owner.get(key)
    return value if isinstance(value, dict) else {}


def text_at(owner: JsonObject, key: str) -> str | None:
    """The text under `key`, stripped; None where there is none. Half of a surrogate pair becomes a question mark."""
    value = owner.get(key)
    return value.strip().encode("utf-8", "replace").decode() or None if isinstance(value, str) else None


def link_at(owner: JsonObject, key: str) -> str | None:
    """The web address under `key`."""
    value = text_at(owner, key)
    return value if value and value.lower().startswith(("http://", "https://")) else None


def number_at(owner: JsonObject, key: str) -> int | None:
    """The whole number under `key`."""
    value = owner.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
