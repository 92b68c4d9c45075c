"""The review page's frame, as HTML: all its words that are not about one picture. The script fills in what is counted.

No script, style or address from elsewhere, and none inline: the policy of ``web_guard.py`` allows neither.
"""

from importlib.resources import files
from typing import TYPE_CHECKING

from .dialogs import button, help_dialog, mover, viewer
from .queues import QUEUES, STATES

if TYPE_CHECKING:
    from fastcore.xml import FT

TITLES = {
    "all": "All pictures",
    "suspected": "Suspected labels",
    "duplicates": "Duplicates",
    "conflicts": "Under two labels",
    "quality": "Poor quality",
    "test": "Test set",
    "rejected": "Rejected",
}
HINTS = {
    "all": "x rejects, v keeps. Nothing is deleted: rejected pictures rest in .birds/rejected.",
    "suspected": "A classifier takes these for another class, the least fitting first. The test part is never here.",
    "duplicates": "The same picture, side by side. b keeps the proposed copy, n says that they are not duplicates.",
    "conflicts": "The same picture in two classes. b: only the one with the focus is right; n: they are different.",
    "quality": "Dark, blurred, blank, small, oddly shaped or perhaps no photograph; the worst first.",
    "test": "In random order, without predictions or scores, so that nobody tidies the test to suit the model.",
    "rejected": "What was rejected, by whom and why. x or v brings a picture back.",
}
EMPTY = {
    "all": "No pictures yet. Run `birds scrape --species cigüeña`, or put folders of pictures into images/.",
    "suspected": "No suspected labels wait. Only `birds clean --weights FILE` looks for them.",
    "duplicates": "No duplicates wait. `birds clean` looks for them each time it starts.",
    "conflicts": "No picture stands in two classes.",
    "quality": "No picture of poor quality waits.",
    "test": "There is no test set yet: `birds split` makes it.",
    "rejected": "Nothing is rejected.",
}
_SORTS = (
    ("", "queue order"),
    ("name", "name"),
    ("-added", "newest first"),
    ("size", "smallest first"),
    ("-size", "largest first"),
    ("label_quality", "least fitting label first"),
    ("-confidence", "surest prediction first"),
)


def shell(session: str | None = None) -> str:
    """The whole page before anything is counted.

    Parameters
    ----------
    session : inside a notebook's frame, the secret that the script must show with each request.
    """
    from fasthtml.components import Body, Head, Html, Link, Main, Meta, Script, Title, to_xml

    scripts = sorted(p.name for p in files(__package__).joinpath("static").iterdir() if p.name.endswith(".js"))
    head = Head(
        Meta(charset="utf-8"),
        Meta(name="viewport", content="width=device-width, initial-scale=1"),
        Meta(name="color-scheme", content="light dark"),
        *([Meta(name="birds-session", content=session)] if session else []),
        Title("birds clean"),
        Link(rel="icon", href="/static/bird.svg", type="image/svg+xml"),
        Link(rel="stylesheet", href="/static/review.css"),
        *(Link(rel="modulepreload", href=f"/static/{name}") for name in scripts),  # all at once, not one by one
        Script(src="/static/main.js", type="module"),
    )
    main = Main(_heading(), _pictures(), id="main")
    body = Body(_header(), _sidebar(), main, _footer(), viewer(), mover(), help_dialog(), _card())
    return str(to_xml(Html(head, body, lang="en")))


def _header() -> "FT":
    from fasthtml.components import A, Div, Header, Img, P, Progress, Span, Strong

    return Header(
        A("Skip to the pictures", href="#pictures", id="skip", cls="skip"),
        Div(Img(src="/static/bird.svg", alt="", width=28, height=28), Strong("birds"), Span("clean"), cls="brand"),
        P(Span("", id="reviewed"), Progress(value=0, max=1, id="progress", aria_labelledby="reviewed"), cls="progress"),
        Div(button("Keys", "help-open", "?", popup=True), button("Done", "done", cls="primary"), cls="actions"),
        cls="top",
    )


