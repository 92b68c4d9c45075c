"""What a gallery answers: pages and batches of results, blocks, thumbnails, and the pictures themselves.

One method a route. Pages come from `pages`, records from `records`, what goes wrong on purpose from `faults`.
"""

import asyncio
import json
import mimetypes
import socket
import struct
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from ..species import find
from . import pages
from .faults import REFUSALS, WITHOUT_RECORDS, Answer, Fault, answer
from .hosts import Hosts
from .records import Entry, batch_of_2020
from .shelf import Item, Shelf

_BATCH = 20
_INLINE_2020 = 50  # records that 2020's first page brings along, for 20 cards; Google's brought 100
_THUMBNAILS = "/encrypted-tbn0.gstatic/images"
_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST at once
_TITLES = (
    "{label} | Cuaderno de campo",
    '"{english}" - a day at the hide',
    "{scientific}: plumage & calls",
    "What's that {english}? <Part {n}>",
    "Fotos de {label} = {n}",
)


class Routes:
    """The answers of one gallery.

    Parameters
    ----------
    shelf : the pictures. hosts : where they and the pages are served.
    seen : counts the answers by kind.
    fault, layout, latency_s : see `Gallery`.
    """

    def __init__(
        self, shelf: Shelf, hosts: Hosts, seen: Counter[str], *, fault: Fault | None, layout: str, latency_s: float
    ) -> None:
        self._shelf, self._hosts, self._seen = shelf, hosts, seen
        self._fault, self._layout, self._latency_s = fault, layout, latency_s
        self._skin = pages.Skin()
        images = " ".join(f"http://{name}" for name in sorted(hosts.names))
        self._policy = (
            f"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: {images}; "
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'"
        )

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._home),
                Route("/search", self._search),
                Route("/consent", self._consent),
                Route("/consent", self._consented, methods=["POST"]),
                Route("/sorry/index", self._blocked, methods=["GET", "POST"]),
                Route("/httpservice/retry/enablejs", self._enable_javascript),
                Route("/_/VisualFrontendUi/data/batchexecute", self._batch_of_2020, methods=["POST"]),
                Route(_THUMBNAILS, self._thumbnail),
                Route("/imgres", self._imgres),
                Route("/details/{key}", self._details),
                Route("/photos/{key}/{name:path}", self._picture),
                Route("/pages/{key}", self._picture_page),
            ]
        )

    def _html(self, page: str, status: int = 200) -> Response:
        return HTMLResponse(page, status, {"content-security-policy": self._policy})

    def _to(self, path: str, request: Request) -> Response:
        """Leads to `path`, which is told where the way back is."""
        back = f"{self._hosts.url}{request.url.path}?{request.url.query}"
        return RedirectResponse(f"{path}?{urlencode({'continue': back})}", 302)

    # -- pages

    async def _home(self, _: Request) -> Response:
        self._seen["home"] += 1
        return self._html(pages.home(self._skin, self._shelf.labels))

    async def _search(self, request: Request) -> Response:
        params = request.query_params
        mode = {name: params[name] for name in ("udm", "tbm") if name in params}
        if mode not in ({"udm": "2"}, {"tbm": "isch"}):
            others = {name: value for name, value in params.items() if name not in {"udm", "tbm"}}
            return RedirectResponse(f"/search?{urlencode(others | {'udm': '2'})}", 302)
        if self._fault in REFUSALS:
            self._seen["refused"] += 1
            return self._html(pages.refused(self._skin, REFUSALS[self._fault]), REFUSALS[self._fault])
        if self._fault is Fault.CAPTCHA:
            return self._to("/sorry/index", request)
        if self._skin.consent not in request.cookies:
            return self._to("/consent", request)
        return await run_in_threadpool(self._results, request, mode)

    def _results(self, request: Request, mode: Mapping[str, str]) -> Response:
        skin, fault = self._skin, self._fault
        query = request.query_params.get("q", "")
        is_2020 = self._layout == "2020" or "tbm" in mode
        with_records = fault not in WITHOUT_RECORDS
        label = None if fault is Fault.NO_RESULTS else self._shelf.find(query)
        if "async" in request.query_params:
            self._seen["batch"] += 1
            start = request.query_params.get("start", "")
            entries = self._entries(label, int(start) if start.isdecimal() else 0, _BATCH)
            return self._html(pages.fragment_of_today(skin, entries, with_records=with_records))
        self._seen["search"] += 1
        if fault is Fault.CAPTCHA_LATER and self._seen["search"] > 1:
            return self._to("/sorry/index", request)
        if fault is Fault.JAVASCRIPT_SHELL:
            return self._html(pages.javascript_shell(skin))
        if fault is Fault.OUTDATED_BROWSER:
            return self._html(pages.outdated_browser(skin))
        if label is None:
            return self._html(pages.nothing_found(skin, query, self._shelf.labels, mode))
        entries = self._entries(label, 0, _INLINE_2020 if is_2020 else _BATCH, is_first=True)
        if fault is Fault.UNKNOWN_LAYOUT:
            return self._html(pages.unknown_layout(skin, query, entries, mode))
        page = pages.results(
            skin,
            query,
            entries,
            self._shelf.labels,
            mode,
            cards=_BATCH,
            is_2020=is_2020,
            with_records=with_records,
            with_details=self._has_details,
            with_links=fault is not Fault.ONLY_PANEL,
        )
        return self._html(page)

    async def _batch_of_2020(self, request: Request) -> Response:
        self._seen["batch"] += 1
        try:
            form = parse_qs((await request.body()).decode())
            asked = json.loads(json.loads(form["f.req"][0])[0][0][1])
            start, label = int(asked[2][0]), self._shelf.find(asked[4])
        except (KeyError, IndexError, TypeError, ValueError):
            return PlainTextResponse("Not understood.", 400)
        with_records = self._fault not in WITHOUT_RECORDS
        entries = await run_in_threadpool(self._entries, label, start, _BATCH) if with_records else []
        return Response(batch_of_2020(entries), media_type="application/json; charset=utf-8")

    async def _consent(self, request: Request) -> Response:
        self._seen["consent"] += 1
        return self._html(pages.consent(self._skin, request.query_params.get("continue", self._hosts.url)))

    async def _consented(self, request: Request) -> Response:
        address = parse_qs((await request.body()).decode()).get("continue", [""])[0]
        response = RedirectResponse(address if address.startswith(f"{self._hosts.url}/") else "/", 303)
        if self._fault is not Fault.CONSENT:
            response.set_cookie(self._skin.consent, "1", max_age=3600, httponly=True, samesite="lax")
        return response

    async def _blocked(self, request: Request) -> Response:
        self._seen["blocked"] += 1
        return self._html(pages.blocked(self._skin, request.query_params.get("continue", self._hosts.url)), 429)

    async def _enable_javascript(self, _: Request) -> Response:
        self._seen["script_notice"] += 1
        return self._html(pages.enable_javascript(self._skin))

    async def _imgres(self, request: Request) -> Response:
        return await self._page_of(request.query_params.get("tbnid", ""))

    @property
    def _has_details(self) -> bool:
        return self._fault in {Fault.NO_RECORDS, Fault.ONLY_PANEL}

    async def _details(self, request: Request) -> Response:
        self._seen["details"] += 1
        item = await run_in_threadpool(self._shelf.item, request.path_params["key"]) if self._has_details else None
        return Response(pages.details(self._entry(item)), media_type="application/json") if item else _not_found()

    async def _picture_page(self, request: Request) -> Response:
        return await self._page_of(request.path_params["key"])

    async def _page_of(self, key: str) -> Response:
        self._seen["page"] += 1
        item = await run_in_threadpool(self._shelf.item, key)
        return self._html(pages.picture(self._skin, self._entry(item))) if item else _not_found()

    # -- pictures

    async def _thumbnail(self, request: Request) -> Response:
        self._seen["thumbnail"] += 1
        key = request.query_params.get("q", "").removeprefix("tbn:ANd9Gc")
        item = await run_in_threadpool(self._shelf.item, key)
        if item is None:
            return _not_found()
        return Response(await run_in_threadpool(self._shelf.thumbnail, item), media_type="image/jpeg")

    async def _picture(self, request: Request) -> Response:
        self._seen["picture"] += 1
        item = await run_in_threadpool(self._shelf.item, request.path_params["key"])
        if item is None:
            return _not_found()
        media_type = mimetypes.guess_type(item.name)[0] or "image/jpeg"
        body = await run_in_threadpool(item.read)
        sent = answer(self._fault, item.key, body, media_type, self._latency_s)
        await asyncio.sleep(sent.wait_s)
        if sent.is_reset:
            request.state.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            request.state.transport.abort()
        headers = {"content-length": str(sent.declared_bytes or len(sent.body))}
        return StreamingResponse(_pieces(sent), sent.status, headers, sent.media_type)

    # -- entries

    def _entries(self, label: str | None, start: int, count: int, *, is_first: bool = False) -> list[Entry]:
        if label is None:
            return []
        items = self._shelf.pictures(label, start, start + count)
        return [self._entry(item, src=self._src(item, n, is_first)) for n, item in enumerate(items)]

    def _src(self, item: Item, place: int, is_first: bool) -> str:
        """What a card shows at once: the first ten the thumbnail itself, some its address, others a placeholder."""
        if is_first and (place < 10 or self._fault is Fault.UNKNOWN_LAYOUT):
            return f"data:image/jpeg;base64,{b64encode(self._shelf.thumbnail(item)).decode()}"
        return self._thumbnail_url(item) if place % 3 == 0 else ""

    def _thumbnail_url(self, item: Item) -> str:
        return f"{self._hosts.url}{_THUMBNAILS}?q=tbn:ANd9Gc{item.key}&s"

    def _entry(self, item: Item, src: str = "") -> Entry:
        spread = int.from_bytes(sha256(item.key.encode()).digest()[:4])
        host = self._hosts.pictures[spread % len(self._hosts.pictures)]
        sized = f"?w={item.size[0]}&fit=crop&s={b64encode(item.key[:4].encode()).decode()}"
        species = find(item.label)
        title = _TITLES[item.number % len(_TITLES)].format(
            label=item.label,
            english=species.english if species else item.label,
            scientific=species.scientific if species else item.label,
            n=item.number + 1,
        )
        return Entry(
            key=item.key,
            thumbnail=self._thumbnail_url(item),
            thumbnail_size=item.thumbnail_size,
            full=f"http://{host}/photos/{item.key}/{quote(item.name)}" + (sized if item.number % 5 == 3 else ""),
            size=item.size,
            page=f"http://{host}/pages/{item.key}",
            title=title,
            src=src,
        )


async def _pieces(sent: Answer) -> AsyncIterator[bytes]:
    size = -(-len(sent.body) // sent.pieces) or 1
    for start in range(0, len(sent.body), size):
        if start:
            await asyncio.sleep(sent.pause_s)
        yield sent.body[start : start + size]


def _not_found() -> Response:
    return PlainTextResponse("Not found.", 404)
