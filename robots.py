"""What the robots.txt of a host asks of us (RFC 9309): which addresses to leave alone, how slowly to ask.

The lines meant for us are picked here and matched with addresses by Protego. Given the whole file, Protego would take
a group for ``bird`` as meant for ``birds``, and multiply robots with rules: gigabytes, if the file is made for that.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import net
from .errors import FetchError
from .reasons import Reason

if TYPE_CHECKING:
    import requests
    from protego import Protego

MAX_DELAY_S = 10.0
_MAX_BYTES = 5_000_000
_PARSED_BYTES = 500 * 1024  # of a longer file, the beginning
_DEADLINE_S = 20.0
_ROBOT = re.compile(r"user[\s-]*agent\b\s*:?\s*(\*|[a-z_-]*)", re.IGNORECASE)  # the name without its version
_OF_NO_GROUP = re.compile(r"(sitemap|host)\b", re.IGNORECASE)


def rules_for_us(text: str) -> list[str]:
    """The lines of a robots.txt that are rules for our name; where it is not named, those for ``*``."""
    rules: dict[str, list[str]] = {}
    robots: set[str] = set()  # that the present group is for
    has_rules = False  # so that the next name begins another group
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if match := _ROBOT.match(content):
            robots = {match[1].lower()} | (set() if has_rules else robots)
            rules.setdefault(match[1].lower(), [])
            has_rules = False
        elif content and not _OF_NO_GROUP.match(content):
            has_rules = True
            for robot in robots & {net.AGENT, "*"}:
                rules[robot].append(content)
    return rules.get(net.AGENT, rules.get("*", []))


@dataclass
class _Site:
    """What one robots.txt says. Without `rules` and `refusal` everything is open."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is read
    is_read: bool = False
    rules: "Protego | None" = None
    refusal: Callable[[], FetchError] | None = None


class Robots:
    """Asks each scheme, host and port for its robots.txt once, from however many threads.

    Parameters
    ----------
    session : a guarded one, of `net.make_session`.
    """

    def __init__(self, session: "requests.Session") -> None:
        self._session = session
        self._sites: dict[str, _Site] = {}
        self._lock = threading.Lock()

    def check(self, url: str) -> None:
        """Do nothing where `url` is open to us; reads the robots.txt first where that is not known yet.

        Raises
        ------
        FetchError : ROBOTS_TXT, where it is closed, or (``is_passing``) where the server cannot tell for now; NETWORK
            or TIMEOUT, where it cannot be reached at all.
            FORBIDDEN_ADDRESS, where the guard does not let us ask.
        """
        if not (origin := _origin(url)):
            return
        with self._lock:
            site = self._sites.setdefault(origin, _Site())
        with site.lock:
            if not site.is_read:
                self._read(site, f"{origin}/robots.txt")
        if site.refusal:
            raise site.refusal()
        if site.rules and not site.rules.can_fetch(url, net.AGENT):
            raise FetchError("Its robots.txt closes this address.", reason=Reason.ROBOTS_TXT)

    def delay_s(self, url: str) -> float | None:
        """Seconds that the host of `url` wants between two requests, at most `MAX_DELAY_S`.

        None where it has no such wish, or was not asked yet: this waits for nothing.
        """
        site = self._sites.get(_origin(url))
        wish = site.rules.crawl_delay(net.AGENT) if site and site.rules else None
        return None if wish is None else min(wish, MAX_DELAY_S)

    def _read(self, site: _Site, url: str) -> None:
        from protego import Protego

        try:
            data = net.fetch(self._session, url, max_bytes=_MAX_BYTES, deadline_s=_DEADLINE_S, may_opt_out=False).data
        except FetchError as error:
            is_missing = error.reason is Reason.HTTP_ERROR and not error.is_passing
            if error.reason is Reason.FORBIDDEN_ADDRESS:
                site.refusal = partial(FetchError, error.message, reason=error.reason)
            elif not is_missing and error.reason is not Reason.TOO_MANY_REDIRECTS:
                message = f"Its robots.txt cannot be read: {error.message}"
                is_away = error.reason in (Reason.NETWORK, Reason.TIMEOUT)  # the host itself, robots.txt or not
                reason = error.reason if is_away else Reason.ROBOTS_TXT
                site.refusal = partial(FetchError, message, reason=reason, is_passing=error.is_passing)
        else:
            rules = rules_for_us(data[:_PARSED_BYTES].decode("utf-8-sig", "replace"))
            site.rules = Protego.parse("\n".join([f"User-agent: {net.AGENT}", *rules])) if rules else None
        site.is_read = True


def _origin(url: str) -> str:
    """Scheme, host and port in one spelling; empty for what is no web address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host.removesuffix(default_port)}" if default_port else ""
