"""Loopback sockets: one address for the search pages, many for the pictures, as a real result page's have many hosts.

Linux answers on all of 127.0.0.0/8, so every host is an address with the same port. macOS knows 127.0.0.1 only, so
there every host is a port of it. Nothing is ever bound outside loopback.
"""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UsageError

_MAIN = "127.0.0.1"
_ATTEMPTS = 50  # a free port here may be taken on the next address


@dataclass(frozen=True)
class Hosts:
    """Bound sockets and what they are called.

    Attributes
    ----------
    main : ``address:port`` of the search pages.
    pictures : ``address:port`` of each picture host.
    allow : patterns that name exactly the picture hosts, for ``birds scrape --allow-host``.
    sockets : one for each, bound and not yet listening; whoever serves them closes them.
    """

    main: str
    pictures: tuple[str, ...]
    allow: tuple[str, ...]
    sockets: tuple[socket.socket, ...]

    @property
    def url(self) -> str:
        """Address of the search pages, without a path."""
        return f"http://{self.main}"

    @property
    def names(self) -> frozenset[str]:
        """What requests may be addressed to: every host, and ``localhost``."""
        return frozenset({self.main, f"localhost:{self.main.rpartition(':')[2]}", *self.pictures})


def bind(port: int = 0, hosts: int = 60) -> Hosts:
    """A main host and `hosts` picture hosts on `port`, or on any free one.

    Raises
    ------
    UsageError : `port` is taken or is no port, or `hosts` is not 1 to 254.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"{port} is no port.", "Leave --port out to get a free one.")
    if not 1 <= hosts <= 254:
        raise UsageError(f"A gallery cannot have {hosts} picture hosts.", "Ask for 1 to 254.")
    for _ in range(1 if port else _ATTEMPTS):
        try:
            return _bind_addresses(port, hosts)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                break
    for _ in range(1 if port else _ATTEMPTS):
        try:
            return _bind_ports(port, hosts)
        except (OSError, OverflowError):
            continue
    where = f"Port {port}" if port else "Every port tried"
    raise UsageError(f"{where} is taken.", "Leave --port out to get a free one.")


def _bind_addresses(port: int, hosts: int) -> Hosts:
    """127.0.0.1 and 127.0.1.1, 127.0.1.2, ... on one port."""
    main = _bind_all([(_MAIN, port)])
    port = main[0].getsockname()[1]
    addresses = [f"127.0.1.{n}" for n in range(1, hosts + 1)]
    try:
        sockets = main + _bind_all((address, port) for address in addresses)
    except OSError:
        main[0].close()
        raise
    allow = f"127.0.1.{'1' if hosts == 1 else f'1-{hosts}'}:{port}"
    return Hosts(f"{_MAIN}:{port}", tuple(f"{address}:{port}" for address in addresses), (allow,), tuple(sockets))


def _bind_ports(port: int, hosts: int) -> Hosts:
    """127.0.0.1 on `port` and on the `hosts` ports after it."""
    main = _bind_all([(_MAIN, port)])
    port = main[0].getsockname()[1]
    try:
        sockets = main + _bind_all((_MAIN, port + n) for n in range(1, hosts + 1))
    except (OSError, OverflowError):  # OverflowError: past port 65535
        main[0].close()
        raise
    allow = f"{_MAIN}:{port + 1}" + ("" if hosts == 1 else f"-{port + hosts}")
    pictures = tuple(f"{_MAIN}:{port + n}" for n in range(1, hosts + 1))
    return Hosts(f"{_MAIN}:{port}", pictures, (allow,), tuple(sockets))


def _bind_all(addresses: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Sockets bound to each of `addresses`; all or none."""
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the same --port again, at once
            sockets[-1].bind(address)
    except (OSError, OverflowError):
        for bound in sockets:
            bound.close()
        raise
    return sockets
