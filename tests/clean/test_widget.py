"""The image cleaner for notebooks, its buttons pressed as a person does; beside it, what the library alone would do."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmd_imagescraper.imagecleaner as library
import pytest
from birds.clean import display_image_cleaner
from birds.clean.session import Session
from birds.clean.widget import ImageCleaner, project_at
from birds.errors import ProjectError
from birds.files import Project
from birds.record import Author, PictureFile, Record, State
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

DOTTED = "Loro s.l. (cf.)"


class Cleaner:
    """What a person sees of the widget, and presses."""

    def __init__(self, project: Project) -> None:
        self.box = ImageCleaner(project).box
        self._pager, self._empty, self._grid, below = self.box.children
        self._undo, self._said = below.children

    @property
    def classes(self) -> list[str]:
        return list(self._pager.children[5].options)

    def choose(self, label: str) -> None:
        self._pager.children[5].value = label

    def press(self, what: str) -> None:
        names = {"next": ">>", "previous": "<<", "reload": "↻"}
        (button,) = (b for b in self._pager.children if getattr(b, "description", "") == names[what])
        if not button.disabled:  # a browser clicks no others
            button.click()

    @property
    def chosen(self) -> str:
        return str(self._pager.children[5].value)

    @property
    def deletable(self) -> list[str]:
        buttons = [cell.children[1] for cell in self.cells]
        return [button.tag[0].file.name for button in buttons if not button.disabled]

    @property
    def cells(self) -> list[Any]:
        return [cell for cell in self._grid.children if cell.layout.visibility == "visible"]

    @property
    def pictures(self) -> list[bytes]:
        return [cell.children[0].value for cell in self.cells]

    @property
    def crossed_out(self) -> list[bool]:
        return [cell.children[1].disabled for cell in self.cells]

    def delete(self, place: int) -> None:
        self.cells[place].children[1].click()

    def undo(self) -> None:
        self._undo.click()

    @property
    def said(self) -> str:
        return str(self._said.value)

    @property
    def is_empty(self) -> bool:
        return bool(self._empty.layout.visibility == "visible")


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Ten pictures in a class with a dot in its name, four in another, known to nobody yet."""
    write_images(project.root, {DOTTED: 10, "milano negro": 4})
    return project


def _files(project: Project, label: str = DOTTED) -> list[PictureFile]:
    with Record(project) as record:
        return record.files(label=label)


def _in_images(project: Project, label: str = DOTTED) -> list[str]:
    return sorted(path.name for path in (project.images / label).iterdir())


def _looks_like(data: bytes, path: Path) -> bool:
    shown, own = (Image.open(source).convert("RGB").resize((8, 8)) for source in (io.BytesIO(data), path))
    return all(abs(a - b) < 40 for a, b in zip(shown.tobytes(), own.tobytes(), strict=True))


# -- what is listed


