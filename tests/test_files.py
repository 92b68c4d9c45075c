import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from birds import files
from birds.errors import ProjectError
from birds.files import Project

HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from birds.files import Project
with Project(Path(sys.argv[1])).locked("scrape"):
    print("locked", flush=True)
    time.sleep(60)
"""
DIE_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from birds.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half of the new cont")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_naming_a_project_creates_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path / "new")
    folders = (project.images, project.dataset, project.runs, project.record, project.rejected, project.cache)
    assert all(project.root in folder.parents for folder in folders)
    assert not project.root.exists()


def test_writing_replaces_the_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "value.json"
    files.write_bytes(path, b"old")
    files.write_json(path, {"especie": "cigüeña", "n": 1})
    assert path.read_text(encoding="utf-8") == '{\n  "especie": "cigüeña",\n  "n": 1\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_written_files_have_the_rights_of_ordinary_ones(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    files.write_bytes(tmp_path / "ours", b"")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_while_writing_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "value"
    path.write_bytes(b"old")
    with pytest.raises(failure), files.replacing(path) as temporary:  # noqa: PT012 - the block is what fails
        temporary.write_bytes(b"half of the new")
        raise failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_content_and_what_is_left_is_known_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "cigüeña.jpg"
    path.write_bytes(b"old")
    died = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, path], check=False)
    assert died.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (left,) = set(tmp_path.iterdir()) - {path}
    assert files.is_temporary(left)
    assert not files.is_temporary(path)


def test_a_second_stage_is_told_that_another_is_at_work(project: Project) -> None:
    with (
        project.locked("scrape"),
        pytest.raises(ProjectError, match="Another birds command") as caught,
        project.locked("split"),
    ):
        pytest.fail("two stages held the lock")
    assert "this split did not start" in caught.value.message
    assert "--project" in caught.value.hint
    with project.locked("split"):
        pass


def test_another_process_holds_the_lock_until_it_is_killed(project: Project) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_THE_LOCK, project.root], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"locked\n"
            with pytest.raises(ProjectError, match="Another birds command"), project.locked("split"):
                pytest.fail("the lock of another process was taken")
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    with project.locked("split"):
        pass


def test_the_lock_is_free_after_a_failure(project: Project) -> None:
    with pytest.raises(RuntimeError), project.locked("split"):
        raise RuntimeError
    with project.locked("split"):
        pass


def test_locking_removes_what_a_killed_run_left_in_staging(project: Project) -> None:
    left = project.staging("split")
    (left / "half.jpg").write_bytes(b"x")
    with project.locked("split"):
        assert not left.exists()
        fresh = project.staging("split")
        assert fresh.is_dir()
        assert project.temporary in fresh.parents


@pytest.mark.parametrize("obstacle", [".birds", ".birds/lock/in the way"])
def test_a_project_that_cannot_be_locked_is_a_clear_error(project: Project, obstacle: str) -> None:
    path = project.root / obstacle
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(ProjectError, match="cannot be written") as caught, project.locked("split"):
        pass
    assert "--project" in caught.value.hint


def test_links_are_hard_links(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"picture")
    files.link_or_copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").samefile(tmp_path / "source")
    assert not (tmp_path / "target").is_symlink()


def test_where_no_hard_link_can_be_made_it_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "source").write_bytes(b"picture")
    files.link_or_copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"picture"
    assert not (tmp_path / "target").is_symlink()
    assert not (tmp_path / "target").samefile(tmp_path / "source")


def test_an_existing_target_is_never_linked_over(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.link_or_copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"


@pytest.mark.parametrize("has_old", [True, False])
def test_a_folder_is_swapped_in_whole(tmp_path: Path, has_old: bool) -> None:
    new, target, resting = (tmp_path / name for name in ("new", "dataset", "resting"))
    (new / "train").mkdir(parents=True)
    if has_old:
        (target / "stale").mkdir(parents=True)
    files.swap_folder(new, target, resting)
    assert [path.name for path in target.iterdir()] == ["train"]
    assert not new.exists()
    assert not resting.exists()


def test_hashes_of_files_are_those_of_their_content(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert files.sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    shutil.copy(path, tmp_path / "other name")
    assert files.sha256_of(tmp_path / "other name") == files.sha256_of(path)
