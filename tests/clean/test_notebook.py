"""docs/cleaning.ipynb in a real kernel, and the review page in the frame that its output makes in a real browser."""

import html
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from birds.clean.notebook import NotebookPage
from birds.clean.widget import take_stock
from birds.files import Project
from birds.record import Record, State
from birds.scrape.browser import open_browser
from nbclient import NotebookClient
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

NOTEBOOK = Path(__file__).parents[2] / "docs" / "cleaning.ipynb"


# -- in a kernel


class Kernel:
    """docs/cleaning.ipynb, run from top to bottom, and its kernel."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
        self.project = Project(Path(self.run("print(project)")))

    def run(self, code: str) -> str:
        """What `code` prints."""
        cell = nbformat.v4.new_code_cell(code)
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        return "".join(output.get("text", "") for output in cell.outputs).strip()

    def click(self, description: str) -> None:
        """Click the first button of this name as the notebook's page does: by a message to its model."""
        states = self._client.widget_state
        (model, *_) = (one for one, state in states.items() if state.get("description") == description)
        content = {"comm_id": model, "data": {"method": "custom", "content": {"event": "click"}}}
        assert self._client.kc
        self._client.kc.shell_channel.send(self._client.kc.session.msg("comm_msg", content))
        self.run("pass")  # the kernel answers in order

    @property
    def shown(self) -> list[Any]:
        """All outputs of the notebook's own cells."""
        return [output for cell in self._client.nb.cells for output in cell.get("outputs", [])]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        client = NotebookClient(nbformat.read(NOTEBOOK, as_version=4), timeout=120, shutdown_kernel="immediate")
        with client.setup_kernel(cwd=str(folder)):
            kernel = Kernel(client)
            port = int(kernel.run("print(page.port)"))
            yield kernel
            assert _answers(port)
        assert not _answers(port), "the page ends with the kernel"


def _answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(10)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _rejected(project: Project) -> list[str] | None:
    """Label and name of what was rejected; None while record and disk don't tell the same."""
    with Record(project) as record:
        known = [f"{file.label}/{file.name}" for file in record.files(State.REJECTED)]
    on_disk = [path.relative_to(project.rejected) for path in project.rejected.rglob("*") if path.is_file()]
    return known if known == sorted(map(str, on_disk)) else None


def test_the_notebook_is_kept_without_its_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_the_notebook_shows_the_grid_and_the_page(kernel: Kernel) -> None:
    media = [set(output["data"]) for output in kernel.shown if output["output_type"] == "display_data"]
    assert "application/vnd.jupyter.widget-view+json" in media[0]
    assert media[1] == {"text/html", "text/plain"}
    assert "48" in kernel.shown[1]["data"]["text/plain"], "pictures checked"


def test_a_click_on_delete_reaches_the_rejected_folder_and_undo_brings_it_back(kernel: Kernel) -> None:
    assert _rejected(kernel.project) == []
    kernel.click("Delete")
    assert _rejected(kernel.project) == ["R. toco/tucán toco 000.jpg"]
    kernel.click("Undo")
    assert _rejected(kernel.project) == []
    assert (kernel.project.images / "R. toco" / "tucán toco 000.jpg").is_file()


def test_the_address_in_the_output_opens_the_page_once(kernel: Kernel, visitor) -> None:
    (url,) = (word for word in kernel.shown[2]["data"]["text/plain"].split() if "token=" in word)
    first = visitor(url)
    assert first.get("/").status == 200
    assert visitor(url).get("/").status == 403


def test_a_second_page_of_a_project_takes_the_place_of_the_first(kernel: Kernel, visitor) -> None:
    address = "print(page.output()['text/plain'].split()[-1])"
    kernel.run("page = review(project)")
    first = kernel.run(address)
    came_in = visitor(first)
    kernel.run("page = review(project / 'images')")
    second = kernel.run(address)
    assert first.partition("?")[0] == second.partition("?")[0], "who forwarded the port need not do it again"
    assert came_in.get("/").status == 403
    assert visitor(second).get("/").status == 200


def test_the_handle_says_what_it_is_and_gives_no_way_in(kernel: Kernel) -> None:
    said = kernel.run("print(repr(page), page.port)")
    assert str(kernel.project.root) in said
    assert ".stop()" in said
    assert "token" not in said


def test_stop_ends_the_page(kernel: Kernel) -> None:
    assert kernel.run("other = review(project); port = other.port; other.stop(); print('stopped')") == "stopped"
    assert not _answers(int(kernel.run("print(port)")))
    kernel.run("page = review(project)")


def test_a_page_beside_a_working_stage_says_so_and_is_shown(kernel: Kernel) -> None:
    with kernel.project.locked("scrape"):
        assert "Another birds command" in kernel.run("page = review(project)")
    assert _answers(int(kernel.run("print(page.port)")))


def test_ipython_in_a_terminal_is_no_notebook() -> None:
    code = "from birds.clean import notebook; print(notebook._is_notebook())"
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert answer.stdout.strip().endswith("False")


# -- in a browser


