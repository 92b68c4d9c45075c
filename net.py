"""The one place that makes HTTP sessions and fetches what strangers' URLs point to.

The guard: every connection resolves its host once, is refused unless each address is a public one, and is made to
the address that was checked, so a DNS answer cannot change in between. The host name stays for SNI and certificates.
It covers what `requests` fetches; what the browser itself loads is not guarded, and with a proxy it ends there.
"""

import io
import math
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from .addresses import is_private_in_text, is_public, parse_allowed_hosts
from .errors import FetchError, UsageError
from .reasons import Reason
from .wire import MAX_HEADERS, Answer, Limits, chunks, present_limits, within

if TYPE_CHECKING:
    import requests

__all__ = [
    "AGENT",
    "MAX_BYTES",
    "Fetched",
    "fetch",
    "make_session",
    "parse_allowed_hosts",
    "retry_after_s",
    "user_agent",
]

AGENT = "birds"  # what robots.txt and X-Robots-Tag call us
MAX_BYTES = 30_000_000
MAX_REDIRECTS = 5
TIMEOUT_S = 20.0  # for the next byte
DEADLINE_S = 60.0  # for one picture, redirects and body included
_LARGE = 1_000_000  # bytes; what is larger comes in only so many at a time, so that 64 threads stay under 500 MB:
_LARGE_SLOTS = threading.BoundedSemaphore(3)
_PASSING_STATUS = frozenset({408, 425, 429})  # and every 5xx
_OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_RULES_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True)
class Fetched:
    """An answer: its body, the URL it came from in the end, and what the server said it is."""

    data: bytes
    url: str
    content_type: str


# -- sessions


class ForbiddenAddressError(Exception):
    """The guard refused; urllib3 passes it through as it is no OSError."""


def _checked_socket(host: str, port: int, allowed: frozenset[tuple[str, int]], timeout: object) -> socket.socket:
    """Resolve `host` once, check every address, connect to the first that answers."""
    from urllib3.exceptions import ConnectTimeoutError

    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(sockaddr[0]) for *_, sockaddr in answers]
    if (host.lower(), port) not in allowed and not all(is_public(address) for address in addresses):
        raise ForbiddenAddressError(host)
    limits = present_limits()
    last_error: OSError | None = None
    for address in dict.fromkeys(addresses):
        try:
            made = socket.create_connection((address, port), limits.seconds_left(timeout))
            made.settimeout(limits.seconds_left(timeout))  # of the TLS handshake, as a whole
            return made
        except OSError as error:
            last_error = error
    if isinstance(last_error, TimeoutError):  # which urllib3 expects as an error of its own
        raise ConnectTimeoutError(f"{host} did not answer in time") from last_error
    raise last_error or OSError(f"{host} has no address")


def user_agent() -> str:
    """Who asks, for everything that is not the browser: ``birds/VERSION (+URL)``."""
    package = metadata("birds")
    pages = dict(entry.split(", ", 1) for entry in package.get_all("Project-URL", []))
    return f"{AGENT}/{package['Version']}" + (f" (+{pages['Homepage']})" if "Homepage" in pages else "")


