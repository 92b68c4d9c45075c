"""The command line as its users meet it: exit statuses, one clear line, one JSON object."""

import json
import re
from pathlib import Path

import pytest
from birds.cli import app
from typer.main import get_command
from typer.testing import CliRunner, Result

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture
def birds(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("COLUMNS", "120")
    runner = CliRunner()

    def call(*arguments: object) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return call


def test_the_commands_are_those_the_readme_names() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert {name for name in COMMANDS if f"`birds {name}" not in readme} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(birds, command: str) -> None:
    answer = birds(command, "--help")
    assert answer.exit_code == 0
    assert f"Example: birds {command}" in answer.output
    assert "--json" in answer.output


def test_wrong_flags_exit_with_2(birds) -> None:
    assert birds("train", "--no-such-flag").exit_code == 2
    assert birds("scrape", "--limit", "many").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said", "advised"),
    [
        (["scrape"], "No species given", "--species"),
        (["scrape", "--species", "../../etc"], "cannot be a label", "dot"),
        (["scrape", "--species", "garza", "--source", "altavista"], "no source 'altavista'", "google"),
        (["scrape", "--species", "garza", "--query", "a", "--query", "b"], "1 species but 2 search terms", "--query"),
        (["scrape", "--species", "garza", "--allow-host", "everything"], "no HOST:PORT", "127.0.0.1"),
        (["clean", "--auto"], "There is no folder", "birds scrape"),
        (["explore"], "There is no folder", "birds scrape"),
        (["clean", "--threshold", "blured=1"], "no check 'blured'", "blurred"),
        (["split"], "There is no folder", "birds scrape"),
        (["split", "--ratio", "70/40"], "no ratio", "70/15/15"),
        (["train", "--epochs", "ten"], "--epochs is 'ten'", "whole numbers"),
        (["runs", "--project", "/no/such/place"], "No runs yet", "birds train"),
        (["images"], "no birds project", "birds scrape"),
        (["species", "dodo of mauritius"], "not in the list", "as typed"),
        (["gallery", "--images", "/no/such/folder"], "/no/such/folder", ""),
    ],
)
def test_what_cannot_work_says_so_in_one_line_and_what_to_do(
    birds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str, advised: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = birds(*arguments)
    text = " ".join(answer.output.split())
    assert said in text
    assert advised in text
    assert "Traceback" not in text
    if arguments[0] != "runs":
        assert answer.exit_code == 1
        assert answer.stderr.count("Error:") == 1


def test_an_error_under_json_is_one_object_on_standard_output(birds, tmp_path: Path) -> None:
    answer = birds("split", "--project", tmp_path, "--json")
    assert answer.exit_code == 1
    error = json.loads(answer.stdout)["error"]
    assert error["type"] == "ProjectError"
    assert "images" in error["message"]
    assert "birds scrape" in error["hint"]


def test_ctrl_c_exits_with_130_and_says_that_one_can_go_on(
    birds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("birds.split.stage.split", interrupted)
    answer = birds("split", "--project", tmp_path)
    assert answer.exit_code == 130
    assert "goes on" in answer.stderr


def test_a_full_disk_is_one_line(birds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device", "images/x.jpg")

    monkeypatch.setattr("birds.split.stage.split", full)
    answer = birds("split", "--project", tmp_path)
    assert answer.exit_code == 1
    assert "No space left on device (images/x.jpg). Free some space" in answer.stderr


def test_birds_toml_gives_the_defaults_and_flags_win(birds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def remember(_project: Path, **settings: object) -> None:
        seen.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("birds.split.stage.split", remember)
    (tmp_path / "birds.toml").write_text('[split]\nseed = 9\nratio = "60/20/20"\n')
    birds("split", "--project", tmp_path, "--seed", "3")
    assert (seen["seed"], seen["ratio"]) == (3, "60/20/20")


def test_a_wrong_key_in_birds_toml_is_named(birds, tmp_path: Path) -> None:
    (tmp_path / "birds.toml").write_text("[train]\nepoks = 3\n")
    answer = birds("train", "--project", tmp_path)
    assert answer.exit_code == 1
    assert "'epoks'" in answer.stderr


def test_the_species_list_finds_any_spelling(birds) -> None:
    answer = birds("species", "CIGUENA", "--json")
    assert [one["label"] for one in json.loads(answer.stdout)["species"]] == ["cigüeña"]


def test_version_is_the_distributions(birds) -> None:
    assert re.fullmatch(r"birds \d+\.\d+\.\d+\n", birds("--version").stdout)
