r"""Inline records and XHR answers in the shapes that Google Images has kept for years: pure functions, values to text.

A record is ``[1,[0,ID,[THUMBNAIL,h,w],[FULL,h,w],...,{"2003":[null,ID2,PAGE,TITLE,...]}],...]``, height before width,
with a newline after every closing bracket and ``=``, ``&``, ``<`` and ``>`` escaped as ``\u003d`` and so on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "=&<>'\u2028\u2029"})


@dataclass(frozen=True)
class Entry:
    """One search result.

    Attributes
    ----------
    key : its id. thumbnail, full, page : addresses. title : of the page.
    thumbnail_size, size : width and height in pixels.
    src : what its card shows at once: the thumbnail as a ``data:`` URI, its address, or "" for a placeholder.
    """

    key: str
    thumbnail: str
    thumbnail_size: tuple[int, int]
    full: str
    size: tuple[int, int]
    page: str
    title: str
    src: str = ""

    @property
    def site(self) -> str:
        """The host its page is on."""
        return urlsplit(self.page).hostname or ""


def dump(value: Json) -> str:
    """`value` as JSON, broken into lines and escaped as in the pages."""
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]\n"
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(key)}:{dump(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)


def record(entry: Entry) -> Json:
    """The record of `entry`, as both layouts have it."""
    (thumbnail_width, thumbnail_height), (width, height) = entry.thumbnail_size, entry.size
    details: Json = {
        "2000": [None, entry.site, f"{width * height // 9000}KB"],
        "2001": [None, None, None, 6, 3, 15, 6],
        "2003": [None, entry.key[::-1], entry.page, entry.title, *[None] * 8, entry.site, *[None] * 3, False],
        "2008": [None, entry.title[:40]],
        "183836587": [entry.site],
    }
    picture: Json = [
        0,
        entry.key,
        [entry.thumbnail, thumbnail_height, thumbnail_width],
        [entry.full, height, width],
        None,
        0,
        "rgb({},{},{})".format(*entry.key.encode()[2:5]),
        None,
        False,
        details,
    ]
    return [1, picture, None, [375, 163, 53, None, None, 269, 179], 0, None, None, entry.key, 1]


def script_of_today(entries: Sequence[Entry], store: str) -> str:
    """The script that leaves the records of `entries` in ``window[store]``, by id."""
    records: Json = {entry.key: record(entry) for entry in entries}
    return (
        f"(function(){{var m={dump(records)};var a=window.{store}=window.{store}||{{}};for(var k in m)a[k]=m[k];}})();"
    )


def script_of_2020(entries: Sequence[Entry], query: str, chips: Sequence[str]) -> str:
    """The ``AF_initDataCallback`` chunks of 2020's layout; the records are in chunk ``ds:1``."""
    related: Json = [[chip, [None, None, None, True, [None, 0]], f"/search?q={chip}&tbm=isch"] for chip in chips]
    chunks: dict[str, Json] = {"ds:0": [query, [0, None, 500, 200]], "ds:1": _grid(entries, related)}
    return "".join(
        f"AF_initDataCallback({{key: '{key}', isError:  false , hash: '{n}', data:{dump(data)}, sideChannel: {{}}}});"
        for n, (key, data) in enumerate(chunks.items(), start=1)
    )


def batch_of_2020(entries: Sequence[Entry]) -> str:
    """The ``batchexecute`` answer: a guard, then lengths and lines of JSON, with the grid as JSON *inside a string*."""
    rows: list[Json] = [
        [["wrb.fr", "HoAMBc", dump(_grid(entries)), None, None, None, "generic"]],
        [["di", 84], ["af.httprm", 83, "-3", 8]],
        [["e", 4, None, None, 0]],
    ]
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    return ")]}'\n\n" + "".join(f"{len(line) + 2}\n{line}\n" for line in lines)


def _grid(entries: Sequence[Entry], related: Json = None) -> Json:
    """2020's nesting: the records lie at ``[31][0][12][2]``, the related searches at ``[1]``."""
    state: Json = ["GRID_STATE0", None, [record(entry) for entry in entries]]
    row: Json = [7, *[None] * 6, "b-GRID_STATE0", -1, None, None, None, state]
    return [None, related, *[None] * 29, [row]]
