"""The one place that makes HTTP sessions and fetches what strangers' URLs point to.

The guard: every connection resolves its host once, is refused unless each address is a public one, and is made to
the address that was checked, so a DNS answer cannot change in between. The host name stays for SNI and certificates.
It covers what `requests` fetches; what the browser itself loads is not guarded.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from .errors import FetchError, UsageError
from .reasons import Reason

if TYPE_CHECKING:
    import requests

MAX_BYTES = 30_000_000
MAX_REDIRECTS = 5
TIMEOUT_S = 20.0
DEADLINE_S = 60.0  # for one picture, redirects and body included
_CHUNK = 65_536
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all IPv6 given out so far; `is_global` lets ::127.0.0.1 pass

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Fetched:
    """An answer: its body, the URL it came from in the end, and what the server said it is."""

    data: bytes
    url: str
    content_type: str


def parse_allowed_hosts(patterns: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Exact (host, port) pairs that the guard lets through besides public addresses.

    Each pattern is ``HOST:PORT``; the last number of an IPv4 address, or the port, may be a range:
    ``127.0.1.1-60:8000`` and ``127.0.0.1:8001-8060`` are sixty pairs each. No pattern allows all private hosts.

    Raises
    ------
    UsageError : a pattern is of another form.
    """
    pairs: set[tuple[str, int]] = set()
    for pattern in patterns:
        match = re.fullmatch(
            r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\[\]/\s*]+):(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?", pattern
        )
        if not match:
            raise UsageError(f"{pattern!r} is no HOST:PORT.", "Example: --allow-host 127.0.0.1:8000")
        ports = range(int(match["first"]), int(match["last"] or match["first"]) + 1)
        host = match["host"].strip("[]").lower()
        octets = re.fullmatch(r"(\d+\.\d+\.\d+\.)(\d{1,3})-(\d{1,3})", host)
        hosts = [f"{octets[1]}{n}" for n in range(int(octets[2]), int(octets[3]) + 1)] if octets else [host]
        is_empty = not hosts or not ports or ports[-1] > 65_535 or (octets is not None and int(octets[3]) > 255)
        if is_empty or len(hosts) * len(ports) > 1024:
            raise UsageError(f"{pattern!r} is an empty or too wide range.", "Example: --allow-host 127.0.1.1-60:8000")
        pairs.update((host, port) for host in hosts for port in ports)
    return frozenset(pairs)


def is_public(address: str) -> bool:
    """Whether `address` (text of an IPv4 or IPv6 address) is on the public internet.

    IPv4-mapped, 6to4, Teredo and NAT64 forms count as the IPv4 address inside them.
    """
    ip: _Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


class _ForbiddenAddressError(Exception):
    """The guard refused; urllib3 passes it through as it is no OSError."""


def _checked_socket(host: str, port: int, allowed: frozenset[tuple[str, int]], timeout: Any) -> socket.socket:
    """Resolve `host` once, check every address, connect to the first that answers."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(sockaddr[0]) for *_, sockaddr in answers]
    if (host.lower(), port) not in allowed and not all(is_public(address) for address in addresses):
        raise _ForbiddenAddressError(host)
    last_error: OSError | None = None
    for address in dict.fromkeys(addresses):
        try:
            return socket.create_connection((address, port), timeout if isinstance(timeout, int | float) else None)
        except OSError as error:
            last_error = error
    raise last_error or OSError(f"{host} has no address")


def make_session(
    allowed_hosts: frozenset[tuple[str, int]] = frozenset(), *, connections: int = 64
) -> "requests.Session":
    """A `requests` session behind the guard. It reads no proxy, password or certificate from the environment.

    Parameters
    ----------
    allowed_hosts : (host, port) pairs that may be private, see `parse_allowed_hosts`.
    connections : hosts whose connections are kept open.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class GuardedHTTP(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _checked_socket(self._dns_host, self.port or 80, allowed_hosts, self.timeout)

    class GuardedHTTPS(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _checked_socket(self._dns_host, self.port or 443, allowed_hosts, self.timeout)

    class GuardedHTTPPool(HTTPConnectionPool):
        ConnectionCls = GuardedHTTP

    class GuardedHTTPSPool(HTTPSConnectionPool):
        ConnectionCls = GuardedHTTPS

    class GuardedAdapter(HTTPAdapter):
        def init_poolmanager(self, *_args: Any, **_kwargs: Any) -> None:
            self.poolmanager = PoolManager(num_pools=connections, maxsize=8)
            self.poolmanager.pool_classes_by_scheme = {"http": GuardedHTTPPool, "https": GuardedHTTPSPool}

    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = f"birds/{version('birds')} (builds image datasets; python-requests)"
    session.headers["Accept"] = "image/avif,image/webp,image/*,*/*;q=0.8"
    session.mount("http://", GuardedAdapter())
    session.mount("https://", GuardedAdapter())
    return session


def fetch(
    session: "requests.Session", url: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S
) -> Fetched:
    """Fetch `url`, following at most `MAX_REDIRECTS` redirects by hand, each behind the guard.

    Raises
    ------
    FetchError : with its Reason; ``is_passing`` where another run may fare better.
    """
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError  # what reading a body raises

    deadline = time.monotonic() + DEADLINE_S
    try:
        for _ in range(MAX_REDIRECTS + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise FetchError(f"{url[:80]} is no web address.", reason=Reason.FORBIDDEN_ADDRESS)
            with session.get(url, stream=True, timeout=timeout_s, allow_redirects=False) as answer:
                if location := session.get_redirect_target(answer):
                    url = urljoin(url, location)
                    continue
                if answer.status_code != 200:
                    passing = answer.status_code in _PASSING_STATUS
                    raise FetchError(f"HTTP {answer.status_code}.", reason=Reason.HTTP_ERROR, is_passing=passing)
                data = _read_body(answer, max_bytes, deadline)
                return Fetched(data, url, answer.headers.get("Content-Type", ""))
        raise FetchError(f"More than {MAX_REDIRECTS} redirects.", reason=Reason.TOO_MANY_REDIRECTS)
    except _ForbiddenAddressError as error:
        raise FetchError(f"{error} is not on the public internet.", reason=Reason.FORBIDDEN_ADDRESS) from error
    except (requests.Timeout, ReadTimeoutError) as error:
        raise FetchError("It took too long.", reason=Reason.TIMEOUT, is_passing=True) from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.InvalidHeader):
            raise FetchError(f"The address is malformed: {error}.", reason=Reason.FORBIDDEN_ADDRESS) from error
        raise FetchError(f"The connection failed: {error}.", reason=Reason.NETWORK, is_passing=True) from error


def _read_body(answer: "requests.Response", max_bytes: int, deadline: float) -> bytes:
    """The body, at most `max_bytes` once decompressed and before `deadline` (time.monotonic)."""
    body = bytearray()
    # read1 gives what has come; iter_content waits for a whole chunk, and a server that sends a byte a second with it
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            raise FetchError(f"It is larger than {max_bytes} bytes.", reason=Reason.TOO_LARGE)
        if time.monotonic() > deadline:
            raise FetchError("It took too long.", reason=Reason.TIMEOUT, is_passing=True)
    return bytes(body)
