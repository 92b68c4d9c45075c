"""What a person decides, alone and beside stages that change the same pictures at the same time."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from birds import split as split_module
from birds.clean import clean, stage
from birds.clean.session import Session
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.moves import image_path, rejected_path
from birds.reasons import Reason
from birds.record import Author, PictureFile, Record, State
from birds.split import split
from PIL import Image


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Six pictures that `clean` knows, the last of them far too small."""
    *_, last = write_images(project.root, {"loro": 6})
    Image.open(last).resize((20, 20)).save(last)
    clean(project.root)
    return project


def _files(project: Project) -> dict[str, PictureFile]:
    with Record(project) as record:
        return {f"{file.label}/{file.name}": file for file in record.files()}


def _file(project: Project, name: str = "000.jpg") -> PictureFile:
    return _files(project)[f"loro/{name}"]


def test_a_rejection_moves_the_file_and_names_the_person(parrots: Project) -> None:
    before = _file(parrots)
    outcome = Session(parrots).decide(before.id, is_rejected=True)
    after = _file(parrots)
    assert (after.state, after.reason, after.author) == (State.REJECTED, Reason.BY_HAND, Author.PERSON)
    assert (outcome.file, outcome.kept, outcome.rejected) == (after, 5, 1)
    assert not image_path(parrots, after).exists()
    assert rejected_path(parrots, after).is_file()


