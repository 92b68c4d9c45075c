"""The report: one page that needs nothing and tells everything, charts that can be read."""

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from birds.drawing import DARK, LIGHT, Theme
from birds.evaluation import EvaluateResult, evaluate
from birds.evaluation.bootstrap import TOP
from birds.evaluation.charts import coverage_chart, reliability_chart
from birds.evaluation.judging import Judged
from birds.evaluation.measuring import measured
from birds.evaluation.origins import Origin
from birds.evaluation.page import Pictures, page
from birds.evaluation.results import Overlap
from birds.fingerprints import HASHES
from birds.models.manifest import Manifest, ModelClass, Preprocess
from birds.models.statistics import confusion_matrix
from PIL import Image

MARKUP = '<img src=x onerror=alert(1)> & "$\\frac{$'


class Page(HTMLParser):
    """What a browser takes the page for: tags, what they load or lead to, and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.source = "", source
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> Iterator[bytes]:
        for _, attributes in self.tags:
            for name in ("src", "srcset"):
                if address := attributes.get(name):
                    yield base64.b64decode(address.partition(",")[2])


def judged(labels: list[str], n: int = 60, wrong: float = 0.2) -> Judged:
    chance = np.random.default_rng(0)
    truth = np.arange(n) % len(labels)
    probability = chance.dirichlet(np.full(len(labels), 0.5), n).astype(np.float32)
    probability[np.arange(n), np.where(chance.random(n) < wrong, (truth + 1) % len(labels), truth)] += 2
    return Judged(
        files=np.array([f"/home/anna/dataset/test/{labels[k]}/{i}.jpg" for i, k in enumerate(truth)], dtype=object),
        truth=truth,
        probability=probability / probability.sum(axis=1, keepdims=True),
        sha256=np.array([str(i) for i in range(n)], dtype=object),
        hashes=np.zeros((n, HASHES), np.uint64),
        grays=np.zeros((n, 32, 32), np.uint8),
    )


def result_of(labels: list[str], url: str | None = None, **options: object) -> tuple[EvaluateResult, np.ndarray]:
    one = judged(labels, **options)  # type: ignore[arg-type]
    result = measured(
        one,
        labels,
        groups=np.arange(len(one)),
        origins=[Origin(i % 3 == 0, url) for i in range(len(one))],
        temperature=1.3,
        threshold=0.6,
        skipped={"/home/anna/dataset/test/x/broken.jpg": "unreadable"},
        overlap=Overlap("exact and near copies", exact={"/home/anna/a/b/c.jpg": "train/b/d.jpg"}),
        model="runs/one/bundle",
        phase="final",
        engine="onnx",
        data="/home/anna/dataset/test",
        warnings=["Beware of this."],
    )
    return result, confusion_matrix(one.truth, one.predicted, len(labels))


def manifest_of(labels: list[str]) -> Manifest:
    return Manifest(
        classes=tuple(ModelClass(label) for label in labels),
        preprocess=Preprocess("squish", 32),
        architecture="resnet18",
        recipe="default",
        mirror=False,
        temperature=1.3,
        abstain_threshold=0.6,
        training={"run": "one", "licences": {"CC BY": 3}, "sources": {"google": 2}, "reviewed_share": 0.25},
    )


def text_of(labels: list[str], **options: object) -> Page:
    result, matrix = result_of(labels, **options)  # type: ignore[arg-type]
    pngs = dict.fromkeys(("classes", "confusion", "reliability", "coverage", "map"), b"PNG")
    result = replace(result, files={"figures.csv": "/home/anna/runs/one/evaluation/figures.csv"})
    return Page(page(result, manifest_of(labels), Pictures(pngs, pngs, []), {}, matrix))


def test_the_page_says_every_figure_with_its_pictures_and_its_meaning() -> None:
    shown = text_of(["garza", "loro", "cigüeña", "alimoche"])
    result, _ = result_of(["garza", "loro", "cigüeña", "alimoche"])
    assert f"{result.accuracy:.1%}" in shown.text
    for name in ("Accuracy", "Balanced accuracy", f"Top-{TOP} accuracy", "Macro F1", "Loss", "Calibration error (ECE)"):
        assert name in shown.text
    assert "in plain words" in shown.text
    assert shown.text.count("33%") >= 7, "the share that a person checked stands beside every figure"
    assert "Beware of this." in shown.text
    assert "broken.jpg: unreadable" in shown.text
    assert "is train/b/d.jpg" in shown.text
    assert "CC BY 3" in shown.text
    pair = result.most_confused[0]
    assert f"{pair.true} taken for {pair.predicted}: {pair.n} of {pair.of}" in shown.text
    assert "/home/anna" not in shown.source, "where it lies on one machine is nobody's business"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    shown = text_of(["garza", "loro"])
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "iframe", "object", "form", "base"}
    addresses = [a[name] for _, a in shown.tags for name in ("src", "srcset", "style") if name in a]
    assert len(addresses) == 10
    assert all(str(address).startswith("data:image/") for address in addresses)
    ids = {attributes.get("id") for _, attributes in shown.tags}
    targets = [a["href"] for tag, a in shown.tags if tag == "a"]
    assert targets
    assert all(str(target)[0] == "#" and str(target)[1:] in ids for target in targets)
    (policy,) = [a["content"] for tag, a in shown.tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = shown.source.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    assert "url(" not in style
    assert all(a.get("alt") for tag, a in shown.tags if tag == "img")


def test_names_of_classes_become_no_markup() -> None:
    shown = text_of([MARKUP, "loro"])
    assert MARKUP in shown.text
    assert not [attributes for _, attributes in shown.tags if "onerror" in attributes]


def test_many_classes_fit_without_a_table_of_all_pairs() -> None:
    shown = text_of([f"species number {i}" for i in range(40)], n=400)
    assert "Confusion matrix as numbers" not in shown.source
    assert "species number 39" in shown.text
    few = text_of(["garza", "loro"])
    narrow = [sum("narrow" in (one.get("class") or "") for _, one in page.tags) for page in (shown, few)]
    assert narrow[0] == narrow[1] - 1, "names of 40 classes need the width of the page"


def test_a_perfect_model_has_a_page_too() -> None:
    shown = text_of(["garza", "loro"], wrong=0)
    assert "Nothing was confused with anything." in shown.text
    assert "It made no mistake on these pictures." in shown.text


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_charts_of_calibration_and_coverage_have_their_figures_written(theme: Theme) -> None:
    result, _ = result_of(["garza", "loro"])
    figure = reliability_chart(result.calibration, theme)
    titles = " ".join(axis.get_title(loc="left") for axis in figure.axes)
    assert f"ECE {result.calibration.ece_before:.3f}" in titles
    assert f"ECE {result.calibration.ece_after:.3f}" in titles
    figure = coverage_chart(result.coverage, theme)
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert f"{result.coverage.answered} of 60 answered" in texts
    assert "unsure below 0.60" in texts


# -- of a real model


@pytest.fixture(scope="module")
def reported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluateResult:
    """The report of a copy of the trained project whose test pictures have a position in their EXIF."""
    import shutil

    root = tmp_path_factory.mktemp("reported")
    for name in ("dataset", "runs"):
        shutil.copytree(trained / name, root / name)
    for path in (root / "dataset" / "test").glob("*/*.png"):
        exif = Image.Exif()
        exif[0x010E] = "nest at 40.4168 -3.7038"
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    return evaluate(root, report=True)


def test_the_report_of_a_run_lies_in_it_with_all_charts_and_mistakes(reported: EvaluateResult) -> None:
    path = Path(str(reported.report))
    assert path.parent == Path(reported.files["figures.csv"]).parent.parent
    assert path.name == "report.html"
    assert path.stat().st_size < 2_000_000
    shown = Page(path.read_text(encoding="utf-8"))
    mistakes = len(reported.top_losses)
    assert mistakes == min(12, reported.n - round(reported.accuracy * reported.n))
    pictures = list(shown.pictures())
    assert len(pictures) == 5 * 2 + 2 * mistakes, "five charts in two colours; a mistake, and where the network looked"
    assert {"map.png", "map.csv"} <= reported.files.keys()
    with Path(reported.files["map.csv"]).open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == reported.n
    assert len(re.findall(r"mistakes/\d\d-seen\.jpg", " ".join(reported.files))) == mistakes


def test_pictures_of_the_page_are_made_anew_without_exif(reported: EvaluateResult) -> None:
    shown = Page(Path(str(reported.report)).read_text(encoding="utf-8"))
    for data in shown.pictures():
        assert b"40.4168" not in data
        with Image.open(io.BytesIO(data)) as picture:
            assert not picture.getexif()
    for name, path in reported.files.items():
        if name.startswith("mistakes/"):
            assert b"40.4168" not in Path(path).read_bytes()


def test_the_source_of_a_mistake_is_a_link_only_where_it_is_a_web_address() -> None:
    from birds.evaluation.explain import Shown

    labels = ["garza", "loro"]
    for url, is_link in (("https://example.org/a?b=1&c=2", True), (None, False)):
        result, matrix = result_of(labels, url=url)
        pngs = dict.fromkeys(("classes", "confusion", "reliability", "coverage"), b"PNG")
        result = replace(result, files={"figures.csv": "runs/one/evaluation/figures.csv"})
        mistakes = [Shown(one, b"JPEG", None) for one in result.top_losses]
        shown = Page(page(result, manifest_of(labels), Pictures(pngs, pngs, mistakes), {}, matrix))
        links = [a for tag, a in shown.tags if tag == "a" and not str(a["href"]).startswith("#")]
        assert len(links) == (len(mistakes) if is_link else 0)
        assert all(link["rel"] == "noopener noreferrer" for link in links)
