from collections.abc import Callable
from pathlib import Path

import pytest
from birds.files import Project
from birds.moves import current_path, free_name, image_path, move, rejected_path, settle_moves
from birds.reconcile import reconcile
from birds.record import PictureFile, Record, State


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    write_images(project.root, {"loro": 3, "garza": 1})
    with Record(project) as record:
        reconcile(project, record)
    return project


def _file(record: Record, name: str = "loro/000.jpg") -> PictureFile:
    return {f"{file.label}/{file.name}": file for file in record.files()}[name]


def _begin(project: Project, record: Record, file: PictureFile, label: str, name: str) -> PictureFile:
    record.begin_move(file.id, label, name, current_path(project, file).relative_to(project.root).as_posix())
    moved = record.file(file.id)
    assert moved
    return moved


def test_a_file_follows_its_new_label_and_name(parrots: Project) -> None:
    with Record(parrots) as record:
        file = _file(record)
        content = image_path(parrots, file).read_bytes()
        moved = _begin(parrots, record, file, "garza", "new.jpg")
        settle_moves(parrots, record)
        assert image_path(parrots, moved).read_bytes() == content
        assert not image_path(parrots, file).exists()
        assert record.moves() == []


def test_a_file_follows_its_new_state(parrots: Project) -> None:
    with Record(parrots) as record:
        file = _begin(parrots, record, _file(record), "loro", "000.jpg")
        record.update_file(file.id, state=State.REJECTED)
        settle_moves(parrots, record)
        assert rejected_path(parrots, file).is_file()
        assert not image_path(parrots, file).exists()


def test_settling_twice_or_after_another_process_did_it_changes_nothing(parrots: Project) -> None:
    with Record(parrots) as record:
        moved = _begin(parrots, record, _file(record), "garza", "new.jpg")
        move(parrots.images / "loro" / "000.jpg", image_path(parrots, moved))
        content = image_path(parrots, moved).read_bytes()
        for _ in range(2):
            settle_moves(parrots, record)
        assert image_path(parrots, moved).read_bytes() == content


def test_stock_taking_settles_a_move_and_does_not_call_it_one_by_hand(parrots: Project) -> None:
    with Record(parrots) as record:
        moved = _begin(parrots, record, _file(record), "garza", "new.jpg")
        assert str(reconcile(parrots, record)) == ""
        assert record.file(moved.id) == moved
        assert image_path(parrots, moved).is_file()


def test_nothing_is_moved_over_another_file(parrots: Project, tmp_path: Path) -> None:
    source, target = parrots.images / "loro" / "000.jpg", parrots.images / "garza" / "000.jpg"
    before = source.read_bytes(), target.read_bytes()
    move(source, target)
    assert (source.read_bytes(), target.read_bytes()) == before


def test_a_free_name_is_taken_neither_in_the_record_nor_on_disk(parrots: Project) -> None:
    (parrots.images / "loro" / "000-2.jpg").write_bytes(b"unknown to the record")
    resting = parrots.rejected / "loro" / "000-3.jpg"
    resting.parent.mkdir(parents=True)
    resting.write_bytes(b"rejected")
    with Record(parrots) as record:
        assert free_name(parrots, record, "loro", "100.jpg") == "100.jpg"
        assert free_name(parrots, record, "loro", "000.jpg") == "000-4.jpg"
        image_path(parrots, _file(record, "loro/001.jpg")).unlink()  # its row still has the name
        assert free_name(parrots, record, "loro", "001.jpg") == "001-2.jpg"
