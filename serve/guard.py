"""Who may talk to the served page: several people, so there is no token; still not every site open in their browsers.

A request must name the server as its Host (or a foreign name that resolves to us could read the answers: DNS
rebinding). A picture must not come from another site's page: the answer would not reach that page, but visitors would
compute for it. The answers themselves hold nothing of the visitor's, and no other site may read or frame them.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..web_guard import HEADERS, HostNames
from .refusals import Refusal, Tally

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OURS = {
    **HEADERS,
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",  # the file dialogue's camera needs none of them
    "Referrer-Policy": "no-referrer",
}
_HOST = re.compile(r"([^:\[\]]+|\[[^\[\]]+\])(?::[0-9]{1,5})?")


class Guard:
    """ASGI middleware: refuses what the app should not see, and adds the headers to every answer.

    Parameters
    ----------
    allow_hosts : further names that the Host header may have, as a proxy before us passes them on.
    tally : counts what is refused.
    """

    def __init__(
        self, app: "ASGIApp", names: HostNames, *, port: int, tally: Tally, allow_hosts: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._tally = tally
        self._names = names
        self._port = port
        self._allow_hosts = frozenset(host.lower() for host in allow_hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        if scope["type"] != "http":
            raise ValueError(f"this server speaks no {scope['type']}")

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_OURS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if refusal := self._refusal(Request(scope)):
            self._tally.count(refusal)
        await (refusal.response() if refusal else self._app)(scope, receive, send_guarded)

    def _refusal(self, request: "Request") -> Refusal | None:
        if not self._is_named(request.headers.get("host", "")) or not request.scope["path"].startswith("/"):
            return Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "wrong_host",
                "This address is not served here.",
                "Open the address that birds serve printed, or start it with --allow-host NAME.",
            )
        if request.method == "POST" and not _is_from_here(request):
            return Refusal(
                HTTPStatus.FORBIDDEN,
                "cross_site",
                "Pictures are not taken from another site's page.",
                "Send them from the page itself, or from a program.",
            )
        if "transfer-encoding" in request.headers:  # might never end; browsers and curl say how long a file is
            return Refusal(
                HTTPStatus.LENGTH_REQUIRED,
                "length_required",
                "The length of the request must be said first.",
                "Send a Content-Length, no chunks.",
            )
        return None

    def _is_named(self, header: str) -> bool:
        """Whether `header` names us, whatever port it gives: a container's is often another one outside of it."""
        match = _HOST.fullmatch(header.lower())
        if match is None:
            return False
        return match[1] in self._allow_hosts or f"{match[1]}:{self._port}" in self._names


def _is_from_here(request: "Request") -> bool:
    """Whether the request comes from our own page, or from a program, which sends neither header."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers["host"].lower()
