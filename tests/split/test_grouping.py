from collections.abc import Iterator

import pytest
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.images import Content
from birds.record import PictureFile, Provenance, Record, State
from birds.split.grouping import check_group_by, group
from PIL import Image


@pytest.fixture
def record(project: Project) -> Iterator[Record]:
    with Record(project) as opened:
        yield opened


def _add(record: Record, name: str, label: str = "loro", **origin: str | None) -> PictureFile:
    picture = record.picture(Content(sha256=f"{label}/{name}", bytes=1))
    provenance = Provenance(**{"source": "google", **origin})  # type: ignore[arg-type]
    record.add_file(label, name, sha256=name, picture=picture, provenance=provenance, state=State.STORED)
    return next(file for file in record.files() if (file.label, file.name) == (label, name))


def _names(sets: list[list[PictureFile]]) -> list[list[str]]:
    return [[file.name for file in one] for one in sets]


def test_photographs_of_one_observation_belong_together(project: Project, record: Record) -> None:
    files = [
        _add(record, "a", source="inaturalist", observation="7"),
        _add(record, "b", source="inaturalist", observation="7", label="garza"),
        _add(record, "c", source="gbif", observation="7"),  # a number of somebody else's
        _add(record, "d", source="inaturalist", observation="8"),
        _add(record, "e"),
        _add(record, "f"),
    ]
    found = group(project, record, files)
    assert _names(found.series["observation"]) == [["a", "b"]]
    assert found.ties() == [(files[0].id, files[1].id)]
    assert found.counts() == {"near_duplicate": 0, "observation": 1, "page": 0, "camera": 0}


def test_pictures_of_one_page_belong_together_where_the_author_is_the_same_too(
    project: Project, record: Record
) -> None:
    page = {"page_url": "https://example.org/trip"}
    files = [
        _add(record, "a", author="Ana", **page),
        _add(record, "b", author="Ana", **page),
        _add(record, "c", author="Eva", **page),
        _add(record, "d", author="Ana", page_url="https://example.org/other"),
        _add(record, "e", author="Ana"),
        _add(record, "f", **page),
        _add(record, "g", **page),
    ]
    assert _names(group(project, record, files).series["page"]) == [["a", "b"]]


@pytest.mark.parametrize(("source", "is_own"), [("local", True), ("folder", True), ("google", False)])
def test_own_photographs_of_one_minute_belong_together(
    project: Project, record: Record, source: str, *, is_own: bool
) -> None:
    (project.images / "loro").mkdir(parents=True)
    for name, taken in {"a": "08:30:00", "b": "08:30:50", "c": "08:40:00"}.items():
        exif = Image.Exif()
        exif[0x0110] = "EOS R7"
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 {taken}"
        Image.new("RGB", (64, 48)).save(project.images / "loro" / name, "JPEG", exif=exif)
    files = [_add(record, name, source=source) for name in "abc"] + [_add(record, "gone", source=source)]
    assert _names(group(project, record, files).series["camera"]) == ([["a", "b"]] if is_own else [])


def test_a_column_joins_what_has_the_same_in_it(project: Project, record: Record) -> None:
    files = [_add(record, "a", author="Ana"), _add(record, "b", author="Ana"), _add(record, "c"), _add(record, "d")]
    assert _names(group(project, record, files, "author").series["group_by"]) == [["a", "b"]]
    assert "group_by" not in group(project, record, files).series


def test_a_folder_is_the_one_that_pictures_were_brought_from(project: Project, record: Record) -> None:
    names = {"a": "/own/nest%201/1.jpg", "b": "/own/nest%201/2.jpg", "c": "/own/nest%202/1.jpg"}
    files = [_add(record, name, source="folder", image_url=f"file://{path}") for name, path in names.items()]
    files += [_add(record, name, image_url=f"https://example.org/x/{name}") for name in ("d", "e")]
    assert _names(group(project, record, files, "folder").series["group_by"]) == [["a", "b"]]


def test_grouping_by_what_no_picture_has_is_refused(project: Project, record: Record) -> None:
    files = [_add(record, "a"), _add(record, "b", source="local")]
    for group_by in ("folder", "author"):
        with pytest.raises(ProjectError, match=f"No picture has any {group_by}") as caught:
            group(project, record, files, group_by)
        assert "birds images" in caught.value.hint


def test_grouping_by_what_is_no_column_is_refused_with_those_there_are() -> None:
    for group_by in (None, "folder", "author", "page_url"):
        check_group_by(group_by)
    with pytest.raises(UsageError, match="'photographer'") as caught:
        check_group_by("photographer")
    assert "folder" in caught.value.hint
    assert "author, licence" in caught.value.hint
