"""Small datasets in their real formats, drawn by benchmarks/generated_datasets.py."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "generated_datasets.py"


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated_datasets", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def _written(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    generator.write_cub200(folder, classes=4, pictures=8)
    generator.write_mnist(folder, pictures=6)
    generator.write_cifar10(folder)
    generator.write_cifar10_binary(folder)
    generator.write_cifar100(folder, pictures=2)
    generator.write_cifar100_binary(folder, pictures=2)
    generator.write_pickle(folder, classes=3, pictures=8)
    return folder


@pytest.fixture
def datasets(_written: Path, tmp_path: Path) -> Path:
    """A folder with all of them, to spoil as one likes: CUB_200_2011, MNIST, cifar-10-batches-py, ..., emoji.pkl."""
    return shutil.copytree(_written, tmp_path / "datasets")
