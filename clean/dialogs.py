"""The review page's dialogs, and what a button and a key look like, as HTML."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcore.xml import FT

KEYS = (
    (("←", "→", "↑", "↓"), "move among the pictures; j and k too, Home, End and the page keys"),
    (("x",), "reject the picture, or bring it back"),
    (("v",), "keep it: a person looked, and it is right"),
    (("1", "–", "9"), "move it to the class of that number"),
    (("m",), "move it to a class by typing its name"),
    (("u",), "undo, also what was done before a restart"),
    (("U", "or", "y"), "do it again"),
    (("Space",), "select; with Shift and an arrow, a range"),
    (("Ctrl", "A"), "select all; x, v, m and digits then act on the selection"),
    (("Esc",), "select none, close what is open"),
    (("Enter",), "open the picture large"),
    (("[", "]"), "previous class, next class"),
    (("b",), "of duplicates, keep the proposed copy and reject the others; of two labels, keep this one"),
    (("n",), "these are not duplicates"),
    (("?",), "show this list"),
)


def viewer() -> "FT":
    from fasthtml.components import Dialog, Div, Img, P

    return Dialog(
        Div(Img(alt="", id="viewer-picture", hidden=True), cls="stage"),
        Div(
            Div(P("", id="viewer-name"), P("", id="viewer-facts"), cls="about"),
            Div(
                button("‹", "viewer-previous", label="Previous picture"),
                button("›", "viewer-next", label="Next picture"),
                button("Reject", "viewer-toggle", "x"),
                button("Keep", "viewer-keep", "v"),
                button("Move", "viewer-move", "m", popup=True),
                button("Close", "viewer-close", "Esc"),
                cls="actions",
            ),
            cls="caption",
        ),
        id="viewer",
        aria_labelledby="viewer-name",
    )


def mover() -> "FT":
    from fasthtml.components import H2, Dialog, Form, Input, Ul

    return Dialog(
        Form(
            H2("Move to which class?", id="mover-title"),
            Input(
                type="text",
                id="mover-text",
                role="combobox",
                aria_labelledby="mover-title",
                aria_expanded="true",
                aria_controls="mover-list",
                aria_autocomplete="list",
                autocomplete="off",
                spellcheck="false",
            ),
            Ul(id="mover-list", role="listbox", aria_labelledby="mover-title"),
            button("Cancel", "mover-close", "Esc"),
            id="mover-form",
        ),
        id="mover",
        aria_labelledby="mover-title",
    )


def help_dialog() -> "FT":
    from fasthtml.components import H2, Dd, Dialog, Div, Dl, Dt, P

    rows = [Div(Dt(*map(key_cap, keys)), Dd(what)) for keys, what in KEYS]
    return Dialog(
        H2("Keys", id="help-title"),
        P("They work while a picture has the focus."),
        Dl(*rows),
        button("Close", "help-close"),
        id="help",
        aria_labelledby="help-title",
    )


def button(
    text: str, name: str, key: str = "", *, label: str = "", popup: bool = False, cls: str | None = None
) -> "FT":
    from fasthtml.components import Button, Span

    optional = {
        **({"aria_label": label} if label else {}),
        **({"aria_haspopup": "dialog"} if popup else {}),
        **({"cls": cls} if cls else {}),
    }
    return Button(Span(text, cls="text"), *([" ", key_cap(key)] if key else []), type="button", id=name, **optional)


def key_cap(name: str) -> "FT":
    from fasthtml.components import Kbd, Span

    return Span(name) if name in ("–", "or") else Kbd(name)
