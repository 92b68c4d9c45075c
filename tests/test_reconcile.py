import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from birds import reconcile as reconciling
from birds.errors import ProjectError
from birds.files import Project, sha256_of
from birds.images import sha256
from birds.looks import look_at
from birds.moves import reject, rejected_path, restore
from birds.reasons import Reason
from birds.reconcile import Changes, inspect_stored, reconcile
from birds.record import Author, PictureFile, Provenance, Record, State
from hypothesis import given, settings
from hypothesis import strategies as st

WEB = Provenance("google", "parrot", 1, "inline", "http://h/a.jpg")


@pytest.fixture
def record(project: Project) -> Iterator[Record]:
    with Record(project) as opened:
        yield opened


def _scraped(project: Project, record: Record, path: Path, state: State = State.STORED) -> PictureFile:
    """Put `path`, a file of images/, into the record as scraping does."""
    content, _ = look_at(path.read_bytes())
    file_id = record.add_file(
        path.parent.name, path.name, sha256=content.sha256, picture=record.picture(content), provenance=WEB,
        state=state,
        mtime_ns=path.stat().st_mtime_ns,
    )  # fmt: skip
    file = record.file(file_id)
    assert file is not None
    return file


def _by_name(record: Record, *states: State) -> dict[str, PictureFile]:
    return {f"{file.label}/{file.name}": file for file in record.files(*states)}


def _edit(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))  # however coarse the clock


@pytest.fixture
def parrots(project: Project, record: Record, write_images: Callable[..., list[Path]]) -> list[Path]:
    """Ten pictures of parrots, known to the record as scraped."""
    paths = write_images(project.root, {"loro": 10})
    for path in paths:
        _scraped(project, record, path)
    return paths


def test_nothing_happened(project: Project, record: Record, parrots: list[Path]) -> None:
    assert reconcile(project, record) == Changes()
    assert str(Changes()) == ""
    assert str(Changes(added=2, removed=1)) == "2 added, 1 removed"


def test_a_project_without_images_is_empty(project: Project, record: Record) -> None:
    assert reconcile(project, record) == Changes()


def test_a_pending_file_that_is_there_is_stored(project: Project, record: Record, parrots: list[Path]) -> None:
    pending = record.files()[0]
    record.update_file(pending.id, state=State.PENDING, mtime_ns=None)
    assert reconcile(project, record) == Changes()
    settled = record.file(pending.id)
    assert settled is not None
    assert (settled.state, settled.provenance) == (State.STORED, WEB)


def test_a_pending_file_that_never_came_is_forgotten(project: Project, record: Record, parrots: list[Path]) -> None:
    pending = record.files()[0]
    record.update_file(pending.id, state=State.PENDING)
    parrots[0].unlink()
    assert reconcile(project, record) == Changes()
    assert record.file(pending.id) is None


def test_a_pending_file_with_other_content_is_not_taken_for_it(
    project: Project, record: Record, parrots: list[Path]
) -> None:
    record.update_file(record.files()[0].id, state=State.PENDING)
    _edit(parrots[0], b"somebody else's")
    assert reconcile(project, record) == Changes(added=1)
    assert _by_name(record)["loro/000.jpg"].provenance == Provenance("local")


def test_half_written_files_of_a_killed_run_are_removed(project: Project, record: Record, parrots: list[Path]) -> None:
    left = parrots[0].parent / ".010-abc.birds-tmp"
    left.write_bytes(b"half")
    assert reconcile(project, record) == Changes()
    assert not left.exists()


def test_a_renamed_file_keeps_its_provenance(project: Project, record: Record, parrots: list[Path]) -> None:
    before = record.files()[0]
    parrots[0].rename(parrots[0].with_name("the best one.jpg"))
    assert reconcile(project, record) == Changes(moved=1)
    after = _by_name(record)["loro/the best one.jpg"]
    assert (after.id, after.provenance, after.state) == (before.id, WEB, State.STORED)


def test_a_file_moved_to_another_label_keeps_its_provenance(
    project: Project, record: Record, parrots: list[Path]
) -> None:
    (project.images / "periquito").mkdir()
    parrots[0].rename(project.images / "periquito" / parrots[0].name)
    assert reconcile(project, record) == Changes(moved=1)
    assert _by_name(record)["periquito/000.jpg"].provenance == WEB
    assert record.counts() == {"loro": 9, "periquito": 1}