@contextmanager
def _notebook(page: str) -> Iterator[int]:
    """The port of a server that plays Jupyter: it answers with a notebook's `page`, under any host name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>notebook</title>{page}".encode())

        def log_message(self, *_args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile") / "chromium") as driver:
        yield driver


@pytest.fixture
def page(project: Project, write_images: Callable[..., list[Path]]) -> Iterator[NotebookPage]:
    write_images(project.root, {"cigüeña": 6})
    take_stock(project)
    page = NotebookPage(project)
    yield page
    page.stop()


def _enter_frame(browser: Any) -> None:
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))


def _until(browser: Any, condition: Callable[[Any], Any]) -> Any:
    return WebDriverWait(browser, 20, poll_frequency=0.05).until(condition)


_VISIBLE = "return [...document.images].filter((image) => image.naturalWidth && image.offsetWidth).length"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_frame_shows_the_pictures_and_takes_decisions(
    browser: Any, project: Project, page: NotebookPage, host: str
) -> None:
    with _notebook(page.output()["text/html"]) as port:
        browser.get(f"http://{host}:{port}/")
        _enter_frame(browser)
        _until(browser, lambda b: b.execute_script(_VISIBLE) >= 6)
        assert "cigüeña" in browser.find_element(By.TAG_NAME, "body").text
        picture = browser.find_element(By.CSS_SELECTOR, "[role=gridcell]")
        name = picture.find_element(By.CLASS_NAME, "name").text
        picture.send_keys("x")
        _until(browser, lambda _: _rejected(project) == [f"cigüeña/{name}"])
        assert page.decided == 1
        browser.switch_to.active_element.send_keys("u")
        _until(browser, lambda _: _rejected(project) == [])


def test_no_other_origin_can_frame_the_page(browser: Any, page: NotebookPage) -> None:
    output = page.output()["text/html"]
    with _notebook(output) as port:
        browser.get(f"http://localhost:{port}/")
        _enter_frame(browser)
        _until(browser, lambda b: b.execute_script(_VISIBLE))
    again = f'<iframe src="http://localhost:{page.port}/"></iframe>'
    for elsewhere in (output, again):  # a copy of the notebook, and a page that knows the port
        with _notebook(elsewhere) as port:
            browser.get(f"http://localhost:{port}/")
            _enter_frame(browser)
            assert browser.execute_script("return location.href").startswith("chrome-error:")


def test_a_notebook_opened_again_says_to_run_the_cell_again(browser: Any, page: NotebookPage) -> None:
    with _notebook(page.output()["text/html"]) as port:
        browser.get(f"http://localhost:{port}/")
        _enter_frame(browser)
        _until(browser, lambda b: b.execute_script(_VISIBLE))
        browser.get(f"http://localhost:{port}/?again")
        _enter_frame(browser)
        assert "run the cell again" in browser.find_element(By.TAG_NAME, "body").text


def test_done_ends_the_page(browser: Any, page: NotebookPage) -> None:
    with _notebook(page.output()["text/html"]) as port:
        browser.get(f"http://localhost:{port}/")
        _enter_frame(browser)
        _until(browser, lambda b: b.execute_script(_VISIBLE))
        browser.find_element(By.ID, "done").click()
        _until(browser, lambda _: not _answers(page.port))


def test_at_another_host_name_the_output_says_how_to_reach_the_page(browser: Any, page: NotebookPage) -> None:
    with _notebook(page.output()["text/html"]) as port:
        browser.get(f"http://kernel.localhost:{port}/")  # a name that is not looked up (RFC 6761)
        assert browser.find_elements(By.TAG_NAME, "iframe") == []
        text = browser.find_element(By.TAG_NAME, "body").text
        assert "opened at kernel.localhost" in text
        assert f"ssh -L {page.port}:127.0.0.1:{page.port} USER@" in text
        browser.get(browser.find_element(By.TAG_NAME, "a").get_attribute("href"))
        _until(browser, lambda b: b.execute_script(_VISIBLE) >= 6)


def test_in_an_editor_the_output_is_a_link(browser: Any, page: NotebookPage) -> None:
    editor = '{ protocol: "vscode-webview:", hostname: "1a2b", origin: "vscode-webview://1a2b" }'
    with _notebook(
        f"<script>const editor = {editor}</script>" + page.output()["text/html"].replace("location.", "editor.")
    ) as port:
        browser.get(f"http://localhost:{port}/")
        assert browser.find_elements(By.TAG_NAME, "iframe") == []
        assert "in an editor" in browser.find_element(By.TAG_NAME, "body").text
        assert browser.find_element(By.TAG_NAME, "a").text.startswith(f"http://127.0.0.1:{page.port}/?token=")


def test_where_no_script_runs_the_output_says_what_to_do(browser: Any, page: NotebookPage) -> None:
    output = page.output()["text/html"]
    with _notebook(f'<iframe sandbox srcdoc="{html.escape(output)}"></iframe>') as port:
        browser.get(f"http://localhost:{port}/")
        _enter_frame(browser)
        assert "Run the cell" in browser.find_element(By.TAG_NAME, "body").text
        assert browser.find_elements(By.TAG_NAME, "iframe") == []
