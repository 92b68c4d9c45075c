"""The page and the JSON endpoint, as an ASGI app. It checks nobody: `server.py` puts the guard before it.

GET  /               the page; its parts lie in ``static/``
POST /identify       a picture, as a form's field ``picture`` or as the body
GET  /model          what the model knows and how good it is
GET  /example/N.jpg  a picture of class N
GET  /health         for whoever watches the server
GET  /openapi.json   all of this for programs
"""

import dataclasses
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..files import Project
from ..images import FORMATS, MAX_PIXELS, MIN_SIDE
from .examples import Example, rendered
from .identify import Identified, Identifier
from .limits import Budget, Limits, Rates, client_key
from .openapi import openapi
from .refusals import Refusal, Tally, too_large
from .uploads import picture_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    _Handler = Callable[[Request], Awaitable[Response]]

_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_A_DAY = "private, max-age=86400, immutable"  # the address of an example names its content


@dataclass(frozen=True)
class Served:
    """What the app speaks for.

    Attributes
    ----------
    examples : of each label that has one, from the project in `project`.
    trusted : addresses of proxies, whose ``X-Forwarded-For`` names the client.
    """

    identifier: Identifier
    limits: Limits
    project: Project | None = None
    examples: dict[str, Example] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    tally: Tally = field(default_factory=Tally)


def serve_app(served: Served) -> "ASGIApp":
    """The app with all its routes."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    statics = {path.name: path.read_bytes() for path in files(__package__).joinpath("static").iterdir()}
    about = _about(served)
    fixed = {
        "/health": {"status": "ok"},
        "/model": about,
        "/openapi.json": openapi(__version__, max_bytes=served.limits.max_bytes),
    }

    async def static(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in statics:
            raise HTTPException(404)
        media_type = _MEDIA_TYPES[Path(name).suffix]
        return Response(statics[name], media_type=media_type, headers={"Cache-Control": "no-cache"})

    async def said(request: Request) -> Response:
        return JSONResponse(fixed[request.url.path])

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        served.tally.count(error)
        return error.response()

    def not_there(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        reason = status.phrase.lower().replace(" ", "_")
        answer = Refusal(status, reason, f"{status.phrase}.", "See /openapi.json for what is here.").response()
        answer.headers.update(error.headers or {})
        return answer

    return Starlette(
        routes=[
            Route("/", static, methods=["GET"]),
            Route("/static/{name}", static, methods=["GET"]),
            *(Route(path, said, methods=["GET"]) for path in fixed),
            Route("/example/{index:int}.jpg", _example(served), methods=["GET"]),
            Route("/identify", _identify(served, about["classes"]), methods=["POST"]),
        ],
        exception_handlers={Refusal: refused, HTTPException: not_there},
    )


def _example(served: Served) -> "_Handler":
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

    labels = served.identifier.manifest.labels
    pictures: dict[int, bytes] = {}  # once somebody asked; at most one of each class

    async def example(request: "Request") -> "Response":
        index = request.path_params["index"]
        shown = served.examples.get(labels[index]) if index < len(labels) else None
        project = served.project
        if shown is None or project is None:
            raise HTTPException(404)
        if index not in pictures:
            pictures[index] = await served.identifier.shown(lambda: rendered(project, shown))
        return Response(pictures[index], media_type="image/jpeg", headers={"Cache-Control": _A_DAY})

    return example


def _identify(served: Served, classes: list[dict[str, Any]]) -> "_Handler":
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse, Response

    limits = served.limits
    rates = Rates(limits.per_minute, limits.burst)
    budget = Budget(limits.max_buffered_bytes)

    async def identify(request: "Request") -> "Response":
        started = time.monotonic()
        if wait_s := rates.wait_s(client_key(client_of(request, served.trusted))):
            raise _too_often(wait_s)
        headers = request.headers
        if int(headers.get("content-length", "0")) > limits.max_bytes:  # h11 took only digits
            raise too_large(limits.max_bytes)
        try:
            kind = headers.get("content-type", "")
            data, held = await picture_in(kind, request.stream(), max_bytes=limits.max_bytes, budget=budget)
        except ClientDisconnect:  # gone, or cut by its deadline, which was answered in `protocol.py`
            return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)
        try:
            found = await served.identifier.identify(data)
        finally:
            budget.give(held)
        served.tally.identified += 1
        return JSONResponse({**_answer(found, classes), "seconds": round(time.monotonic() - started, 4)})

    return identify


def client_of(request: "Request", trusted: frozenset[str]) -> str:
    """The address of whoever asks: behind a proxy that we trust, the last one it wrote into ``X-Forwarded-For``."""
    address = request.client.host if request.client else ""
    if address in trusted:
        forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        for one in map(str.strip, reversed(forwarded)):
            if one and one not in trusted:
                return one
    return address


def _too_often(wait_s: float) -> Refusal:
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_often",
        "That are too many pictures in a short time.",
        f"Wait {max(1, round(wait_s))} s.",
        retry_after_s=wait_s,
    )


def _about(served: Served) -> dict[str, Any]:
    """What ``/model`` says."""
    manifest, limits = served.identifier.manifest, served.limits
    test = manifest.test or {}
    return {
        "classes": [
            {
                "label": one.label,
                "scientific_name": one.scientific_name,
                "example": _shown(index, served.examples.get(one.label)),
            }
            for index, one in enumerate(manifest.classes)
        ],
        "architecture": manifest.architecture,
        "abstain_threshold": manifest.abstain_threshold,
        "test": {key: test.get(key) for key in ("n", "accuracy", "accuracy_interval", "reviewed_share")}
        if test
        else None,
        "limits": {
            "max_bytes": limits.max_bytes,
            "max_pixels": MAX_PIXELS,
            "min_side": MIN_SIDE,
            "per_minute": limits.per_minute or None,
        },
        "formats": list(FORMATS),
        "birds": __version__,
    }


def _shown(index: int, example: Example | None) -> dict[str, Any] | None:
    if example is None:
        return None
    words = {name: value for name, value in dataclasses.asdict(example).items() if name not in ("file", "version")}
    return {"picture": f"/example/{index}.jpg?{example.version}", **words}


def _answer(found: Identified, classes: list[dict[str, Any]]) -> dict[str, Any]:
    top = [{**classes[index], "confidence": round(confidence, 6)} for index, confidence in found.ranked]
    return {
        "label": top[0]["label"],
        "confidence": top[0]["confidence"],
        "unsure": found.is_unsure,
        "top": top,
        "picture": {"format": found.format, "width": found.width, "height": found.height},
    }
