"""What the review page looks like, as HTML: values in, markup out. Behaviour is in ``static/review.js``.

No script, style or address from elsewhere, and none inline: the content security policy of ``web.py`` allows neither.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..record import Author, PictureFile, State
from ..species import find
from .session import Outcome

if TYPE_CHECKING:
    from fastcore.xml import FT

_KEYS = (
    (("←", "→", "↑", "↓"), "move among the pictures"),
    (("x",), "reject the picture, or bring it back"),
    (("u",), "undo the last decision"),
    (("Enter",), "open the picture large"),
    (("[", "]"), "previous class, next class"),
    (("Esc",), "close what is open"),
    (("?",), "show this list"),
)


@dataclass(frozen=True)
class ClassCount:
    """One line of the list of classes."""

    label: str
    kept: int
    rejected: int
    is_opened: bool  # in this session


@dataclass(frozen=True)
class ClassView:
    """What one page shows. ``label`` is None in a project without pictures."""

    label: str | None
    files: list[PictureFile]
    classes: list[ClassCount]
    decided: int


def class_page(view: ClassView) -> str:
    """The whole page of one class."""
    from fasthtml.components import Div, Main

    main = _class_main(view) if view.label is not None else _empty_main()
    return _document(
        f"{view.label or 'No pictures yet'} · birds clean",
        _header(view),
        Div(_class_list(view), Main(*main, id="main", tabindex="-1"), cls="columns"),
        _footer(view.decided),
        _viewer(),
        _help(),
    )


def missing_class() -> str:
    """What is shown for a class that does not exist, or no longer."""
    from fasthtml.components import A, Main, P

    text = P("There is no such class, or no longer. ", A("Show the first one", href="/"), ".")
    return _document("No such class · birds clean", Main(text, cls="nothing"))


def answer(outcome: Outcome | None, decided: int, *, is_undo: bool) -> dict[str, str | int | None]:
    """What the script needs to know after a change. ``said`` is read out; it stands alone if nothing was to undo."""
    if outcome is None:
        return {"said": "There is nothing left to undo.", "decided": decided}
    file = outcome.file
    is_rejected = file.state is State.REJECTED
    said = f"{file.name} {'rejected' if is_rejected else 'kept'}."
    return {
        "id": file.id,
        "label": file.label,
        "state": file.state,
        "verdict": _verdict(file),
        "kept": outcome.kept,
        "rejected": outcome.rejected,
        "decided": decided,
        "said": f"Undone: {said}" if is_undo else said,
    }


def class_address(label: str) -> str:
    """The address of a class's page."""
    return "/?" + urlencode({"label": label})


def _document(title: str, *body: "FT") -> str:
    from fasthtml.components import Body, Head, Html, Link, Meta, Script, Title, to_xml

    head = Head(
        Meta(charset="utf-8"),
        Meta(name="viewport", content="width=device-width, initial-scale=1"),
        Meta(name="color-scheme", content="light dark"),
        Title(title),
        Link(rel="icon", href="/static/bird.svg", type="image/svg+xml"),
        Link(rel="stylesheet", href="/static/review.css"),
        Script(src="/static/review.js", defer=True),
    )
    return str(to_xml(Html(head, Body(*body), lang="en")))


def _header(view: ClassView) -> "FT":
    from fasthtml.components import A, Button, Div, Header, Img, P, Progress, Span, Strong

    opened, total = sum(c.is_opened for c in view.classes), len(view.classes)
    return Header(
        A("Skip to the pictures", href="#pictures", cls="skip"),
        Div(Img(src="/static/bird.svg", alt="", width=28, height=28), Strong("birds"), Span("clean"), cls="brand"),
        P(
            Span(f"{opened} of {total} classes opened", id="opened"),
            Progress(value=opened, max=max(total, 1), aria_labelledby="opened"),
            cls="progress",
        ),
        Div(
            Button("Keys ", _key("?"), type="button", id="help-open", aria_haspopup="dialog"),
            Button("Done", type="button", id="done", cls="primary"),
            cls="actions",
        ),
        cls="top",
    )


def _class_list(view: ClassView) -> "FT":
    from fasthtml.components import A, Li, Nav, Span, Ul

    def line(count: ClassCount) -> "FT":
        is_here = count.label == view.label
        return Li(
            A(
                Span(count.label, cls="label"),
                Span("✓", title="opened", role="img", aria_label="opened", cls="tick", hidden=not count.is_opened),
                Span(Span(str(count.kept), cls="kept"), " kept", cls="count"),
                Span(Span(str(count.rejected), cls="rejected"), " rejected", cls="count"),
                href=class_address(count.label),
                data_label=count.label,
                **({"aria_current": "page"} if is_here else {}),
            )
        )

    return Nav(Ul(*(line(c) for c in view.classes), role="list"), aria_label="Classes", cls="classes")


