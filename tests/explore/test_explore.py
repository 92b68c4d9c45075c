"""`birds explore`: the right numbers, charts that can be read, a page that needs nothing and gives nothing away."""

import base64
import csv
import hashlib
import io
import re
import shutil
import statistics
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from birds.drawing import DARK, as_png, shortened, text_font
from birds.errors import ProjectError
from birds.explore import explore
from birds.explore import samples as sampling
from birds.explore.charts import MOST_BARS, classes_chart, flags_chart, sizes_chart
from birds.explore.counts import Counts, Flag, overview
from birds.files import Project
from birds.images import Content
from birds.moves import reject
from birds.reasons import Reason
from birds.record import Author, PictureFile, Provenance, Record, State
from birds.record_review import Finding
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

MARKUP = '<img src=x onerror=alert(1)> & "$\\frac{$'
LONG_NAMES = [
    "águila imperial ibérica", "quebrantahuesos", "cernícalo primilla", "martín pescador común", "alcaudón meridional",
    "buitre leonado", "cigüeña de cabeza negra y pico rojo", "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
]  # fmt: skip


class Page(HTMLParser):
    """What a browser takes the page for: tags, what they load or lead to, and text."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = Path(path).read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> Iterator[bytes]:
        for _, attributes in self.tags:
            for name in ("src", "srcset"):
                if address := attributes.get(name):
                    yield base64.b64decode(address.partition(",")[2])


@pytest.fixture
def sized(project: Project, make_picture: Callable[..., Image.Image], jpeg: Callable[..., bytes]) -> Project:
    """Three pictures of one class, one of another, of known sizes."""
    sizes = {"garza": [(100, 200), (200, 100), (300, 300)], "loro": [(80, 160)]}
    for label, each in sizes.items():
        (project.images / label).mkdir(parents=True)
        for i, size in enumerate(each):
            (project.images / label / f"{i}.jpg").write_bytes(jpeg(make_picture(10 * len(label) + i, size)))
    return project


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes a second, and they have tests of their own."""
    monkeypatch.setattr(
        "birds.explore.stage.charts", lambda seen, theme: dict.fromkeys(("sizes", "classes", "flags"), b"PNG")
    )


# -- numbers


def test_counts_and_sizes_are_those_computed_by_hand(sized: Project) -> None:
    result = explore(sized.root)
    assert result.pictures == 4
    assert result.classes == {"garza": 3, "loro": 1}
    width, height, aspect = result.width, result.height, result.aspect
    assert None not in (width, height, aspect, result.shorter_side)
    assert (width.mean, width.min, width.median, width.max) == (170, 80, 150, 300)
    assert width.std == pytest.approx((30_800 / 4) ** 0.5)  # (70² + 30² + 130² + 90²) / 4
    assert (height.mean, height.min, height.median, height.max) == (190, 100, 180, 300)
    assert (aspect.min, aspect.median, aspect.max) == (0.5, 0.75, 2)
    assert (result.shorter_side.mean, result.shorter_side.max) == (145, 300)
    assert result.unmeasured == 0


@pytest.mark.usefixtures("without_charts")
def test_every_class_has_its_figures_in_the_table(sized: Project) -> None:
    with Path(explore(sized.root).files["classes.csv"]).open(encoding="utf-8-sig", newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"garza", "loro"}
    assert (rows["garza"]["pictures"], rows["garza"]["width_mean"], rows["garza"]["width_std"]) == (
        "3",
        "200.0",
        "81.65",
    )
    assert (rows["loro"]["aspect_mean"], rows["loro"]["height_std"]) == ("0.5", "0.0")
    assert (rows["garza"]["formats"], rows["garza"]["sources"]) == ("JPEG 3", "local 3")
    sizes = [path.stat().st_size for path in (sized.images / "garza").iterdir()]
    assert float(rows["garza"]["bytes_mean"]) == pytest.approx(statistics.fmean(sizes), abs=0.001)


def _file(i: int, label: str, size: tuple[int, int] | None, picture: int) -> PictureFile:
    width, height = size or (None, None)
    content = Content(str(picture), 1000 + picture, "JPEG" if size else None, width, height)
    return PictureFile(
        i, label, f"{i}.jpg", State.STORED, str(i), picture, None, "", Provenance("google"), content, None, None
    )


