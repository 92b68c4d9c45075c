"""A stand-in for the JSON APIs: a real HTTP server on loopback that answers as the test says."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from birds import net

Params = dict[str, str]
Respond = Callable[[BaseHTTPRequestHandler], None]


class ApiServer:
    """Answers each path by what `route` was given for it; ``asked`` is every request, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Params]] = []
        self.headers: list[Mapping[str, str]] = []
        self._routes: dict[str, Callable[[Params], Respond]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                params = {name: values[-1] for name, values in parse_qs(address.query).items()}
                server.asked.append((address.path, params))
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                respond = server._routes.get(address.path, lambda _: server.answer("not here", status=404))
                with contextlib.suppress(ConnectionError):
                    respond(params)(self)

            def log_message(self, *_args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def route(self, path: str, by_params: Callable[[Params], object]) -> None:
        """`path` is answered by what `by_params` gives: text or bytes, an object as JSON, or a `Respond`."""

        def respond(params: Params) -> Respond:
            given = by_params(params)
            return given if callable(given) else self.answer(given)

        self._routes[path] = respond

    def in_turn(self, path: str, *answers: object) -> None:
        """`path` is answered by the first of `answers`, then the second, and by the last ever after."""
        left = list(answers)
        self.route(path, lambda _: left.pop(0) if len(left) > 1 else left[0])

    def params(self, path: str) -> list[Params]:
        """With what `path` was asked, in order."""
        return [params for asked, params in self.asked if asked == path]

    @staticmethod
    def answer(body: object = "", status: int = 200, **headers: str) -> Respond:
        """Headers are given with ``_`` for ``-``."""
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        data = text.encode() if isinstance(text, str) else text

        def respond(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content_Length": str(len(data)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(data)

        return respond

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """An `ApiServer` without any path yet."""
    running = ApiServer()
    yield running
    running.stop()


@pytest.fixture
def session(api_server: ApiServer) -> Iterator[requests.Session]:
    """A guarded session that may ask `api_server`."""
    with net.make_session(net.parse_allowed_hosts([f"127.0.0.1:{api_server.port}"])) as made:
        yield made
