"""What is written about the stored pictures, and that titles from strangers stay titles."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from birds import images
from birds.errors import ProjectError
from birds.files import Project, write_bytes
from birds.images import Content
from birds.record import Provenance, Record, State
from birds.scrape.attributions import write_attributions
from hypothesis import given
from hypothesis import strategies as st


def store(project: Project, label: str, name: str, state: State = State.STORED, **origin: Any) -> None:
    data = f"{label}/{name}".encode()
    write_bytes((project.images if state is State.STORED else project.rejected) / label / name, data)
    sha256 = images.sha256(data)
    with Record(project) as record, record.transaction():
        picture = record.picture(Content(sha256=sha256, bytes=1))
        provenance = Provenance(**{"source": "inaturalist", **origin})
        record.add_file(label, name, sha256=sha256, picture=picture, provenance=provenance, state=state)


def table(project: Project) -> list[dict[str, str]]:
    with (project.root / "ATTRIBUTIONS.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(project: Project) -> str:
    return (project.root / "ATTRIBUTIONS.md").read_text(encoding="utf-8")


def test_every_stored_picture_is_listed_with_where_it_came_from(project: Project) -> None:
    store(
        project, "cigüeña", "b.jpg", title="White stork", author="Ana", licence="cc-by-4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/", attribution="(c) Ana, some rights reserved",
        page_url="https://inat.example/observations/1", image_url="https://photos.example/1.jpg?a=1&b=2",
    )  # fmt: skip
    store(project, "cigüeña", "a.jpg", source="google", page_url="https://pages.example/x")
    store(project, "águila", "c.jpg", licence="cc0-1.0")
    store(project, "cigüeña", "gone.jpg", State.REJECTED, licence="cc-by-4.0")
    result = write_attributions(project.root)
    assert result.files == [str(project.root / "ATTRIBUTIONS.csv"), str(project.root / "ATTRIBUTIONS.md")]
    assert (result.pictures, result.without_licence) == (3, 1)

    rows = {row["file"]: row for row in table(project)}
    assert rows.keys() == {"images/cigüeña/a.jpg", "images/cigüeña/b.jpg", "images/águila/c.jpg"}
    stork = rows["images/cigüeña/b.jpg"]
    assert stork.pop("added_at")
    assert stork == {
        "label": "cigüeña",
        "file": "images/cigüeña/b.jpg",
        "title": "White stork",
        "author": "Ana",
        "licence": "cc-by-4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "attribution": "(c) Ana, some rights reserved",
        "source": "inaturalist",
        "page_url": "https://inat.example/observations/1",
        "image_url": "https://photos.example/1.jpg?a=1&b=2",
    }
    assert rows["images/águila/c.jpg"]["licence_url"] == "https://creativecommons.org/publicdomain/zero/1.0/"

    lines = page(project).splitlines()
    assert "Pictures: 3. With no licence known: 1" in lines[2]
    (stork_line,) = [line for line in lines if "b.jpg" in line]
    assert "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)" in stork_line
    assert "by Ana" in stork_line
    assert "[picture](https://photos.example/1.jpg?a=1&amp;b=2)" in stork_line
    (unknown_line,) = [line for line in lines if "a.jpg" in line]
    assert "no licence known" in unknown_line
    assert "[page](https://pages.example/x)" in unknown_line


def test_the_page_has_a_heading_for_each_label_and_a_line_for_each_picture(project: Project) -> None:
    for label, count in (("cigüeña", 3), ("milano negro", 2)):
        for number in range(count):
            store(project, label, f"{number}.jpg")
    write_attributions(project.root)
    headings = re.split(r"^## ", page(project), flags=re.MULTILINE)[1:]
    assert [(one.partition("\n")[0], one.count("\n- ")) for one in headings] == [("cigüeña", 3), ("milano negro", 2)]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(project: Project, start: str) -> None:
    hostile = f"{start}HYPERLINK('http://evil.example')"
    store(project, "garza", "a.jpg", title=hostile, author=hostile, attribution=hostile)
    write_attributions(project.root)
    (row,) = table(project)
    assert {row["title"], row["author"], row["attribution"]} == {f"'{hostile}"}


HOSTILE = [
    "<script>alert(1)</script>",
    "](javascript:alert(1)) [x",
    "![x](http://evil.example/track.png)",
    "line\n\n# heading\n\n- item",
    "`code` **bold** _low_ ~~struck~~ | cell",
    "http://evil.example &lt;b&gt; <http://evil.example> \\",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_stays_one_line_of_text(project: Project, title: str) -> None:
    store(project, "garza", "a.jpg", title=title, author=title, attribution=title, source=title)
    write_attributions(project.root)
    (line,) = [line for line in page(project).splitlines() if line.startswith("- ")]
    shown = line.removeprefix("- [a.jpg](images/garza/a.jpg): ")
    assert not re.search(r"[<>\[\]`*_~|\\!\u202e]|://", shown)
    assert page(project).count("\n#") == 1, "the label's heading"


@given(st.text())
def test_any_title_comes_back_when_the_page_is_shown(title: str) -> None:
    """What stands on the page is the title itself, once its references are resolved."""
    from birds.scrape.attributions import _escaped

    shown: list[str] = []
    reader = HTMLParser(convert_charrefs=True)
    reader.handle_data = shown.append  # type: ignore[method-assign]
    reader.feed(_escaped(title))
    reader.close()
    assert "".join(shown) == "".join(c for c in " ".join(title.split()) if c.isprintable())


@pytest.mark.parametrize("url", ["file:///home/ana/a.jpg", "javascript:alert(1)", "data:image/png;base64,AAAA"])
def test_only_web_addresses_are_given(project: Project, url: str) -> None:
    store(project, "garza", "a.jpg", image_url=url, page_url=url, licence="cc-by-4.0", licence_url=url)
    write_attributions(project.root)
    (row,) = table(project)
    assert (row["image_url"], row["page_url"]) == ("", "")
    assert row["licence_url"] == "https://creativecommons.org/licenses/by/4.0/"
    assert url.partition(":")[0] + ":" not in page(project)


def test_an_address_cannot_end_its_link(project: Project) -> None:
    store(project, "garza", "a.jpg", page_url="https://a.example/x) [y](http://evil.example/<b> \"'")
    write_attributions(project.root)
    assert "[page](https://a.example/x%29%20%5By%5D%28http://evil.example/%3Cb%3E%20%22%27)" in page(project)


def test_it_can_be_written_again_and_leaves_nothing_else(project: Project) -> None:
    store(project, "garza", "a.jpg")
    write_attributions(project.root)
    store(project, "garza", "b.jpg")
    assert write_attributions(project.root).pictures == len(table(project)) == 2
    assert {path.name for path in project.root.iterdir()} == {".birds", "images", "ATTRIBUTIONS.csv", "ATTRIBUTIONS.md"}


def test_without_a_record_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="birds scrape"):
        write_attributions(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_person_removed_since_is_not_listed(project: Project) -> None:
    for number in range(6):
        store(project, "loro", f"{number}.jpg")
    (project.images / "loro" / "3.jpg").unlink()
    assert write_attributions(project.root).pictures == 5
    assert "3.jpg" not in page(project)
