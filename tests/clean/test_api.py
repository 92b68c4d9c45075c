import subprocess
import sys
from importlib import import_module

import pytest

# Each public function, and the modules whose import could put a module in its place.
PUBLIC = {
    "birds.clean": (("clean", "review"), ("server", "stage", "session", "page", "thumbnails", "checks", "command")),
    "birds.scrape": (("scrape",), ("stage", "command")),
    "birds.train": (("train",), ("stage", "command")),
    "birds.evaluation": (("evaluate",), ("stage", "report", "command")),
    "birds.predict": (("predict",), ("stage", "inputs", "command")),
}


@pytest.mark.parametrize("package", PUBLIC)
def test_no_module_bears_the_name_of_a_public_function(package: str) -> None:
    for name in PUBLIC[package][0]:
        with pytest.raises(ModuleNotFoundError):
            import_module(f"{package}.{name}")


def _runs(*lines: str) -> bool:
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, timeout=120).returncode == 0


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_functions_before_and_after_the_modules_are_imported(package: str) -> None:
    names, modules = PUBLIC[package]
    imports = [f"import {package}.{module}" for module in modules]
    ask = f"from {package} import {', '.join(names)}; assert all(map(inspect.isfunction, ({', '.join(names)},)))"
    assert _runs("import inspect", ask, *imports, ask)


@pytest.mark.parametrize("package", ["birds.clean", "birds.scrape"])
def test_the_public_names_are_functions_where_the_modules_came_first(package: str) -> None:
    names, modules = PUBLIC[package]
    for order in (modules, modules[::-1]):
        imports = [f"import {package}.{module}" for module in order]
        ask = f"from {package} import {', '.join(names)}; assert all(map(inspect.isfunction, ({', '.join(names)},)))"
        assert _runs("import inspect", *imports, ask)
