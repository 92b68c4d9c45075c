"""The cards of a Google Images page that came without records, worked by mouse in rank order: what a person would do.

A card's link gets its ``/imgres`` address only under the mouse; a click shows the picture in a side panel. Names of
classes and ids mean nothing for long, so a card is told by what it is: see `_CARDS`, the one place that does.
"""

import base64
import binascii
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .candidates import Candidate
from .google_page import THUMBNAIL_HOSTS, parse_link

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

_Found = TypeVar("_Found")
_Reading = Callable[["WebElement"], Candidate | None]

_TRIES = 5  # cards that give nothing before any gave something: this is no way to read the page
_LINK_S = 0.5  # for a link's address, once the mouse is there
_PANEL_S = 2.0  # for the side panel to show its picture
_THUMBNAIL_S = 2.0  # for one that waits until it is scrolled into view
_MORE_S = 2.0  # at the end of the page, for further cards
_POLL_S = 0.05
_MOVE_MS = 20
_CARD_PX = 80  # shorter side of a card's thumbnail as shown; site icons and related searches are smaller
_PICTURE_PX = 64  # shorter side of a picture; below it there are only icons

# A card is the nearest thing to click or tab to around a small copy of a picture that is shown large enough. Those
# that lead elsewhere (related searches, a result's page, the logo) are none. Returns the copies, in the page's order.
_CARDS = """
const [clickable, hosts, side] = arguments;
const cards = new Map();
for (const image of document.images) {
  const card = image.closest(clickable);
  const box = image.getBoundingClientRect();
  const isCopy = image.src.startsWith("data:") || hosts.some((host) => image.src.includes(host));
  const isElsewhere = card && !/^$|^#|^javascript:|\\/imgres\\?/.test(card.getAttribute("href") ?? "");
  if (card && isCopy && !isElsewhere && !cards.has(card) && Math.min(box.width, box.height) >= side)
    cards.set(card, image);
}
return [...cards.values()];
"""
_CLICKABLE = "a, [role=button], [tabindex]:not([tabindex='-1'])"

# Scrolls a card to the middle; says whether the mouse would meet it there and not something that lies over it.
_REACH = """
const [clickable, image] = arguments;
image.scrollIntoView({block: "center", behavior: "instant"});
const box = image.getBoundingClientRect();
const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
return image.closest(clickable)?.contains(top) ?? false;
"""

_LINK = """
const [clickable, image] = arguments;
const card = image.closest(clickable);
const links = [card, card?.parentElement?.closest("a"), ...(card?.querySelectorAll("a") ?? [])];
return links.find((link) => link?.href?.includes?.("/imgres?"))?.href ?? null;
"""

# Pictures in sight that are no small copies, the largest first; with the page that a link around one leads to.
_LARGE = """
const [hosts, side] = arguments;
const found = [];
for (const image of document.images) {
  const box = image.getBoundingClientRect();
  const isInSight = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (/^https?:/.test(image.src) && !hosts.some((host) => image.src.includes(host)) && isInSight
      && box.width > 0 && image.checkVisibility() && Math.min(width, height) >= side)
    found.push({url: image.src, width, height, page: image.closest("a[href]")?.href ?? null});
}
return found.sort((one, other) => other.width * other.height - one.width * one.height);
"""

_SMALL = "const [image] = arguments; return image.complete && image.naturalWidth > 1 ? image.src : null"
_TITLE = """
const [clickable, image] = arguments;
const card = image.closest(clickable);
return image.alt || card?.getAttribute("aria-label") || card?.innerText.trim().split("\\n")[0] || null;
"""


