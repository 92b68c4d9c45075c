"""`birds push` against a stand-in of the Hub's endpoints on loopback: what arrives, and what is said when it cannot."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from birds import errors
from birds.cli import app
from birds.export import hub
from birds.models.bundle import load
from birds.models.manifest import Manifest, ModelClass, Preprocess
from PIL import Image
from typer.testing import CliRunner

TOKEN = "hf_of_the_tests"
CARD = "---\nlibrary_name: onnx\n---\n# cigüeñas\n".encode()
MODELS = {"model.onnx": b"\x08\x0a" + bytes(5000), "model.safetensors": bytes(7000), "export.pkl": b"\x80\x04" * 50}


@dataclass
class Repo:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class StandIn:
    """What the Hub has, and what it was asked: just enough of its API for one commit of small and large files."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def api(self, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/api/repos/create":
            wish = json.loads(body)
            if wish["organization"] not in (None, "maria"):
                return 403, {"error": "You don't have the rights to create a model under this namespace"}
            name = f"maria/{wish['name']}"
            is_new = name not in self.repos
            private = wish.get("private") is True or wish.get("visibility") == "private"
            self.repos.setdefault(name, Repo(private))
            return (200 if is_new else 409), {"url": f"{self.url}/{name}"}
        if path == "/api/validate-yaml":
            is_fine = "library_name: [" not in json.loads(body)["content"]
            return (200, {}) if is_fine else (400, {"errors": [{"message": "metadata is no YAML"}]})
        match = re.fullmatch(r"/(?:api/models/)?([\w-]+/[\w-]+)(?:\.git)?(.*)", path)
        repo = self.repos.get(match[1])
        if repo is None:
            return 404, {"error": "Repository not found"}
        if match[2] == "":
            siblings = [{"rfilename": name} for name in repo.files]
            return 200, {"id": match[1], "private": repo.private, "sha": "0" * 40, "siblings": siblings}
        if match[2] == "/preupload/main":
            return 200, {"files": [self.mode_of(one["path"]) for one in json.loads(body)["files"]]}
        if match[2] == "/info/lfs/objects/batch":
            return 200, {"objects": [self.place_of(one) for one in json.loads(body)["objects"]]}
        assert match[2] == "/commit/main"
        return 200, self.commit(match[1], [json.loads(line) for line in body.splitlines()])

    def mode_of(self, path: str) -> dict[str, Any]:
        mode = "regular" if path.endswith((".md", ".json")) else "lfs"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def place_of(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.blobs:  # no action: it is there
            return one
        return {**one, "actions": {"upload": {"href": f"{self.url}/blobs/{one['oid']}"}}}

    def commit(self, name: str, lines: list[dict[str, Any]]) -> dict[str, str]:
        repo = self.repos[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repo.commits.append(value["summary"])
            elif line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del repo.files[value["path"]]
        return {"commitUrl": f"{self.url}/{name}/commit/{'a' * 40}", "commitOid": "a" * 40}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    hub_of_tests = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            whole = io.BytesIO()
            while size := int(self.rfile.readline(), 16):
                whole.write(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return whole.getvalue()

        def answer(self) -> None:
            body = self.body()
            hub_of_tests.asked.append(self.path)
            if self.command == "PUT":  # to a storage that is not the Hub itself
                oid = self.path.rpartition("/")[2]
                assert "Authorization" not in self.headers
                hub_of_tests.blobs[oid] = body
                status, value = (200 if hashlib.sha256(body).hexdigest() == oid else 422), {}
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, value = 401, {"error": "Invalid username or password."}
            else:
                status, value = hub_of_tests.api(self.path, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - what http.server calls them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub_of_tests.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hub_of_tests
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A project with one finished, exported run ``storks``, and things in its bundle that are nobody's business."""
    run = tmp_path / "runs" / "storks"
    bundle = run / "bundle"
    bundle.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"created_at": "2026-11-01T10:00:00"}))
    (run / "result.json").write_text(json.dumps({"best_phase": "head"}))
    for name, content in MODELS.items():
        (bundle / name).write_bytes(content)
    (bundle / "MODEL_CARD.md").write_bytes(CARD)
    describe(bundle)
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (40.0, 25.0, 0.0)})  # GPS
    Image.new("RGB", (8, 8)).save(bundle / "nest.jpg", exif=exif)
    return tmp_path