def test_a_renamed_folder_is_moved_not_missing(project: Project, record: Record, parrots: list[Path]) -> None:
    (project.images / "loro").rename(project.images / "parrot")
    assert reconcile(project, record) == Changes(moved=10)
    assert record.counts() == {"parrot": 10}
    assert all(file.provenance == WEB for file in record.files())


def test_a_file_edited_in_place_is_a_new_content_of_the_same_row(
    project: Project,
    record: Record,
    parrots: list[Path],
    jpeg: Callable[..., bytes],
    make_picture: Callable[..., object],
) -> None:
    before = record.files()[0]
    _edit(parrots[0], jpeg(make_picture(1, (100, 90))))
    assert reconcile(project, record) == Changes(edited=1)
    after = {file.id: file for file in inspect_stored(project, record)}[before.id]
    assert after.sha256 == sha256_of(parrots[0]) != before.sha256
    assert after.picture != before.picture
    assert (after.content.width, after.content.height) == (100, 90)
    assert after.provenance == WEB


def test_touching_a_file_is_no_edit(project: Project, record: Record, parrots: list[Path]) -> None:
    before = record.files()[0]
    _edit(parrots[0], parrots[0].read_bytes())
    assert reconcile(project, record) == Changes()
    after = record.file(before.id)
    assert after is not None
    assert (after.sha256, after.picture) == (before.sha256, before.picture)
    assert after.mtime_ns == parrots[0].stat().st_mtime_ns


def test_a_file_put_there_by_hand_is_local(project: Project, record: Record, parrots: list[Path]) -> None:
    (project.images / "garza").mkdir()
    shutil.copy(parrots[0], project.images / "garza" / "mine.jpeg")
    assert reconcile(project, record) == Changes(added=1)
    added = _by_name(record)["garza/mine.jpeg"]
    assert (added.provenance, added.state) == (Provenance("local"), State.STORED)
    assert added.sha256 == sha256_of(parrots[0])


def test_what_is_no_picture_folder_or_file_is_passed_over(
    project: Project, record: Record, parrots: list[Path]
) -> None:
    (project.images / ".hidden").mkdir()
    (project.images / ".hidden" / "a.jpg").write_bytes(b"x")
    (project.images / "notes.txt").write_bytes(b"x")
    (project.images / "loro" / ".DS_Store").write_bytes(b"x")
    (project.images / "loro" / "deeper").mkdir()
    (project.images / "loro" / "link.jpg").symlink_to(parrots[0])
    (project.images / "linked").symlink_to(project.images / "loro")
    assert reconcile(project, record) == Changes()


def test_a_few_missing_files_were_rejected_by_hand(project: Project, record: Record, parrots: list[Path]) -> None:
    parrots[0].unlink()
    assert reconcile(project, record) == Changes(removed=1)
    gone = _by_name(record)["loro/000.jpg"]
    assert (gone.state, gone.reason, gone.author) == (State.MISSING, Reason.BY_HAND, Author.PERSON)
    assert reconcile(project, record) == Changes()
    assert record.knows("loro", gone.content.sha256)  # scraping does not bring it back


def test_a_fifth_missing_is_no_decision(project: Project, record: Record, parrots: list[Path]) -> None:
    for path in parrots[:2]:
        path.unlink()
    for _ in range(2):  # asking again changes nothing
        with pytest.raises(ProjectError, match="2 of the 10 pictures of 'loro'") as caught:
            reconcile(project, record)
        assert "--accept-missing" in caught.value.hint
        assert len(record.files(State.STORED)) == 10
    assert reconcile(project, record, accept_missing=True) == Changes(removed=2)
    assert record.counts(State.MISSING) == {"loro": 2}


def test_the_share_is_counted_within_each_label(
    project: Project, record: Record, parrots: list[Path], write_images: Callable[..., list[Path]]
) -> None:
    for path in write_images(project.root, {"garza": 3}):
        _scraped(project, record, path)
    shutil.rmtree(project.images / "garza")
    with pytest.raises(ProjectError, match="3 of the 3 pictures of 'garza'"):
        reconcile(project, record)


