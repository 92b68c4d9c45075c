"""The shape of the package: which way imports point, what modules may be called, what is imported when."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "scrape", "clean", "explore", "split", "train", "export", "evaluation", "predict", "serve", "models", "demo",
    "importing", "explain",
)  # fmt: skip
# Each layer may import from the ones after it, and within a package from the package itself.
STAGES = {"scrape", "clean", "explore", "split", "train"}
AFTER_TRAINING = {"export", "evaluation", "predict", "serve", "explain"}  # train compares by the first two
LEAVES = {
    "record", "reconcile", "species", "duplicates", "images", "net", "web", "files", "config", "console", "progress",
    "errors", "reasons", "lazy", "addresses", "alignment", "fingerprints", "hamming", "looks", "moves", "quality",
    "licences", "record_files", "record_looks", "record_review", "record_tables", "robots", "tables", "web_guard",
    "wire", "drawing", "static_page",
}  # fmt: skip
RANK = {
    "__main__": 0,
    "cli": 1,
    "commands": 2,
    "pipeline": 3,
    "doctor": 3,
    "demo": 4,
    "importing": 4,  # hands on to split what came divided
    "models": 7,
    **dict.fromkeys(STAGES, 5),
    **dict.fromkeys(AFTER_TRAINING, 6),
    **dict.fromkeys(LEAVES, 8),
}
OF_THE_COMMAND_LINE = {"console", "config"}
READ_CONFIG = {"cli", "commands", "pipeline", "console"}


def sources() -> list[Path]:
    return [*ROOT.glob("*.py"), *(path for name in PACKAGES for path in (ROOT / name).glob("*.py"))]


def unit_of(path: Path) -> str:
    """The top-level module or package that a file belongs to."""
    return path.stem if path.parent == ROOT else path.parent.name


def imported_units(path: Path) -> set[str]:
    """Top-level modules and packages of birds that `path` imports, at the top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        climbs_to_root = node.level == (1 if path.parent == ROOT else 2)
        if not climbs_to_root:
            continue
        found |= {node.module.partition(".")[0]} if node.module else {alias.name for alias in node.names}
    return found - {"__version__"}


def test_every_module_has_a_place_in_the_layers() -> None:
    assert {unit_of(path) for path in sources()} - {"__init__"} == RANK.keys()


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    unit = unit_of(path)
    if unit == "__init__":
        return
    is_command = path.stem == "command" or path.stem.endswith("_command")
    for imported in imported_units(path):
        if RANK[imported] == RANK[unit] and unit not in LEAVES:
            assert imported == unit or unit in {"pipeline", "doctor"}, f"{path.name} imports its neighbour {imported}"
        assert RANK[imported] >= RANK[unit], f"{path.name} imports {imported}, which stands above it"
        if imported in OF_THE_COMMAND_LINE and not is_command:
            assert unit in READ_CONFIG, f"{path.name} reads {imported}: below the command line, values are passed"


def test_the_package_imports_itself_relatively() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").partition(".")[0] != "birds", path
            if isinstance(node, ast.Import):
                assert all(alias.name.partition(".")[0] != "birds" for alias in node.names), path


def test_no_top_level_name_is_an_installed_distributions() -> None:
    """With the root as working directory ours would be imported in its place."""
    ours = {unit_of(path) for path in sources()} - {"__init__", "__main__"}
    installed = set(importlib.metadata.packages_distributions()) | set(sys.stdlib_module_names)
    assert not ours & installed


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom birds.cli import app\n"
        f"try: app({list(arguments)!r}, prog_name='birds')\nexcept SystemExit: pass\n"
        "print('\\n'.join(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "Usage" in answer.stdout
    return {line.partition(".")[0] for line in answer.stdout.splitlines()}


@pytest.mark.parametrize(
    "arguments", [("--help",), ("scrape", "--help"), ("train", "--help"), ("evaluate", "--help"), ("explain", "--help")]
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    heavy = {
        "torch",
        "torchvision",
        "fastai",
        "pandas",
        "matplotlib",
        "selenium",
        "numpy",
        "requests",
        "fasthtml",
        "uvicorn",
    }
    assert not loaded_by(*arguments) & heavy
