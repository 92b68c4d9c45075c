"""What is found in a really trained network, and what is left on disk."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from birds.errors import ModelError, ProjectError, UsageError
from birds.explain import explain
from birds.explain.stage import list_layers
from birds.models.runs import Run
from PIL import Image

from .conftest import LABELS


def rows_of(path: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8-sig").splitlines()))


@pytest.fixture(scope="module")
def project(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because explaining leaves files that other tests do not expect."""
    return shutil.copytree(trained, tmp_path_factory.mktemp("explained") / "project")


@pytest.fixture(scope="module")
def explained(project: Path):
    return explain(project)


def test_a_run_is_looked_into_on_its_validation_pictures_without_being_exported(project: Path, explained) -> None:
    run = Run(project / "runs" / "small")
    assert not run.bundle.exists()
    assert (explained.part, explained.n, explained.of) == ("val", 42, 42)
    assert run.result is not None
    assert explained.accuracy == pytest.approx(run.result["valid_accuracy"], abs=1e-6)
    low, high = explained.accuracy_interval
    assert low < explained.accuracy < high
    assert list(explained.per_class) == sorted(LABELS)
    assert all(one["recall_interval"] for one in explained.per_class.values()), "21 pictures are enough for one"


def test_every_chart_and_table_lies_in_the_runs_folder(project: Path, explained) -> None:
    folder = project / "runs" / "small" / "explanation"
    charts = {"confusion", "classes", "curves", "filters", "map-last", "map-middle"}
    tables = charts | {"confused_pairs", "layers", "skipped"}
    written = {path.name for path in folder.iterdir()}
    assert written == {
        *(f"{name}.png" for name in charts),
        *(f"{name}.csv" for name in tables),
        "index.html",
        "explanation.json",
    }
    for name in charts:
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 80
    assert set(explained.files) == written - {"explanation.json"}
    kept = json.loads((folder / "explanation.json").read_text(encoding="utf-8"))
    assert kept["accuracy"] == explained.accuracy
    assert kept["page"] == explained.page == str(folder / "index.html")


def test_the_tables_agree_with_the_result(project: Path, explained) -> None:
    points = rows_of(explained.files["map-last.csv"])
    assert len(points) == 42
    right = sum(row["label"] == row["predicted"] for row in points)
    assert right == round(explained.accuracy * 42)
    matrix = rows_of(explained.files["confusion.csv"])
    assert sum(int(row[row["true"]]) for row in matrix) == right
    last = explained.layers[0]
    mean = sum(float(row["silhouette"]) for row in points) / 42
    assert last.silhouette == pytest.approx(mean)
    assert [row["valid_loss"] for row in rows_of(explained.files["curves.csv"])] == [
        row["valid_loss"] for row in Run(project / "runs" / "small").history
    ]


def test_the_last_and_the_middle_layer_are_mapped_unless_others_are_asked_for(explained, root: Path) -> None:
    last, middle = explained.layers
    assert (last.asked, last.layer, last.features, last.metric) == ("last", "body", 50, "euclidean")
    assert (middle.asked, middle.layer, middle.shape) == ("middle", "body.layers.4", [16, 10, 10])
    assert middle.features == 16, "a map of 10 by 10 places is averaged over them"
    result = explain(root, layers=("body.layers.0", "head"))
    assert [one.layer for one in result.layers] == ["body.layers.0", "head"]
    left = {path.name for path in Path(result.page).parent.glob("map-*")}
    assert left == {f"map-{name}.{kind}" for name in ("body.layers.0", "head") for kind in ("csv", "png")}


def test_the_classes_lie_further_apart_where_the_network_decides(explained) -> None:
    last, middle = explained.layers
    assert last.silhouette > middle.silhouette
    assert set(last.silhouette_per_class) == set(LABELS)


def test_the_test_set_is_looked_at_only_when_asked_for_and_beside_the_rest(root: Path, without_charts: None) -> None:
    for picture in (root / "dataset" / "test").glob("*/*"):
        picture.write_bytes(b"nobody may open this")
    assert not explain(root).skipped
    with pytest.raises(ProjectError, match="None of these pictures"):
        explain(root, part="test")