def test_an_unplugged_disk_rejects_nothing(project: Project, record: Record, parrots: list[Path]) -> None:
    project.images.rename(project.root / "unplugged")
    with pytest.raises(ProjectError, match="unplugged disk"):
        reconcile(project, record)
    (project.root / "unplugged").rename(project.images)
    assert reconcile(project, record) == Changes()
    assert record.counts() == {"loro": 10}


def test_a_missing_file_that_comes_back_is_stored_again(project: Project, record: Record, parrots: list[Path]) -> None:
    data = parrots[0].read_bytes()
    parrots[0].unlink()
    reconcile(project, record)
    parrots[0].write_bytes(data)
    assert reconcile(project, record) == Changes()
    back = _by_name(record)["loro/000.jpg"]
    assert (back.state, back.reason, back.provenance) == (State.STORED, None, WEB)


def test_rejecting_moves_the_file_and_restoring_brings_it_back(
    project: Project, record: Record, parrots: list[Path]
) -> None:
    data, file = parrots[0].read_bytes(), record.files()[0]
    reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    assert not parrots[0].exists()
    assert rejected_path(project, file).read_bytes() == data
    assert reconcile(project, record) == Changes()
    rejected = record.files(State.REJECTED)[0]
    assert (rejected.reason, rejected.author, rejected.provenance) == (Reason.BY_HAND, Author.PERSON, WEB)
    restore(project, record, rejected)
    assert parrots[0].read_bytes() == data
    assert not rejected_path(project, file).exists()
    assert reconcile(project, record) == Changes()
    assert record.counts() == {"loro": 10}


def test_a_rejection_cut_short_is_finished(project: Project, record: Record, parrots: list[Path]) -> None:
    file = record.files()[0]
    record.decide(file, "reject", Reason.BY_HAND, Author.PERSON)  # and killed before the file was moved
    assert reconcile(project, record) == Changes()
    assert not parrots[0].exists()
    assert rejected_path(project, file).exists()
    assert record.counts(State.REJECTED) == {"loro": 1}


def test_a_restoration_cut_short_is_finished(project: Project, record: Record, parrots: list[Path]) -> None:
    file = record.files()[0]
    reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    record.decide(file, "accept", Reason.BY_HAND, Author.PERSON)  # and killed before the file was moved
    assert reconcile(project, record) == Changes()
    assert parrots[0].exists()
    assert not rejected_path(project, file).exists()
    assert record.counts() == {"loro": 10}


@pytest.mark.parametrize("is_emptied", [False, True])
def test_a_new_file_may_have_the_name_of_a_rejected_one(
    project: Project, record: Record, parrots: list[Path], is_emptied: bool
) -> None:
    file = record.files()[0]
    old = parrots[0].read_bytes()
    reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    if is_emptied:
        shutil.rmtree(project.rejected)
    parrots[0].write_bytes(b"new")
    assert reconcile(project, record) == Changes(added=1)
    new = _by_name(record, State.STORED)["loro/000.jpg"]
    assert (new.sha256, new.provenance) == (sha256(b"new"), Provenance("local"))
    (rejected,) = record.files(State.REJECTED)
    assert (rejected.id, rejected.reason, rejected.provenance) == (file.id, Reason.BY_HAND, WEB)
    assert parrots[0].read_bytes() == b"new"
    if not is_emptied:
        assert rejected_path(project, rejected).read_bytes() == old
        restore(project, record, rejected)
        assert reconcile(project, record) == Changes()
        assert record.counts() == {"loro": 11}


def test_what_rests_from_a_lost_record_is_kept_and_stands_in_nobodys_way(
    project: Project, record: Record, parrots: list[Path]
) -> None:
    file = record.files()[0]
    rejected_path(project, file).parent.mkdir(parents=True)
    rejected_path(project, file).write_bytes(b"older")
    new = parrots[0].read_bytes()
    reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    assert not parrots[0].exists()
    resting = {path.read_bytes() for path in rejected_path(project, file).parent.iterdir()}
    assert resting == {b"older", new}
    assert reconcile(project, record) == Changes()
    assert record.counts(State.REJECTED) == {"loro": 1}


