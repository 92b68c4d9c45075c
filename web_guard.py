"""Who may talk to a local page: every request is looked at here before the app behind `web.LocalServer` sees it.

The token in the opened address is good once and changed for a session: a cookie that no script reads, or, inside a
notebook's frame, a header that only the page's own script can send. A request needs one of our own names as its Host
(or a foreign name that resolves to us could ask: DNS rebinding), and a change must come from the page itself and be
small. The measures are those of OWASP's cheat sheet on cross-site request forgery and of the W3C's "Fetch metadata".
"""

import ipaddress
import re
import secrets
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SESSION_HEADER = "X-Birds-Session"
_PUBLIC_PATH = "/static/"  # inside a frame, what lies below is for everybody: browsers fetch it without our header

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # cookies know no port: other local servers' pages carry ours
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_SAFE_METHODS = frozenset({"GET", "HEAD"})
# No address of IPv6: browsers match none in `frame-ancestors` (Content Security Policy 3, "host-part matches").
_NOTEBOOK = re.compile(r"https?://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
_PRIVATE = (
    "This page is private to the browser that opened it first, and its address works only once. "
    "In that browser, go back to its tab; {again}."
)
_COMMAND = "in any other, stop birds with Ctrl-C, run the command again and open the address it prints"
_CELL = "in a notebook, run the cell again"


class HostNames:
    """What the Host header may be.

    Parameters
    ----------
    host : name or address as the server was asked to listen at.
    address : what that was resolved to.
    port : where the server listens.

    Attributes
    ----------
    here : name and port by which a browser on this machine reaches the server.
    """

    def __init__(self, host: str, address: str, port: int) -> None:
        ip = ipaddress.ip_address(address)
        if ip.is_unspecified:
            names = ["127.0.0.1" if ip.version == 4 else "::1", "localhost", socket.gethostname().lower()]
        else:
            names = [host.lower(), address, *(["localhost"] if ip.is_loopback else [])]
        self._names = [f"[{name}]" if ":" in name else name for name in names]
        self._takes_addresses = ip.is_unspecified  # it may have many; a container knows not all of its own
        self._port = port
        self.here = f"{self._names[0]}:{port}"

    def __contains__(self, header: str) -> bool:
        match = re.fullmatch(r"([^:\[\]]+|\[[^\[\]]+\])(?::([0-9]{1,5}))?", header.lower())
        if not match or int(match[2] or 80) != self._port:
            return False
        return match[1] in self._names or (self._takes_addresses and _is_address(match[1].strip("[]")))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: answers for the app whatever the app should not see, and adds the headers to every answer.

    Parameters
    ----------
    framed : take ``parent`` beside the token: the origin of a notebook that shows the page in a frame.
    """

    def __init__(self, app: "ASGIApp", names: HostNames, *, port: int, framed: bool, max_body_bytes: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._app = app
        self._names = names
        self._cookie = f"birds-{port}"  # cookies know no port: two open pages must not share a name
        self._framed = framed
        self._max_body_bytes = max_body_bytes
        self._session = secrets.token_urlsafe(32)
        self._is_token_used = False
        self._parent = ""  # origin of the notebook, once it has shown the token

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        if scope["type"] != "http":
            raise ValueError(f"this server speaks no {scope['type']}")

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**HEADERS, "Content-Security-Policy": self._policy()})
                headers.setdefault("Cache-Control", "no-store")
                for name in [name for name in headers if name.startswith("access-control-")]:
                    del headers[name]  # inside a notebook FastHTML allows every origin
            await send(message)

        await (self._answer(Request(scope)) or self._app)(scope, receive, send_guarded)

    def _policy(self) -> str:
        images, ancestors = ("'self' blob:", self._parent) if self._parent else ("'self'", "'none'")
        return (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        )

    def _answer(self, request: "Request") -> "Response | None":
        """The answer to a request that is refused or that brings the token; None for one the app may see."""
        host = request.headers.get("host", "")
        if host not in self._names or not request.scope["path"].startswith("/"):  # not "*" or "http://..."
            return _plain_page(HTTPStatus.BAD_REQUEST, "This address is not served here.")
        has_session = self._has_session(request)
        token = request.query_params.get("token")
        if token is not None and request.method == "GET":
            is_good = secrets.compare_digest(token.encode(), self.token.encode()) and not self._is_token_used
            parent = request.query_params.get("parent")
            if is_good and self._framed and parent is not None:
                return self._open_frame(request, parent)
            if is_good or has_session:
                self._is_token_used = self._is_token_used or is_good
                return self._welcome()
        if not has_session and not self._is_public(request):
            return _plain_page(HTTPStatus.FORBIDDEN, _PRIVATE.format(again=_CELL if self._framed else _COMMAND))
        if request.method not in _SAFE_METHODS and not _is_from_the_page(request):
            return _plain_page(HTTPStatus.FORBIDDEN, "Changes are taken from the page itself only.")
        if "transfer-encoding" in request.headers:  # of unknown length; browsers send none like it
            return _plain_page(HTTPStatus.LENGTH_REQUIRED, "The length of the request must be said first.")
        if int(request.headers.get("content-length", "0")) > self._max_body_bytes:  # the server took only digits
            return _plain_page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        return None

    def _has_session(self, request: "Request") -> bool:
        shown = (request.cookies.get(self._cookie, ""), request.headers.get(_SESSION_HEADER, ""))
        return any(secrets.compare_digest(one.encode(), self._session.encode()) for one in shown)

    def _is_public(self, request: "Request") -> bool:
        return bool(self._parent) and request.method in _SAFE_METHODS and request.scope["path"].startswith(_PUBLIC_PATH)

    def _welcome(self) -> "Response":
        # A refresh, not a redirect: where a link in another site (a web terminal, a notebook) was clicked, a browser
        # follows the redirect as that site's request and keeps the SameSite=Strict cookie back.
        response = _plain_page(HTTPStatus.OK, "One moment…", refresh="/")  # nowhere else: "//x" is another site
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
        return response

    def _open_frame(self, request: "Request", parent: str) -> "Response | None":
        """Let the app answer with its front page, and `parent` frame it; a refusal where that is no notebook here."""
        match = _NOTEBOOK.fullmatch(parent)
        if not match or match[1] != request.headers["host"].lower().rpartition(":")[0]:
            return _plain_page(
                HTTPStatus.FORBIDDEN,
                "Only a notebook on this machine can show this page, and both under the same name: "
                "open the notebook at localhost or 127.0.0.1.",
            )
        self._is_token_used = True
        self._parent = parent
        request.state.frame_session = self._session
        request.scope.update(path="/", raw_path=b"/", query_string=b"")
        return None


def _is_from_the_page(request: "Request") -> bool:
    # not sent by browsers before 2023, nor by any to another machine without TLS; Origin is, and must be there
    site = request.headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and request.headers.get("origin") == f"http://{request.headers['host']}".lower()


def _plain_page(status: HTTPStatus, text: str, *, refresh: str = "") -> "Response":
    from starlette.responses import HTMLResponse

    head = f'<meta http-equiv="refresh" content="0; url={refresh}">' if refresh else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>birds</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">{head}</head><body><main><p>{text}</p></main></body></html>',
        status_code=status,
    )
