"""What a person does on the review page: undone and done again, killed, and beside stages that change the same."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from birds.clean import clean, stage
from birds.clean import session as session_module
from birds.clean.session import Session
from birds.errors import ProjectError, UsageError
from birds.files import Project, write_json
from birds.images import sha256
from birds.moves import current_path, image_path, rejected_path
from birds.reasons import Reason
from birds.reconcile import inspect_stored, reconcile
from birds.record import Author, PictureFile, Record, State
from birds.record_review import Finding
from birds.split import split
from birds.split import stage as split_module
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Six pictures that `clean` knows, the last of them far too small, and a heron."""
    *_, last = write_images(project.root, {"loro": 6})
    Image.open(last).resize((20, 20)).save(last)
    write_images(project.root, {"garza": 1})
    with Record(project) as record:
        reconcile(project, record)
        inspect_stored(project, record)
    return project


def _files(project: Project) -> dict[str, PictureFile]:
    with Record(project) as record:
        return {f"{file.label}/{file.name}": file for file in record.files()}


def _file(project: Project, name: str = "000.jpg", label: str = "loro") -> PictureFile:
    return _files(project)[f"{label}/{name}"]


def _ids(project: Project, label: str) -> list[int]:
    return [file.id for file in _files(project).values() if file.label == label]


def _plant_bundle(project: Project, ids: list[int], reason: Reason = Reason.NEAR_DUPLICATE) -> None:
    """Findings that say the files are duplicates of each other, the first the one to keep."""
    with Record(project) as record:
        record.review.replace_findings(Finding(one, reason, 0.1, bundle=1, is_best=one == ids[0]) for one in ids)


def _everything(project: Project) -> dict[str, Any]:
    """What of record and disk an action may change, ids and times of decisions aside."""
    tables = {
        "decisions": "SELECT picture, label, verdict, reason, author, after_run FROM decisions ORDER BY id",
        "files": "SELECT id, label, name, state, sha256, picture FROM files ORDER BY id",
        "findings": "SELECT * FROM findings ORDER BY file, reason",
        "different": "SELECT * FROM different ORDER BY first, second",
        "moves": "SELECT * FROM moves",
    }
    with Record(project) as record:
        rows = {name: [tuple(row) for row in record._db.execute(query)] for name, query in tables.items()}
    places = [*project.images.glob("*/*"), *project.rejected.glob("*/*")]
    return rows | {"disk": {str(p.relative_to(project.root)): sha256(p.read_bytes()) for p in places}}


# -- one action


def test_a_rejection_moves_the_file_and_names_the_person(parrots: Project) -> None:
    before = _file(parrots)
    outcome = Session(parrots).reject([before.id])
    after = _file(parrots)
    assert (after.state, after.reason, after.author) == (State.REJECTED, Reason.BY_HAND, Author.PERSON)
    assert (outcome.said, outcome.files) == ("000.jpg rejected.", (before.id,))
    assert not image_path(parrots, after).exists()
    assert rejected_path(parrots, after).is_file()


