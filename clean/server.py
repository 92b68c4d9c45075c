"""The review page: a class as a grid of pictures, one click or key rejects or restores, nothing is deleted.

FastHTML answers on 127.0.0.1 behind ``web.LocalServer``. Each change is one short transaction written at once, and no
lock is held: scraping and training go on beside the page. How it looks is in ``page.py`` and ``static/``.
"""

import re
import secrets
import threading
import webbrowser
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BirdsError, ImageError, ProjectError, UsageError
from ..files import Project
from ..progress import SILENT, Progress
from ..record import PictureFile, Record
from ..species import fold
from ..web import LocalServer
from . import page, thumbnails
from .session import SHOWN, Outcome, Session, shown_file

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_MEDIA_TYPES = {
    "review.css": "text/css",
    "review.js": "text/javascript",
    "bird.svg": "image/svg+xml",
    "unreadable.svg": "image/svg+xml",
}
_A_YEAR = "private, max-age=31536000, immutable"  # the address of a thumbnail names its content


def review(project: Path, *, port: int = 0, open_browser: bool = True, progress: Progress = SILENT) -> int:
    """Serve the review page until Ctrl-C or its button 'Done'.

    Returns
    -------
    Number of decisions a person made, without those undone again.

    Raises
    ------
    ProjectError : there is nothing to review: `clean` found no pictures here, or was not run yet.
    UsageError : the port is taken.
    """
    place = Project(Path(project))
    if not _has_pictures(place):
        raise ProjectError(
            f"The project {place.root.resolve()} has no pictures to review yet.",
            "Run `birds scrape`, or put one folder of pictures for each class into images/, then run `birds clean`.",
        )
    session = Session(place)
    server = LocalServer(review_app(place, session), port=port)
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


def _number(file_id: str) -> int:
    """The id in an address; where that is none, 0, which no file has."""
    return int(file_id) if re.fullmatch("[0-9]{1,18}", file_id) else 0  # SQLite's integers end at 19 digits


def _in_counting_order(file: PictureFile) -> list[tuple[int, str]]:
    """Sort key under which ``loro2`` comes before ``loro10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name)]


def class_view(record: Record, session: Session, label: str | None) -> page.ClassView | None:
    """What the page shows of one class, of the first one where `label` is None; None if there is no such class."""
    kept, rejected = (record.counts(state) for state in SHOWN)
    labels = sorted(kept.keys() | rejected.keys(), key=fold)
    if label is None and labels:
        label = labels[0]
    if label is not None and label not in labels:
        return None
    session.opened.update([label] if label is not None else [])
    return page.ClassView(
        label=label,
        files=sorted(record.files(*SHOWN, label=label), key=_in_counting_order) if label is not None else [],
        classes=[page.ClassCount(x, kept.get(x, 0), rejected.get(x, 0), x in session.opened) for x in labels],
        decided=session.decided,
    )


def review_app(project: Project, session: Session | None = None) -> "ASGIApp":
    """The page and its routes. It checks nobody: serve it with `web.LocalServer`."""
    from fasthtml.core import FastHTML
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response

    session = session or Session(project)
    # FastHTML's own headers load scripts from elsewhere, and without a secret it writes .sesskey where it stands
    app = FastHTML(default_hdrs=False, sess_cls=None, secret_key=secrets.token_hex(), canonical=False)

    def show(request: Request) -> HTMLResponse:
        # not FastHTML's `label: str`: it takes a cookie of that name first, and cookies of any local server come here
        label = request.query_params.get("label")
        with Record(project) as record:
            view = class_view(record, session, label)
        if view is None:
            return HTMLResponse(page.missing_class(), status_code=404)
        return HTMLResponse(page.class_page(view))

    def static(name: str) -> Response:
        if name not in _MEDIA_TYPES:
            return Response(status_code=404)
        content = files(__package__).joinpath("static", name).read_bytes()
        return Response(content, media_type=_MEDIA_TYPES[name], headers={"Cache-Control": "no-cache"})

    def picture(file_id: str, render: Callable[[Project, PictureFile], bytes], cache: str) -> Response:
        try:
            with Record(project) as record:
                file = shown_file(record, _number(file_id))
            return Response(render(project, file), media_type="image/jpeg", headers={"Cache-Control": cache})
        except UsageError:
            return Response(status_code=404)
        except ImageError:  # browsers show the picture of a 404 too
            placeholder = static("unreadable.svg").body
            return Response(placeholder, status_code=404, media_type="image/svg+xml")

    def thumbnail(file_id: str) -> Response:
        return picture(file_id, thumbnails.thumbnail, _A_YEAR)

    def large(file_id: str) -> Response:
        return picture(file_id, thumbnails.large, "no-store")

    def change(decide: Callable[[], Outcome | None], *, is_undo: bool = False) -> JSONResponse:
        try:
            outcome = decide()
        except BirdsError as error:
            return JSONResponse(error.as_json(), status_code=404 if isinstance(error, UsageError) else 409)
        except OSError as error:
            problem = ProjectError(
                f"The picture cannot be moved: {error.strerror}.", "Look at the disk, then run birds clean again."
            )
            return JSONResponse(problem.as_json(), status_code=409)
        return JSONResponse(page.answer(outcome, session.decided, is_undo=is_undo))

    def post_reject(file_id: str) -> JSONResponse:
        return change(lambda: session.decide(_number(file_id), is_rejected=True))

    def post_restore(file_id: str) -> JSONResponse:
        return change(lambda: session.decide(_number(file_id), is_rejected=False))

    def post_undo() -> JSONResponse:
        return change(session.undo, is_undo=True)

    def post_done() -> JSONResponse:
        session.when_done()
        return JSONResponse({"decided": session.decided})

    app.get("/")(show)
    app.get("/static/{name}")(static)
    app.get("/thumbnail/{file_id}")(thumbnail)
    app.get("/picture/{file_id}")(large)
    app.post("/reject/{file_id}")(post_reject)
    app.post("/restore/{file_id}")(post_restore)
    app.post("/undo")(post_undo)
    app.post("/done")(post_done)
    return app  # type: ignore[no-any-return]
