from pathlib import Path

import pytest
from birds import config
from birds.errors import UsageError


def _write(folder: Path, text: str) -> Path:
    (folder / "birds.toml").write_text(text, encoding="utf-8")
    return folder


def test_without_a_file_everything_is_empty(tmp_path: Path) -> None:
    assert config.load(tmp_path) == config.Config()
    assert config.load(tmp_path / "nowhere") == config.Config()


def test_the_example_of_the_module_loads(tmp_path: Path) -> None:
    assert config.__doc__ is not None
    example = "\n".join(line[4:] for line in config.__doc__.splitlines() if line.startswith("    "))
    assert config.load(_write(tmp_path, example)) == config.Config(
        species=("cigüeña", "garza"),
        scrape={"limit": 80},
        clean={"threshold": ["blurred=0.3"]},
        split={"seed": 5},
        train={"arch": "resnet18", "epochs": "5,10"},
    )


def test_flags_may_be_written_as_on_the_command_line(tmp_path: Path) -> None:
    text = '[scrape]\ngoogle-url = "http://127.0.0.1:1/"\nallow-host = "127.0.0.1:1"\n[train]\nbatch-size = 16\n'
    loaded = config.load(_write(tmp_path, text))
    assert loaded.scrape == {"google_url": "http://127.0.0.1:1/", "allow_host": ["127.0.0.1:1"]}
    assert loaded.train == {"batch_size": 16}


@pytest.mark.parametrize(("value", "text"), [("10", "10"), ("[5, 10]", "5,10"), ('"5,10"', "5,10")])
def test_settings_by_phase_are_numbers_lists_or_texts(tmp_path: Path, value: str, text: str) -> None:
    assert config.load(_write(tmp_path, f"[train]\nepochs = {value}\n")).train == {"epochs": text}


@pytest.mark.parametrize(
    ("text", "named"),
    [("[scrap]\nlimit = 1", "scrap"), ("limit = 3", "limit"), ("[scrape]\nlimits = 1", "limits"), ("scrape = 1",
     "scrape"),
     ("species = 'loro'", "species"), ("species = [1]", "species"), ("[train", "birds.toml"), ("x = \x00",
     "birds.toml")],
)  # fmt: skip
def test_what_no_command_has_is_an_error_that_names_it(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        config.load(_write(tmp_path, text))
    assert "birds.toml" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [("scrape", "limit", '"80"'), ("scrape", "limit", "true"), ("scrape", "headed", "1"), ("scrape", "allow_host",
     "[1]"),
     ("split", "ratio", "70"), ("split", "seed", "5.0"), ("train", "arch", "[]")],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_an_error_that_names_it(tmp_path: Path, table: str, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"\[{table}\] {key} cannot be"):
        config.load(_write(tmp_path, f"[{table}]\n{key} = {value}\n"))


def test_a_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "birds.toml").write_bytes('species = ["cigüeña"]'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"birds\.toml"):
        config.load(tmp_path)


def test_by_phase_gives_numbers_and_drops_what_was_not_given() -> None:
    given = {"epochs": "10,5", "lr": "3e-3,3e-4", "patience": "3", "plateau_factor": None}
    assert config.by_phase(given) == {"epochs": (10, 5), "lr": (0.003, 0.0003), "patience": (3,)}
    assert all(isinstance(n, int) for n in config.by_phase({"epochs": "10,5"})["epochs"])


@pytest.mark.parametrize(
    ("name", "text"), [("epochs", "2.5"), ("patience", "x"), ("lr", ""), ("lr", "1,"), ("plateau_min_delta", "1;2")]
)
def test_by_phase_refuses_what_is_no_number(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.by_phase({name: text})
    assert f"--{name.replace('_', '-')}" in str(caught.value)


def test_tables_become_the_arguments_of_their_stages() -> None:
    assert config.scrape_arguments({"limit": 3, "allow_host": ["a:1"]}) == {"limit": 3, "allow_hosts": ["a:1"]}
    assert config.train_arguments({"arch": "resnet18", "epochs": "1,2"}) == {"arch": "resnet18", "epochs": (1, 2)}
