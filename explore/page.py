"""The page of `birds explore`: values in, one file out that needs no other and asks no server.

Everything from disk passes through fasthtml, which escapes it. The content security policy in the page allows its own
style sheet, by hash, and pictures that stand in it; no script.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from .counts import Counts, Overview, Spread
from .samples import Samples

if TYPE_CHECKING:
    from fastcore.xml import FT

_STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f7f6f2; --surface: #fff; --line: #dedbd2; --ink: #1d2322; --quiet: #5b6462; --accent: #1f6f6b;
}
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #131716; --surface: #1c2220; --line: #343c3a; --ink: #e8ebe9; --quiet: #a2aba8; --accent: #7cc7c0; }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font-variant-numeric: tabular-nums;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
main { max-width: 72rem; margin: 0 auto; padding: clamp(1rem, 3vw, 2.5rem); }
h1, h2, h3, p, ul, figure { margin: 0; padding: 0; }
h1 { font-size: clamp(1.6rem, 4vw, 2.1rem); line-height: 1.15; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.25rem; }
h3 { margin: 1rem 0 0.35rem; font-size: 0.95rem; overflow-wrap: anywhere; }
p { max-width: 70ch; margin-top: 0.5rem; color: var(--quiet); }
code { font: 0.92em ui-monospace, "Liberation Mono", monospace; color: var(--ink); }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.6rem; }
.facts { gap: 0.75rem 2.25rem; margin-top: 1.25rem; }
.facts li { color: var(--quiet); font-size: 0.875rem; }
.facts strong { display: block; color: var(--ink); font-size: 1.5rem; line-height: 1.2; }
.wide {
  overflow-x: auto; margin-top: 0.75rem;
  border: 1px solid var(--line); border-radius: 10px; background: var(--surface);
}
.wide:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
figure img { display: block; width: 100%; min-width: 40rem; height: auto; padding: 0.75rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; }
th, td { padding: 0.35rem 0.75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child, .words { text-align: left; }
tbody th { font-weight: 600; max-width: 20rem; white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin-top: 1.25rem; }
a { color: var(--accent); }
thead th, tfoot > tr > * { color: var(--quiet); }
tfoot > tr > * { border-top: 2px solid var(--line); border-bottom: 0; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0 0.6rem; }
.samples.rows { display: block; }
.samples img {
  display: block; width: 9.5rem; height: 7rem; object-fit: contain; background: var(--surface); border-radius: 6px;
}
@media (max-width: 30rem) {
  tbody th { min-width: 7rem; }
  .samples img { width: 6.5rem; height: 5rem; }
  .samples ul { gap: 0.4rem; }
}
@media print {
  body { background: #fff; }
  main { max-width: none; padding: 0; }
  figure img { min-width: 0; padding: 0; }
  .wide { overflow: visible; border: 0; }
  .samples img { width: 6.4rem; height: 4.8rem; }
  table { font-size: 0.65rem; }
  th, td { padding: 0.15rem 0.3rem; }
  tbody th { min-width: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, .samples section { break-inside: avoid; }
}
"""
_WORDS = ("formats", "sources")  # columns of words


def page(
    project: str,
    *,
    seen: Overview,
    light: Mapping[str, bytes],
    dark: Mapping[str, bytes],
    samples: Samples,
) -> str:
    """The whole page.

    Parameters
    ----------
    project : the project's name.
    light, dark : PNGs by the name of the chart, see `charts.charts`.
    """
    from fastcore.xml import NotStr
    from fasthtml.components import H1, H2, A, Body, Code, Head, Html, Main, Meta, Nav, P, Section, Style, Title, to_xml

    policy = f"default-src 'none'; img-src data:; style-src '{_digest(_STYLE)}'"
    head = Head(
        Meta(charset="utf-8"),
        Meta(http_equiv="Content-Security-Policy", content=policy),
        Meta(name="viewport", content="width=device-width, initial-scale=1"),
        Meta(name="color-scheme", content="light dark"),
        Title(f"{project} · birds explore"),
        Style(NotStr(_STYLE)),
    )
    sizes, classes, flags = (_figure(name, light[name], dark[name]) for name in ("sizes", "classes", "flags"))
    parts: dict[str, Sequence[FT]] = {
        "Sizes": (sizes, _sizes_table(seen.total), *_unmeasured(seen.total)),
        "Classes": (P(_balance(seen.classes)), classes, _classes_table(seen)),
        "Samples": (P(_drawn(samples, len(seen.classes))), _samples(samples)),
        "Copies and flags": (P(_copies(seen)), *((flags, _flags_table(seen)) if seen.flags else _no_flags())),
        "Next": (P(Code("birds clean"), " finds and settles what is wrong, ", Code("birds split"), " follows."),),
    }
    ids = {name: name.lower().replace(" ", "-") for name in parts}
    main = Main(
        H1(project),
        _facts(seen),
        Nav(*(A(name, href=f"#{ids[name]}") for name in parts), aria_label="Parts of this page"),
        *(Section(H2(name, id=ids[name]), *content) for name, content in parts.items()),
    )
    return str(to_xml(Html(head, Body(main), lang="en")))


