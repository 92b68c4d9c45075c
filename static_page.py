"""What pages share that need no server: `birds explore` and the report write one file that needs no other.

Everything from disk passes through fasthtml, which escapes it. The content security policy in the page allows its own
style sheet, by hash, and pictures that stand in it; no script, and nothing from anywhere else.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
figure.wide img { display: block; width: 100%; min-width: 40rem; height: auto; padding: 0.75rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; }
th, td { padding: 0.35rem 0.75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child, .words { text-align: left; }
tbody th { font-weight: 600; max-width: 20rem; white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin-top: 1.25rem; }
a { color: var(--accent); }
thead th, tfoot > tr > * { color: var(--quiet); }
tfoot > tr > * { border-top: 2px solid var(--line); border-bottom: 0; }
@media (max-width: 30rem) {
  tbody th { min-width: 7rem; }
}
@media print {
  body { background: #fff; }
  main { max-width: none; padding: 0; }
  figure.wide img { min-width: 0; padding: 0; }
  .wide { overflow: visible; border: 0; }
  table { font-size: 0.65rem; }
  th, td { padding: 0.15rem 0.3rem; }
  tbody th { min-width: 0; }
  nav { display: none; }
  h2, h3, section > p { break-after: avoid; }
  figure, tr { break-inside: avoid; }
}
"""


def document(title: str, heading: str, *opening: "FT", parts: "Mapping[str, Sequence[FT]]", style: str = "") -> str:
    """A whole page.

    Parameters
    ----------
    title : of the window.
    heading, opening : what stands above the list of the page's parts.
    parts : heading -> content, in order.
    style : CSS behind what all pages share; no addresses in it, which the policy would refuse.
    """
    from fastcore.xml import NotStr
    from fasthtml.components import H1, H2, A, Body, Head, Html, Main, Meta, Nav, Section, Style, Title, to_xml

    style = _STYLE + style
    policy = f"default-src 'none'; img-src data:; style-src '{_digest(style)}'"
    head = Head(
        Meta(charset="utf-8"),
        Meta(http_equiv="Content-Security-Policy", content=policy),
        Meta(name="viewport", content="width=device-width, initial-scale=1"),
        Meta(name="color-scheme", content="light dark"),
        Title(title),
        Style(NotStr(style)),
    )
    ids = {name: name.lower().replace(" ", "-") for name in parts}
    main = Main(
        H1(heading),
        *opening,
        Nav(*(A(name, href=f"#{ids[name]}") for name in parts), aria_label="Parts of this page"),
        *(Section(H2(name, id=ids[name]), *content) for name, content in parts.items()),
    )
    return str(to_xml(Html(head, Body(main), lang="en")))


def _digest(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def data_uri(kind: str, content: bytes) -> str:
    """The bytes of a picture of that kind (``png``, ``jpeg``) as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def chart(name: str, light: bytes, dark: bytes, alt: str = "") -> "FT":
    """A PNG for a light page (and for paper) and one for a dark page, as wide as the page."""
    from fasthtml.components import Figure, Img, Picture, Source

    return Figure(
        Picture(
            Source(srcset=data_uri("png", dark), media="screen and (prefers-color-scheme: dark)"),
            Img(src=data_uri("png", light), alt=alt or f"{name}; the table below has its numbers."),
        ),
        **scrolled(name),
    )


def table(
    name: str,
    titles: Sequence[str],
    rows: "Sequence[Sequence[Any]]",
    total: "Sequence[Any]" = (),
    words: Collection[str] = (),
) -> "FT":
    """`rows` of texts or elements, the first of each a heading; `total` stands below them.

    Columns whose titles are in `words` are to the left, the others, of numbers, to the right.
    """
    from fasthtml.components import Div, Table, Tbody, Td, Tfoot, Th, Thead, Tr

    def line(cells: Sequence[Any]) -> "FT":
        data = (
            Td(cell, cls="words" if title in words else None) for title, cell in zip(titles[1:], cells[1:], strict=True)
        )
        return Tr(Th(cells[0], scope="row"), *data)

    head = Thead(Tr(*(Th(title, scope="col", cls="words" if title in words else None) for title in titles)))
    foot = (Tfoot(line(total)),) if total else ()
    return Div(Table(head, Tbody(*map(line, rows)), *foot), **scrolled(name))


def scrolled(name: str) -> dict[str, str]:
    """Attributes of what may be wider than the screen: reached by keyboard, named for screen readers."""
    return {"cls": "wide", "tabindex": "0", "role": "region", "aria_label": name}


def facts(values: Mapping[str, str]) -> "FT":
    """A few figures in large type, name -> value."""
    from fasthtml.components import Li, Strong, Ul

    return Ul(*(Li(Strong(value), name) for name, value in values.items()), role="list", cls="facts")