def _class_main(view: ClassView) -> "list[FT]":
    from fasthtml.components import H1, A, Code, Div, Em, P, Span, Ul

    labels = [c.label for c in view.classes]
    here = labels.index(str(view.label))
    species = find(str(view.label))
    count = view.classes[here]
    names = [Span(species.english), " · ", Em(species.scientific, lang="la")] if species else []

    def neighbour(step: int, rel: str, sign: str, title: str) -> "FT":
        if not 0 <= here + step < len(labels):
            return Span(sign, cls="step", aria_hidden="true")
        label = labels[here + step]
        address = class_address(label)
        return A(sign, rel=rel, href=address, title=label, aria_label=f"{title}: {label}", cls="step")

    return [
        Div(
            Div(H1(view.label), P(*names, cls="names") if names else "", cls="title"),
            P(Span(str(count.kept), cls="kept"), " kept", cls="total"),
            P(Span(str(count.rejected), cls="rejected"), " rejected", cls="total"),
            Div(neighbour(-1, "prev", "‹", "Previous class"), neighbour(1, "next", "›", "Next class"), cls="steps"),
            cls="heading",
            data_label=view.label,
        ),
        P(
            "Click a picture to reject it, click again to bring it back. ",
            "Nothing is deleted: rejected pictures rest in ",
            Code(".birds/rejected"),
            ".",
            cls="hint",
        ),
        Ul(*(_card(f, is_first=i == 0) for i, f in enumerate(view.files)), id="pictures", cls="grid", role="list"),
    ]


def _empty_main() -> "list[FT]":
    from fasthtml.components import H1, Code, P

    return [
        H1("No pictures yet"),
        P("Fetch some with ", Code("birds scrape --species cigüeña"), ", or put folders of pictures into images/."),
    ]


def _card(file: PictureFile, *, is_first: bool) -> "FT":
    from fasthtml.components import Button, Img, Li, Span

    is_rejected = file.state is State.REJECTED
    address = f"/thumbnail/{file.id}?" + urlencode({"v": file.sha256[:16]})
    return Li(
        Button(
            Span(
                Img(src=address, alt="", loading="lazy", decoding="async", draggable="false"),
                Span(Span("✕", aria_hidden="true", cls="cross"), Span(_verdict(file), cls="why"), cls="verdict"),
                cls="frame",
            ),
            Span(file.name, cls="name", title=file.name),
            Span(_facts(file), cls="facts"),
            type="button",
            cls="toggle",
            aria_pressed=str(is_rejected).lower(),
            tabindex="0" if is_first else "-1",  # one stop for Tab, arrows inside: the ARIA pattern of a grid
        ),
        Button(
            "⤢", type="button", cls="zoom", tabindex="-1", aria_label=f"Open {file.name} large", aria_haspopup="dialog"
        ),
        cls="card",
        data_id=str(file.id),
        data_state=str(file.state),
    )


def _facts(file: PictureFile) -> str:
    source = "added by hand" if file.provenance.source == "local" else file.provenance.source
    content = file.content
    return f"{content.width} × {content.height} · {source}" if content.width and content.height else source


def _verdict(file: PictureFile) -> str:
    """``rejected`` and why, in words; empty for a picture that is kept."""
    if file.state is not State.REJECTED:
        return ""
    by_machine = " (automatic)" if file.author is Author.AUTO else ""
    return f"rejected · {file.reason.replace('_', ' ')}{by_machine}" if file.reason else "rejected"


def _footer(decided: int) -> "FT":
    from fasthtml.components import Button, Footer, P

    return Footer(
        P("", id="said", role="status", aria_live="polite"),
        Button("Undo ", _key("u"), type="button", id="undo", disabled=decided == 0),
        cls="bottom",
    )


def _viewer() -> "FT":
    from fasthtml.components import Button, Dialog, Div, Img, P

    def button(text: str | tuple[Any, ...], name: str, label: str | None = None) -> "FT":
        content = text if isinstance(text, tuple) else (text,)
        return Button(*content, type="button", id=name, **({"aria_label": label} if label else {}))

    return Dialog(
        Div(Img(src="", alt="", id="viewer-picture", hidden=True), cls="stage"),
        Div(
            P("", id="viewer-caption"),
            Div(
                button("‹", "viewer-previous", "Previous picture"),
                button("›", "viewer-next", "Next picture"),
                button("Reject", "viewer-toggle"),
                button("Close", "viewer-close"),
                cls="actions",
            ),
            cls="caption",
        ),
        id="viewer",
        aria_labelledby="viewer-caption",
    )


def _help() -> "FT":
    from fasthtml.components import H2, Button, Dd, Dialog, Div, Dl, Dt

    rows = [Div(Dt(*(_key(k) for k in keys)), Dd(what)) for keys, what in _KEYS]
    return Dialog(
        H2("Keys", id="help-title"),
        Dl(*rows),
        Button("Close", type="button", id="help-close"),
        id="help",
        aria_labelledby="help-title",
    )


def _key(name: str) -> "FT":
    from fasthtml.components import Kbd

    return Kbd(name)
