import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from birds.errors import ProjectError
from birds.files import Project
from birds.images import Content
from birds.reasons import Reason
from birds.record import Author, PictureFile, Provenance, Record, State

CONTENT = Content("a" * 64, 10, "PNG", 160, 120, phash=2**64 - 1, mirror_phash=2**63)
WEB = Provenance(
    "google", "white stork", 3, "inline", "http://h/a.jpg", "http://h/", "t", "who", "cc0", "http://l/", "by who", "obs"
)


@pytest.fixture
def record(project: Project) -> Iterator[Record]:
    with Record(project) as opened:
        yield opened


def _add(record: Record, label: str, name: str, content: Content = CONTENT, state: State = State.STORED) -> PictureFile:
    picture = record.picture(content)
    file_id = record.add_file(
        label, name, sha256=content.sha256, picture=picture, provenance=WEB, state=state, mtime_ns=7
    )
    file = record.file(file_id)
    assert file is not None
    return file


def test_what_is_written_is_read_again_by_the_next_run(project: Project) -> None:
    with Record(project) as record:
        _add(record, "cigüeña", "a.jpg")
    with Record(project) as record:
        (file,) = record.files()
    assert (file.label, file.name, file.state, file.mtime_ns) == ("cigüeña", "a.jpg", State.STORED, 7)
    assert file.provenance == WEB
    assert file.content == CONTENT  # 64-bit hashes included, though SQLite's integers are signed
    assert file.reason is None
    assert file.author is None


def test_files_are_listed_by_label_and_name_and_chosen_by_state(record: Record) -> None:
    for label, name, state in [
        ("loro", "b.jpg", State.STORED), ("loro", "a.jpg", State.REJECTED), ("garza", "z.jpg", State.STORED),
        ("garza", "y.jpg", State.PENDING),
    ]:  # fmt: skip
        _add(record, label, name, state=state)
    assert [f.name for f in record.files()] == ["y.jpg", "z.jpg", "a.jpg", "b.jpg"]
    assert [f.name for f in record.files(State.STORED)] == ["z.jpg", "b.jpg"]
    assert [f.name for f in record.files(State.STORED, State.REJECTED, label="loro")] == ["a.jpg", "b.jpg"]
    assert record.counts() == {"garza": 1, "loro": 1}
    assert record.counts(State.REJECTED) == {"loro": 1}
    assert record.file(999) is None


def test_one_name_stands_once_under_a_label(record: Record) -> None:
    _add(record, "loro", "a.jpg")
    _add(record, "garza", "a.jpg")
    with pytest.raises(sqlite3.IntegrityError):
        _add(record, "loro", "a.jpg")


def test_the_same_content_is_one_picture_completed_later(record: Record) -> None:
    bare = record.picture(Content(CONTENT.sha256, CONTENT.bytes))
    file = _add(record, "loro", "a.jpg", Content(CONTENT.sha256, CONTENT.bytes))
    assert file.content.phash is None
    assert record.picture(CONTENT) == bare
    assert record.picture(Content(CONTENT.sha256, CONTENT.bytes)) == bare  # knowing less takes nothing away
    (file,) = record.files()
    assert file.content == CONTENT


def test_a_picture_is_known_under_the_labels_it_had(record: Record) -> None:
    _add(record, "loro", "a.jpg", state=State.REJECTED)
    assert record.knows("loro", CONTENT.sha256)
    assert not record.knows("garza", CONTENT.sha256)
    assert not record.knows("loro", "b" * 64)


def test_decisions_are_about_a_picture_under_a_label(record: Record) -> None:
    loro, garza = _add(record, "loro", "a.jpg"), _add(record, "garza", "a.jpg")
    assert loro.picture == garza.picture
    record.decide(loro, "reject", Reason.BY_HAND, Author.PERSON)
    states = {f.label: (f.state, f.reason, f.author) for f in record.files()}
    assert states == {
        "loro": (State.REJECTED, Reason.BY_HAND, Author.PERSON),
        "garza": (State.STORED, None, None),
    }
    record.decide(garza, "accept", Reason.BY_HAND, Author.PERSON)
    assert record.accepted_by_a_person() == {(garza.picture, "garza")}


def test_the_newest_decision_counts(record: Record) -> None:
    file = _add(record, "loro", "a.jpg")
    record.decide(file, "reject", Reason.TOO_SMALL, Author.AUTO)
    (rejected,) = record.files()
    assert (rejected.state, rejected.reason, rejected.author) == (State.REJECTED, Reason.TOO_SMALL, Author.AUTO)
    record.decide(file, "accept", Reason.BY_HAND, Author.PERSON)
    (restored,) = record.files()
    assert (restored.state, restored.reason, restored.author) == (State.STORED, None, Author.PERSON)
    assert record.accepted_by_a_person() == {(file.picture, "loro")}
    record.decide(file, "reject", Reason.BY_HAND, Author.PERSON)
    assert record.accepted_by_a_person() == set()


