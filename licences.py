"""Licences as short codes: read from what sources write, and weighed against what a person wants to do. Pure.

A code is Creative Commons' own abbreviation in lower case, with the version and jurisdiction where they are known:
``cc-by-sa-4.0``, ``cc-by-nc``, ``cc-by-3.0-de``, ``cc0-1.0``, ``pdm-1.0``; or ``public-domain``. What is not surely one
of these has no code: a wrong "open" does harm, a wrong "unknown" costs one picture.
"""

import re

WANTED = ("any", "open", "commercial")

_DEEDS = "https://creativecommons.org/"
_ELEMENTS = r"by(?:-nc)?(?:-sa|-nd)?|by-nd-nc"  # the last is how version 1.0 wrote by-nc-nd
_JURISDICTION = r"[a-z]{2}|igo|scotland"
_CODE = re.compile(rf"cc-(?P<elements>{_ELEMENTS})(?:-(?P<version>\d\.\d)(?:-(?P<jurisdiction>{_JURISDICTION}))?)?")
_URL = re.compile(
    r"(?:https?:)?(?://)?(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/(?P<elements>[a-z-]+)"
    rf"(?:/(?P<version>\d\.\d)(?:/(?P<jurisdiction>{_JURISDICTION})(?=/|$))?)?(?:/.*)?"
)
_TEXT = re.compile(
    rf"(?:cc-)?(?P<elements>{_ELEMENTS})(?:-v?(?P<version>\d(?:\.\d)?)(?:[-,]\d\.\d)*)?"  # 3.0-2.5-2.0: any of them
    rf"(?:-(?P<jurisdiction>{_JURISDICTION}))?"
)
_ZERO = re.compile(r"cc-?(?:0|zero)(?:-1\.0)?(?:-public-domain-dedication)?")
_MARK = re.compile(r"(?:cc-)?(?:pdm|public-domain-mark)(?:-1\.0)?")
_PUBLIC_DOMAIN = frozenset({"public-domain", "publicdomain", "pd", "public-domain-dedication"})
_SPELLINGS = (
    (re.compile(r"creative\s*commons"), "cc"),
    (re.compile(r"attribution"), "by"),
    (re.compile(r"non[\s-]*commercial"), "nc"),
    (re.compile(r"share[\s-]*alike"), "sa"),
    (re.compile(r"no[\s-]*deriv(?:ative)?s?(?:[\s-]*works)?"), "nd"),
    (re.compile(r"\b(?:licen[cs]e|international|unported|generic|universal)\b|\(cc0(?: 1\.0)?\)"), " "),
    (re.compile(r"(?<=_\d)_(?=\d)"), "."),  # CC_BY_4_0
    (re.compile(r"[\s_-]+"), "-"),
)
_LONGEST_TEXT = 200


def licence_code(text: str | None) -> str | None:
    """The code of a licence that a source gives as a name, an abbreviation or the URL of a deed.

    ``"CC BY-SA 4.0"``, ``"by-sa"``, ``"CC_BY_4_0"``, ``"Creative Commons Attribution 3.0 Unported"``,
    ``"http://creativecommons.org/licenses/by/4.0/legalcode"``, ``"Public domain"``. None for all else, "all rights
    reserved" and other people's licences included.
    """
    plain = (text or "").strip().lower()
    if not plain or len(plain) > _LONGEST_TEXT:
        return None
    if url := _URL.fullmatch(plain):
        return _of_deed(url["elements"], url["version"], url["jurisdiction"])
    short = plain
    for spelling, written in _SPELLINGS:
        short = spelling.sub(written, short)
    short = short.strip("-")
    if _ZERO.fullmatch(short):
        return "cc0-1.0"
    if _MARK.fullmatch(short):
        return "pdm-1.0"
    if short in _PUBLIC_DOMAIN:
        return "public-domain"
    if short == "by" and plain != "by":
        return None  # "Attribution" alone is also what Commons calls terms of people's own making
    match = _TEXT.fullmatch(short)
    return _code(match["elements"], match["version"], match["jurisdiction"]) if match else None


def _of_deed(elements: str, version: str | None, jurisdiction: str | None) -> str | None:
    """The code of what stands in a deed's URL, or None for the retired ones (sampling+, devnations)."""
    special = {"zero": "cc0-1.0", "mark": "pdm-1.0", "publicdomain": "public-domain"}
    if elements in special:
        return special[elements]
    return _code(elements, version, jurisdiction) if re.fullmatch(_ELEMENTS, elements) else None


def _code(elements: str, version: str | None, jurisdiction: str | None) -> str | None:
    if version is None:
        return None if jurisdiction else f"cc-{elements}"
    full = version if "." in version else f"{version}.0"
    return "-".join(filter(None, ("cc", elements, full, jurisdiction)))


def licence_url(code: str) -> str | None:
    """Where the deed of `code` can be read; None for the public domain and where no version is known."""
    if code in {"cc0-1.0", "pdm-1.0"}:
        return f"{_DEEDS}publicdomain/{'zero' if code == 'cc0-1.0' else 'mark'}/1.0/"
    match = _CODE.fullmatch(code)
    if not match or not match["version"]:
        return None
    jurisdiction = f"{match['jurisdiction']}/" if match["jurisdiction"] else ""
    return f"{_DEEDS}licenses/{match['elements']}/{match['version']}/{jurisdiction}"


def licence_name(code: str) -> str:
    """`code` as people write it: ``CC BY-SA 4.0``, ``CC0 1.0``, ``Public Domain Mark 1.0``, ``public domain``."""
    if code.startswith("pdm"):
        return "Public Domain Mark 1.0"
    match = _CODE.fullmatch(code)
    if not match:
        return code.upper().replace("-", " ") if code.startswith("cc0") else code.replace("-", " ")
    return " ".join(filter(None, ("CC", match["elements"].upper(), match["version"], match["jurisdiction"])))


def credit(author: str | None, code: str | None, via: str) -> str:
    """A line to show with a picture whose source gives none: author, licence, where it was found."""
    return ", ".join(filter(None, (author or "Unknown author", licence_name(code) if code else None, f"via {via}")))


def fits(code: str | None, wanted: str) -> bool:
    """Whether a picture under `code` may be had by somebody who wants `wanted`.

    Parameters
    ----------
    code : of `licence_code`; None where no licence is shown.
    wanted : ``any`` picture; ``open``: any Creative Commons licence or the public domain; ``commercial``: those of them
        that allow commercial use.

    Raises
    ------
    ValueError : `wanted` is none of `WANTED`.
    """
    if wanted not in WANTED:
        raise ValueError(f"{wanted!r} is none of {', '.join(WANTED)}")
    if wanted == "any":
        return True
    return code is not None and (wanted == "open" or "nc" not in code.split("-"))
