import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from birds import looks
from birds.clean import clean
from birds.errors import ProjectError, WeightsError
from birds.files import Project
from birds.moves import rejected_path, restore
from birds.reasons import Reason
from birds.record import Author, Record, State
from PIL import ImageOps


@pytest.fixture
def flawed(project: Project, write_images: Callable[..., list[Path]], make_picture: Callable[..., object],
           jpeg: Callable[..., bytes]) -> Project:  # fmt: skip
    """Two classes of ten good pictures, and one of each flaw."""
    good = write_images(project.root, {"loro": 10, "garza": 10})
    loro = project.images / "loro"
    (loro / "100 truncated.jpg").write_bytes(good[0].read_bytes()[:900])
    (loro / "101 page.jpg").write_bytes(b"<html>not found</html>")
    (loro / "102 small.jpg").write_bytes(jpeg(make_picture(77, (200, 63))))
    shutil.copy(good[1], loro / "103 copy.jpg")
    picture = make_picture(78, (320, 240))
    (loro / "104 shot.jpg").write_bytes(jpeg(picture))
    (loro / "105 near.jpg").write_bytes(jpeg(ImageOps.mirror(picture).resize((200, 150)), quality=70))
    shutil.copy(good[2], project.images / "garza" / "100 conflict.jpg")
    return project


AUTOMATIC = {
    "100 truncated.jpg": Reason.UNREADABLE,
    "101 page.jpg": Reason.UNREADABLE,
    "102 small.jpg": Reason.TOO_SMALL,
    "103 copy.jpg": Reason.EXACT_COPY,
}


SHARP_ENOUGH = {"blurred": 0.0}  # the pictures of these tests are soft patches of colour


def _rejected(project: Project) -> dict[str, Reason | None]:
    with Record(project) as record:
        return {file.name: file.reason for file in record.files(State.REJECTED)}


def test_auto_rejects_exactly_what_is_beyond_doubt(flawed: Project) -> None:
    result = clean(flawed.root, auto=True, thresholds=SHARP_ENOUGH)
    assert _rejected(flawed) == AUTOMATIC
    assert result.rejected == {"unreadable": 2, "too_small": 1, "exact_copy": 1}
    assert result.queued == {"near_duplicate": 2, "label_conflict": 2}
    assert (result.checked, result.accepted, result.reviewed) == (27, 23, 0)


def test_nothing_is_deleted_and_every_rejection_has_its_author(flawed: Project) -> None:
    before = {path.name: path.read_bytes() for path in flawed.images.glob("*/*")}
    clean(flawed.root, auto=True)
    after = {path.name: path.read_bytes() for path in flawed.images.glob("*/*")}
    with Record(flawed) as record:
        rejected = record.files(State.REJECTED)
        assert {file.author for file in rejected} == {Author.AUTO}
        resting = {file.name: rejected_path(flawed, file).read_bytes() for file in rejected}
    assert after | resting == before
    assert set(after) & set(resting) == set()


def test_without_auto_everything_waits_for_a_person(flawed: Project) -> None:
    result = clean(flawed.root, thresholds=SHARP_ENOUGH)
    assert _rejected(flawed) == {}
    assert result.rejected == {}
    assert result.queued == {
        "unreadable": 2, "too_small": 1, "exact_copy": 1, "near_duplicate": 4, "label_conflict": 2, "odd_aspect": 1,
    }  # fmt: skip
    assert result.accepted == result.checked == 27


def test_a_second_auto_finds_nothing_new(flawed: Project) -> None:
    clean(flawed.root, auto=True)
    again = clean(flawed.root, auto=True)
    assert again.rejected == {}
    assert again.checked == again.accepted == 23
    assert _rejected(flawed) == AUTOMATIC


def test_what_a_person_restored_is_not_rejected_again(flawed: Project) -> None:
    clean(flawed.root, auto=True)
    with Record(flawed) as record:
        for file in record.files(State.REJECTED):
            restore(flawed, record, file)
    result = clean(flawed.root, auto=True)
    assert result.rejected == {}
    assert _rejected(flawed) == {}
    assert result.accepted == 27


def test_what_an_undo_restored_is_rejected_again(flawed: Project) -> None:
    clean(flawed.root, auto=True)
    with Record(flawed) as record:
        (small,) = [file for file in record.files(State.REJECTED) if file.reason is Reason.TOO_SMALL]
        restore(flawed, record, small, Author.AUTO)
    assert clean(flawed.root, auto=True).rejected == {"too_small": 1}


def test_what_was_removed_by_hand_counts_as_reviewed(flawed: Project) -> None:
    clean(flawed.root)
    (flawed.images / "loro" / "104 shot.jpg").unlink()
    result = clean(flawed.root)
    assert result.reviewed == 1
    assert result.checked == 26


def test_missing_pictures_can_be_accepted(flawed: Project) -> None:
    clean(flawed.root)
    shutil.rmtree(flawed.images / "garza")
    with pytest.raises(ProjectError, match="garza"):
        clean(flawed.root, auto=True)
    assert _rejected(flawed) == {}
    assert clean(flawed.root, accept_missing=True).accepted == 16


def test_without_images_there_is_nothing_to_clean(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="images") as caught:
        clean(tmp_path)
    assert "birds scrape" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_threshold_decides_what_is_queued(flawed: Project) -> None:
    counts = [clean(flawed.root, thresholds={"blurred": limit}).queued.get("blurred", 0) for limit in (0.0, 0.22, 1.0)]
    assert counts[0] == 0 < counts[1] <= counts[2] == 25


def test_every_picture_is_decoded_once_for_all_checks(flawed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, decode = [], looks.decode
    monkeypatch.setattr(looks, "decode", lambda data, **options: decoded.append(data) or decode(data, **options))
    clean(flawed.root)
    clean(flawed.root)
    assert len(decoded) == len(set(decoded)) == 25, "27 files, two of which are copies"


def test_what_was_found_is_what_the_page_shows(flawed: Project) -> None:
    result = clean(flawed.root, thresholds=SHARP_ENOUGH)
    with Record(flawed) as record:
        names = {file.id: file.name for file in record.files()}
        found = [(str(finding.reason), names[finding.file]) for finding in record.review.findings()]
    assert Counter(reason for reason, _ in found) == result.queued
    assert {name for reason, name in found if reason == "label_conflict"} == {"002.jpg", "100 conflict.jpg"}


def test_without_weights_to_be_had_it_says_what_it_cannot_do_and_goes_on(
    flawed: Project, notes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import torch

    def offline(*_args: object, **_options: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    result = clean(flawed.root, weights="imagenet", progress=notes)
    assert result.checked == 27
    (said,) = [line for line in notes.lines if "labels" in line]
    assert "Network is unreachable" in said
    assert "--weights FILE" in said
    assert "suspected_label" not in result.queued


def test_a_weights_file_that_is_not_there_is_an_error_that_loses_nothing(flawed: Project) -> None:
    with pytest.raises(WeightsError, match=r"no-such-file.*--weights"):
        clean(flawed.root, weights="no-such-file.safetensors")
    assert clean(flawed.root).checked == 27


def test_folders_without_pictures_of_classes_are_an_error(project: Project) -> None:
    (project.images / "a" / "deeper").mkdir(parents=True)
    (project.images / "a" / "deeper" / "x.jpg").write_bytes(b"x")
    with pytest.raises(ProjectError, match="images/<class>"):
        clean(project.root)