def test_what_a_machine_accepts_no_person_accepted(record: Record) -> None:
    record.decide(_add(record, "loro", "a.jpg"), "accept", Reason.BY_HAND, Author.AUTO)
    assert record.accepted_by_a_person() == set()


def test_settled_urls_are_stored_or_refused_for_good(record: Record) -> None:
    record.remember_attempt("loro", "http://h/stored", None)
    record.remember_attempt("loro", "http://h/gone", Reason.HTTP_ERROR)
    record.remember_attempt("loro", "http://h/busy", Reason.HTTP_ERROR, is_passing=True)
    record.remember_attempt("garza", "http://h/other", None)
    assert record.settled_urls("loro") == {"http://h/stored", "http://h/gone"}
    record.remember_attempt("loro", "http://h/busy", None)
    record.remember_attempt("loro", "http://h/gone", Reason.TIMEOUT, is_passing=True)
    assert record.settled_urls("loro") == {"http://h/stored", "http://h/busy"}


def test_searches_remember_how_many_pictures_were_wanted(record: Record) -> None:
    assert record.searched("loro", "google", "parrot") == 0
    record.remember_search("loro", "google", "parrot", 50)
    record.remember_search("loro", "google", "parrot", 80)
    assert record.searched("loro", "google", "parrot") == 80
    assert record.searched("loro", "google", "loro") == record.searched("loro", "bing", "parrot") == 0


def test_a_split_replaces_the_one_before(record: Record) -> None:
    one, other = _add(record, "loro", "a.jpg"), _add(record, "loro", "b.jpg")
    record.remember_split([(one.id, "train"), (other.id, "test")])
    record.remember_split([(one.id, "val")])
    assert record.split_parts() == {one.id: "val"}
    record.forget_file(one.id)
    assert record.split_parts() == {}


def test_a_transaction_that_fails_writes_nothing(record: Record) -> None:
    with pytest.raises(RuntimeError), record.transaction():  # noqa: PT012 - the block is what fails
        _add(record, "loro", "a.jpg")
        raise RuntimeError
    assert record.files() == []
    with record.transaction():
        _add(record, "loro", "a.jpg")
    assert len(record.files()) == 1


def test_a_reader_beside_a_writer_sees_whole_transactions(project: Project, record: Record) -> None:
    with Record(project) as reader:
        with record.transaction():
            _add(record, "loro", "a.jpg")
            assert reader.files() == []
        assert len(reader.files()) == 1


def test_many_may_open_a_new_record_at_once(tmp_path: Path) -> None:
    def open_and_count(i: int) -> int:
        with Record(Project(tmp_path / str(i // 8))) as record:
            return len(record.files())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(open_and_count, range(80))) == [0] * 80


def test_the_record_of_a_newer_birds_is_left_alone(project: Project) -> None:
    with Record(project) as record:
        _add(record, "loro", "a.jpg")
    with sqlite3.connect(project.record) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ProjectError, match="version 99") as caught:
        Record(project)
    assert "newer" in caught.value.hint
    with sqlite3.connect(project.record) as db:
        assert db.execute("SELECT count(*) FROM files").fetchone() == (1,)
    db.close()


def test_a_record_that_is_none_is_a_clear_error(project: Project) -> None:
    project.hidden.mkdir()
    project.record.write_bytes(b"this is no database" * 100)
    with pytest.raises(ProjectError, match=r"record\.db"):
        Record(project)
    assert project.record.read_bytes().startswith(b"this is no database")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ProjectError, match=r"record\.db"):
        Record(Project(tmp_path / "file"))


def test_a_record_of_version_1_is_brought_up_to_date_and_loses_nothing(project: Project) -> None:
    with Record(project) as record:
        _add(record, "loro", "a.jpg")
    with closing(sqlite3.connect(project.record)) as db:
        for column in ("licence_url", "attribution"):
            db.execute(f"ALTER TABLE files DROP COLUMN {column}")
        db.execute("ALTER TABLE decisions DROP COLUMN after_run")
        for table in ("looks", "findings", "guesses", "different", "moves", "actions"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    with ThreadPoolExecutor(2) as pool:  # two processes may meet the old record at once
        for records in pool.map(lambda _: _files_of(project), range(2)):
            assert records == [("a.jpg", replace(WEB, licence_url=None, attribution=None))]


def _files_of(project: Project) -> list[tuple[str, Provenance]]:
    with Record(project) as record:
        return [(file.name, file.provenance) for file in record.files()]