side = st.integers(1, 65_500)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.tuples(side, side), st.integers(0, 5)), min_size=1))
def test_numbers_agree_with_another_way_to_count(drawn: list[tuple[str, tuple[int, int] | None, int]]) -> None:
    files = [_file(i, *one) for i, one in enumerate(drawn)]
    seen = overview(files, {"d": 2}, [])
    sizes = [size for _, size, _ in drawn if size]
    assert seen.total.unmeasured == len(drawn) - len(sizes)
    assert sum(counts.pictures for counts in seen.classes.values()) == seen.total.pictures == len(drawn)
    assert (seen.classes["d"].pictures, seen.classes["d"].rejected, seen.classes["d"].width) == (0, 2, None)
    order = [counts.pictures for counts in seen.classes.values()]
    assert order == sorted(order, reverse=True)
    if sizes:
        ratios = [width / height for width, height in sizes]
        assert seen.total.aspect
        assert seen.total.aspect.mean == pytest.approx(statistics.fmean(ratios))
        assert seen.total.aspect.std == pytest.approx(statistics.pstdev(ratios), abs=1e-6 * max(ratios))
        assert seen.total.aspect.median == pytest.approx(statistics.median(ratios))
    pictures = [picture for _, _, picture in drawn]
    repeated = [picture for picture in pictures if pictures.count(picture) > 1]
    assert (seen.copies.groups, seen.copies.files) == (len(set(repeated)), len(repeated))


@pytest.mark.usefixtures("without_charts")
def test_identical_files_are_counted_before_anything_is_checked(
    project: Project, write_images: Callable[..., list[Path]]
) -> None:
    paths = write_images(project.root, {"garza": 4, "loro": 2})
    shutil.copy(paths[0], project.images / "garza" / "again.jpg")
    shutil.copy(paths[0], project.images / "loro" / "again.jpg")
    shutil.copy(paths[1], project.images / "garza" / "once more.jpg")
    result = explore(project.root)
    assert result.copies == {"groups": 2, "files": 5, "across_classes": 1}
    assert result.flags == {}
    page = Page(result.page)
    assert "Byte by byte the same as another: 5 files (groups: 2, across classes: 1)." in page.text
    assert "No picture is flagged by" in page.text


