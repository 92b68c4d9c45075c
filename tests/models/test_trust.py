"""Which pickles were exported here is kept for the user, and a damaged list trusts nobody."""

from pathlib import Path

import pytest
from birds.errors import ModelError
from birds.models import trust

ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_what_was_exported_here_passes_and_the_rest_is_refused_with_why(config: Path) -> None:
    assert trust.add(ONE)
    assert trust.trust_file() == config / "birds" / "trusted.json"
    trust.check(Path("export.pkl"), ONE)
    with pytest.raises(ModelError, match=r"runs any code.*--trust"):
        trust.check(Path("export.pkl"), OTHER)
    trust.check(Path("export.pkl"), OTHER, trust=True)
    assert not trust.is_known(OTHER), "trusted once is not trusted for good"


def test_earlier_ones_are_kept() -> None:
    trust.add(ONE)
    trust.add(OTHER)
    assert trust.is_known(ONE)


@pytest.mark.parametrize("content", ["", "[", "[]", "null", '"' + ONE + '"'])
def test_a_damaged_list_trusts_nobody(content: str) -> None:
    trust.add(ONE)
    trust.trust_file().write_text(content)
    assert not trust.is_known(ONE)
    assert trust.add(OTHER)
    assert trust.is_known(OTHER)


def test_a_folder_that_cannot_be_written_is_no_error(config: Path) -> None:
    config.write_text("a file where the folder should be")
    assert not trust.add(ONE)
    assert not trust.is_known(ONE)
