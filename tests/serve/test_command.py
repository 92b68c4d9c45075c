"""`birds serve` from the command line: what it opens, what it refuses to, how it ends."""

import json
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from birds.cli import app
from birds.errors import ModelError
from birds.serve.server import open_model
from typer.testing import CliRunner

SERVE = """
import sys
from birds.cli import app
try:
    app(["serve", *sys.argv[1:]], prog_name="birds")
except SystemExit as end:
    code = end.code
print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
print("pickles", "birds.models.pickles" in sys.modules)
sys.exit(code)
"""


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-c", SERVE, *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            lines = iter(process.stderr.readline, "")
            address = next(found for line in lines if (found := re.search(r"Serving http://127.0.0.1:(\d+)/", line)))
            yield process, int(address[1])
        finally:
            process.kill()


def _listens(client: Any) -> bool:
    try:
        return bool(client.get("/health").status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_running_answers_are_finished_before_it_ends(
    onnx_model: Path,
    red: bytes,
    how: signal.Signals,
    client_at: Any,
    said: Callable[[Any], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with ExitStack() as stack:
        process, port = stack.enter_context(started(str(onnx_model), "--json"))
        client = client_at(port)
        connection = stack.enter_context(client.connect())
        assert client.identify(red).json()["label"] == "cigüeña"
        connection.sendall(client.head(len(red)) + red[:100])
        client.get("/health")  # so that the first half has arrived
        process.send_signal(how)
        while _listens(client):
            pass
        connection.sendall(red[100:])
        answer = said(connection)
        out, err = process.communicate(timeout=30)
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["label"] == "cigüeña"
    result, loaded, pickles = out.splitlines()
    assert json.loads(result) == {"identified": 2, "refused": {}}
    assert process.returncode == 0
    assert "Traceback" not in err
    assert not {"torch", "fastai", "torchvision", "pandas", "matplotlib", "fasthtml"} & set(loaded.split())
    assert "onnxruntime" in loaded
    assert pickles == "pickles False"
    assert not list(tmp_path.iterdir())  # onnxruntime would leave an id of the machine, to report under


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Example: birds serve" in done.stdout
    (loaded,) = (line for line in done.stdout.splitlines() if line.startswith("loaded "))
    assert not {"torch", "numpy", "onnxruntime", "uvicorn", "starlette", "requests"} & set(loaded.split())


class Payload:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("opened"),))


@pytest.mark.parametrize("name", ["export.pkl", "EXPORT.PKL", "model.onnx", "model.safetensors"])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(pickle.dumps(Payload()))
    answer = CliRunner().invoke(app, ["serve", name, "--json", "--port", "0"])
    assert answer.exit_code == 1
    error = json.loads(answer.stdout)["error"]
    assert error["type"] == "ModelError"
    if name.lower().endswith(".pkl"):
        assert "birds serve opens none" in error["message"]
    assert not Path("opened").exists()


def test_a_model_without_an_onnx_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lone:
        path = tmp_path
        files: dict[str, Path] = {}  # noqa: RUF012 - of one test

    monkeypatch.setattr("birds.models.bundle.load", lambda *_, **__: Lone())
    with pytest.raises(ModelError, match=r"no model\.onnx"):
        open_model(tmp_path, None)


def test_without_a_run_there_is_nothing_to_serve(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["serve", "--project", str(tmp_path)])
    assert answer.exit_code == 1
    assert "birds train" in answer.output


def test_a_public_address_needs_leave_on_the_command_line(onnx_model: Path) -> None:
    answer = CliRunner().invoke(app, ["serve", str(onnx_model), "--host", "0.0.0.0", "--port", "0"])
    assert answer.exit_code == 1
    assert "--i-know-this-is-public" in answer.output
