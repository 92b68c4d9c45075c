"""jmd_imagescraper's image cleaner for notebooks, made safe: its grid and buttons, our files behind them.

The library deletes at once, lists ``*.jpg`` alone, cuts a label at its last dot and hides what fails. Here its own code
draws and pages, but the folders and pictures handed to it are ours: listed from the record, shown as thumbnails, and
rejected by the same `Session` as on the review page.
"""

import html
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import BirdsError, ImageError, ProjectError
from ..files import Project
from ..reconcile import reconcile
from ..record import PictureFile, Record, State
from . import thumbnails
from .session import Session


def display_image_cleaner(path: str | Path) -> None:
    """Show the pictures of a project in the notebook, class by class, each with a button that rejects it.

    Nothing is deleted: what 'Delete' takes away rests in ``.birds/rejected`` and comes back by 'Undo', or on the
    review page, now or later. Several cleaners may be shown at once. Files put into ``images/`` since are listed
    when the cell is run and by '↻'.

    Parameters
    ----------
    path : the project folder, or its ``images/`` with one folder of pictures for each class.

    Raises
    ------
    ProjectError : there are no pictures.
    """
    from IPython.display import display

    display(ImageCleaner(project_at(path)).box)  # type: ignore[no-untyped-call]


def project_at(path: str | Path) -> Project:
    """The project in the folder `path`, which may also be its ``images/``."""
    place = Project(Path(path).expanduser().absolute())
    return Project(place.root.parent) if place.root.name == "images" and not place.hidden.exists() else place


def take_stock(project: Project) -> str:
    """Bring the record in line with ``images/``, as each stage does first.

    Returns
    -------
    Why that could not be, where a stage is at work beside us but there are pictures to show all the same; else "".

    Raises
    ------
    ProjectError : there are no pictures.
    """
    how = "Lay pictures as PROJECT/images/CLASS/PICTURE, and give the path of PROJECT or of its images/."
    if not project.images.is_dir():  # before the record, which is made where it is asked for
        raise ProjectError(f"There is no folder {project.images}.", how)
    with Record(project) as record:
        try:
            with project.locked("look at its pictures"):
                reconcile(project, record)
        except ProjectError as error:
            if not _labels(record):
                raise
            return str(error)
        if not _labels(record):
            raise ProjectError(f"There are no pictures in {project.images}.", how)
    return ""


def _labels(record: Record) -> list[str]:
    return sorted(record.counts(State.STORED) | record.counts(State.REJECTED))