@pytest.mark.usefixtures("without_charts")
def test_flags_are_those_of_pictures_that_are_still_there(
    project: Project, write_images: Callable[..., list[Path]]
) -> None:
    write_images(project.root, {"garza": 6})
    explore(project.root)  # takes them into the record
    with Record(project) as record:
        files = record.files(State.STORED)
        near, dark = Reason.NEAR_DUPLICATE, Reason.DARK
        findings = [Finding(f.id, near, 0.1, bundle=1 + i // 2) for i, f in enumerate(files[:4])]
        findings += [Finding(f.id, dark, 0.3) for f in (files[0], files[5])]
        record.review.replace_findings(findings)
        reject(project, record, files[5], dark, Author.PERSON)
    result = explore(project.root)
    assert result.flags == {"near_duplicate": 4, "dark": 1}
    assert (result.pictures, result.rejected) == (5, {"garza": 1})
    page = Page(result.page)
    assert re.search(r"near duplicate\s*4\s*2\s*dark\s*1", page.text)
    with Path(result.files["classes.csv"]).open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["rejected"], row["flagged"]) == ("1", "4")  # two flags of one picture count once


# -- where it works, and where it cannot


def test_a_project_without_pictures_says_what_to_do(project: Project) -> None:
    with pytest.raises(ProjectError, match=r"no folder .*birds scrape"):
        explore(project.root)
    (project.images / "garza").mkdir(parents=True)
    with pytest.raises(ProjectError, match=r"no pictures .*birds scrape"):
        explore(project.root)
    assert not (project.root / "exploration").exists()


def test_it_changes_nothing_but_its_folder(sized: Project) -> None:
    before = {path: path.read_bytes() for path in sized.images.glob("*/*")}
    result = explore(sized.root)
    assert {path: path.read_bytes() for path in sized.images.glob("*/*")} == before
    assert {path.name for path in sized.root.iterdir()} == {".birds", "images", "exploration"}
    assert {path.name for path in (sized.root / "exploration").iterdir()} == result.files.keys()
    assert all(Path(path).stat().st_size for path in result.files.values())


@pytest.mark.usefixtures("without_charts")
def test_it_shows_the_record_while_another_command_works(sized: Project, notes) -> None:
    explore(sized.root)
    shutil.copy(sized.images / "loro" / "0.jpg", sized.images / "loro" / "new.jpg")
    with sized.locked("scrape"):
        assert explore(sized.root, progress=notes).pictures == 4
    assert "Another birds command is at work" in notes.lines[0]
    assert explore(sized.root).pictures == 5


@pytest.mark.usefixtures("without_charts")
def test_what_cannot_be_shown_is_counted_and_links_are_not_followed(sized: Project, tmp_path: Path) -> None:
    garza = sized.images / "garza"
    (garza / "page.jpg").write_bytes(b"<html>")
    (garza / "truncated.jpg").write_bytes((garza / "0.jpg").read_bytes()[:300])
    explore(sized.root)
    outside = tmp_path / "outside.jpg"
    (garza / "2.jpg").rename(outside)
    with sized.locked("scrape"):  # as if it were linked this very moment: nobody has looked again since
        (garza / "2.jpg").symlink_to(outside)
        result = explore(sized.root)
    assert (result.pictures, result.unmeasured, result.not_shown) == (6, 2, 3)
    shown = [attributes for tag, attributes in Page(result.page).tags if attributes.get("alt") == "garza"]
    assert len(shown) == 2


@pytest.mark.usefixtures("without_charts")
def test_only_the_samples_are_decoded(
    project: Project, write_images: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(project.root, {"garza": 20, "loro": 9})
    explore(project.root)
    decoded = []
    monkeypatch.setattr("birds.reconcile.look_at", lambda data: pytest.fail("decoded again"))
    real = sampling.scaled_down
    monkeypatch.setattr(sampling, "scaled_down", lambda *a, **k: decoded.append(1) or real(*a, **k))
    explore(project.root)
    assert len(decoded) == 12


# -- samples


@pytest.mark.usefixtures("without_charts")
def test_the_seed_decides_which_pictures_are_shown(project: Project, write_images: Callable[..., list[Path]]) -> None:
    write_images(project.root, {"garza": 30, "loro": 30})
    sheets, pages = [], []
    for seed in (1, 2, 1):
        result = explore(project.root, seed=seed)
        sheets.append(Path(result.files["samples.jpg"]).read_bytes())
        pages.append(Path(result.page).read_bytes())
    assert sheets[0] == sheets[2] != sheets[1]
    assert pages[0] == pages[2] != pages[1]
    shown = [attributes["src"] for tag, attributes in Page(result.page).tags if attributes.get("alt") == "garza"]
    assert len(set(shown)) == 6


def test_many_classes_share_the_room(project: Project, jpeg: Callable[..., bytes], make_picture) -> None:
    files = {f"c{i:03}": [_file(i, f"c{i:03}", (64, 64), i)] * 3 for i in range(100)}
    for i, label in enumerate(files):
        (project.images / label).mkdir(parents=True)
        (project.images / label / f"{i}.jpg").write_bytes(jpeg(make_picture(i, (64, 64))))
    samples = sampling.draw_samples(project, files, seed=5)
    assert {len(shown) for shown in samples.shown.values()} == {2}
    sheet = Image.open(io.BytesIO(sampling.sheet(samples.shown)))
    assert (sheet.width, sheet.height) < (2200, 2800)


def test_nothing_of_a_pictures_metadata_is_shown(project: Project, make_picture: Callable[..., Image.Image]) -> None:
    secret = "geheim-37.2N-6.9W"
    exif = Image.Exif()
    exif[0x010E] = secret  # ImageDescription
    exif[0x0112] = 6  # turned by 90 degrees
    exif.get_ifd(0x8825)[29] = secret  # GPSDateStamp
    folder = project.images / "garza"
    folder.mkdir(parents=True)
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{secret}</x:xmpmeta>".encode()
    make_picture(1, (300, 200)).save(folder / "a.jpg", exif=exif, comment=secret, xmp=xmp)
    info = PngInfo()
    info.add_text("Comment", secret)
    make_picture(2, (300, 200)).save(folder / "b.png", pnginfo=info, exif=exif)
    make_picture(3, (300, 200)).save(folder / "c.gif", comment=secret.encode())
    assert all(secret.encode() in path.read_bytes() for path in folder.iterdir())
    result = explore(project.root)
    for path in result.files.values():
        assert secret.encode() not in Path(path).read_bytes()
    pictures = list(Page(result.page).pictures())
    assert len(pictures) == 4 + 3  # two charts in two colours
    for data in pictures:
        assert secret.encode() not in data
        assert not Image.open(io.BytesIO(data)).getexif()
    assert {Image.open(io.BytesIO(data)).size for data in pictures[-3:]} == {(160, 240), (240, 160)}


# -- the page


@pytest.fixture
def odd(project: Project, jpeg: Callable[..., bytes], make_picture: Callable[..., Image.Image]) -> Project:
    """Classes whose names try to be something else."""
    for i, label in enumerate((MARKUP, "=1+1", "白鹳")):
        (project.images / label).mkdir(parents=True)
        (project.images / label / "1.jpg").write_bytes(jpeg(make_picture(i)))
    return project


def test_the_page_needs_nothing_from_elsewhere(odd: Project) -> None:
    page = Page(explore(odd.root).page)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form", "base"}
    addresses = [a[name] for _, a in page.tags for name in ("src", "srcset", "href", "action", "style") if name in a]
    assert len(addresses) > 10
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert all(address[1:] in ids for address in addresses if address.startswith("#"))
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = page.source.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.usefixtures("without_charts")
def test_names_of_classes_become_neither_markup_nor_formulas(odd: Project) -> None:
    result = explore(odd.root)
    page = Page(result.page)
    assert page.text.count(MARKUP) == 2  # in the table and above its samples
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    table = Path(result.files["classes.csv"])
    assert table.read_text(encoding="utf-8").startswith("\ufefflabel,")  # or Excel takes ñ for two letters
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {MARKUP, "'=1+1", "白鹳"}


# -- charts


def _counts(pictures: int, rejected: int) -> Counts:
    return Counts(pictures, rejected, 0, 0, None, None, None, None, None, {}, {})


def _assert_readable(figure: Figure) -> list[str]:
    """No two texts that are drawn touch, and none leaves the picture. Returns the texts."""
    texts: list[Text] = []
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    renderer.draw_text = lambda *_, mtext, **__: texts.append(mtext)
    figure.draw(renderer)
    del renderer.draw_text
    boxes = [text.get_window_extent(renderer) for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()
    for (one, box), (other, box2) in combinations(zip(texts, boxes, strict=True), 2):
        overlap_x = min(box.x1, box2.x1) - max(box.x0, box2.x0)
        overlap_y = min(box.y1, box2.y1) - max(box.y0, box2.y0)
        assert min(overlap_x, overlap_y) <= 0.5, (one.get_text(), other.get_text())
    return [text.get_text() for text in texts]


def test_eight_classes_with_long_names_can_be_read() -> None:
    figure = classes_chart({name: _counts(1000 - i, 12 * i) for i, name in enumerate(LONG_NAMES)}, DARK)
    texts = _assert_readable(figure)
    assert set(LONG_NAMES[:6]) <= set(texts)
    assert {"1,000", "999 + 12", "in images/", "rejected"} <= set(texts)


@pytest.mark.parametrize("n", [1, 41, 200, MOST_BARS + 1])
def test_many_classes_can_be_read(n: int) -> None:
    classes = {f"{LONG_NAMES[i % 8]} {i}": _counts(12_000 - i, i % 3) for i in range(n)}
    figure = classes_chart(classes)
    texts = _assert_readable(figure)
    assert figure.get_figheight() < 2.5 * figure.get_figwidth()
    drawn = [text for text in texts if re.fullmatch(r"[\d,]+( \+ \d)?", text)]
    assert len(drawn) == min(n, MOST_BARS)
    assert drawn[0] == "12,000"
    assert drawn[-1].startswith(f"{12_001 - n:,}")
    assert any("largest" in text for text in texts) == (n > MOST_BARS)


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(640, 480)] * 5,
        [(64, 20_000), (20_000, 64)],
        [(1, 65_500), (65_500, 1), (300, 200)],
        [(150, 149), (638, 775)],
    ],
    ids=["none", "all alike", "extreme", "as extreme as can be", "thumbnails"],
)
def test_sizes_can_be_read_whatever_they_are(sizes: list[tuple[int, int]]) -> None:
    figure = sizes_chart(np.array(sizes, dtype=np.int64).reshape(-1, 2))
    texts = _assert_readable(figure)
    if sizes:
        assert all(len(axis.get_xticks()) >= 2 and len(axis.get_yticks()) >= 2 for axis in figure.axes)
        assert all(axis.get_legend().get_window_extent().y1 < axis.bbox.y0 for axis in figure.axes)
        shorter = [min(size) for size in sizes]
        assert f"mean {statistics.fmean(shorter):.0f}" in texts
        assert f"mean ± standard deviation {statistics.pstdev(shorter):.0f}" in texts
    else:
        assert texts == ["No picture could be measured."] * 2