def test_a_label_with_dots_is_a_class_like_any_other(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    assert cleaner.classes == [DOTTED, "milano negro"]
    assert len(cleaner.cells) == 8
    cleaner.press("next")
    assert len(cleaner.cells) == 2


def test_every_format_is_listed_whatever_its_name(project: Project, make_picture: Callable[..., Image.Image]) -> None:
    folder = project.images / "loro"
    folder.mkdir(parents=True)
    names = {"a.png": "PNG", "b.webp": "WEBP", "c.JPEG": "JPEG", "d.txt": "GIF", "e": "BMP", "f.jpg": "PNG"}
    for seed, (name, image_format) in enumerate(names.items()):
        make_picture(seed).save(folder / name, image_format)
    cleaner = Cleaner(project)
    assert len(cleaner.pictures) == len(names)
    for data, name in zip(cleaner.pictures, names, strict=True):
        assert Image.open(io.BytesIO(data)).format == "JPEG", "strangers' bytes reach no browser"
        assert _looks_like(data, folder / name)


def test_a_file_that_is_no_picture_is_shown_as_such_and_can_go(parrots: Project) -> None:
    (parrots.images / "milano negro" / "000.jpg").write_bytes(b"<script>alert(1)</script>")
    cleaner = Cleaner(parrots)
    cleaner.choose("milano negro")
    assert len(cleaner.pictures) == 4
    assert b"script" not in cleaner.pictures[0]
    assert Image.open(io.BytesIO(cleaner.pictures[0])).size == (150, 150)
    cleaner.delete(0)
    assert _in_images(parrots, "milano negro") == ["001.jpg", "002.jpg", "003.jpg"]


def test_files_put_there_since_are_listed_on_reload(parrots: Project, write_images) -> None:
    cleaner = Cleaner(parrots)
    cleaner.choose("milano negro")
    write_images(parrots.root, {"milano negro": 2})
    cleaner.press("reload")
    assert len(cleaner.cells) == 6


def test_beside_a_stage_that_holds_the_lock_what_is_known_is_shown(parrots: Project) -> None:
    with parrots.locked("scrape"), pytest.raises(ProjectError, match="Another birds command"):
        Cleaner(parrots)
    Cleaner(parrots)
    with parrots.locked("scrape"):
        cleaner = Cleaner(parrots)
        assert "Another birds command" in cleaner.said
        cleaner.delete(0)
    assert _in_images(parrots) == [f"{i:03}.jpg" for i in range(1, 10)]


def test_images_or_the_folder_above_may_be_given(parrots: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (parrots.root, str(parrots.images)):
        assert project_at(path) == parrots
    monkeypatch.chdir(parrots.root)
    assert project_at("images") == project_at(".") == parrots
    monkeypatch.undo()
    Cleaner(parrots)
    odd = parrots.root.rename(parrots.root.with_name("images"))
    assert project_at(odd) == Project(odd), "a project that is called so"
    for wrong in (odd / "images" / DOTTED, odd / "nowhere"):
        with pytest.raises(ProjectError, match="no folder") as caught:
            display_image_cleaner(wrong)
        assert "PROJECT/images/CLASS" in caught.value.hint
        assert not (wrong / ".birds").exists()


def test_a_project_without_pictures_says_so(project: Project) -> None:
    project.images.mkdir()
    with pytest.raises(ProjectError, match="no pictures"):
        display_image_cleaner(project.root)


# -- rejecting


def test_delete_moves_the_file_to_the_rejected_ones_and_names_the_person(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    cleaner.delete(2)
    assert cleaner.crossed_out == [False, False, True, *[False] * 5]
    assert (parrots.rejected / DOTTED / "002.jpg").is_file()
    assert "002.jpg" not in _in_images(parrots)
    file = _files(parrots)[2]
    assert (file.state, file.author) == (State.REJECTED, Author.PERSON)
    assert "rejected" in cleaner.said


def test_a_double_click_is_one_decision(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    button = cleaner.cells[0].children[1]
    button.click()
    button.click()
    cleaner.undo()
    assert len(_in_images(parrots)) == 10
    cleaner.undo()
    assert "nothing" in cleaner.said.lower()


def test_a_file_that_vanished_is_named_and_stays_as_it_is(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    (parrots.images / DOTTED / "000.jpg").unlink()
    cleaner.delete(0)
    assert "000.jpg" in cleaner.said
    assert "gone" in cleaner.said
    assert cleaner.crossed_out[0] is False
    assert _files(parrots)[0].state is State.STORED


def test_what_is_said_of_a_name_is_text(parrots: Project) -> None:
    odd = parrots.images / "a" / "<img src=x>.jpg"
    odd.parent.mkdir()
    shutil.copy(parrots.images / DOTTED / "000.jpg", odd)
    cleaner = Cleaner(parrots)
    cleaner.choose("a")
    odd.unlink()
    cleaner.delete(0)
    assert "&lt;img src=x&gt;" in cleaner.said
    assert "<img" not in cleaner.said


def test_the_library_alone_misses_pictures_and_deletes_for_good(parrots: Project) -> None:
    """What our form is there for; where this fails, the library was mended."""
    shutil.copy(parrots.images / DOTTED / "000.jpg", parrots.images / "milano negro" / "004.png")
    library.display_image_cleaner(parrots.images)
    pager, grid = library.icln_pager, library.icln_grid
    assert not any(cell.layout.visibility == "visible" for cell in grid.children), "a label cut at its last dot"
    pager.children[5].value = "milano negro"
    assert [cell.layout.visibility == "visible" for cell in grid.children].count(True) == 4, "a picture not called .jpg"
    for cell in grid.children[:4]:
        cell.children[1].click()
    assert [path.name for path in parrots.root.rglob("*.*") if path.is_file() and path.parent.name != DOTTED] == [
        "004.png"
    ]


# -- undo


def test_undo_brings_back_the_last_one_first_each_at_its_place(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    before = cleaner.pictures
    for place in (5, 1):
        cleaner.delete(place)
    cleaner.undo()
    assert cleaner.crossed_out == [False, False, False, False, False, True, False, False]
    assert "001.jpg" in cleaner.said
    cleaner.undo()
    assert cleaner.pictures == before
    assert _in_images(parrots) == [f"{i:03}.jpg" for i in range(10)]


def test_undo_turns_to_the_page_of_the_picture(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    cleaner.delete(0)
    cleaner.press("next")
    cleaner.undo()
    assert len(cleaner.cells) == 8
    assert not any(cleaner.crossed_out)


def test_undo_in_another_class_says_which(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    cleaner.choose("milano negro")
    cleaner.delete(3)
    cleaner.choose(DOTTED)
    before = cleaner.pictures
    cleaner.undo()
    assert cleaner.pictures == before
    assert "milano negro" in cleaner.said
    assert len(_in_images(parrots, "milano negro")) == 4


def test_a_class_that_was_emptied_fills_again(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    cleaner.choose("milano negro")
    for place in range(4):
        cleaner.delete(place)
    cleaner.press("reload")
    assert cleaner.is_empty
    cleaner.undo()
    assert not cleaner.is_empty
    assert len(cleaner.cells) == 1
    assert _in_images(parrots, "milano negro") == ["003.jpg"]


def test_a_rejection_is_undone_by_the_next_cleaner_too(parrots: Project) -> None:
    Cleaner(parrots).delete(4)
    cleaner = Cleaner(parrots)
    assert len(_in_images(parrots)) == 9
    cleaner.undo()
    assert len(_in_images(parrots)) == 10
    assert _looks_like(cleaner.pictures[4], parrots.images / DOTTED / "004.jpg")


def test_undo_takes_back_what_was_done_on_the_review_page(parrots: Project) -> None:
    cleaner = Cleaner(parrots)
    Session(parrots).reject([_files(parrots)[0].id])
    cleaner.undo()
    assert len(_in_images(parrots)) == 10


_STEPS = st.one_of(
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.sampled_from(["next", "previous", "reload", "undo"]), st.none()),
    st.tuples(st.just("choose"), st.sampled_from([DOTTED, "milano negro"])),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, max_size=20))
def test_whatever_is_pressed_nothing_is_lost_and_what_can_be_deleted_is_there(parrots: Project, steps) -> None:
    """`parrots` is one folder for all examples: each leaves it as it was."""
    cleaner = Cleaner(parrots)
    everything = sorted(path.name for path in parrots.images.rglob("*.jpg"))
    for do, what in steps:
        if do == "delete":
            if what < len(cleaner.cells):
                cleaner.delete(what)
        elif do == "undo":
            cleaner.undo()
        elif do == "choose":
            cleaner.choose(what)
        else:
            cleaner.press(do)
        left = {path.name for path in (parrots.images / cleaner.chosen).iterdir()}
        assert set(cleaner.deletable) <= left
        found = [*parrots.images.rglob("*.jpg"), *parrots.rejected.rglob("*.jpg")]
        assert sorted(path.name for path in found) == everything
    while "nothing" not in cleaner.said.lower():
        cleaner.undo()
    assert sorted(path.name for path in parrots.images.rglob("*.jpg")) == everything
    assert not any(cleaner.crossed_out)


# -- several at once


def test_two_cleaners_do_not_mix_up(parrots: Project, tmp_path: Path, write_images) -> None:
    other = Project(tmp_path / "other")
    write_images(other.root, {"garza": 3})
    first, second = Cleaner(parrots), Cleaner(other)
    first.choose("milano negro")
    second.delete(1)
    first.delete(0)
    assert _in_images(other, "garza") == ["000.jpg", "002.jpg"]
    assert _in_images(parrots, "milano negro") == ["001.jpg", "002.jpg", "003.jpg"]
    assert second.classes == ["garza"]
    assert (second.crossed_out, first.crossed_out) == ([False, True, False], [True, False, False, False])
    second.undo()
    assert (second.crossed_out, first.crossed_out) == ([False] * 3, [True, False, False, False])