def test_a_decision_that_changes_nothing_is_none(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    session.decide(file.id, is_rejected=False)
    assert (session.decided, _file(parrots).author) == (0, None)
    for _ in range(2):
        session.decide(file.id, is_rejected=True)
    assert session.decided == 1


def test_decisions_are_undone_from_the_last_to_the_first(parrots: Project) -> None:
    session = Session(parrots)
    first, second = _file(parrots, "000.jpg"), _file(parrots, "001.jpg")
    session.decide(first.id, is_rejected=True)
    session.decide(second.id, is_rejected=True)
    session.decide(first.id, is_rejected=False)
    undone = [session.undo() for _ in range(3)]
    assert [(one.file.name, one.file.state) for one in undone if one] == [
        ("000.jpg", State.REJECTED), ("001.jpg", State.STORED), ("000.jpg", State.STORED),
    ]  # fmt: skip
    assert session.undo() is None
    assert session.decided == 0


def test_an_undo_gives_an_automatic_rejection_its_reason_back(parrots: Project) -> None:
    clean(parrots.root, auto=True)
    session, small = Session(parrots), _file(parrots, "005.jpg")
    assert small.reason is Reason.TOO_SMALL
    session.decide(small.id, is_rejected=False)
    session.undo()
    again = _file(parrots, "005.jpg")
    assert (again.state, again.reason, again.author) == (State.REJECTED, Reason.TOO_SMALL, Author.AUTO)


def test_what_was_rejected_and_undone_is_left_to_the_automatic_checks(parrots: Project) -> None:
    session = Session(parrots)
    session.decide(_file(parrots, "005.jpg").id, is_rejected=True)
    session.undo()
    assert clean(parrots.root, auto=True).rejected == {"too_small": 1}


def test_unknown_and_vanished_files_are_errors_that_change_nothing(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    with pytest.raises(UsageError, match="no longer in the record"):
        session.decide(4_711, is_rejected=True)
    image_path(parrots, file).unlink()
    with pytest.raises(ProjectError, match="is gone"):
        session.decide(file.id, is_rejected=True)
    assert _file(parrots) == file
    assert session.decided == 0


def test_another_file_in_the_way_is_never_overwritten(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    session.decide(file.id, is_rejected=True)
    image_path(parrots, file).write_bytes(b"new")
    with pytest.raises(ProjectError, match="another file"):
        session.decide(file.id, is_rejected=False)
    with pytest.raises(ProjectError, match="another file"):
        session.undo()
    assert image_path(parrots, file).read_bytes() == b"new"
    assert rejected_path(parrots, file).is_file()
    assert session.decided == 1


def test_what_a_person_keeps_while_the_automatic_checks_run_stays(
    parrots: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(parrots)

    def overtaken(*arguments: object, reject: Callable[..., bool] = stage.reject) -> bool:
        for is_rejected in (True, False):
            session.decide(_file(parrots, "005.jpg").id, is_rejected=is_rejected)
        return reject(*arguments)

    monkeypatch.setattr(stage, "reject", overtaken)
    result = clean(parrots.root, auto=True)
    assert (result.rejected, result.accepted) == ({}, 6)
    assert (_file(parrots, "005.jpg").state, _file(parrots, "005.jpg").author) == (State.STORED, Author.PERSON)


def test_what_a_person_rejects_while_the_automatic_checks_run_is_the_persons(
    parrots: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(parrots)

    def overtaken(*arguments: object, reject: Callable[..., bool] = stage.reject) -> bool:
        session.decide(_file(parrots, "005.jpg").id, is_rejected=True)
        return reject(*arguments)

    monkeypatch.setattr(stage, "reject", overtaken)
    assert clean(parrots.root, auto=True).rejected == {}
    small = _file(parrots, "005.jpg")
    assert (small.reason, small.author) == (Reason.BY_HAND, Author.PERSON)


def test_a_picture_rejected_during_the_split_is_a_clear_error_and_the_next_split_works(
    project: Project, write_images: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(project.root, {"loro": 10, "garza": 10})
    clean(project.root)
    check_sizes = split_module._check_sizes

    def overtaken(*arguments: object) -> None:
        Session(project).decide(_file(project).id, is_rejected=True)
        check_sizes(*arguments)

    monkeypatch.setattr(split_module, "_check_sizes", overtaken)
    with pytest.raises(ProjectError, match="during the split") as caught:
        split(project.root)
    assert "birds split" in caught.value.hint
    monkeypatch.undo()
    result = split(project.root)
    assert result.train + result.val + result.test == 19


def test_deciding_beside_clean_and_split_loses_nothing(
    project: Project, write_images: Callable[..., list[Path]], make_picture: Callable[..., Image.Image]
) -> None:
    """Two people click as fast as they can while the stages that hold the lock run again and again."""
    write_images(project.root, {"loro": 24, "garza": 24})
    for i in range(6):
        make_picture(9_000 + i, (40, 40)).save(project.images / "loro" / f"small {i}.jpg")
    clean(project.root)
    before = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in project.images.glob("*/*")}
    names = [name for name in sorted(before) if name.endswith(("0.jpg", "1.jpg", "2.jpg"))]
    ids = {name: file.id for name, file in _files(project).items()}
    sessions, over, crashes = [Session(project), Session(project)], threading.Event(), []
    said: dict[str, State] = {}

    def click(session: Session, mine: list[str]) -> None:
        turn = 0
        while not over.is_set():
            name = mine[turn % len(mine)]
            try:
                said[name] = session.decide(ids[name], is_rejected=turn // len(mine) % 2 == 0).file.state
            except ProjectError as error:  # on its way just now: the page says so, and the next click works
                assert "gone" in error.message  # noqa: PT017
            except Exception as error:  # noqa: BLE001 - whatever else it is
                crashes.append(error)
            turn += 1

    people = [threading.Thread(target=click, args=(s, names[i::2])) for i, s in enumerate(sessions)]
    for person in people:
        person.start()
    try:
        for _ in range(4):
            clean(project.root, auto=True)
            try:
                split(project.root)
            except ProjectError as error:
                assert "split again" in str(error)  # noqa: PT017
    finally:
        over.set()
        for person in people:
            person.join()
    assert crashes == []
    clean(project.root)
    files = _files(project)
    assert {name: file.id for name, file in files.items()} == ids
    after = {}
    for name, file in files.items():
        path = {State.STORED: image_path, State.REJECTED: rejected_path}[file.state](project, file)
        after[name] = path.read_bytes()
    assert after == before
    assert {name: files[name].state for name in said} == said
    assert len(list(project.images.glob("*/*"))) + len(list(project.rejected.glob("*/*"))) == len(before)
    assert split(project.root).train
