"""Every page of the gallery: pure functions, values to HTML.

Texts and looks are the gallery's own; what it shares with Google Images is what a scraper meets: the order of pages,
the few ids that last, and class names and other ids that are new at every start.
"""

import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from urllib.parse import urlencode

from .records import Entry, Json, dump, script_of_2020, script_of_today

PLACEHOLDER = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="  # 1x1, until scrolled into view

_MADE_UP = re.compile(r"__([a-z]+)__")


class Skin:
    """Names of classes, ids and globals: ``skin.card`` is made up when first asked for, and stays."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __getattr__(self, name: str) -> str:
        made_up = secrets.choice(string.ascii_lowercase) + secrets.token_hex(3)  # lower case: data-* names are, too
        return self._names.setdefault(name, made_up)  # setdefault: threads agree on one

    def dress(self, template: str) -> str:
        """`template` with each ``__name__`` replaced by the made-up name."""
        return _MADE_UP.sub(lambda match: str(getattr(self, match[1])), template)


def _static(skin: Skin, name: str) -> str:
    return skin.dress(files(__package__).joinpath("static", name).read_text(encoding="utf-8"))


def _page(skin: Skin, title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_static(skin, 'gallery.css')}</style></head><body>{body}</body></html>"
    )


def _notice(skin: Skin, title: str, text: str) -> str:
    """A page that says one thing; `text` is HTML."""
    return _page(skin, title, f'<main class="{skin.notice}"><h1>{escape(title)}</h1>{text}</main>')


def _search_form(skin: Skin, query: str, mode: Mapping[str, str]) -> str:
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in mode.items())
    return (
        f'<form class="{skin.box}" action="/search" role="search">{hidden}<input type="search" name="q" '
        f'value="{escape(query)}" aria-label="Search" autocomplete="off"><button>Search</button></form>'
    )


def _chips(skin: Skin, labels: Sequence[str], mode: Mapping[str, str]) -> str:
    links = (f'<a href="{escape(_search(label, mode))}">{escape(label)}</a>' for label in labels)
    return f'<nav class="{skin.chips}">{"".join(links)}</nav>'


def _search(query: str, mode: Mapping[str, str]) -> str:
    return f"/search?{urlencode({'q': query, **mode})}"


def home(skin: Skin, labels: Sequence[str]) -> str:
    """The start page: a search box and what there is to find."""
    mode = {"udm": "2"}
    wordmark = f'<h1 class="{skin.wordmark}">gallery</h1>'
    body = f"{wordmark}{_search_form(skin, '', mode)}{_chips(skin, labels, mode)}{_footer(skin)}"
    return _page(skin, "gallery", f'<main class="{skin.home}">{body}</main>')


def _footer(skin: Skin) -> str:
    text = "A local stand-in for an image search. Nothing here leaves this computer."
    return f'<footer class="{skin.footer}">{text}</footer>'


def consent(skin: Skin, address: str) -> str:
    """The page before the first search; its two buttons post back the `address` to go on to."""
    buttons = "".join(
        f'<button id="{name}" name="choice" value="{choice}">{text}</button>'
        for name, choice, text in (("W0wltc", "reject", "Reject all"), ("L2AGLb", "accept", "Accept all"))
    )
    return _notice(
        skin,
        "Before you search",
        "<p>This gallery would like to keep one cookie, so that it asks you this only once.</p>"
        f'<form method="post" action="/consent"><input type="hidden" name="continue" value="{escape(address)}">'
        f"{buttons}</form>",
    )


def blocked(skin: Skin, address: str) -> str:
    """The page of ``/sorry``: a captcha that nothing solves."""
    return _notice(
        skin,
        "Are you a robot?",
        f'<form id="captcha-form" method="post" action="index"><div class="g-recaptcha" id="{skin.captcha}"></div>'
        f'<input type="hidden" name="continue" value="{escape(address)}"></form>'
        f"<p>This gallery has seen unusual traffic from your network, and answers no more searches.</p>"
        f"<p>Address: {escape(address)}</p>",
    )


def javascript_shell(skin: Skin) -> str:
    """What a browser gets that seems to run no JavaScript: scripts, and a way out for those who see it."""
    retry = f"/httpservice/retry/enablejs?sei={skin.session}"
    return (
        f'<!doctype html><html lang="en"><head><title>gallery</title></head><body><noscript>'
        f'<meta http-equiv="refresh" content="0;url={retry}"><div>If nothing happens soon, go on <a href="{retry}">'
        f"here</a>.</div></noscript><script>(function(){{window.{skin.shell}=1;}})();</script></body></html>"
    )


def enable_javascript(skin: Skin) -> str:
    """Where the JavaScript shell leads."""
    return _notice(skin, "Turn on JavaScript", "<p>Pictures are shown only to browsers that run JavaScript.</p>")


def outdated_browser(skin: Skin) -> str:
    """What a browser gets that seems too old."""
    return _notice(skin, "Update your browser", "<p>This browser is no longer supported. Please use a newer one.</p>")


def refused(skin: Skin, status: int) -> str:
    """The page of a server that answers no search, with HTTP `status`."""
    return _notice(skin, f"Error {status}", "<p>There is no answer to this search now. Please try again later.</p>")


def details(entry: Entry) -> str:
    """What the page's script asks for, card by card, where no records came: JSON, other than a record in shape."""
    return json.dumps({"full": entry.full, "size": entry.size, "page": entry.page, "title": entry.title})


