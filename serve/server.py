"""Serving an exported model: what `birds serve` does, until Ctrl-C or SIGTERM.

Only the bundle's ONNX file is opened, by onnxruntime: no pickle, and no torch in this process. Whoever may come, and
how long anything may take, is in ``guard.py``, ``limits.py`` and ``protocol.py``.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .. import web
from ..errors import ModelError, ProjectError
from ..files import Project
from ..progress import SILENT, Progress
from ..web_guard import HostNames
from .app import Served, serve_app
from .examples import Example, examples
from .guard import Guard
from .identify import Identifier
from .limits import Limits
from .protocol import protocol_with

if TYPE_CHECKING:
    from ..models.bundle import LoadedModel

_PICKLES = (".pkl", ".pickle", ".pth", ".pt")
_RISK = "whoever can read the network's traffic sees what is sent to it and what it answers"


@dataclass(frozen=True)
class ServeResult:
    """What came of it: pictures identified, and requests refused by reason."""

    identified: int
    refused: dict[str, int] = field(default_factory=dict)


class ModelServer(web.Server):
    """Serves what `served` holds behind the guard, by a protocol with deadlines.

    Parameters
    ----------
    port : 0 takes a free one.
    host, allow_public : where to listen, see `web.listen`.
    allow_hosts : further names for the Host header.

    Attributes
    ----------
    url : of the page, on this machine.
    """

    def __init__(
        self,
        served: Served,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        allow_public: bool = False,
        allow_hosts: Sequence[str] = (),
    ) -> None:
        listening = web.listen(host, port, allow_public=allow_public, risk=_RISK)
        address, self.port = listening.getsockname()[:2]
        names = HostNames(host, address, self.port)
        self.url = f"http://{names.here}/"
        super().__init__(
            Guard(serve_app(served), names, port=self.port, tally=served.tally, allow_hosts=allow_hosts),
            listening,
            http=protocol_with(served.limits, served.tally, served.trusted),
            stopping_s=served.limits.stopping_s,
        )


def serve(
    project: Path,
    model: str | Path | None = None,
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    allow_public: bool = False,
    allow_hosts: Sequence[str] = (),
    trust_proxies: Sequence[str] = (),
    top: int = 5,
    limits: Limits | None = None,
    progress: Progress = SILENT,
) -> ServeResult:
    """Serve the page and the endpoint of a model. Requests under way are answered before it ends.

    Parameters
    ----------
    model : a bundle, a run's name, or an ``.onnx`` file; default the newest finished run.
    trust_proxies : addresses whose ``X-Forwarded-For`` names the client.
    top : classes to give of each picture.

    Raises
    ------
    ModelError : there is none, it has no ONNX file, or it is a pickle.
    UsageError : the port is taken, or the host is none of this machine's or public without leave.
    """
    limits = limits or Limits()
    loaded = open_model(project, model)
    identifier = Identifier(loaded.manifest, loaded.engine("onnx", threads=1), limits, top=top)
    try:
        place = Project(Path(project))
        shown = _examples(place, loaded, progress)
        served = Served(identifier, limits, place, shown, frozenset(trust_proxies))
        server = ModelServer(served, port=port, host=host, allow_public=allow_public, allow_hosts=allow_hosts)
        identifier.warm_up()
        progress.note(f"{len(loaded.labels)} classes from {loaded.path}, {len(shown)} of them with a picture to show.")
        progress.note(f"Serving {server.url} until Ctrl-C.")
        with _ending_on_sigterm():
            server.serve_forever()
    finally:
        identifier.close()
    return ServeResult(served.tally.identified, served.tally.refused)


def _examples(project: Project, loaded: "LoadedModel", progress: Progress) -> dict[str, Example]:
    """What can be shown of the classes: nothing of a bundle that left its project."""
    if loaded.run is None:
        return {}
    try:
        return examples(project, loaded.labels)
    except ProjectError as error:  # a folder that can only be read, say
        progress.note(f"No picture of a class is shown. {error.message}")
        return {}


def open_model(project: Path, model: str | Path | None) -> "LoadedModel":
    """The model to serve. Raises ModelError for a pickle before anything opens it, and where there is no ONNX file."""
    from ..models.bundle import load

    if model is not None and Path(model).suffix.lower() in _PICKLES:
        raise ModelError(
            f"{model} is a pickle, which runs code when it is opened, and birds serve opens none.",
            "Serve the bundle or the .onnx file that `birds export` made.",
        )
    loaded = load(model, project=project)
    if "onnx" not in loaded.files:
        raise ModelError(f"{loaded.path} has no model.onnx, which is what birds serve opens.", "Run `birds export`.")
    return loaded


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, which is how services are stopped, be an end like any other: uvicorn ends, then raises it anew."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
