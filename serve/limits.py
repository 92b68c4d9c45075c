"""What one visitor, and all of them together, may take of the server: bytes, seconds, connections, turns."""

import ipaddress
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_REMEMBERED = 10_000  # client addresses; a hundred bytes each
_NETWORK_BITS = 64  # of an address of IPv6: one household has all that begin alike


@dataclass(frozen=True)
class Limits:
    """See docs/serving.md for what each keeps away.

    Attributes
    ----------
    max_bytes : of one upload, its multipart frame included.
    max_buffered_bytes : of all uploads that are in memory at one time.
    per_minute : pictures a minute from one client address; 0 for no limit.
    burst : pictures that may come at once from an address that sent none for a while.
    workers : pictures decoded and identified at one time.
    waiting : ordinary pictures that are at work or wait for it; one more is told to come back.
    large_pixels : pictures of more pixels are decoded one at a time, beside the others.
    large_waiting : the same as `waiting`, for these.
    headers_s, body_s, answer_s : seconds from the first byte to the end of the headers, from there to the end of the
        body, and from there to the end of the answer. Absolute: a byte now and then doesn't prolong them.
    linger_s : how long a sender that was refused is listened to, so that it hears why.
    connections, connections_per_address : open at one time.
    stopping_s : what running answers get at the end.
    """

    max_bytes: int = 10_000_000
    max_buffered_bytes: int = 200_000_000
    per_minute: float = 60.0
    burst: int = 30
    workers: int = field(default_factory=lambda: max(1, min(8, os.cpu_count() or 1)))
    waiting: int = 32
    large_pixels: int = 16_000_000
    large_waiting: int = 4
    headers_s: float = 10.0
    body_s: float = 60.0
    answer_s: float = 60.0
    linger_s: float = 5.0
    connections: int = 500
    connections_per_address: int = 250
    stopping_s: float = 20.0


class Rates:
    """A bucket of turns for each client address: it fills steadily, and a picture takes one out."""

    def __init__(self, per_minute: float, burst: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> turns, when they were counted

    def wait_s(self, address: str) -> float:
        """Take a turn and return 0; or, where none is left, the seconds until there is one."""
        if not self._per_second:
            return 0.0
        now = self._now()
        turns, then = self._buckets.pop(address, (float(self._burst), now))
        turns = min(float(self._burst), turns + (now - then) * self._per_second)
        is_allowed = turns >= 1
        self._buckets[address] = (turns - is_allowed, now)  # at the end: the first is the one not seen for longest
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - turns) / self._per_second


class Budget:
    """Something there is only so much of, taken and given back."""

    def __init__(self, amount: int) -> None:
        self._left = amount

    def take(self, n: int = 1) -> bool:
        """Whether so much was left; it is taken then."""
        if n > self._left:
            return False
        self._left -= n
        return True

    def give(self, n: int = 1) -> None:
        """Give back what was taken."""
        self._left += n


def client_key(address: str) -> str:
    """What stands for all addresses that one client has: itself, or the network of an address of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, _NETWORK_BITS), strict=False))
    return str(ip)
