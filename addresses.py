"""Which hosts may be asked: what is on the public internet, and the exceptions a person makes.

Pure questions about text; resolving and connecting is for `net`.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from .errors import UsageError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All IPv6 given out so far. `is_global` lets ::127.0.0.1 pass, and 64:ff9b:1::/48, the local NAT64 of RFC 8215, of
# which nobody outside knows where in it the IPv4 address stands.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_LOCAL_NAMES = ("localhost", "localdomain", "local", "lan", "internal", "home.arpa")  # with all that ends in them

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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


def is_private_in_text(host: str) -> bool:
    """Whether `host`, as it stands in a URL, tells without being resolved that it is not on the public internet.

    An IPv4 address may be written as ``127.1``, ``2130706433``, ``0x7f.1`` or ``0177.0.0.1``.
    """
    name = host.lower().rstrip(".")
    try:
        return not is_public(name if ":" in name else socket.inet_ntoa(socket.inet_aton(name)))
    except (OSError, ValueError):  # no address
        is_local = any(name == local or name.endswith(f".{local}") for local in _LOCAL_NAMES)
        return is_local or "." not in name or "%" in name  # a proxy might decode it
