"""A local server that behaves like Google Images as far as a browser can tell: the tests' Google, and the demo's.

Consent page, result pages of today's layout (``udm=2``) and of 2020's (``tbm=isch``), batches by XHR, ``/imgres``
links, blocks (`Routes`); and the picture hosts behind them, some of which can be slow, failing or lying (`Fault`).
"""

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import UsageError
from .faults import Fault
from .hosts import bind
from .routes import Routes
from .shelf import Shelf

__all__ = ["Fault", "Gallery"]


class Gallery:
    """A gallery that serves while its ``with`` block runs.

    Parameters
    ----------
    images : folder of labelled folders whose files are served as they are; None for pictures drawn by code.
    port : of every address; 0 for a free one.
    fault : what goes wrong, on purpose.
    layout : what ``udm=2`` gets, "today" or "2020". ``tbm=isch`` always gets 2020's.
    per_label, seed : of the drawn pictures. A folder's are all served.
    latency_s : wait before every picture, in seconds.
    hosts : number of picture hosts, 1 to 254.

    Attributes
    ----------
    url : address of the search pages, without a path; known inside the ``with`` block, as the next is.
    allow_hosts : patterns that name exactly the picture hosts, for ``--allow-host``.
    labels : what can be found.
    requests_seen : answers by kind: ``home``, ``consent``, ``search``, ``batch``, ``blocked``, ``refused``,
        ``details``, ``thumbnail``, ``picture``, ``page``, ``script_notice``.

    Raises
    ------
    UsageError : no pictures in `images`, an unknown layout, or `port` is taken or no port.
    """

    url: str
    allow_hosts: tuple[str, ...]

    def __init__(
        self,
        images: Path | None = None,
        *,
        port: int = 0,
        fault: Fault | None = None,
        layout: str = "today",
        per_label: int = 90,
        seed: int = 0,
        latency_s: float = 0.0,
        hosts: int = 60,
    ) -> None:
        if layout not in {"today", "2020"}:
            raise UsageError(f"There is no layout {layout!r}.", "Choose today or 2020.")
        self._shelf = Shelf(images, per_label, seed)
        self._port, self._host_count = port, hosts
        self._fault, self._layout, self._latency_s = fault, layout, latency_s
        self.labels = self._shelf.labels
        self.requests_seen: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._hosts = bind(self._port, self._host_count)
        self.url, self.allow_hosts = self._hosts.url, self._hosts.allow
        routes = Routes(
            self._shelf,
            self._hosts,
            self.requests_seen,
            fault=self._fault,
            layout=self._layout,
            latency_s=self._latency_s,
        )
        self._app = routes.app()
        config = uvicorn.Config(
            self._front,
            http=_Protocol,
            interface="asgi3",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",  # faults break the protocol on purpose
            access_log=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        self._server = uvicorn.Server(config)
        sockets = list(self._hosts.sockets)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="gallery", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True  # slow pictures are not waited for
        self._thread.join()
        for bound in self._hosts.sockets:
            bound.close()

    def serve_forever(self) -> None:
        """Serves until Ctrl-C. Call it inside the ``with`` block."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            pass

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers only to its own names, so that no page elsewhere can read it; lets nobody cache."""
        if scope["type"] != "http":
            return
        if Headers(scope=scope).get("host") not in self._hosts.names:
            await PlainTextResponse("No such host here.", 421)(scope, receive, send)
            return

        async def send_uncached(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["cache-control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_uncached)


class _Protocol(H11Protocol):
    """Hands the connection itself to the app as ``request.state.transport``, for hosts that reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}