def describe(bundle: Path) -> None:
    digests = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in MODELS}
    manifest = Manifest(
        (ModelClass("cigüeña"), ModelClass("garza")), Preprocess("squish", 32), "resnet18", "default", True, 1.0, 0.5,
        files=digests,
    )  # fmt: skip
    (bundle / "model.json").write_text(manifest.to_json(), encoding="utf-8")


Push = Callable[..., Any]


@pytest.fixture
def push(exported: Path, monkeypatch: pytest.MonkeyPatch) -> Push:
    """``push(*arguments, endpoint=, token=)``: `birds push` in this process, logged in to a Hub of its own."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(exported / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(*arguments: str, endpoint: str, token: str | None = TOKEN) -> Any:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        return CliRunner().invoke(app, ["push", *arguments, "--project", str(exported)])

    return run


def push_alone(project: Path, *arguments: str, endpoint: str) -> Any:
    """`birds push` in its own process, which finds the stand-in and the token as a user would name them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_TOKEN": TOKEN, "HF_HOME": str(project / "hf")}
    command = [sys.executable, "-m", "birds", "push", *arguments, "--project", str(project)]
    environment |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_bundles_bytes_arrive_in_one_commit_without_pickle_or_picture(stand_in: StandIn, exported: Path) -> None:
    answer = push_alone(exported, "maria/storks", "--json", endpoint=stand_in.url)
    assert answer.returncode == 0, answer.stderr
    repo = stand_in.repos["maria/storks"]
    bundle = exported / "runs" / "storks" / "bundle"
    assert repo.files == {
        "README.md": CARD,
        "model.json": (bundle / "model.json").read_bytes(),
        "model.onnx": MODELS["model.onnx"],
        "model.safetensors": MODELS["model.safetensors"],
    }
    assert len(repo.commits) == 1
    assert not repo.private
    assert not any(b"Exif" in content for content in [*repo.files.values(), *stand_in.blobs.values()])
    result = json.loads(answer.stdout)
    assert result["uploaded"] == {name: len(content) for name, content in repo.files.items()}
    assert set(result["left_out"]) == {"export.pkl", "nest.jpg"}
    assert result["url"] == f"{stand_in.url}/maria/storks"
    assert TOKEN not in answer.stdout + answer.stderr
    for name, content in repo.files.items():  # as whoever downloads it has it
        (exported / name).write_bytes(content)
    assert load(exported).labels == ["cigüeña", "garza"]
    assert "/api/agent-harnesses" not in stand_in.asked  # what huggingface_hub asks for its statistics


def test_a_second_push_leaves_only_files_of_one_export(stand_in: StandIn, push: Push) -> None:
    """With the pickle first, without it then: the old pickle would contradict the new model.json."""
    stand_in.repos["maria/storks"] = Repo(private=True, files={"export.pkl": b"old", "LICENSE": b"by hand"})
    answer = push("storks", "--private", endpoint=stand_in.url)
    assert answer.exit_code == 0, answer.stderr
    assert set(stand_in.repos["maria/storks"].files) == {
        "README.md", "model.json", "model.onnx", "model.safetensors", "LICENSE",
    }  # fmt: skip
    assert re.search(r"export\.pkl .*removed", answer.stdout)
    again = push("storks", "--private", "--with-pickle", endpoint=stand_in.url)
    assert again.exit_code == 0, again.stderr
    assert stand_in.repos["maria/storks"].files["export.pkl"] == MODELS["export.pkl"]
    assert sum("/blobs/" in path for path in stand_in.asked) == 3  # each of the large files once