def test_the_review_page_may_reject_and_restore_while_we_look(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = record.files()[:2]
    reject(project, record, second, Reason.BY_HAND, Author.PERSON)
    look = reconciling._files_on_disk

    def look_and_be_overtaken(place: Project) -> dict[tuple[str, str], Path]:
        found = look(place)
        with Record(place) as beside:
            reject(place, beside, first, Reason.BY_HAND, Author.PERSON)
            restore(place, beside, second)
        return found

    monkeypatch.setattr(reconciling, "_files_on_disk", look_and_be_overtaken)
    assert reconcile(project, record) == Changes()
    monkeypatch.undo()
    assert reconcile(project, record) == Changes()
    states = {file.name: file.state for file in record.files()}
    assert (states["000.jpg"], states["001.jpg"]) == (State.REJECTED, State.STORED)
    assert not parrots[0].exists()
    assert parrots[1].exists()


def test_what_is_rejected_this_very_moment_is_neither_an_error_nor_an_edit(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over = reconciling._take_over_edit

    def overtaken(beside: Record, file: PictureFile, path: Path) -> bool:
        reject(project, beside, file, Reason.BY_HAND, Author.PERSON)
        return take_over(beside, file, path)

    monkeypatch.setattr(reconciling, "_take_over_edit", overtaken)
    assert reconcile(project, record) == Changes()
    assert record.counts(State.REJECTED) == {"loro": 10}
    assert len(list((project.rejected / "loro").iterdir())) == 10


def test_what_is_being_restored_is_not_gone(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = record.files()[0]
    reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    settle = reconciling._settle_known

    def overtaken(*arguments: object) -> int:
        edited = settle(*arguments)  # type: ignore[arg-type]
        record.decide(file, "accept", Reason.BY_HAND, Author.PERSON)  # the file follows in a moment
        return edited

    monkeypatch.setattr(reconciling, "_settle_known", overtaken)
    assert reconcile(project, record) == Changes()
    monkeypatch.undo()
    assert reconcile(project, record) == Changes()
    assert record.counts() == {"loro": 10}
    assert parrots[0].exists()


def test_what_comes_back_after_we_looked_is_not_new(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = record.files()[0]
    settle, read = reconciling._settle_known, record.files

    def overtaken(*arguments: object) -> int:
        edited = settle(*arguments)  # type: ignore[arg-type]
        reject(project, record, file, Reason.BY_HAND, Author.PERSON)
        monkeypatch.setattr(record, "files", back_again)
        return edited

    def back_again(*states: State) -> list[PictureFile]:
        found = read(*states)
        with Record(project) as beside:
            restore(project, beside, file)
        return found

    monkeypatch.setattr(reconciling, "_settle_known", overtaken)
    assert reconcile(project, record) == Changes()
    monkeypatch.undo()
    assert record.counts() == {"loro": 10}


def test_what_was_rejected_after_it_seemed_gone_stays_rejected(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, content = record.files()[0], parrots[0].read_bytes()
    parrots[0].unlink()
    place = reconciling._place_new

    def overtaken(*arguments: object) -> tuple[int, int]:
        parrots[0].write_bytes(content)
        reject(project, record, file, Reason.BY_HAND, Author.PERSON)
        return place(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reconciling, "_place_new", overtaken)
    reconcile(project, record)
    assert record.counts(State.REJECTED) == {"loro": 1}
    assert record.counts(State.MISSING) == {}


def test_a_second_rejection_says_that_nothing_was_done(project: Project, record: Record, parrots: list[Path]) -> None:
    file = record.files()[0]
    assert reject(project, record, file, Reason.BY_HAND, Author.PERSON)
    assert not reject(project, record, file, Reason.TOO_SMALL, Author.AUTO)
    (rejected,) = record.files(State.REJECTED)
    assert (rejected.reason, rejected.author) == (Reason.BY_HAND, Author.PERSON)


def test_reading_pictures_keeps_no_writer_waiting(
    project: Project, record: Record, write_images: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(project.root, {"loro": 3})
    reconcile(project, record)
    look, decided = reconciling.look_at, []

    def look_beside_a_writer(data: bytes) -> object:
        with Record(project) as beside:
            beside._db.execute("PRAGMA busy_timeout = 0")
            beside.remember_search("loro", "google", str(len(decided)), 1)
        decided.append(data)
        return look(data)

    monkeypatch.setattr(reconciling, "look_at", look_beside_a_writer)
    assert all(file.content.phash is not None for file in inspect_stored(project, record))
    assert len(decided) == 3
    inspect_stored(project, record)
    assert len(decided) == 3  # what is known is not read again


def test_a_picture_that_cannot_be_decoded_has_its_reason(project: Project, record: Record) -> None:
    (project.images / "loro").mkdir(parents=True)
    (project.images / "loro" / "page.jpg").write_bytes(b"<html>")
    reconcile(project, record)
    (file,) = inspect_stored(project, record)
    assert file.content.unreadable is Reason.NOT_AN_IMAGE


def test_decomposed_folder_names_become_composed(project: Project, record: Record) -> None:
    decomposed = unicodedata.normalize("NFD", "cigüeña")
    (project.images / decomposed).mkdir(parents=True)
    (project.images / decomposed / "a.jpg").write_bytes(b"x")
    assert reconcile(project, record) == Changes(added=1)
    assert record.counts() == {"cigüeña": 1}
    assert (project.images / "cigüeña" / "a.jpg").exists()
    assert reconcile(project, record) == Changes()


def test_two_spellings_of_one_folder_are_a_clear_error(project: Project, record: Record) -> None:
    for form in ("NFC", "NFD"):
        folder = project.images / unicodedata.normalize(form, "cigüeña")
        if folder.exists():
            pytest.skip("this file system does not tell the spellings apart")
        folder.mkdir(parents=True)
    with pytest.raises(ProjectError, match="cigüeña") as caught:
        reconcile(project, record)
    assert "Merge" in caught.value.hint


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "rename", "move", "edit", "reject", "restore", "kill"]),
                          st.integers(0, 99)), max_size=12))  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_whatever_people_and_kills_do_record_and_disk_agree_after_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    project = Project(tmp_path_factory.mktemp("project"))
    for i in range(6):
        path = project.images / ("loro", "garza")[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"picture {i}".encode())
    with Record(project) as record:
        reconcile(project, record)
        for number, (step, i) in enumerate(steps):
            present, stored = sorted(project.images.glob("*/*")), record.files(State.STORED)
            rejected = record.files(State.REJECTED)
            if step == "add":
                (project.images / "loro" / f"new {number}.jpg").write_bytes(f"new {i}".encode())
            elif step == "restore" and rejected:
                restore(project, record, rejected[i % len(rejected)])
            elif not present or not stored:
                continue
            elif step == "remove":
                present[i % len(present)].unlink()
            elif step == "rename":
                present[i % len(present)].rename(present[i % len(present)].with_name(f"renamed {number}.jpg"))
            elif step == "move":
                present[i % len(present)].rename(project.images / "garza" / f"moved {number}.jpg")
            elif step == "edit":
                _edit(present[i % len(present)], f"edited {number}".encode())
            elif step == "reject":
                reject(project, record, stored[i % len(stored)], Reason.BY_HAND, Author.PERSON)
            else:
                record.decide(stored[i % len(stored)], "reject", Reason.BY_HAND, Author.PERSON)
            reconcile(project, record, accept_missing=True)
            on_disk = {f"{path.parent.name}/{path.name}": sha256_of(path) for path in project.images.glob("*/*")}
            assert {name: file.sha256 for name, file in _by_name(record, State.STORED).items()} == on_disk
            assert all(rejected_path(project, file).exists() for file in record.files(State.REJECTED))
            assert reconcile(project, record) == Changes()


def test_a_move_to_another_class_made_while_we_look_stays_made(
    project: Project, record: Record, parrots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The review page writes it down first, and its file follows a moment later."""
    file, settle = record.files()[0], reconciling._settle_known

    def overtaken(*arguments: object) -> int:
        edited = settle(*arguments)  # type: ignore[arg-type]
        with record.transaction():
            record.begin_move(file.id, "garza", "moved.jpg", f"images/loro/{file.name}")
        return edited

    monkeypatch.setattr(reconciling, "_settle_known", overtaken)
    assert reconcile(project, record) == Changes()
    now = record.file(file.id)
    assert now is not None
    assert (now.label, now.name, now.state) == ("garza", "moved.jpg", State.STORED)
    assert (project.images / "garza" / "moved.jpg").is_file()
    assert not (project.images / "loro" / file.name).exists()
