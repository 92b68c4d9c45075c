"""A model that tells red, green and blue pictures apart, served on loopback; what a client sends, byte by byte."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds.files import Project
from birds.models.manifest import Manifest, ModelClass, Preprocess
from birds.reconcile import inspect_stored, reconcile
from birds.record import Provenance, Record, State
from birds.serve.app import Served
from birds.serve.examples import Example
from birds.serve.identify import Identifier
from birds.serve.limits import Limits
from birds.serve.server import ModelServer
from PIL import Image

LABELS = ("cigüeña", "garza", "milano negro")  # of red, green and blue pictures


class ByColour:
    """An engine: the stronger a colour, the surer."""

    name = "onnx"

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        logits = prepared.astype(np.float32).mean(axis=(1, 2)) / 16
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def manifest(size: int = 32) -> Manifest:
    return Manifest(
        classes=(ModelClass(LABELS[0], "Ciconia ciconia"), ModelClass(LABELS[1], None), ModelClass(LABELS[2], None)),
        preprocess=Preprocess("squish", size),
        architecture="by colour",
        recipe="head",
        mirror=False,
        temperature=1.0,
        abstain_threshold=0.6,
        test={"n": 120, "accuracy": 0.9, "accuracy_interval": [0.833, 0.942], "reviewed_share": 0.5},
    )


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.json()["error"]["reason"])


class Client:
    """Somebody who speaks to the server at `port`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def identify(self, picture: bytes, content_type: str = "image/jpeg", **headers: str) -> Reply:
        return self.ask("POST", "/identify", picture, **{"Content_Type": content_type, **headers})

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def head(self, length: int | None = None, *more: str) -> bytes:
        """The first lines of a request with a picture of `length` bytes."""
        lines = ["POST /identify HTTP/1.1", f"Host: {self.host}", "Content-Type: image/jpeg", *more]
        lines += [] if length is None else [f"Content-Length: {length}"]
        return "\r\n".join([*lines, "", ""]).encode()


def _said(connection: socket.socket) -> bytes:
    """All that the other side still sends, until it closes."""
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


Serving = Callable[..., Any]


@pytest.fixture
def serving() -> Serving:
    """``with serving(limits, engine=..., examples=..., project=..., **server) as client:``."""

    @contextmanager
    def serve(
        limits: Limits | None = None,
        *,
        engine: Any = None,
        examples: dict[str, Example] | None = None,
        project: Project | None = None,
        trusted: frozenset[str] = frozenset(),
        **server: Any,
    ) -> Iterator[Client]:
        limits = limits or Limits(per_minute=0)
        identifier = Identifier(manifest(), engine or ByColour(), limits)
        served = Served(identifier, limits, project, examples or {}, trusted)
        with ModelServer(served, **server) as started:
            client = Client(started.port)
            client.served = served  # type: ignore[attr-defined]
            client.url = started.url  # type: ignore[attr-defined]
            yield client
        identifier.close()

    return serve


@pytest.fixture(scope="session")
def said() -> Callable[[socket.socket], bytes]:
    """``said(connection)``: all that the other side still sends, until it closes."""
    return _said


@pytest.fixture(scope="session")
def by_colour() -> type[ByColour]:
    """The engine behind `serving`, to be changed."""
    return ByColour


@pytest.fixture(scope="session")
def client_at() -> type[Client]:
    """``client_at(port)``: somebody who speaks to the server there."""
    return Client


def _plant(project: Project, rows: list[tuple[str, str, Provenance, str]], data: bytes) -> None:
    """Stored files: label, name, provenance, part of the split. Their bytes differ."""
    for number, (label, name, _, _) in enumerate(rows):
        path = project.images / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data + bytes([number]))
    with Record(project) as record:
        reconcile(project, record)
        inspect_stored(project, record)
        parts = []
        by_name = {(file.label, file.name): file for file in record.files()}
        for label, name, origin, part in rows:
            file = by_name[label, name]
            record.forget_file(file.id)
            new = record.add_file(
                label, name, sha256=file.sha256, picture=file.picture, provenance=origin, state=State.STORED
            )
            parts.append((new, part))
        record.remember_split(parts)


@pytest.fixture(scope="session")
def plant() -> Callable[..., None]:
    """``plant(project, [(label, name, provenance, part), ...], data)``: pictures of a project and its split."""
    return _plant


@pytest.fixture
def red(jpeg: Callable[..., bytes]) -> bytes:
    """A red JPEG."""
    return jpeg(Image.new("RGB", (96, 80), (220, 30, 40)))


@pytest.fixture
def grey(jpeg: Callable[..., bytes]) -> bytes:
    """A JPEG without a colour: each class is as likely."""
    return jpeg(Image.new("RGB", (96, 80), (128, 128, 128)))


@pytest.fixture(scope="session")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a lone ONNX file, with what it says of itself inside."""
    import onnx
    from birds.models.engines import INPUT, OUTPUT
    from birds.models.manifest import METADATA_KEY
    from onnx import TensorProto, helper

    size = manifest().preprocess.size
    nodes = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["colour"], keepdims=0),
        helper.make_node("Div", ["colour", "soft"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("soft", TensorProto.FLOAT, [1], [16.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "by colour",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size, size, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(LABELS)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: manifest().to_json()})
    onnx.checker.check_model(model)
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path
