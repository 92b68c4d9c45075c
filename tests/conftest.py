"""What several tests share: drawn pictures, project folders, the real data where it lies beside the checkout."""

import atexit
import http.client
import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from birds.files import Project
from birds.progress import Progress
from birds.web import LocalServer
from PIL import Image

if "BIRDS_TESTS_CACHE" not in os.environ:  # workers inherit it: what a user's caches hold must not decide a test
    os.environ["BIRDS_TESTS_CACHE"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="birds-tests-")
    os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_CACHE_HOME"]
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
if "PYTEST_XDIST_WORKER" in os.environ:  # before anybody imports torch: several tests at once share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")

MakePicture = Callable[..., Image.Image]
WriteImages = Callable[[Path, Mapping[str, int]], list[Path]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The demo goes first: it takes longest, and what runs beside it need not wait for it."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")


@dataclass(frozen=True)
class Answer:
    """What a local page answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """A browser as `url`, the address of a local page, sees it: sends what a page of that address would send."""

    def __init__(self, url: str) -> None:
        self.origin, _, self.way_in = url.rpartition("/")
        self.host = self.origin.removeprefix("http://")
        self.cookie = ""

    def enter(self) -> Answer:
        """Open the address with its token and keep the cookie."""
        answer = self.get(f"/{self.way_in}")
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers)

    def post(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        """POST as the page's own script does; a header given as None is left out."""
        own = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers}
        return self.ask("POST", path, {name: value for name, value in own.items() if value is not None}, body)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        try:
            connection.request(method, path, body=body, headers={**cookie, **headers})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


def _make_picture(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of soft colour patches, another for each seed; their hashes differ in about half the bits."""
    patches = random.Random(seed).randbytes(8 * 6 * 3)
    return Image.frombytes("RGB", (8, 6), patches).resize(size, Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 92, **options})
    return buffer.getvalue()


def _write_images(root: Path, counts: Mapping[str, int]) -> list[Path]:
    """``images/<label>/000.jpg``, ... under `root`: so many new pictures a label, no two alike, none overwritten."""
    paths = []
    for label, n in counts.items():
        folder = root / "images" / label
        folder.mkdir(parents=True, exist_ok=True)
        start = len(list(folder.iterdir()))
        for i in range(start, start + n):
            path = folder / f"{i:03}.jpg"
            path.write_bytes(_jpeg(_make_picture(_stable_seed(label, i))))
            paths.append(path)
    return paths


def _stable_seed(label: str, i: int) -> int:
    """A seed that is the same in every process, which ``hash`` of a text is not."""
    return int.from_bytes(f"{label}/{i}".encode(), "big")


@pytest.fixture(scope="session")
def make_picture() -> MakePicture:
    """``make_picture(seed, size=(160, 120))``: a distinct RGB image for each seed."""
    return _make_picture


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """``jpeg(image, **options)``: the bytes of a JPEG file."""
    return _jpeg


@pytest.fixture(scope="session")
def write_images() -> WriteImages:
    """``write_images(root, {"label": n})``: n distinct pictures a label under ``root/images``; returns their paths."""
    return _write_images


WriteRun = Callable[..., Path]


def _write_run(
    root: Path,
    *,
    name: str = "one",
    arch: str = "base_net:size=16",
    recipe: str = "default",
    resize: str = "squish",
    temperature: float = 2.0,
) -> Path:
    import torch
    from birds.models.architectures import Classifier, make_body, make_head
    from birds.models.learner import make_2024_model

    labels, size = ["cigüeña", "garza"], 16 if arch == "base_net:size=16" else 32
    for part, count in {"train": 2, "val": 12, "test": 6}.items():
        for label in labels:
            (root / "dataset" / part / label).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                picture = _make_picture(_stable_seed(f"{part}/{label}", i), (40, 30))
                (root / "dataset" / part / label / f"{i:03}.jpg").write_bytes(_jpeg(picture))
    run = root / "runs" / name
    (run / "checkpoints").mkdir(parents=True)
    config = {
        "format_version": 3, "name": name, "created_at": "2026-01-01T00:00:00+00:00", "arch": arch, "recipe": recipe,
        "weights": str(root / "weights.pth"), "mirror": recipe == "default", "resize": resize, "seed": 7, "size": size,
        "evaluation_size": size, "classes": labels, "split": None, "phases": [{"name": "fine_tune"}],
    }  # fmt: skip
    (run / "config.json").write_text(json.dumps(config))
    result = {"run": name, "best_phase": "fine_tune", "best_epoch": 3, "temperature": temperature}
    (run / "result.json").write_text(json.dumps(result))
    torch.manual_seed(0)
    if recipe == "2024":
        network = make_2024_model(arch, len(labels))
    else:
        body, features = make_body(arch)
        network = Classifier(body, make_head(features, len(labels), body))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)  # so that it says something
    torch.save(network.state_dict(), run / "checkpoints" / "fine_tune.pth")
    return run


@pytest.fixture(scope="session")
def write_run() -> WriteRun:
    """``write_run(root, name="one", arch=..., ...)``: a dataset and a finished run of random weights; its folder."""
    return _write_run


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run ``one``, a tiny network, is exported in every format. Tests only read it."""
    from birds.export import export

    root = tmp_path_factory.mktemp("exported")
    _write_run(root)
    export(root)
    return root


@pytest.fixture(scope="session")
def visitor() -> Callable[[LocalServer | str], Visitor]:
    """``visitor(server)``: a `Visitor` of a running local page, or of its address, who has come in already."""

    def come_in(server: LocalServer | str) -> Visitor:
        one = Visitor(server if isinstance(server, str) else server.url)
        one.enter()
        return one

    return come_in


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of third-party material to test against; the test is skipped where it is not there."""
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("BIRDS_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}; BIRDS_TEST_DATA may name another")
    return folder


class Notes(Progress):
    """Keeps what a stage said, in ``lines``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def notes() -> Notes:
    """A `Progress` whose ``lines`` are the notes it was given."""
    return Notes()
