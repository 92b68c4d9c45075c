"""uvicorn's HTTP/1.1 with what it lacks: absolute deadlines, a limit of connections, and no chunks of unknown number.

uvicorn closes idle connections, but a byte now and then keeps one open for ever (a "slowloris"), and so does a sender
who never ends. Here each request has a deadline for its headers, its body and its answer, whatever trickles in between.
Who is refused early is listened to a little longer, without a look at what he sends: closing at once would reset the
connection, and the reason might never arrive.
"""

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from .limits import Limits, client_key
from .refusals import Refusal, Tally, busy, too_slow

_SLICE = 16_384  # bytes for h11 at a time: in a slice, no number of tiny pieces takes long
_HEAD, _BODY, _ANSWER, _LINGER = "headers", "body", "answer", "lingering"


class DeadlineProtocol(H11Protocol):
    """One connection. Use the subclass that `protocol_with` makes."""

    limits: ClassVar[Limits]
    tally: ClassVar[Tally]
    trusted: ClassVar[frozenset[str]]  # proxies: they bring many clients
    open_at: ClassVar[Counter[str]]  # connections of each client

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client = ""
        self._is_deaf = False  # what comes is thrown away
        self._watched: tuple[str | None, object] = (None, None)
        self._timer: asyncio.TimerHandle | None = None

    # -- events, as asyncio and uvicorn call them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._client = client_key(self.client[0] if self.client else "")
        self.open_at[self._client] += 1
        is_one_too_many = self.open_at[self._client] > self.limits.connections_per_address
        if len(self.connections) > self.limits.connections or (is_one_too_many and self._client not in self.trusted):
            self._refuse(busy("Too many connections are open."))
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_at[self._client] -= 1
        if not self.open_at[self._client]:
            del self.open_at[self._client]
        self._set_timer(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE):
            if self._is_deaf or self.transport.is_closing():
                break
            super().data_received(data[start : start + _SLICE])
            # the app refuses it before it reads any; h11 would parse each chunk all the same
            self._is_deaf = self._phase() == _BODY and any(name == b"transfer-encoding" for name, _ in self.headers)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._is_deaf = self._phase() == _LINGER
        self._watch()

    # -- deadlines

    def _phase(self) -> str | None:
        """What we wait for; None where uvicorn's own timer waits for another request."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        if self.conn.their_state is h11.SEND_BODY:
            return _LINGER if is_answered else _BODY
        if self.cycle is not None and not is_answered:
            return _ANSWER
        if self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            return _HEAD
        return None

    def _watch(self) -> None:
        """Start the clock of what we wait for now; the same clock goes on where that has not changed."""
        phase = None if self.transport.is_closing() else self._phase()
        if (phase, self.cycle) != self._watched:
            self._watched = (phase, self.cycle)
            self._set_timer(phase)

    def _set_timer(self, phase: str | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if phase:
            limits = self.limits
            seconds = {
                _HEAD: limits.headers_s,
                _BODY: limits.body_s,
                _ANSWER: limits.answer_s,
                _LINGER: limits.linger_s,
            }
            self._timer = self.loop.call_later(seconds[phase], self._expire, phase)

    def _expire(self, phase: str) -> None:
        if phase == _LINGER:
            self.transport.close()
        elif phase == _ANSWER:
            self._refuse(busy("The answer took too long."))
        else:
            seconds = self.limits.headers_s if phase == _HEAD else self.limits.body_s
            self._refuse(too_slow(f"request's {phase}", seconds))

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, where nothing was said yet, and close."""
        self.tally.count(refusal)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # from now on the app speaks to nobody
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say(refusal)
        self._is_deaf = True
        self.transport.close()
        self._timer = self.loop.call_later(self.limits.linger_s, self.transport.abort)  # if it isn't even read

    def _say(self, refusal: Refusal) -> None:
        body = refusal.body
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **refusal.headers,
        }
        status = HTTPStatus(refusal.status)
        response = h11.Response(status_code=status, headers=list(headers.items()), reason=STATUS_PHRASES[status])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")


def protocol_with(limits: Limits, tally: Tally, trusted: frozenset[str] = frozenset()) -> type[DeadlineProtocol]:
    """The protocol of one server.

    Parameters
    ----------
    tally : counts what is refused.
    trusted : addresses of proxies, which may have more connections than a client.
    """
    own = {"limits": limits, "tally": tally, "trusted": trusted, "open_at": Counter()}
    return cast("type[DeadlineProtocol]", type("DeadlineProtocol", (DeadlineProtocol,), own))