class Cards:
    """The cards of the result page that `driver` shows.

    Parameters
    ----------
    thumbnails : folder for thumbnails that stand in the page itself; None where thumbnails are not wanted.
    """

    def __init__(self, driver: "WebDriver", thumbnails: Path | None = None) -> None:
        self._driver = driver
        self._folder = thumbnails
        self._address = _without_query(driver.current_url)
        self._cards: list[WebElement] = []
        self._have_ended = False

    def candidates(self) -> Iterator[Candidate]:
        """The pictures in rank order, read in the first of three ways that gives any (strategies 2 to 4).

        ``imgres``: the links that the cards have under the mouse. ``panel``: what the side panel shows after a click,
        or the link, where it takes a click to have one. ``thumbnail``: the cards' own small copies, where wanted.

        Lazy: only as many cards are touched as it takes, and the page is scrolled when they are used up.
        """
        for way in (self._hovered, self._clicked, *([self._small] if self._folder else [])):
            has_worked = False
            for candidate in self._read_each(way):
                has_worked = True
                yield candidate
            if has_worked:
                return

    def _read_each(self, read: _Reading) -> Iterator[Candidate]:
        """What `read` makes of each card; gives up where the first few give nothing."""
        from selenium.common.exceptions import MoveTargetOutOfBoundsException, StaleElementReferenceException

        has_worked = False
        for number, card in enumerate(self._in_order(), start=1):
            try:
                candidate = read(card)
            except (MoveTargetOutOfBoundsException, StaleElementReferenceException):  # the page has changed meanwhile
                candidate = None
            if candidate:
                has_worked = True
                yield candidate
            elif not has_worked and number >= _TRIES:
                return

    def _in_order(self) -> Iterator["WebElement"]:
        number = 0
        while number < len(self._cards) or self._has_more():
            yield self._cards[number]
            number += 1

    def _has_more(self) -> bool:
        """Look for cards that were not there before, scrolling to the page's end until some come."""
        deadline = time.monotonic() + _MORE_S
        while not self._have_ended:
            if _without_query(self._driver.current_url) != self._address:  # a click led away, or the source blocks
                self._have_ended = True
                break
            known = {card.id for card in self._cards}
            shown = self._ask(_CARDS, _CLICKABLE, THUMBNAIL_HOSTS, _CARD_PX)
            fresh = [card for card in shown if card.id not in known]
            self._cards += fresh
            if fresh:
                return True
            self._have_ended = time.monotonic() >= deadline
            self._ask("window.scrollTo(0, document.documentElement.scrollHeight)")
            time.sleep(_POLL_S)
        return False

    def _hovered(self, card: "WebElement") -> Candidate | None:
        if not self._ask(_REACH, _CLICKABLE, card):
            return None
        self._mouse().move_to_element(card).perform()
        return _wait_for(lambda: self._link(card), _LINK_S)

    def _clicked(self, card: "WebElement") -> Candidate | None:
        from selenium.webdriver.common.keys import Keys

        if not self._ask(_REACH, _CLICKABLE, card):
            return None
        before = {picture["url"] for picture in self._large_pictures()}
        self._mouse().move_to_element(card).click().perform()
        candidate = _wait_for(lambda: self._link(card) or self._in_panel(card, before), _PANEL_S)
        self._mouse().send_keys(Keys.ESCAPE).perform()  # closes the panel, and what it shows of related pictures
        return candidate

    def _small(self, card: "WebElement") -> Candidate | None:
        self._ask(_REACH, _CLICKABLE, card)
        url: str | None = _wait_for(lambda: self._ask(_SMALL, card), _THUMBNAIL_S)
        if url is None:
            return None
        title = self._ask(_TITLE, _CLICKABLE, card)
        return self._from_page(url, title) if url.startswith("data:") else Candidate(url, "thumbnail", title=title)

    def _link(self, card: "WebElement") -> Candidate | None:
        candidate = parse_link(self._ask(_LINK, _CLICKABLE, card) or "")
        return replace(candidate, title=self._ask(_TITLE, _CLICKABLE, card)) if candidate else None

    def _in_panel(self, card: "WebElement", before: set[str]) -> Candidate | None:
        picture = next((one for one in self._large_pictures() if one["url"] not in before), None)
        if picture is None:
            return None
        page = picture["page"]
        return Candidate(
            url=picture["url"],
            strategy="panel",
            page_url=page if page and page.startswith(("http://", "https://")) else None,
            title=self._ask(_TITLE, _CLICKABLE, card),
            width=picture["width"],
            height=picture["height"],
        )

    def _from_page(self, url: str, title: str | None) -> Candidate | None:
        """A thumbnail that stands in the page itself, as a file; its name in the page stands for its address."""
        head, _, content = url.partition(",")
        try:
            data = base64.b64decode(content, validate=True) if head.endswith(";base64") else b""
        except binascii.Error:
            data = b""
        if not data:
            return None
        assert self._folder is not None
        digest = sha256(data).hexdigest()
        path = self._folder / digest
        path.write_bytes(data)
        return Candidate(f"{self._address}#thumbnail-{digest}", "thumbnail", title=title, path=path)

    def _large_pictures(self) -> list[dict[str, Any]]:
        pictures: list[dict[str, Any]] = self._ask(_LARGE, THUMBNAIL_HOSTS, _PICTURE_PX)
        return pictures

    def _ask(self, script: str, *arguments: object) -> Any:
        return self._driver.execute_script(script, *arguments)

    def _mouse(self) -> Any:
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self._driver, duration=_MOVE_MS)


def _wait_for(look: Callable[[], _Found | None], seconds: float) -> _Found | None:
    """What `look` returns as soon as that is something; None where it is nothing for so long."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return found


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]
