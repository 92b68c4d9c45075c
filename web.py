"""What every local page shares: a server on 127.0.0.1 that only the person who started it can talk to.

A local page can be reached by every site open in the same browser (by cross-site requests, or by a name that resolves
to 127.0.0.1: DNS rebinding) and by every user of the machine. So: a token in the address that is opened, good once,
changed for a cookie that no script reads; the Host header is one of ours; every change must come from the page itself
and be small; and a content security policy under which only our own files run or load. The measures are those of
OWASP's cheat sheet on cross-site request forgery and of the "Fetch metadata" specification of the W3C.
"""

import contextlib
import secrets
import socket
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from .errors import ProjectError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ADDRESS = "127.0.0.1"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # cookies know no port: other local servers' pages carry ours
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MAX_BODY_BYTES = 65_536
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_STARTING_S = 10
_STOPPING_S = 5


class LocalServer:
    """Serves an ASGI app on 127.0.0.1 behind the token, Host, Origin and content security policy checks.

    A context manager serves from a background thread; `serve_forever` serves from this one.

    Parameters
    ----------
    port : 0 takes a free one.
    max_body_bytes : requests with a longer body are refused before the app reads any of it.

    Attributes
    ----------
    url : what to open, with the one-time token: ``http://127.0.0.1:43211/?token=...``
    port : the port, a free one where 0 was asked for.

    Raises
    ------
    UsageError : the port is taken or is no port.
    """

    def __init__(self, app: "ASGIApp", *, port: int = 0, max_body_bytes: int = _MAX_BODY_BYTES) -> None:
        import uvicorn

        try:
            self._socket = socket.create_server((_ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"The page cannot be served at port {port}: {error}.", "Leave --port out and a free one is taken."
            ) from error
        self.port = int(self._socket.getsockname()[1])
        guard = _Guard(app, self.port, max_body_bytes)
        self.url = f"http://{_ADDRESS}:{self.port}/?token={guard.token}"
        self._thread: threading.Thread | None = None
        config = uvicorn.Config(
            guard,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,  # the command line's own logging stays as it is
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_STOPPING_S,
        )
        self._server = uvicorn.Server(config)

    def serve_forever(self) -> None:
        """Serve until Ctrl-C or `stop`. Requests under way are answered first."""
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it anew once everything is closed
            self._server.run(sockets=[self._socket])
        self._socket.close()

    def stop(self) -> None:
        """End serving soon; may be called from any thread, a request's own included."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, name="birds-page", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _STARTING_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ProjectError("The local page did not start.", "Run the command again.")
            time.sleep(0.01)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        if self._thread:
            self._thread.join(timeout=2 * _STOPPING_S)


class _Guard:
    """ASGI middleware: answers for the app whatever the app should not see, and adds the headers to every answer."""

    def __init__(self, app: "ASGIApp", port: int, max_body_bytes: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._hosts = {f"{_ADDRESS}:{port}", f"localhost:{port}"}
        self._cookie = f"birds-{port}"  # cookies know no port: two open pages must not share a name
        self._session = secrets.token_urlsafe(32)
        self._is_token_used = False

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        if scope["type"] != "http":
            raise ValueError(f"this server speaks no {scope['type']}")

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
                for name in [name for name in headers if name.startswith("access-control-")]:
                    del headers[name]  # inside a notebook FastHTML allows every origin
            await send(message)

        await (self._answer(Request(scope)) or self._app)(scope, receive, send_guarded)

    def _answer(self, request: "Request") -> "Response | None":
        """The answer to a request that is refused or that brings the token; None for one the app may see."""
        if request.headers.get("host", "").lower() not in self._hosts:
            return _plain_page(HTTPStatus.BAD_REQUEST, "This address is not served here.")
        has_cookie = secrets.compare_digest(request.cookies.get(self._cookie, "").encode(), self._session.encode())
        token = request.query_params.get("token")
        if token is not None and request.method == "GET":
            is_good = secrets.compare_digest(token.encode(), self.token.encode()) and not self._is_token_used
            if has_cookie or is_good:
                self._is_token_used = self._is_token_used or is_good
                return self._welcome()
        if not has_cookie:
            return _plain_page(
                HTTPStatus.FORBIDDEN,
                "This page is private to the browser that opened it first, and its address works only once. "
                "In that browser, go back to its tab; in any other, stop birds with Ctrl-C, run the command again "
                "and open the address it prints.",
            )
        if request.method not in _SAFE_METHODS and not self._is_from_the_page(request):
            return _plain_page(HTTPStatus.FORBIDDEN, "Changes are taken from the page itself only.")
        if "transfer-encoding" in request.headers:  # of unknown length; browsers send none like it
            return _plain_page(HTTPStatus.LENGTH_REQUIRED, "The length of the request must be said first.")
        if int(request.headers.get("content-length", "0")) > self._max_body_bytes:  # the server took only digits
            return _plain_page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        return None

    def _welcome(self) -> "Response":
        # A refresh, not a redirect: where a link in another site (a web terminal, a notebook) was clicked, a browser
        # follows the redirect as that site's request and keeps the SameSite=Strict cookie back.
        response = _plain_page(HTTPStatus.OK, "One moment…", refresh="/")  # nowhere else: "//x" is another site
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
        return response

    def _is_from_the_page(self, request: "Request") -> bool:
        site = request.headers.get("sec-fetch-site", "same-origin")  # browsers before 2023 do not send it
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
