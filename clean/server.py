"""The review page: pictures in queues, each decided with a key, nothing is deleted, everything can be undone.

FastHTML answers on 127.0.0.1 behind ``web.LocalServer``. Each change is one short transaction written at once, and no
lock is held: scraping and training go on beside the page. How it looks is in ``page.py`` and ``static/``.
"""

import json
import re
import secrets
import threading
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BirdsError, ImageError, ProjectError, UsageError
from ..files import Project
from ..progress import SILENT, Progress
from ..record import PictureFile, Record
from ..web import LocalServer, frame_session
from . import page, thumbnails
from .actions import ACTIONS, SHOWN
from .cards import MAX_CARDS, cards
from .queues import Stock, View
from .session import Outcome, Session

if TYPE_CHECKING:
    from fasthtml.core import FastHTML
    from starlette.responses import JSONResponse
    from starlette.types import ASGIApp

MAX_BODY_BYTES = 1_000_000  # every picture of a class selected, by id
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WISHES = tuple(field.name for field in fields(View))
_A_YEAR = "private, max-age=31536000, immutable"  # the address of a thumbnail names its content


def review(
    project: Path,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    allow_public: bool = False,
    open_browser: bool = True,
    progress: Progress = SILENT,
) -> int:
    """Serve the review page until Ctrl-C or its button 'Done'.

    Parameters
    ----------
    host, allow_public : where to listen, see `web.LocalServer`.

    Returns
    -------
    Number of pictures a person decided about, without what was undone again.

    Raises
    ------
    ProjectError : there is nothing to review: `clean` found no pictures here, or was not run yet.
    UsageError : the port is taken, or the host is none of this machine's or public without leave.
    """
    place = Project(Path(project))
    if not _has_pictures(place):
        raise ProjectError(
            f"The project {place.root.resolve()} has no pictures to review yet.",
            "Run `birds scrape`, or put one folder of pictures for each class into images/, then run `birds clean`.",
        )
    session = Session(place)
    server = LocalServer(
        review_app(place, session), port=port, host=host, allow_public=allow_public, max_body_bytes=MAX_BODY_BYTES
    )
    session.when_done = server.stop
    progress.note(f"Review page: {server.url}")
    progress.note("End with its button 'Done' or with Ctrl-C: every decision is stored the moment it is made.")
    if open_browser:  # in a thread: a text browser would keep us from answering it
        threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
    server.serve_forever()
    return session.decided


def _has_pictures(project: Project) -> bool:
    if not project.record.is_file():  # opening it would make it
        return False
    with Record(project) as record:
        return any(record.counts(state) for state in SHOWN)


def review_app(project: Project, session: Session | None = None) -> "ASGIApp":
    """The page and its routes. It checks nobody: serve it with `web.LocalServer` and `MAX_BODY_BYTES`."""
    from fasthtml.core import FastHTML

    # FastHTML's own headers load scripts from elsewhere, and without a secret it writes .sesskey where it stands
    app = FastHTML(default_hdrs=False, sess_cls=None, secret_key=secrets.token_hex(), canonical=False)
    _add_page_and_pictures(app, project)
    _add_lists(app, project)
    _add_changes(app, project, session or Session(project))
    return app  # type: ignore[no-any-return]


# Handlers take the request, not FastHTML's `label: str`: it takes a cookie of that name first, and cookies of any local
# server come here.


def _add_page_and_pictures(app: "FastHTML", project: Project) -> None:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

    statics = {path.name: path for path in files(__package__).joinpath("static").iterdir()}

    def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page.shell(frame_session(request)))

    def static(name: str) -> Response:
        if name not in statics:
            return Response(status_code=404)
        media_type = _MEDIA_TYPES[Path(name).suffix]
        return Response(statics[name].read_bytes(), media_type=media_type, headers={"Cache-Control": "no-cache"})

    def picture(file_id: str, render: Callable[[Project, PictureFile], bytes], cache: str) -> Response:
        with Record(project) as record:
            file = record.file(_number(file_id))
        if file is None or file.state not in SHOWN:
            return Response(status_code=404)
        try:
            return Response(render(project, file), media_type="image/jpeg", headers={"Cache-Control": cache})
        except ImageError:  # browsers show the picture of a 404 too
            return Response(static("unreadable.svg").body, status_code=404, media_type="image/svg+xml")

    def thumbnail(file_id: str) -> Response:
        return picture(file_id, thumbnails.thumbnail, _A_YEAR)

    def large(file_id: str) -> Response:
        return picture(file_id, thumbnails.large, "no-store")

    app.get("/")(show)
    app.get("/static/{name}")(static)
    app.get("/thumbnail/{file_id}")(thumbnail)
    app.get("/picture/{file_id}")(large)


