"""What every local page shares: a server on 127.0.0.1 that only the person who started it can talk to.

A local page can be reached by every site open in the same browser and by every user of the machine; what keeps them out
is in `web_guard`. Here the server is started and ended, at an address that other machines reach only where that was
asked for in so many words.
"""

import contextlib
import ipaddress
import math
import socket
import threading
import time
from typing import TYPE_CHECKING, Literal, Self

from .errors import ProjectError, UsageError
from .web_guard import Guard, HostNames

if TYPE_CHECKING:
    import asyncio

    from starlette.requests import Request
    from starlette.types import ASGIApp

_MAX_BODY_BYTES = 65_536
_STARTING_S = 10
_STOPPING_S = 5


class Server:
    """Serves an ASGI app on a socket that listens already.

    A context manager, or `start` and `close`, serve from a background thread; `serve_forever` serves from this one.

    Parameters
    ----------
    http : what speaks HTTP. By default h11, whatever else is installed: the stricter one, with one Host header and
        lengths in digits.
    stopping_s : seconds that requests under way get at the end.
    """

    def __init__(
        self,
        app: "ASGIApp",
        listening: socket.socket,
        *,
        http: "type[asyncio.Protocol] | Literal['h11']" = "h11",
        stopping_s: float = _STOPPING_S,
    ) -> None:
        import uvicorn

        self._socket = listening
        self._stopping_s = stopping_s
        self._thread: threading.Thread | None = None
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            http=http,
            ws="none",
            log_config=None,  # the command line's own logging stays as it is
            log_level="error",  # that somebody sent no HTTP is told to him, not to the terminal
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=math.ceil(stopping_s),
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

    def start(self) -> Self:
        """Serve from a background thread until `close`, or until the process ends."""
        self._thread = threading.Thread(target=self.serve_forever, name="birds-page", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _STARTING_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ProjectError("The local page did not start.", "Run the command again.")
            time.sleep(0.01)
        return self

    def close(self) -> None:
        """End serving and wait for it."""
        self.stop()
        if self._thread:
            self._thread.join(timeout=2 * self._stopping_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class LocalServer(Server):
    """Serves an ASGI app on this machine behind the token, Host, Origin and content security policy checks.

    Parameters
    ----------
    port : 0 takes a free one.
    host : name or address to listen at. Requests must name it in their Host header, or its address, or on loopback
        ``localhost``; at ``0.0.0.0`` or ``::`` any address in digits (no foreign name can stand for one), or the name
        of this machine.
    allow_public : allow a `host` that other machines can reach. Nothing is encrypted.
    framed : allow one notebook on this machine to show the page in a frame, see `frame_session`.
    max_body_bytes : requests with a longer body are refused before the app reads any of it.

    Attributes
    ----------
    url : what to open on this machine, with the one-time token: ``http://127.0.0.1:43211/?token=...``
    port : the port, a free one where 0 was asked for.

    Raises
    ------
    UsageError : `host` is none of this machine's, or public without leave; the port is taken or is no port.
    """

    def __init__(
        self,
        app: "ASGIApp",
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        allow_public: bool = False,
        framed: bool = False,
        max_body_bytes: int = _MAX_BODY_BYTES,
    ) -> None:
        listening = listen(host, port, allow_public=allow_public)
        address, self.port = listening.getsockname()[:2]
        names = HostNames(host, address, self.port)
        guard = Guard(app, names, port=self.port, framed=framed, max_body_bytes=max_body_bytes)
        self.url = f"http://{names.here}/?token={guard.token}"
        super().__init__(guard, listening)


def frame_session(request: "Request") -> str | None:
    """The secret that the page in a notebook's frame must hold; None but for the one request that opens the frame.

    Inside a frame a browser may keep our cookie back, so there the page says in a header who it is. Who does what:

    1. The notebook's script makes a frame of `LocalServer.url`, with ``location.hostname`` (which must be ``localhost``
       or ``127.0.0.1``) for its host and ``&parent=`` and the encoded ``location.origin`` after it.
    2. The app is asked for ``/``, and answers with its page and, in it, this secret:
       ``<meta name="birds-session" content="...">``. From now on that notebook, and nobody else, may frame the page.
    3. The page's script sends the secret as the header ``X-Birds-Session`` with every `fetch`, and gets everything
       that way: pictures are shown from ``blob:`` addresses, and what a link leads to is fetched and put in place.
       What a browser asks for by itself (``<img src="/picture/1">``, a link, a reload) comes without the header and is
       refused, but for ``/static/``, where nothing private may be.
    """
    return getattr(request.state, "frame_session", None)


def check_listening(host: str, port: int, *, allow_public: bool) -> None:
    """Raise the UsageError that a `LocalServer` there would raise now."""
    listen(host, port, allow_public=allow_public).close()


def listen(
    host: str,
    port: int,
    *,
    allow_public: bool,
    risk: str = "whoever can read the network's traffic could see your pictures and move them",
) -> socket.socket:
    """A socket that listens at `host`.

    Parameters
    ----------
    risk : what others could do at a public address, for the message.

    Raises
    ------
    UsageError : `host` is none of this machine's, or public without leave; the port is taken or is no port.
    """
    try:
        # IPv4 first: "localhost" may stand for an address of IPv6 that this machine lacks
        family, *_, (address, *_) = min(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        is_public = not ipaddress.ip_address(address).is_loopback
        if allow_public or not is_public:
            return socket.create_server((str(address), port), family=family)
    except (OSError, OverflowError, ValueError) as error:
        raise UsageError(
            f"The page cannot be served at {host}, port {port}: {getattr(error, 'strerror', None) or error}.",
            "Leave --port out and a free one is taken; leave --host out and it is 127.0.0.1.",
        ) from error
    raise UsageError(
        f"At {host} other machines could open the page, and nothing on the way is encrypted: {risk}.",
        "Leave --host out and, on the other machine, run ssh -L PORT:127.0.0.1:PORT THIS-MACHINE; "
        "or add --i-know-this-is-public.",
    )