def _sidebar() -> "FT":
    from fasthtml.components import H2, Button, Div, Li, Nav, Span, Ul

    def queue(name: str) -> "FT":
        return Li(
            Button(
                Span(TITLES[name], cls="label"),
                Span("", cls="count"),
                type="button",
                data_queue=name,
                data_hint=HINTS[name],
                data_empty=EMPTY[name],
            )
        )

    return Nav(
        Div(H2("Queues", id="queues-title"), Ul(*map(queue, QUEUES), id="queues", aria_labelledby="queues-title")),
        Div(H2("Classes", id="classes-title"), Ul(id="classes", aria_labelledby="classes-title")),
        aria_label="Queues and classes",
        cls="side",
    )


def _heading() -> "FT":
    from fasthtml.components import H1, Div, Label, Option, P, Select, Span

    def choice(name: str, title: str, *options: tuple[str, str]) -> "FT":
        first = () if options else (("", "any"),)
        choices = [Option(text, value=value) for value, text in first + options]
        return Label(Span(title), Select(*choices, id=f"by-{name}", name=name))

    states = tuple((state, "not reviewed" if state == "unreviewed" else state) for state in STATES)
    return Div(
        Div(P("", id="queue-name", cls="eyebrow"), H1("", id="title"), P("", id="names", cls="names"), cls="title"),
        Div(
            Span("", id="shown", cls="shown"),
            button("‹", "class-previous", label="Previous class", cls="step"),
            button("›", "class-next", label="Next class", cls="step"),
            cls="steps",
        ),
        P("", id="hint", cls="hint"),
        Div(
            choice("sort", "Sort", *_SORTS),
            choice("state", "State", ("", "any"), *states),
            choice("source", "Source"),
            choice("reason", "Reason"),
            cls="tools",
        ),
        cls="heading",
    )


def _pictures() -> "FT":
    from fasthtml.components import Div, P

    return Div(
        Div(id="pictures", role="grid", aria_multiselectable="true", aria_labelledby="queue-name title", hidden=True),
        Div(P("", id="empty-text"), button("Show all", "show-all"), id="empty", tabindex="-1", hidden=True),
        id="table",
        cls="table",
    )


def _card() -> "FT":
    """What the script copies for each picture in sight."""
    from fasthtml.components import Button, Div, Img, Span, Template

    return Template(
        Div(
            Div(
                Img(alt="", decoding="async", draggable="false"),
                Span("✓", cls="tick", aria_hidden="true"),
                Span("", cls="badge"),
                Span("", cls="verdict"),
                cls="frame",
            ),
            Div("", cls="name"),
            Div("", cls="what"),
            Div("", cls="facts"),
            Div(
                Button("⤢", type="button", cls="zoom", tabindex="-1", title="Open large", data_do="zoom"),
                Button("✕", type="button", cls="toggle", tabindex="-1", data_do="toggle"),
                cls="buttons",
                aria_hidden="true",  # for the mouse and for fingers: keys do the same, and a cell's name is its text
            ),
            role="gridcell",
            tabindex="-1",
            aria_selected="false",
            cls="card",
        ),
        id="card",
    )


def _footer() -> "FT":
    from fasthtml.components import Div, Footer, P, Span

    return Footer(
        P("", id="said", role="status", aria_live="polite"),
        Div(
            Span("", id="chosen"),
            button("Keep the best", "do-best", "b"),
            button("Not duplicates", "do-different", "n"),
            button("Reject", "do-toggle", "x"),
            button("Keep", "do-keep", "v"),
            button("Move", "do-move", "m", popup=True),
            button("Select none", "do-clear", "Esc"),
            id="bulk",
            role="group",
            aria_label="What to do with the selected pictures",
            cls="actions",
            hidden=True,
        ),
        Div(button("Undo", "undo", "u"), button("Redo", "redo", "U"), cls="actions"),
        cls="bottom",
    )