def test_flags_can_be_read() -> None:
    flags = {reason: Flag(40 - i, 3 if i == 1 else 0) for i, reason in enumerate(Reason)}
    texts = _assert_readable(flags_chart(flags))
    assert {"near duplicate", "40", "39 (groups: 3)"} <= set(texts)
    assert _assert_readable(flags_chart({})) == ["birds clean has flagged no picture."]


def test_a_chart_takes_neither_names_for_mathematics_nor_settings_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(mpl.rcParams, "ytick.labelsize", 40)
    figure = classes_chart({"$\\frac{$": _counts(3, 0), "白鹳\nnegra": _counts(1, 1)})
    assert {"$\\frac{$", "白鹳 negra"} <= set(_assert_readable(figure))
    assert as_png(figure).startswith(b"\x89PNG")
    assert figure.axes[0].get_yticklabels()[0].get_size() == 9
    assert mpl.rcParams["ytick.labelsize"] == 40  # theirs stay theirs


@given(st.text(max_size=300), st.floats(20, 400))
def test_a_shortened_name_fits_on_one_line(text: str, width: float) -> None:
    short = shortened(text, width)
    assert text_font(9).getlength(short) <= width or len(short) <= 3
    assert all(character.isprintable() for character in short)
    whole = shortened(text, 1e9)
    assert short == whole or "…" in short
