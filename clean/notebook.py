"""The review page inside a notebook: in a frame, or in words how to reach it where a frame cannot.

Only the notebook's page knows under which host name it was opened, so the output is a small script that looks and
chooses. How the page in the frame shows who it is, without cookies, stands at `web.frame_session`.
"""

import json
import secrets
import socket
import sys
from pathlib import Path

from ..files import Project
from ..progress import SILENT, Progress
from ..web import LocalServer
from .server import MAX_BODY_BYTES, review_app
from .server import review as review_in_browser
from .session import Session
from .widget import project_at, take_stock

_PAGES: dict[Path, "NotebookPage"] = {}  # of this kernel, by project folder

# Where a notebook is not trusted, or shown on some site, the script does not run and the text stays.
_OUTPUT = """\
<div id="%(place)s"><p>birds shows its review page here while the kernel runs. Run the cell to open it.</p></div>
<script>(() => {
  const { port, token, machine } = %(values)s;
  const place = document.getElementById("%(place)s");
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const say = (...parts) => {
    const line = make("p");
    line.append(...parts);
    place.append(line);
  };
  const tunnel = make("code", { textContent: `ssh -L ${port}:127.0.0.1:${port} ${machine}` });
  place.replaceChildren();
  if (["localhost", "127.0.0.1"].includes(location.hostname)) {
    const frame = make("iframe", { title: "birds: review page" });
    frame.style.cssText = "width: 100%%; height: 75vh; min-height: 30rem; border: 1px solid #8888";
    const parent = encodeURIComponent(location.origin);
    frame.src = `http://${location.hostname}:${port}/?token=${token}&parent=${parent}`;
    place.append(frame);
    say("Nothing to see? If the kernel runs on another machine, run ", tunnel, " on this one, then the cell again.");
  } else {
    const href = `http://127.0.0.1:${port}/?token=${token}`;
    const where = location.protocol.startsWith("http") ? `opened at ${location.hostname}` : "opened in an editor";
    say(`The review page cannot be shown here: it answers only on the machine that the kernel runs on, `,
      `and this notebook was ${where}.`);
    say("If that is another machine, run ", tunnel, " on this one first, or ssh as you usually reach it. Then open ",
      make("a", { href, textContent: href, target: "_blank", rel: "noopener" }), " here.");
  }
})()</script>
"""


class NotebookPage:
    """The review page of a project, served by this kernel until `stop`, its button 'Done', or the kernel's end.

    Attributes
    ----------
    port : where it listens on 127.0.0.1.
    """

    def __init__(self, project: Project, *, port: int = 0) -> None:
        self._project = project
        self._session = Session(project)
        self._server = LocalServer(
            review_app(project, self._session), port=port, framed=True, max_body_bytes=MAX_BODY_BYTES
        )
        self._session.when_done = self._server.stop
        self.port = self._server.port
        self._server.start()

    @property
    def decided(self) -> int:
        """Decisions made on the page and not undone."""
        return self._session.decided

    def stop(self) -> None:
        """End it. Every decision is stored already."""
        self._server.close()

    def output(self) -> dict[str, str]:
        """What the notebook shows, by media type."""
        place = f"birds-{secrets.token_hex(8)}"
        values = {
            "port": self.port,
            "token": self._server.url.partition("token=")[2],
            "machine": f"USER@{socket.gethostname()}",
        }
        script = _OUTPUT % {"place": place, "values": json.dumps(values)}
        return {"text/html": script, "text/plain": f"Review page, for a browser on this machine: {self._server.url}"}

    def __repr__(self) -> str:
        return f"<review page of {self._project.root} on port {self.port}, {self.decided} decisions; .stop() ends it>"


def review(
    path: str | Path, *, port: int = 0, open_browser: bool = True, progress: Progress = SILENT
) -> int | NotebookPage:
    """Show the review page of a project, in a notebook in a frame.

    In a notebook it returns at once, and a second call for the same project takes the place of the first. The output
    holds the page's address with a token, which opens the page once and ends with the kernel: a notebook that was shown
    and is saved or passed on gives nobody a way in. On a remote kernel the output says how to reach the page.

    Elsewhere the page is opened in the browser and served until Ctrl-C or its button 'Done', as by ``birds clean``.

    Parameters
    ----------
    path : the project folder, or its ``images/``.
    port : 0 takes a free one.
    open_browser, progress : outside a notebook, whether to open the page, and who is told its address.

    Returns
    -------
    In a notebook, the page's handle; elsewhere the number of decisions made and not undone.

    Raises
    ------
    ProjectError : there are no pictures; outside a notebook, none that `clean` has seen.
    UsageError : the port is taken.
    """
    project = project_at(path)
    if not _is_notebook():
        return review_in_browser(project.root, port=port, open_browser=open_browser, progress=progress)
    if problem := take_stock(project):
        print(problem, file=sys.stderr)
    from IPython.display import display

    root = project.root.resolve()
    if earlier := _PAGES.pop(root, None):
        earlier.stop()
        port = port or earlier.port  # somebody may have forwarded it
    page = _PAGES[root] = NotebookPage(project, port=port)
    display(page.output(), raw=True)  # type: ignore[no-untyped-call]
    return page


def _is_notebook() -> bool:
    """Whether a Jupyter kernel runs us: a terminal's IPython has none."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