def nothing_found(skin: Skin, query: str, labels: Sequence[str], mode: Mapping[str, str]) -> str:
    """The answer to a search that finds nothing."""
    text = f"<p>Your search for <b>{escape(query)}</b> did not match any documents.</p><p>There are pictures of:</p>"
    body = f'<main class="{skin.notice}">{text}{_chips(skin, labels, mode)}</main>'
    return _page(skin, f"{query} - gallery", _header(skin, query, mode) + body)


def picture(skin: Skin, entry: Entry) -> str:
    """The page that a picture stands on, and the one its ``/imgres`` link leads to."""
    width, height = entry.size
    text = (
        f'<p><img src="{escape(entry.full)}" alt="{escape(entry.title)}"></p><p>{width} × {height} pixels, '
        f'from <a href="{escape(entry.page)}">{escape(entry.site)}</a></p>'
    )
    return _notice(skin, entry.title, text)


def _header(skin: Skin, query: str, mode: Mapping[str, str]) -> str:
    return f'<header><a class="{skin.wordmark}" href="/">gallery</a>{_search_form(skin, query, mode)}</header>'


def card(skin: Skin, entry: Entry) -> str:
    """One result. Its link has no address yet; its thumbnail is there, or waits until it is scrolled into view."""
    width, height = entry.thumbnail_size
    lazy = "" if entry.src else f' data-{skin.src}="{escape(entry.thumbnail)}"'
    return (
        f'<div class="{skin.card}" data-{skin.key}="{entry.key}" style="--w:{width};--h:{height}">'
        f'<a class="{skin.link}" tabindex="0" role="button">'
        f'<img class="{skin.thumb}" src="{escape(entry.src) or PLACEHOLDER}"{lazy} alt="">'
        f"<span>{escape(entry.title)}</span><small>{escape(entry.site)}</small></a></div>"
    )


def fragment_of_today(skin: Skin, entries: Sequence[Entry], *, with_records: bool = True) -> str:
    """The XHR answer of today's layout: cards, then the script with their records."""
    cards = "".join(card(skin, entry) for entry in entries)
    return cards + (f"<script>{script_of_today(entries, skin.store)}</script>" if with_records and entries else "")


def results(
    skin: Skin,
    query: str,
    entries: Sequence[Entry],
    labels: Sequence[str],
    mode: Mapping[str, str],
    *,
    cards: int,
    is_2020: bool = False,
    with_records: bool = True,
    with_details: bool = False,
    with_links: bool = True,
) -> str:
    """A result page: `cards` of the `entries` as cards, and the records of all of them in a script.

    Without records the script asks for `details` where it has them; without links, cards lead to a picture's page by
    its id alone.
    """
    setup = f"var AF_initDataCallback=function(c){{(window.{skin.chunks}=window.{skin.chunks}||{{}})[c.key]=c.data;}};"
    script = script_of_2020(entries, query, labels) if is_2020 else script_of_today(entries, skin.store)
    state: Json = {
        "query": query,
        "is2020": is_2020,
        "start": len(entries),
        "mode": urlencode(mode),
        "blank": PLACEHOLDER,
        "hasDetails": with_details,
        "hasLinks": with_links,
    }
    body = (
        f"{_header(skin, query, mode)}{_chips(skin, labels, mode)}<script>{setup if is_2020 else ''}</script>"
        f'<div class="{skin.stage}"><div class="{skin.grid}" id="{skin.gridid}">'
        f"{''.join(card(skin, entry) for entry in entries[:cards])}</div>"
        f'<div class="{skin.end}" id="{skin.endid}"></div></div>'
        f'<aside class="{skin.panel}" id="{skin.panelid}" hidden></aside>'
        f"{_footer(skin)}<script>{script if with_records else ''}</script>"
        f"<script>var {skin.state}={dump(state)};{_static(skin, 'gallery.js')}</script>"
    )
    return _page(skin, f"{query} - gallery", body)


def unknown_layout(skin: Skin, query: str, entries: Sequence[Entry], mode: Mapping[str, str]) -> str:
    """A result page that only eyes can read: pictures are backgrounds of a style sheet, with no address in the body."""
    rules = "".join(f".{skin.tile}{n}{{background-image:url({entry.src})}}" for n, entry in enumerate(entries))
    tiles = "".join(f'<div class="{skin.tile} {skin.tile}{n}"></div>' for n in range(len(entries)))
    style = f"<style>.{skin.tile}{{background-size:cover;height:190px;width:240px}}{rules}</style>"
    return _page(
        skin, f"{query} - gallery", f'{_header(skin, query, mode)}{style}<div class="{skin.grid}">{tiles}</div>'
    )