def test_keeping_notes_that_a_person_looked_and_brings_back_what_was_rejected(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    assert session.keep([file.id]).said == "000.jpg kept."
    assert (_file(parrots).state, _file(parrots).author) == (State.STORED, Author.PERSON)
    session.reject([file.id])
    session.keep([file.id])
    assert _file(parrots).state is State.STORED
    assert image_path(parrots, file).is_file()


def test_an_action_on_many_files_is_one_step_to_undo(parrots: Project) -> None:
    session, ids = Session(parrots), _ids(parrots, "loro")
    outcome = session.reject([*ids, *ids])
    assert (outcome.said, outcome.files, session.decided) == ("6 pictures rejected.", tuple(ids), 6)
    assert list(parrots.images.glob("loro/*")) == []
    undone = session.undo()
    assert undone
    assert (undone.said, undone.files, session.decided) == ("Undone: 6 pictures rejected.", tuple(ids), 0)
    assert len(list(parrots.images.glob("loro/*"))) == 6
    assert session.undo() is None


def test_a_decision_that_changes_nothing_is_none(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    for act in (session.reject, session.keep):
        act([file.id])
        before = _everything(parrots)
        assert act([file.id]).said == "Nothing to change."
        assert _everything(parrots) == before
    assert session.move([file.id], "loro").said == "Nothing to change."
    assert session.decided == 2


def test_agreeing_with_an_automatic_rejection_keeps_its_reason(parrots: Project) -> None:
    clean(parrots.root, auto=True)
    Session(parrots).reject([_file(parrots, "005.jpg").id])
    small = _file(parrots, "005.jpg")
    assert (small.reason, small.author) == (Reason.TOO_SMALL, Author.PERSON)


def test_a_moved_picture_lies_in_its_new_class_and_is_not_fetched_again_for_the_old_one(parrots: Project) -> None:
    file = _file(parrots)
    content = image_path(parrots, file).read_bytes()
    Session(parrots).move([file.id], "garza")
    moved = _file(parrots, "000-2.jpg", "garza")  # there is a 000.jpg already
    assert (moved.id, moved.state, moved.author) == (file.id, State.STORED, Author.PERSON)
    assert image_path(parrots, moved).read_bytes() == content
    assert not image_path(parrots, file).exists()
    with Record(parrots) as record:
        assert record.knows("loro", file.content.sha256)
        assert record.knows("garza", file.content.sha256)
        assert not str(reconcile(parrots, record))


def test_a_rejected_picture_can_be_moved_to_where_it_belongs(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots, "001.jpg")
    session.reject([file.id])
    session.move([file.id], "garza")
    moved = _file(parrots, "001.jpg", "garza")
    assert moved.state is State.STORED
    assert image_path(parrots, moved).is_file()
    session.undo()
    again = _file(parrots, "001.jpg")
    assert (again.state, again.reason) == (State.REJECTED, Reason.BY_HAND)
    assert rejected_path(parrots, again).is_file()


@pytest.mark.parametrize("label", ["halcón", "", "..", "../garza", "Garza"])
def test_a_picture_moves_to_a_class_that_is_there_only(parrots: Project, label: str) -> None:
    before = _everything(parrots)
    with pytest.raises(UsageError, match="no class"):
        Session(parrots).move([_file(parrots).id], label)
    assert _everything(parrots) == before


def test_what_is_no_duplicate_is_remembered_and_its_finding_goes(parrots: Project) -> None:
    session, ids = Session(parrots), _ids(parrots, "loro")[:3]
    _plant_bundle(parrots, ids)
    before = _everything(parrots)
    assert session.different(ids).said == "3 pictures no duplicates."
    with Record(parrots) as record:
        assert len(record.review.different_pairs()) == 3
        assert record.review.findings() == []
    session.undo()
    assert _everything(parrots) == before
    session.redo()
    with Record(parrots) as record:
        assert len(record.review.different_pairs()) == 3


def test_an_undo_puts_no_file_into_a_bundle_that_was_numbered_anew(parrots: Project) -> None:
    session, ids = Session(parrots), _ids(parrots, "loro")
    _plant_bundle(parrots, ids[:2])
    session.different(ids[:2])
    _plant_bundle(parrots, ids[2:4])
    session.undo()
    with Record(parrots) as record:
        assert {finding.file for finding in record.review.findings()} == set(ids[2:4])
        assert record.review.different_pairs() == set()


def test_only_files_of_one_bundle_can_be_told_apart(parrots: Project) -> None:
    with pytest.raises(UsageError, match="not duplicates"):
        Session(parrots).different(_ids(parrots, "loro"))


def test_of_a_bundle_the_best_is_kept_and_the_others_are_rejected_in_one_step(parrots: Project) -> None:
    session, ids = Session(parrots), _ids(parrots, "loro")[:3]
    _plant_bundle(parrots, ids)
    assert session.act("best", ids).said == "1 kept, 2 rejected."
    assert session.act("best", [ids[0], _file(parrots, "004.jpg").id]).said == "Nothing to change."
    assert [file.state for file in _files(parrots).values() if file.id in ids] == ["stored", "rejected", "rejected"]
    session.undo()
    assert {file.state for file in _files(parrots).values()} == {State.STORED}


def test_of_copies_alike_byte_for_byte_the_one_that_was_kept_counts_as_kept(parrots: Project) -> None:
    first = image_path(parrots, _file(parrots))
    first.with_name("copy.jpg").write_bytes(first.read_bytes())
    clean(parrots.root)
    best, copy = _file(parrots), _file(parrots, "copy.jpg")
    _plant_bundle(parrots, [best.id, copy.id], Reason.EXACT_COPY)
    Session(parrots).act("best", [best.id, copy.id])
    with Record(parrots) as record:
        assert (best.picture, "loro") in record.accepted_by_a_person()
    assert rejected_path(parrots, copy).is_file()
    assert image_path(parrots, best).is_file()


# -- undo and redo


def test_an_undo_gives_an_automatic_rejection_its_reason_back(parrots: Project) -> None:
    clean(parrots.root, auto=True)
    session, small = Session(parrots), _file(parrots, "005.jpg")
    assert small.reason is Reason.TOO_SMALL
    session.keep([small.id])
    session.undo()
    again = _file(parrots, "005.jpg")
    assert (again.state, again.reason, again.author) == (State.REJECTED, Reason.TOO_SMALL, Author.AUTO)


def test_what_was_rejected_and_undone_is_left_to_the_automatic_checks(parrots: Project) -> None:
    session = Session(parrots)
    session.reject([_file(parrots, "005.jpg").id])
    session.undo()
    assert clean(parrots.root, auto=True).rejected == {"too_small": 1}


def test_the_log_goes_on_after_a_restart_and_a_new_action_ends_what_could_be_done_again(parrots: Project) -> None:
    ids = _ids(parrots, "loro")
    Session(parrots).reject(ids[:1])
    Session(parrots).keep(ids[1:2])
    assert Session(parrots).undo().said == "Undone: 001.jpg kept."
    assert Session(parrots).undo().said == "Undone: 000.jpg rejected."
    assert Session(parrots).redo().said == "Done again: 000.jpg rejected."
    Session(parrots).reject(ids[2:3])
    assert Session(parrots).redo() is None
    assert Session(parrots).decided == 0


_STEPS = st.tuples(
    st.sampled_from(["reject", "keep", "move", "best", "different"]),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.sampled_from(["loro", "garza", "milano negro"]),
)


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(_STEPS, min_size=1, max_size=6), data=st.data())
def test_any_actions_undone_give_what_was_there_and_done_again_what_came_of_them(
    steps: list[tuple[str, list[int], str]],
    data: st.DataObject,
    write_images: Callable[..., list[Path]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        write_images(project.root, {"loro": 2, "garza": 2, "milano negro": 2})
        with Record(project) as record:
            reconcile(project, record)
        ids = sorted(file.id for file in _files(project).values())
        _plant_bundle(project, ids[:4])
        history, session = [_everything(project)], Session(project)
        for do, which, label in steps:
            try:
                changed = session.act(do, [ids[i] for i in which], label).files
            except UsageError:  # of a bundle that was told apart already
                continue
            history += [_everything(project)] if changed else []
        place = len(history) - 1
        for back in data.draw(st.lists(st.booleans(), max_size=12)):
            outcome = (session.undo if back else session.redo)()
            place = min(max(place + (-1 if back else 1), 0), len(history) - 1) if outcome else place
            assert _everything(project) == history[place]
        while session.undo():
            pass
        assert _everything(project) == history[0]
        while session.redo():
            pass
        assert _everything(project) == history[-1]


# -- what is gone, in the way or refused


def test_unknown_and_vanished_files_are_errors_that_change_nothing(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots)
    with pytest.raises(UsageError, match="no longer in the record"):
        session.reject([4_711])
    image_path(parrots, file).unlink()
    before = _everything(parrots)
    with pytest.raises(ProjectError, match="is gone,"):
        session.reject([file.id])
    assert _everything(parrots) == before
    assert session.decided == 0


def test_what_cannot_be_changed_is_skipped_and_the_rest_is_done(parrots: Project) -> None:
    session, ids = Session(parrots), _ids(parrots, "loro")
    image_path(parrots, _file(parrots, "001.jpg")).unlink()
    outcome = session.reject([*ids, 4_711])
    assert outcome.said == "5 pictures rejected."
    (skipped,) = outcome.skipped
    assert "001.jpg is gone, or stands behind a link. Run birds clean" in skipped


def test_another_file_in_the_way_is_never_overwritten_and_does_not_hold_up_the_log(parrots: Project) -> None:
    session, file, other = Session(parrots), _file(parrots), _file(parrots, "001.jpg")
    session.reject([other.id])
    session.reject([file.id])
    image_path(parrots, file).write_bytes(b"new")
    with pytest.raises(ProjectError, match="another file"):
        session.keep([file.id])
    outcome = session.undo()
    assert outcome
    assert "another file" in outcome.skipped[0]
    assert image_path(parrots, file).read_bytes() == b"new"
    assert rejected_path(parrots, file).is_file()
    assert session.undo().said == "Undone: 001.jpg rejected."
    assert image_path(parrots, other).is_file()


def test_what_was_changed_elsewhere_since_is_not_undone(parrots: Project) -> None:
    session, file = Session(parrots), _file(parrots, "001.jpg")
    session.move([file.id], "garza")
    moved = image_path(parrots, _file(parrots, "001.jpg", "garza"))
    moved.rename(parrots.images / "loro" / "mine.jpg")
    clean(parrots.root, accept_missing=True)
    outcome = session.undo()
    assert outcome
    assert "loro/mine.jpg was changed elsewhere" in outcome.skipped[0]
    assert (_file(parrots, "mine.jpg").id, session.undo()) == (file.id, None)


def test_a_class_folder_that_is_a_link_takes_no_picture_and_gives_none(parrots: Project, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    garza = parrots.images / "garza"
    garza.rename(elsewhere / "garza")
    garza.symlink_to(elsewhere / "garza")
    with pytest.raises(ProjectError, match="another file"):
        Session(parrots).move([_file(parrots, "001.jpg").id], "garza")
    with pytest.raises(ProjectError, match="behind a link"):
        Session(parrots).reject([_file(parrots, label="garza").id])
    assert [path.name for path in (elsewhere / "garza").iterdir()] == ["000.jpg"]


def test_what_the_disk_refuses_is_said_tried_again_and_can_be_undone(
    parrots: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    session, first, second = Session(parrots), _file(parrots), _file(parrots, "001.jpg")
    start = _everything(parrots)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full)
        with pytest.raises(ProjectError, match="No space left"):
            session.reject([first.id])
        session.undo()
    assert _everything(parrots) == start
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full)
        with pytest.raises(ProjectError, match="No space left"):
            session.reject([first.id])
    session.reject([second.id])
    assert rejected_path(parrots, first).is_file()
    assert rejected_path(parrots, second).is_file()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("do", ["reject", "move"])
@pytest.mark.parametrize("by", ["the next action", "the next stage"])
def test_a_kill_before_the_disk_followed_is_settled(
    parrots: Project, monkeypatch: pytest.MonkeyPatch, do: str, by: str
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    ids = _ids(parrots, "loro")
    start = _everything(parrots)
    with monkeypatch.context() as patched:
        patched.setattr(session_module, "settle_moves", killed)
        with pytest.raises(Killed):
            Session(parrots).act(do, ids[:3], "garza")
    assert _everything(parrots)["disk"] == start["disk"]
    if by == "the next stage":
        clean(parrots.root)
    else:
        Session(parrots).keep(ids[4:5])
        Session(parrots).undo()
    for file in _files(parrots).values():
        assert current_path(parrots, file).is_file()
        assert (file.state is State.REJECTED or file.label == "garza") == (file.id not in ids[3:])
    Session(parrots).undo()
    assert _everything(parrots) | {"findings": []} == start  # the stage has looked at them


# -- the test part


def _finished_run(project: Project, name: str, created_at: str) -> None:
    (project.runs / name).mkdir(parents=True)
    write_json(project.runs / name / "config.json", {"created_at": created_at})
    write_json(project.runs / name / "result.json", {"run": name})


def test_decisions_on_test_pictures_name_the_run_that_was_finished_by_then(parrots: Project) -> None:
    session, (first, second, third, fourth, *_) = Session(parrots), _ids(parrots, "loro")
    with Record(parrots) as record:
        record.remember_split([(first, "test"), (second, "train"), (third, "test"), (fourth, "test")])
    session.keep([third])
    for name, created_at in (("new", "2026-02-01T00:00:00"), ("old", "2026-01-01T00:00:00")):
        _finished_run(parrots, name, created_at)
    session.reject([first, second])
    session.move([fourth], "garza")
    assert [(d[2], d[-1]) for d in _everything(parrots)["decisions"]] == [
        ("accept", None), ("reject", "new"), ("reject", None), ("reject", "new"), ("accept", "new"),
    ]  # fmt: skip


# -- beside others


def test_what_a_person_keeps_while_the_automatic_checks_run_stays(
    parrots: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(parrots)

    def overtaken(*arguments: object, reject: Callable[..., bool] = stage.reject) -> bool:
        for act in (session.reject, session.keep):
            act([_file(parrots, "005.jpg").id])
        return reject(*arguments)

    monkeypatch.setattr(stage, "reject", overtaken)
    result = clean(parrots.root, auto=True)
    assert (result.rejected, result.accepted) == ({}, 7)
    assert (_file(parrots, "005.jpg").state, _file(parrots, "005.jpg").author) == (State.STORED, Author.PERSON)


def test_what_a_person_rejects_while_the_automatic_checks_run_is_the_persons(
    parrots: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(parrots)

    def overtaken(*arguments: object, reject: Callable[..., bool] = stage.reject) -> bool:
        session.reject([_file(parrots, "005.jpg").id])
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
    plan = split_module._plan

    def overtaken(*arguments: object) -> object:
        Session(project).reject([_file(project).id])
        return plan(*arguments)

    monkeypatch.setattr(split_module, "_plan", overtaken)
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
            name, do = mine[turn % len(mine)], ("reject", "keep")[turn // len(mine) % 2]
            try:
                session.act(do, [ids[name]])
                said[name] = State.REJECTED if do == "reject" else State.STORED
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
