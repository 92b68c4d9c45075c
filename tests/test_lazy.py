import subprocess
import sys

import pytest
from birds.lazy import public


def test_a_public_name_is_imported_from_its_module_when_asked_for() -> None:
    lookup = public("birds", {"find": "species", "Reason": "reasons"})
    assert lookup("find").__module__ == "birds.species"
    assert lookup("Reason").BLURRED == "blurred"


def test_other_names_are_missing_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'birds' has no attribute 'nothing'"):
        public("birds", {})("nothing")


def test_importing_the_stages_loads_nothing_heavy() -> None:
    modules = "birds.split.stage, birds.clean.stage, birds.reconcile, birds.net, birds.images, birds.duplicates"
    heavy = "{'torch', 'fastai', 'numpy', 'pandas', 'matplotlib', 'selenium', 'requests', 'imagehash', 'sklearn'}"
    code = f"import sys, {modules}; print(*({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
