"""The review page over HTTP: its frame, its lists and cards, its pictures, its changes, and who may ask for them."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import pytest
from birds.clean import thumbnails
from birds.clean.page import shell
from birds.clean.queues import QUEUES
from birds.clean.server import MAX_BODY_BYTES, review, review_app
from birds.clean.session import Session
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.moves import image_path, rejected_path
from birds.progress import Progress
from birds.reasons import Reason
from birds.reconcile import inspect_stored, reconcile
from birds.record import Author, PictureFile, Record, State
from birds.record_review import Finding
from birds.web import LocalServer

STATIC = sorted(path.name for path in files("birds.clean").joinpath("static").iterdir())


@pytest.fixture
def parrots(project: Project, write_images: Callable[..., list[Path]]) -> Project:
    """Two classes, one with an accent and one with a space, that the record knows."""
    write_images(project.root, {"cigüeña": 4, "milano negro": 12})
    return _known(project)


def _known(project: Project) -> Project:
    with Record(project) as record:
        reconcile(project, record)
        inspect_stored(project, record)
    return project


@contextmanager
def _open(project: Project, session: Session | None = None) -> Iterator[LocalServer]:
    with LocalServer(review_app(project, session), max_body_bytes=MAX_BODY_BYTES) as server:
        yield server


@pytest.fixture
def page(parrots: Project, visitor):
    """Somebody who opened the review page of `parrots`."""
    with _open(parrots) as server:
        yield visitor(server)


def _file(project: Project, name: str = "cigüeña/000.jpg") -> PictureFile:
    with Record(project) as record:
        return {f"{file.label}/{file.name}": file for file in record.files()}[name]


def _act(page, do: str, *ids: int, label: str | None = None, **headers: str | None):
    return page.post("/act", json.dumps({"do": do, "ids": ids, "label": label}), **headers)


def _ids(page, **wishes: str) -> list[int]:
    return page.get(f"/api/list?{urlencode(wishes)}").json()["ids"]


# -- lists and cards


def test_the_overview_tells_classes_queues_and_what_can_be_undone(page, parrots: Project) -> None:
    file = _file(parrots)
    _act(page, "reject", file.id)
    overview = page.get("/api/overview").json()
    first, second = overview["classes"]
    assert (first["label"], first["kept"], first["rejected"], first["reviewed"], first["waiting"]) == (
        "cigüeña", 3, 1, 1, 3,
    )  # fmt: skip
    assert first["names"] == ["white stork", "Ciconia ciconia"]
    assert (second["label"], second["kept"]) == ("milano negro", 12)
    assert (overview["queues"]["all"], overview["queues"]["rejected"]) == (16, 1)
    assert (overview["undo"], overview["redo"]) == ("000.jpg rejected.", None)


def test_a_list_is_ids_in_order_and_can_be_narrowed(page, parrots: Project) -> None:
    everything = _ids(page)
    assert len(everything) == 16
    assert _ids(page, queue="all", label="cigüeña") == everything[:4]
    assert _ids(page, label="cigüeña", sort="-name") == everything[3::-1]
    _act(page, "reject", everything[2])
    assert _ids(page, queue="rejected") == _ids(page, state="rejected") == [everything[2]]
    assert _ids(page, label="no such class") == []


def test_words_that_are_none_of_ours_are_refused_with_what_to_do(page) -> None:
    for wish in ("queue=x", "state=x", "sort=x"):
        answer = page.get(f"/api/list?{wish}")
        assert answer.status == 400
        assert answer.json()["error"]["hint"] == "Reload the page."


def test_a_cookie_of_another_local_server_chooses_nothing(page) -> None:
    answer = page.get("/api/list", Cookie=f"{page.cookie}; label=cigüeña; queue=rejected".encode().decode("latin-1"))
    assert len(answer.json()["ids"]) == 16


def test_cards_tell_what_stands_under_a_picture(page, parrots: Project) -> None:
    file = _file(parrots)
    with Record(parrots) as record:
        record.review.replace_findings([Finding(file.id, Reason.DARK, 0.125)])
    (card,) = page.get(f"/api/cards?ids={file.id},4711,x").json()["cards"]
    assert (card["id"], card["name"], card["label"], card["size"]) == (file.id, "000.jpg", "cigüeña", "160 × 120")
    assert (card["source"], card["verdict"], card["isRejected"]) == ("", "", False)
    assert card["reasons"] == [{"text": "dark", "score": 0.125}]
    assert card["version"] == file.sha256[:16]


def test_no_more_than_two_hundred_cards_are_asked_for_at_a_time(page) -> None:
    assert page.get(f"/api/cards?ids={','.join(map(str, range(200)))}").status == 200
    assert page.get(f"/api/cards?ids={','.join(map(str, range(201)))}").status == 400


# -- changes


def test_rejecting_moves_the_file_and_keeping_brings_it_back(page, parrots: Project) -> None:
    before = _file(parrots)
    content = image_path(parrots, before).read_bytes()
    answer = _act(page, "reject", before.id).json()
    rejected = _file(parrots)
    assert (rejected.state, rejected.author, rejected.reason) == (State.REJECTED, Author.PERSON, Reason.BY_HAND)
    assert rejected_path(parrots, rejected).read_bytes() == content
    assert not image_path(parrots, before).exists()
    assert (answer["said"], answer["files"], answer["decided"]) == ("000.jpg rejected.", [before.id], 1)
    (card,) = answer["cards"]
    assert (card["isRejected"], card["verdict"]) == (True, "rejected · by hand")
    assert _act(page, "keep", before.id).json()["cards"][0]["verdict"] == "reviewed"
    assert image_path(parrots, before).read_bytes() == content


def test_moving_undoing_and_doing_again(page, parrots: Project) -> None:
    file = _file(parrots)
    answer = _act(page, "move", file.id, label="milano negro").json()
    assert (answer["said"], answer["undo"]) == ("000-2.jpg moved to milano negro.",) * 2
    undone = page.post("/undo").json()
    assert (undone["said"], undone["redo"]) == (f"Undone: {answer['said']}", answer["said"])
    assert _file(parrots).id == file.id
    assert page.post("/redo").json()["cards"][0]["label"] == "milano negro"
    page.post("/undo")
    assert page.post("/undo").json()["said"] == "There is nothing left to undo."
    assert page.post("/redo").json()["said"].startswith("Done again")
    assert page.post("/redo").json()["said"] == "There is nothing to do again."


def test_thousands_of_pictures_are_one_change_and_their_numbers_fit_into_a_request(page) -> None:
    ids = _ids(page)
    answer = _act(page, "reject", *ids, *range(10**6, 10**6 + 100_000)).json()
    assert (answer["said"], len(answer["cards"]), answer["skipped"]) == ("16 pictures rejected.", 16, [])
    page.post("/undo")
    assert _ids(page, queue="rejected") == []


def test_nothing_changes_by_looking_or_from_elsewhere(page, parrots: Project) -> None:
    file = _file(parrots)
    for path in ("/act", "/undo", "/redo", "/done"):
        assert page.get(path).status == 405
    assert _act(page, "reject", file.id, Origin="http://example.org").status == 403
    assert _act(page, "reject", file.id, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    stranger = type(page)(f"{page.origin}/")
    assert _act(stranger, "reject", file.id).status == 403
    assert stranger.get("/api/overview").status == 403
    assert page.post("/act", b"x" * (MAX_BODY_BYTES + 1)).status == 413
    assert _file(parrots).state is State.STORED


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"do": "delete", "ids": [1]}', b'{"do": [], "ids": [1]}',
        b'{"do": "reject"}', b'{"do": "reject", "ids": 1}', b'{"do": "reject", "ids": []}',
        b'{"do": "reject", "ids": ["1"]}', b'{"do": "reject", "ids": [1.0]}', b'{"do": "reject", "ids": [true]}',
        b'{"do": "reject", "ids": [-1]}', b'{"do": "reject", "ids": [99999999999999999999]}',
        b'{"do": "reject", "ids": ["../1"]}', b'{"do": "move", "ids": [1]}', b'{"do": "move", "ids": [1], "label": 7}',
        b'{"do": "move", "ids": [1], "label": "../milano negro"}', b'{"do": "different", "ids": [1, 2]}',
        b'{"do": "best", "ids": [1, 2]}', b'{"do": "undo", "ids": [1]}',
    ],
)  # fmt: skip
def test_what_is_no_action_is_refused_and_changes_nothing(page, parrots: Project, body: bytes) -> None:
    answer = page.post("/act", body)
    assert answer.status == 400
    assert answer.json()["error"]["hint"]
    with Record(parrots) as record:
        assert record.counts() == {"cigüeña": 4, "milano negro": 12}
        assert record.review.to_undo() is None


# -- addresses


@pytest.mark.parametrize(
    "name",
    ["0", "4711", "-1", "1.5", "x", "1%00", "%D9%A1", "1/2", "..%2f1", "../../birds.toml", "9" * 30, "9" * 5_000],
)
def test_what_is_no_pictures_number_is_404(page, name: str) -> None:
    for path in ("thumbnail", "picture"):
        assert page.get(f"/{path}/{name}").status == 404


@pytest.mark.parametrize("name", ["../server.py", "%2e%2e/server.py", "..%2fserver.py", "main.py", "", "/etc/passwd"])
def test_only_our_own_files_are_static(page, name: str) -> None:
    assert page.get(f"/static/{name}").status == 404


# -- what is served


def test_the_frame_has_a_place_for_every_queue_and_inside_a_notebook_the_secret(page) -> None:
    html = page.get("/").text
    for queue in QUEUES:
        assert f'data-queue="{queue}"' in html
    assert "birds-session" not in html
    assert '<meta name="birds-session" content="abc">' in shell("abc")


def test_no_page_holds_a_script_a_style_or_an_address_from_elsewhere(page) -> None:
    pages = [page.get(path).text for path in ("/", "/?token=wrong")]
    pages.append(type(page)(f"{page.origin}/").get("/").text)
    for html in pages:
        assert "//" not in html
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
        assert re.findall(r"<script([^>]*)>([^<]*)<", html) in ([], [(' src="/static/main.js" type="module"', "")])
    for name in STATIC:
        content = page.get(f"/static/{name}")
        assert content.status == 200
        text = content.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|@import|url\(|innerHTML|insertAdjacentHTML|eval\(", text)


def test_every_script_is_announced_to_the_browser_and_imported_by_another(page) -> None:
    html, scripts = page.get("/").text, {name for name in STATIC if name.endswith(".js")}
    assert set(re.findall(r'<link rel="modulepreload" href="/static/([^"]+)"', html)) == scripts
    texts = [page.get(f"/static/{name}").text for name in scripts]
    assert {name for text in texts for name in re.findall(r'from "\./([^"]+)"', text)} | {"main.js"} == scripts


def test_thumbnails_are_small_jpegs_that_are_made_once(page, parrots: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made, scaled_down = [], thumbnails._scaled_down
    monkeypatch.setattr(thumbnails, "_scaled_down", lambda *a: made.append(1) or scaled_down(*a))
    file = _file(parrots)
    first, second = page.get(f"/thumbnail/{file.id}"), page.get(f"/thumbnail/{file.id}?v=x")
    assert first.body == second.body
    assert first.body.startswith(b"\xff\xd8")
    assert first.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in first.headers["Cache-Control"]
    (cached,) = (parrots.cache / "thumbnails").rglob("*.jpg")
    assert (cached.stem, cached.read_bytes(), len(made)) == (file.sha256, first.body, 1)
    _act(page, "reject", file.id)
    assert page.get(f"/thumbnail/{file.id}").body == first.body
    assert len(made) == 1


def test_a_disk_that_takes_no_thumbnail_still_shows_pictures(page, parrots: Project) -> None:
    parrots.cache.parent.mkdir(exist_ok=True)
    parrots.cache.write_bytes(b"in the way")
    assert page.get(f"/thumbnail/{_file(parrots).id}").body.startswith(b"\xff\xd8")


def test_strangers_bytes_reach_no_browser(project: Project, make_picture, visitor) -> None:
    path = project.images / "loro" / "1.png"
    path.parent.mkdir(parents=True)
    make_picture(1, (3_000, 1_500)).save(path)
    path.write_bytes(path.read_bytes() + b"<script>alert(1)</script>")
    _known(project)
    with _open(project) as server:
        one = visitor(server)
        for address, side in (("thumbnail", 240), ("picture", 2_048)):
            body = one.get(f"/{address}/1").body
            assert b"script" not in body
            assert body.startswith(b"\xff\xd8")
            assert _size(body) == (side, side // 2)


def _size(jpeg: bytes) -> tuple[int, int]:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(jpeg)).size


def test_an_unreadable_picture_has_a_placeholder_and_can_be_rejected(project: Project, write_images, visitor) -> None:
    (path,) = write_images(project.root, {"loro": 1})
    path.write_bytes(path.read_bytes()[:700])
    _known(project)
    with _open(project) as server:
        one = visitor(server)
        for address in ("/thumbnail/1", "/picture/1"):
            answer = one.get(address)
            assert (answer.status, answer.headers["Content-Type"]) == (404, "image/svg+xml")
            assert "cannot be opened" in answer.text
        assert _act(one, "reject", 1).json()["said"] == "000.jpg rejected."


def test_a_symbolic_link_is_never_served(page, parrots: Project, tmp_path_factory, make_picture) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    make_picture(5).save(secret)
    file, other = _file(parrots), _file(parrots, "milano negro/000.jpg")
    image_path(parrots, file).unlink()
    image_path(parrots, file).symlink_to(secret)
    folder = image_path(parrots, other).parent
    folder.rename(tmp_path_factory.mktemp("moved") / "folder")
    folder.symlink_to(next(tmp_path_factory.getbasetemp().glob("moved*")) / "folder")
    assert image_path(parrots, other).is_file()
    for path in (f"/thumbnail/{file.id}", f"/picture/{file.id}", f"/thumbnail/{other.id}", f"/picture/{other.id}"):
        answer = page.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "image/svg+xml")
    assert not (parrots.cache / "thumbnails").exists()


def test_decisions_survive_a_restart_and_can_still_be_taken_back(parrots: Project, visitor) -> None:
    file = _file(parrots)
    with _open(parrots) as server:
        _act(visitor(server), "reject", file.id)
    with _open(parrots) as server:
        one = visitor(server)
        assert one.get(f"/api/cards?ids={file.id}").json()["cards"][0]["verdict"] == "rejected · by hand"
        assert one.post("/undo").json()["said"] == "Undone: 000.jpg rejected."
    assert _file(parrots).state is State.STORED
    assert image_path(parrots, file).is_file()


def test_nothing_is_ever_deleted(page, parrots: Project) -> None:
    before = sorted(path.read_bytes() for path in parrots.images.glob("*/*"))
    for file_id in _ids(page):
        _act(page, "reject", file_id)
    assert list(parrots.images.glob("*/*")) == []
    assert sorted(path.read_bytes() for path in parrots.rejected.glob("*/*")) == before
    for _ in range(5):
        page.post("/undo")
    everywhere = [*parrots.images.glob("*/*"), *parrots.rejected.glob("*/*")]
    assert sorted(path.read_bytes() for path in everywhere) == before


def test_what_the_disk_refuses_is_said(page, parrots: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    answer = _act(page, "reject", _file(parrots).id)
    assert answer.status == 409
    assert "No space left on device" in answer.json()["error"]["message"]


def test_no_session_key_is_written_anywhere(
    parrots: Project, visitor, monkeypatch: pytest.MonkeyPatch, tmp_path_factory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    with _open(parrots) as server:
        assert visitor(server).get("/").status == 200
    assert list(Path().iterdir()) == []
    assert list(parrots.root.rglob(".sesskey")) == []


# -- starting and ending


def test_an_empty_project_is_a_clear_error_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no pictures to review") as caught:
        review(tmp_path, open_browser=False)
    assert "birds scrape" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "images").mkdir()
    _known(Project(tmp_path))
    with pytest.raises(ProjectError, match="no pictures to review"):
        review(tmp_path, open_browser=False)


def test_a_port_that_is_taken_is_a_clear_error(parrots: Project) -> None:
    with _open(parrots) as server, pytest.raises(UsageError, match=str(server.port)):
        review(parrots.root, port=server.port)


def test_done_ends_the_page_and_returns_the_number_of_decisions(parrots: Project, visitor) -> None:
    class Clicking(Progress):
        def note(self, text: str) -> None:
            if found := re.search(r"http://\S+", text):
                threading.Thread(target=self.click, args=(found[0],)).start()

        def click(self, url: str) -> None:
            one = visitor(url)
            for file_id in (1, 2, 3):
                _act(one, "reject", file_id)
            for path in ("/undo", "/done"):
                one.post(path)

    assert review(parrots.root, open_browser=False, progress=Clicking()) == 2


def test_the_browser_is_opened_at_the_address(parrots: Project, visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: visitor(url).post("/done"))
    assert review(parrots.root) == 0


@pytest.mark.parametrize("flag", ["--json", "--quiet"])
def test_ctrl_c_ends_the_command_well_with_the_decisions_counted(parrots: Project, visitor, flag: str) -> None:
    command = [sys.executable, "-m", "birds", "clean", "--no-browser", flag, "--project", str(parrots.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        at_last = threading.Timer(60, process.kill)
        at_last.start()
        line = next(line for line in process.stderr if "http://" in line)  # before anybody presses anything
        one = visitor(line.split()[-1])
        _act(one, "reject", 1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        at_last.cancel()
    assert process.returncode == 0
    assert "Traceback" not in errors
    if flag == "--json":
        result = json.loads(output)
        assert (result["reviewed"], result["accepted"]) == (1, 15)
    else:
        assert "15 in images/" in output