def _add_lists(app: "FastHTML", project: Project) -> None:
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    def overview() -> JSONResponse:
        with Record(project) as record:
            return JSONResponse({**Stock(record).overview(), **_log(record)})

    def listing(request: Request) -> JSONResponse:
        view = View(**{name: request.query_params[name] for name in _WISHES if name in request.query_params})
        with Record(project) as record:
            return _answer(lambda: vars(Stock(record, view).listing(view)))

    def some_cards(request: Request) -> JSONResponse:
        ids = [_number(one) for one in request.query_params.get("ids", "").split(",")]
        if len(ids) > MAX_CARDS:
            return _answer(lambda: _refuse(f"{len(ids)} cards are too many at a time."))
        with Record(project) as record:
            return JSONResponse({"cards": cards(record, ids)})

    app.get("/api/overview")(overview)
    app.get("/api/list")(listing)
    app.get("/api/cards")(some_cards)


def _add_changes(app: "FastHTML", project: Project, session: Session) -> None:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    def change(do: Callable[[], Outcome | None], nothing: str = "") -> JSONResponse:
        def answer() -> dict[str, Any]:
            outcome = do() or Outcome(nothing)
            with Record(project) as record:
                some = cards(record, outcome.files[:MAX_CARDS])
                return {**vars(outcome), "cards": some, "decided": session.decided, **_log(record)}

        return _answer(answer)

    async def act(request: Request) -> JSONResponse:
        body = await request.body()
        return await run_in_threadpool(change, lambda: session.act(*_asked(body)))

    def undo() -> JSONResponse:
        return change(session.undo, "There is nothing left to undo.")

    def redo() -> JSONResponse:
        return change(session.redo, "There is nothing to do again.")

    def done() -> JSONResponse:
        session.when_done()
        return JSONResponse({"decided": session.decided})

    app.post("/act")(act)
    app.post("/undo")(undo)
    app.post("/redo")(redo)
    app.post("/done")(done)


def _number(file_id: str) -> int:
    """The id in an address; where that is none, 0, which no file has."""
    return int(file_id) if re.fullmatch("[0-9]{1,18}", file_id) else 0  # SQLite's integers end at 19 digits


def _asked(body: bytes) -> tuple[str, Sequence[int], str | None]:
    """Action, file ids and label of a request's body. Raises `UsageError` for anything else."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or asked.get("do") not in ACTIONS:
        _refuse("That is none of the page's actions.")
    ids, label = asked.get("ids"), asked.get("label")
    if not isinstance(ids, list) or not all(type(one) is int and 0 < one < 2**63 for one in ids):
        _refuse("Pictures are named by their numbers.")
    if label is not None and not isinstance(label, str):
        _refuse("A class is named by its label.")
    return asked["do"], ids, label


def _refuse(message: str) -> Any:
    raise UsageError(message, "Reload the page.")


def _log(record: Record) -> dict[str, str | None]:
    """What undo and redo would do, in words."""
    undo, redo = record.review.to_undo(), record.review.to_redo()
    return {"undo": undo.said if undo else None, "redo": redo.said if redo else None}


def _answer(make: Callable[[], dict[str, Any]]) -> "JSONResponse":
    from starlette.responses import JSONResponse

    try:
        return JSONResponse(make())
    except BirdsError as error:
        return JSONResponse(error.as_json(), status_code=400 if isinstance(error, UsageError) else 409)