class ImageCleaner:
    """The widget of one project.

    Attributes
    ----------
    box : what a notebook displays: pager, grid, 'Undo', and a line that says what was done or why it was not.
    """

    def __init__(self, project: Project) -> None:
        import ipywidgets

        self._project = project
        self._session = Session(project)
        self._said = ipywidgets.HTML()
        self._say(take_stock(project))
        with Record(project) as record:
            labels = _labels(record)
        self._listed: list[_Picture] = []  # of the class on show, in the library's order, rejected ones included
        self._on_show = (labels[0], 0)  # the class, and which page of it
        undo = ipywidgets.Button(description="Undo", icon="undo", tooltip="Bring back what was rejected last")
        undo.on_click(self._undo)

        drawn: list[Any] = []
        self._library = library = _own_copy()
        self._library_delete, self._library_render = library.delete_on_click, library.icln_render_batch
        vars(library).update(
            Path=lambda ours: ours,  # what it takes for a path is a folder or a picture of ours already
            open=lambda picture, _mode: io.BytesIO(self._shown(picture)),
            display=drawn.append,
            delete_on_click=self._delete,
            icln_render_batch=self._render,
        )
        library.display_image_cleaner(_Images(labels, self._list))
        self.box = ipywidgets.VBox([*drawn, ipywidgets.HBox([undo, self._said])])

    def _list(self, label: str) -> "list[_Picture]":
        with Record(self._project) as record:
            self._listed = [_Picture(file) for file in record.files(State.STORED, label=label)]
        return list(self._listed)

    def _shown(self, picture: "_Picture") -> bytes:
        try:
            return thumbnails.thumbnail(self._project, picture.file)
        except ImageError:
            return _unreadable()

    # -- in the place of the library's own functions of these names

    def _render(self, label: str, page: int, force_reload: bool = False) -> None:
        self._on_show = (label, page)
        if force_reload:  # its button '↻'
            with self._telling():
                self._say(take_stock(self._project))
        self._library_render(label, page, force_reload)

    def _delete(self, button: Any) -> None:
        if button.disabled:  # the second click of two, when the tag may be that of a picture on another page
            return
        with self._telling():
            outcome = self._session.reject([button.tag[0].file.id])
            self._library_delete(button)
            self._say(outcome.said)

    # -- undo

    def _undo(self, _button: Any) -> None:
        with self._telling():
            outcome = self._session.undo()
            if outcome is None:
                self._say("There is nothing left to undo.")
            else:
                self._say(" ".join([outcome.said, *outcome.skipped, *self._show_again(outcome.files)]))

    def _show_again(self, changed: Sequence[int]) -> list[str]:
        """Show `changed` files on their page, each at its place, or listed anew. Returns what else to say."""
        label, page = self._on_show
        with Record(self._project) as record:
            stored = {file.id for file in record.files(State.STORED, label=label)}
            labels = {file.label for one in changed if (file := record.file(one))}
        places = {p.file.id: divmod(i, self._library.ICLN_BATCH_SZ) for i, p in enumerate(self._listed)}
        if not stored <= places.keys():
            self._on_show = (label, 0)
            self._library_render(label, 0, force_reload=True)
        elif here := [places[one][0] for one in changed if one in places]:
            for picture in self._listed:
                batch, place = places[picture.file.id]
                self._library.icln_batches[batch][place] = picture if picture.file.id in stored else ""
            self._render(label, page if page in here else here[0])
        return [f"In the class {other}." for other in sorted(labels - {label})]

    # -- the line below

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except BirdsError as error:
            self._say(str(error))
        except OSError as error:
            self._say(f"The disk refused: {error}.")

    def _say(self, text: str) -> None:
        self._said.value = f'<span role="status">{html.escape(text)}</span>' if text else ""


@dataclass(frozen=True)
class _Picture:
    """What the library takes for the path of a picture."""

    file: PictureFile

    def unlink(self) -> None:
        """It was rejected already, and is to be kept."""


@dataclass(frozen=True)
class _Class:
    """What the library takes for the path of a folder of pictures."""

    label: str
    pictures: Callable[[str], list[_Picture]]

    @property
    def stem(self) -> str:
        return self.label  # whole: a dot in it starts no suffix

    def is_dir(self) -> bool:
        return True

    def glob(self, _pattern: str) -> list[_Picture]:
        return self.pictures(self.label)


@dataclass(frozen=True)
class _Images:
    """What the library takes for the path of the folder above."""

    labels: Sequence[str]
    pictures: Callable[[str], list[_Picture]]

    def glob(self, pattern: str) -> list[_Class]:
        """The folders; to ``*.jpg``, nothing: what lies beside them has no class."""
        return [self / label for label in self.labels] if pattern == "*" else []

    def __truediv__(self, label: str) -> _Class:
        return _Class(label, self.pictures)


def _own_copy() -> ModuleType:
    """The library's module, not shared with anybody: it keeps the widget on show in its globals."""
    spec = find_spec("jmd_imagescraper.imagecleaner")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _unreadable() -> bytes:
    """A JPEG in the place of a file that is no picture."""
    from PIL import Image, ImageDraw

    card = Image.new("RGB", (150, 150), "#eeeeee")
    ImageDraw.Draw(card).text((75, 75), "cannot be read", fill="#444444", anchor="mm", font_size=16)
    buffer = io.BytesIO()
    card.save(buffer, "JPEG")
    return buffer.getvalue()