def test_another_part_has_a_folder_of_its_own(root: Path, without_charts: None) -> None:
    result = explain(root, part="test")
    assert (result.part, result.n) == ("test", 12)
    assert Path(result.page).parent.name == "explanation-test"
    assert "asked for by --part test" in Path(result.page).read_text(encoding="utf-8")


def test_of_many_pictures_some_are_drawn_by_the_seed(root: Path, without_charts: None) -> None:
    def drawn(seed: int) -> list[str]:
        result = explain(root, most=10, seed=seed)
        assert (result.n, result.of) == (10, 42)
        return [Path(row["file"]).name + row["label"] for row in rows_of(result.files["map-last.csv"])]

    first = drawn(1)
    assert drawn(1) == first
    assert drawn(2) != first


def test_the_same_seed_gives_the_same_map(root: Path, explained, without_charts: None) -> None:
    again = explain(root)
    places = [[(row["x"], row["y"]) for row in rows_of(one.files["map-last.csv"])] for one in (explained, again)]
    assert places[0] == places[1]


def test_what_cannot_be_opened_or_is_of_no_class_is_counted_and_named(root: Path, notes, without_charts: None) -> None:
    (root / "dataset" / "val" / LABELS[0] / "0.png").write_bytes(b"no picture")
    strange = root / "dataset" / "val" / "gorrión"
    strange.mkdir()
    Image.new("RGB", (40, 40)).save(strange / "1.png")
    result = explain(root, progress=notes)
    assert result.n == 41
    assert {Path(file).parent.name: reason for file, reason in result.skipped.items()} == {
        LABELS[0]: "not_an_image",
        "gorrión": "unknown_label",
    }
    assert any("0.png" in line for line in notes.lines)
    assert len(rows_of(result.files["skipped.csv"])) == 2


def test_fewer_than_eight_pictures_have_no_map_and_no_interval(root: Path, without_charts: None) -> None:
    for picture in list((root / "dataset" / "val").glob("*/*")):
        if int(picture.stem) >= 3:
            picture.unlink()
    result = explain(root)
    assert result.n == 6
    assert result.accuracy_interval is None
    assert not any(one.is_mapped for one in result.layers)
    assert "No map" in Path(result.page).read_text(encoding="utf-8")


def test_only_so_many_confused_pairs_are_told(root: Path, without_charts: None) -> None:
    shown = root / "dataset" / "val"  # every picture under the other name: all are confused
    for label in LABELS:
        (shown / label).rename(shown / f"{label}_")
    (shown / f"{LABELS[0]}_").rename(shown / LABELS[1])
    (shown / f"{LABELS[1]}_").rename(shown / LABELS[0])
    found = explain(root, pairs=1)
    assert all(one["recall"] < 0.5 for one in found.per_class.values())
    assert len(found.most_confused) == 1
    assert " of 21 " in found.most_confused[0].in_words
    assert "taken for" in found.most_confused[0].in_words


def test_what_cannot_be_is_said_in_one_line(root: Path) -> None:
    with pytest.raises(UsageError, match="no part 'valid'"):
        explain(root, part="valid")
    with pytest.raises(UsageError, match=r"no layer 'layers\.2'") as caught:
        explain(root, layers=("layers.2",))
    assert "body.layers.2" in caught.value.hint
    with pytest.raises(ModelError, match="no run 'other'"):
        explain(root, "other")
    (root / "dataset" / "test").rename(root / "dataset" / "was-test")
    with pytest.raises(ProjectError, match="no folder"):
        explain(root, part="test")


def test_a_run_of_another_split_is_refused(root: Path) -> None:
    config = root / "runs" / "small" / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["split"] = {"origin": "one"}
    config.write_text(json.dumps(settings), encoding="utf-8")
    (root / "dataset" / "split.json").write_text('{"origin": "two"}', encoding="utf-8")
    with pytest.raises(ProjectError, match="another split") as caught:
        explain(root)
    assert "--data" not in caught.value.hint


def test_the_layers_are_listed_in_the_order_of_use(trained: Path) -> None:
    found = list_layers(trained)
    names = [one.name for one in found.layers]
    assert names[:3] == ["body.layers.0", "body.layers.1", "body.layers.2"]
    assert names.index("body") < names.index("head")
    assert (found.run, found.last, found.middle) == ("small", "body", "body.layers.4")