def make_session(
    allowed_hosts: frozenset[tuple[str, int]] = frozenset(), *, proxy: str | None = None, connections: int = 64
) -> "requests.Session":
    """A `requests` session behind the guard. It reads no proxy, password or certificate from the environment.

    Parameters
    ----------
    allowed_hosts : (host, port) pairs that may be private, see `parse_allowed_hosts`.
    proxy : ``http://``, ``https://``, ``socks5://`` or ``socks5h://`` URL that everything goes through. The guard
        then ends there: URLs that show a private address or a local name in any spelling are refused, but where a
        name leads to is the proxy's business.
    connections : hosts whose connections are kept open.

    Raises
    ------
    UsageError : `proxy` is no such URL.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
    from urllib3 import PoolManager
    from urllib3.util.ssl_ import create_urllib3_context

    # requests would read the certificates again for each connection, which takes 17 ms of processor time
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)

    class Session(requests.Session):
        def resolve_redirects(self, *_args: Any, **_options: Any) -> Generator[Any, None, None]:
            yield from ()  # requests reads a redirect's whole body here, even when told to follow none

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, connections: int, maxsize: int, *_args: Any, **_options: Any) -> None:
            self.poolmanager = PoolManager(connections, maxsize=maxsize, ssl_context=context)
            self.poolmanager.pool_classes_by_scheme = _pools(
                self.poolmanager,
                _new_conn=lambda it: _checked_socket(it._dns_host, it.port, allowed_hosts, it.timeout),
            )

        def cert_verify(self, *_args: Any, **_options: Any) -> None:
            """Nothing to add: `context` has the certificates and demands one."""

    class ProxiedAdapter(Adapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            self._manager = super().proxy_manager_for(str(proxy), ssl_context=context)
            self._manager.pool_classes_by_scheme = _pools(self._manager)

        def proxy_manager_for(self, *_args: Any, **_options: Any) -> Any:
            return self._manager

        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            url = urlsplit(request.url or "")
            host = url.hostname or ""
            port = url.port or (443 if url.scheme == "https" else 80)
            if (host, port) not in allowed_hosts and is_private_in_text(host):
                raise ForbiddenAddressError(host)
            return super().send(request, *args, **options)

    session = Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # strangers' would pile up
    session.headers["User-Agent"] = user_agent()
    session.headers["Accept"] = "image/avif,image/webp,image/*,*/*;q=0.8"
    session.headers["Accept-Encoding"] = "gzip, deflate"
    if proxy:
        _check_proxy(proxy)
        session.proxies = {"http": proxy, "https": proxy}
    adapter = (ProxiedAdapter if proxy else Adapter)(connections, 8)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _pools(manager: Any, **overrides: object) -> dict[str, Any]:
    """The pool classes of a urllib3 `manager`, with connections whose answers keep the limits."""
    return {
        scheme: type(
            "Pool",
            (pool,),
            {"ConnectionCls": type("Connection", (pool.ConnectionCls,), {"response_class": Answer, **overrides})},
        )
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _check_proxy(proxy: str) -> None:
    try:
        url = urlsplit(proxy)
        is_one = url.scheme in {"http", "https", "socks5", "socks5h"} and bool(url.hostname and url.port)
    except ValueError:  # of the port
        is_one = False
    if not is_one:  # the URL itself may hold a password and is not repeated
        raise UsageError("--proxy is no URL of a proxy.", "Example: --proxy http://127.0.0.1:3128")
    if url.scheme.startswith("socks") and not find_spec("socks"):
        raise UsageError("A SOCKS proxy needs PySocks.", "Install it with: pip install PySocks")


# -- fetching


def fetch(
    session: "requests.Session",
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
    check: Callable[[str], None] | None = None,
    may_opt_out: bool = True,
    holding: ExitStack | None = None,
) -> Fetched:
    """Fetch `url`, following at most `MAX_REDIRECTS` redirects by hand, each behind the guard.

    Parameters
    ----------
    max_bytes : of the body once unpacked.
    timeout_s, deadline_s : to wait for the next byte; for everything. Only a lookup of a name may overrun it.
    check : called with each URL before it is requested; a FetchError from it ends the fetch.
    holding : what to close once a large body is no longer needed; until then it counts among the few that may be in
        memory at a time. Default: when it has come.
    may_opt_out : whether an ``X-Robots-Tag`` counts. It is about pictures and pages, not about robots.txt itself.

    Raises
    ------
    FetchError : with its Reason; ``is_passing`` where another run may fare better.
    """
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError  # what reading a body raises

    limits = Limits(time.monotonic() + deadline_s, max_bytes * 9 // 8 + MAX_HEADERS)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise FetchError(f"{url[:80]} is no web address.", reason=Reason.FORBIDDEN_ADDRESS)
            request = session.prepare_request(requests.Request("GET", url))
            if check:
                check(request.url or "")
            timeout = limits.seconds_left(timeout_s)
            with (
                within(limits),
                session.send(request, stream=True, timeout=timeout, allow_redirects=False) as answer,
            ):
                if location := session.get_redirect_target(answer):
                    url = urljoin(url, location)
                    continue
                _check_answer(answer, max_bytes, may_opt_out=may_opt_out)
                return Fetched(_body(answer, max_bytes, holding), url, answer.headers.get("Content-Type", ""))
        raise FetchError(f"More than {MAX_REDIRECTS} redirects.", reason=Reason.TOO_MANY_REDIRECTS)
    except ForbiddenAddressError as error:
        raise FetchError(f"{error} is not on the public internet.", reason=Reason.FORBIDDEN_ADDRESS) from error
    except (requests.Timeout, ReadTimeoutError, TimeoutError) as error:
        raise FetchError("It took too long.", reason=Reason.TIMEOUT, is_passing=True) from error
    except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
        if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.InvalidHeader):
            raise FetchError(f"The address is malformed: {error}.", reason=Reason.FORBIDDEN_ADDRESS) from error
        raise FetchError(f"The connection failed: {error}.", reason=Reason.NETWORK, is_passing=True) from error


def _check_answer(answer: "requests.Response", max_bytes: int, *, may_opt_out: bool) -> None:
    """Raise FetchError where the headers tell that the body is not to be read."""
    status = answer.status_code
    if status != 200:
        is_passing = status in _PASSING_STATUS or 500 <= status < 600
        wait_s = retry_after_s(answer.headers.get("Retry-After", ""))
        raise FetchError(f"HTTP {status}.", reason=Reason.HTTP_ERROR, is_passing=is_passing, retry_after_s=wait_s)
    if may_opt_out and _opts_out(answer.raw.headers.getlist("X-Robots-Tag")):
        raise FetchError("Its owner does not want it collected.", reason=Reason.OPTED_OUT)
    if (answer.raw.length_remaining or 0) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> FetchError:
    return FetchError(f"It is larger than {max_bytes} bytes.", reason=Reason.TOO_LARGE)


def _body(answer: "requests.Response", max_bytes: int, holding: ExitStack | None) -> bytes:
    """The body, unpacked."""
    codings = [one.strip() for one in answer.headers.get("Content-Encoding", "").lower().split(",")]
    if len(codings) > 1:
        raise FetchError(f"It is packed {len(codings)} times over.", reason=Reason.TOO_LARGE)
    body = io.BytesIO()  # gives its content without a copy
    with nullcontext(holding) if holding else ExitStack() as slot:
        for chunk in chunks(answer.raw, codings[0]):
            had = body.tell()
            if had + len(chunk) > max_bytes:
                raise _too_large(max_bytes)
            if had <= _LARGE < had + len(chunk):
                if not _LARGE_SLOTS.acquire(timeout=present_limits().seconds_left(math.inf)):
                    raise TimeoutError("no slot was free")
                slot.callback(_LARGE_SLOTS.release)
            body.write(chunk)
        return body.getvalue()


def _opts_out(tags: Iterable[str]) -> bool:
    """Whether these ``X-Robots-Tag`` headers ask us, or every robot, to leave it alone.

    Each is a list of rules, which may begin with the name of the robot that it is for:
    https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
    """
    for tag in tags:
        robot = ""
        for part in tag.lower().split(","):
            name, colon, rest = part.partition(":")
            is_robot = colon and name.strip() not in _RULES_WITH_VALUE and re.fullmatch(r"\s*[\w*-]+\s*", name)
            robot, rule = (name.strip(), rest) if is_robot else (robot, part)
            if robot in {"", "*", AGENT} and rule.strip() in _OPT_OUTS:
                return True
    return False


def retry_after_s(header: str) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or as a date (RFC 9110, 10.2.3); None where it does not."""
    if re.fullmatch(r"[0-9]+", header.strip()):
        return float(header.strip()[:9])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