def _digest(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _figure(name: str, light: bytes, dark: bytes) -> "FT":
    from fasthtml.components import Figure, Img, Picture, Source

    return Figure(
        Picture(
            Source(srcset=_data("png", dark), media="screen and (prefers-color-scheme: dark)"),
            Img(src=_data("png", light), alt=f"Chart of the {name}; the table below has its numbers."),
        ),
        **_scrolled(f"Chart of the {name}"),
    )


def _table(name: str, titles: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str] = ()) -> "FT":
    """`rows` of texts, the first of each a heading; `total` stands below them. Columns of words are to the left."""
    from fasthtml.components import Div, Table, Tbody, Td, Tfoot, Th, Thead, Tr

    def line(cells: Sequence[str]) -> "FT":
        data = (
            Td(cell, cls="words" if title in _WORDS else None)
            for title, cell in zip(titles[1:], cells[1:], strict=True)
        )
        return Tr(Th(cells[0], scope="row"), *data)

    head = Thead(Tr(*(Th(title, scope="col", cls="words" if title in _WORDS else None) for title in titles)))
    foot = (Tfoot(line(total)),) if total else ()
    return Div(Table(head, Tbody(*map(line, rows)), *foot), **_scrolled(name))


def _scrolled(name: str) -> dict[str, str]:
    """Attributes of what may be wider than the screen: reached by keyboard, named for screen readers."""
    return {"cls": "wide", "tabindex": "0", "role": "region", "aria_label": name}


def _facts(seen: Overview) -> "FT":
    from fasthtml.components import Li, Strong, Ul

    facts = {
        "pictures": f"{seen.total.pictures:,}",
        "classes": f"{len(seen.classes):,}",
        "rejected": f"{seen.total.rejected:,}",
        "shorter side, pixels": _mean(seen.total.shorter_side),
        "identical files": f"{seen.copies.files:,}",
        "flagged by birds clean": f"{seen.total.flagged:,}",
    }
    return Ul(*(Li(Strong(value), name) for name, value in facts.items()), role="list", cls="facts")


def _sizes_table(total: Counts) -> "FT":
    measured = {
        "width, pixels": (total.width, 1, 0),
        "height, pixels": (total.height, 1, 0),
        "shorter side, pixels": (total.shorter_side, 1, 0),
        "width / height": (total.aspect, 1, 2),
        "file as it came, kB": (total.bytes, 1000, 0),
    }
    rows = [
        (name, *(f"{value / unit:,.{digits}f}" for value in astuple(spread)))
        for name, (spread, unit, digits) in measured.items()
        if spread
    ]
    return _table("Sizes", ("", "mean", "standard deviation", "smallest", "median", "largest"), rows)


def _unmeasured(total: Counts) -> list["FT"]:
    from fasthtml.components import P

    n = total.unmeasured
    return [P(f"{n:,} without a size are left out: unreadable, or not read yet.")] if n else []


def _balance(classes: Mapping[str, Counts]) -> str:
    most, least = (pick(counts.pictures for counts in classes.values()) for pick in (max, min))
    if most == least:
        return f"Each class has {most:,}."
    return f"From {least:,} to {most:,} a class" + (f": {most / least:.1f} times as many." if least else ".")


def _classes_table(seen: Overview) -> "FT":
    titles = (
        "class", "pictures", "rejected", "flagged", "width", "height", "width / height", "kB", "formats", "sources",
    )  # fmt: skip

    def row(name: str, counts: Counts) -> tuple[str, ...]:
        return (
            name, f"{counts.pictures:,}", f"{counts.rejected:,}", f"{counts.flagged:,}",
            _mean(counts.width), _mean(counts.height), _mean(counts.aspect, digits=2), _mean(counts.bytes, unit=1000),
            _listed(counts.formats), _listed(counts.sources),
        )  # fmt: skip

    rows = [row(label, counts) for label, counts in seen.classes.items()]
    return _table("Classes: mean ± standard deviation", titles, rows, row("all", seen.total))


def _drawn(samples: Samples, classes: int) -> str:
    shown = len(samples.shown)
    texts = ["Drawn at random; another --seed draws others."]
    texts += [f"Of the {shown:,} largest classes."] if shown < classes else []
    texts += [f"{samples.skipped:,} could not be shown."] if samples.skipped else []
    return " ".join(texts)


def _samples(samples: Samples) -> "FT":
    from fasthtml.components import H3, Div, Img, Li, Section, Ul

    sections = [
        Section(
            H3(label),
            Ul(*(Li(Img(src=_data("jpeg", picture), alt=label)) for picture in pictures), role="list"),
        )
        for label, pictures in samples.shown.items()
    ]
    is_row_each = max(map(len, samples.shown.values())) > 1
    return Div(*sections, cls="samples rows" if is_row_each else "samples")


def _copies(seen: Overview) -> str:
    copies = seen.copies
    if not copies.groups:
        return "No file is there twice, byte by byte."
    return (
        f"Byte by byte the same as another: {copies.files:,} files (groups: {copies.groups:,}, "
        f"across classes: {copies.across_classes:,})."
    )


def _no_flags() -> tuple["FT"]:
    from fasthtml.components import Code, P

    text = ": near-duplicates, poor pictures and doubtful labels are what it looks for."
    return (P("No picture is flagged by ", Code("birds clean"), text),)


def _flags_table(seen: Overview) -> "FT":
    rows = [
        (reason.replace("_", " "), f"{flag.pictures:,}", f"{flag.groups:,}" if flag.groups else "")
        for reason, flag in seen.flags.items()
    ]
    return _table("Flagged by birds clean", ("reason", "pictures", "groups"), rows)


def _mean(spread: Spread | None, *, digits: int = 0, unit: float = 1) -> str:
    return f"{spread.mean / unit:,.{digits}f} ± {spread.std / unit:,.{digits}f}" if spread else "–"


def _listed(counts: Mapping[str, int]) -> str:
    """``JPEG``, or ``JPEG 118, PNG 2`` where there are several."""
    return ", ".join(counts if len(counts) == 1 else (f"{name} {n:,}" for name, n in counts.items()))
