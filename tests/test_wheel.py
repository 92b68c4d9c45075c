"""The wheel, installed elsewhere: every module imports and every data file is there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own. Built without isolation: setuptools comes from the environment."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    source = folder / "source"
    for name in tracked:  # a copy: building leaves its traces beside the sources
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_every_module_and_data_file_is_in_the_wheel(unpacked: Path) -> None:
    packages = [ROOT, *(path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")]
    expected = {path.relative_to(ROOT) for package in packages for path in package.glob("*.py")}
    expected |= {path.relative_to(ROOT) for path in ROOT.glob("*/static/*") if path.is_file()} | {Path("species.toml")}
    expected -= {Path("setup.py"), Path("conftest.py")}
    found = {path.relative_to(unpacked / "birds") for path in (unpacked / "birds").rglob("*") if path.is_file()}
    assert found == expected


def test_every_module_imports_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if '__editable__' not in repr(f)]\n"
        f"sys.path.insert(0, {str(unpacked)!r})\n"
        "import birds, pkgutil, importlib\n"
        "names = [m.name for m in pkgutil.walk_packages(birds.__path__, 'birds.') if not m.name.endswith('__main__')]\n"
        "for name in names: importlib.import_module(name)\n"
        "from birds.species import known\n"
        "print(birds.__file__, len(names), len(known()))"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    file, modules, species = answer.stdout.split()
    assert Path(file).is_relative_to(unpacked)
    assert int(modules) > 30
    assert int(species) > 40