def test_a_dry_run_shows_sizes_and_asks_nothing(stand_in: StandIn, push: Push) -> None:
    answer = push("maria/storks", "--dry-run", "--json", endpoint=stand_in.url, token=None)
    assert answer.exit_code == 0, answer.stderr
    assert stand_in.asked == []
    result = json.loads(answer.stdout)
    assert result["uploaded"]["model.safetensors"] == 7000
    assert "--with-pickle" in result["left_out"]["export.pkl"]
    assert (result["is_dry_run"], result["url"]) == (True, None)


def test_a_private_push_never_goes_into_a_public_repository(stand_in: StandIn, push: Push) -> None:
    stand_in.repos["maria/storks"] = Repo(private=False)
    answer = push("maria/storks", "--private", endpoint=stand_in.url)
    assert answer.exit_code == 1
    assert "public already" in answer.stderr
    assert stand_in.repos["maria/storks"].files == {}
    assert stand_in.blobs == {}


def one_line(answer: Any) -> str:
    assert answer.exit_code == 1, answer.stdout
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("Uploading ")]
    assert len(lines) == 1, answer.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("repo", "token", "said"),
    [
        ("maria/storks", None, "hf auth login"),
        ("maria/storks", "hf_wrong", "does not know your token"),
        ("pedro/storks", TOKEN, "rights to create a model under this namespace"),
    ],
)
def test_what_the_hub_refuses_is_one_line_with_the_remedy(
    stand_in: StandIn, push: Push, repo: str, token: str | None, said: str
) -> None:
    assert said in one_line(push(repo, endpoint=stand_in.url, token=token))
    assert stand_in.blobs == {}


def test_a_card_with_bad_metadata_is_refused_before_anything_is_uploaded(
    stand_in: StandIn, push: Push, exported: Path
) -> None:
    card = exported / "runs" / "storks" / "bundle" / "MODEL_CARD.md"
    card.write_text("---\nlibrary_name: [\n---\n")
    assert "metadata is no YAML" in one_line(push("maria/storks", endpoint=stand_in.url))
    assert stand_in.blobs == {}


def test_no_network_is_one_line(push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "http://127.0.0.1:9"
    assert "cannot be reached" in one_line(push("maria/storks", endpoint=nowhere))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in one_line(push("maria/storks", endpoint=nowhere))


def test_without_the_extra_the_dry_run_works_and_the_push_names_it(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    runner = CliRunner()
    assert runner.invoke(app, ["push", "maria/storks", "--dry-run", "-p", str(exported)]).exit_code == 0
    answer = runner.invoke(app, ["push", "maria/storks", "-p", str(exported)])
    assert answer.exit_code == 1
    assert 'pip install "birds[hub]"' in answer.output


def test_a_model_that_is_not_what_was_exported_stays_here(exported: Path) -> None:
    bundle = exported / "runs" / "storks" / "bundle"
    (bundle / "model.onnx").write_bytes(b"another")
    with pytest.raises(errors.ModelError, match=r"model\.onnx is not what model\.json"):
        hub.push(exported, "maria/storks", dry_run=True)
    describe(bundle)
    (bundle / "MODEL_CARD.md").write_text("completed by hand")
    assert hub.push(exported, "maria/storks", dry_run=True).uploaded["README.md"] == len("completed by hand")


@pytest.mark.parametrize("absent", [["model.json"], ["MODEL_CARD.md"], ["model.onnx", "model.safetensors"]])
def test_a_bundle_that_lacks_something_is_exported_again(exported: Path, absent: list[str]) -> None:
    for name in absent:
        (exported / "runs" / "storks" / "bundle" / name).unlink()
    with pytest.raises(errors.ModelError, match=r"Run `birds export storks`"):
        hub.push(exported, "maria/storks", dry_run=True, with_pickle=True)


@pytest.mark.parametrize("repo", ["maria/cigüeñas", "a/b/c", "maria/", "https://huggingface.co/maria/storks", "a--b"])
def test_a_name_the_hub_cannot_have_is_refused_at_once(exported: Path, repo: str) -> None:
    with pytest.raises(errors.UsageError, match="OWNER/NAME"):
        hub.push(exported, repo, dry_run=True)
