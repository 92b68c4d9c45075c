"""Files from strangers: each is answered or refused with a reason, and none holds up the others."""

import io
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds import images
from birds.files import Project
from birds.moves import image_path
from birds.record import Provenance
from birds.serve.examples import examples
from birds.serve.limits import Limits
from PIL import Image, ImageCms

Serving = Callable[..., Any]
Plant = Callable[..., None]


def test_every_hostile_file_is_answered_or_refused_with_a_reason(serving: Serving, real_data: Path, red: bytes) -> None:
    files = [path.read_bytes() for path in sorted((real_data / "hostile").iterdir()) if path.is_file()]
    assert len(files) > 40
    with serving() as client, ThreadPoolExecutor(4) as senders:
        bad = [senders.submit(client.identify, data) for data in files]
        good = [client.identify(red) for _ in range(20)]
        answers = [future.result() for future in bad]
    assert [answer.status for answer in good] == [200] * 20
    for answer in answers:
        assert answer.status in {200, 413, 415, 422}
        assert answer.status == 200 or answer.reason in {
            "too_large", "not_an_image", "needs_heif", "unreadable", "too_many_pixels", "too_small",
        }  # fmt: skip
    assert 10 < sum(answer.status != 200 for answer in answers) < len(answers)


@pytest.fixture
def gate(by_colour: Any) -> Any:
    """An engine that computes only when it is let; black pictures at once."""

    class Gate(by_colour):  # type: ignore[misc]
        def __init__(self) -> None:
            self.is_open = threading.Event()
            self.entered = threading.Semaphore(0)

        def probabilities(self, prepared: np.ndarray) -> np.ndarray:
            if prepared.any():
                self.entered.release()
                assert self.is_open.wait(30)
            return by_colour.probabilities(self, prepared)

    return Gate()


def test_large_pictures_hold_up_no_others(serving: Serving, gate: Any, jpeg: Callable[..., bytes]) -> None:
    large, small = jpeg(Image.new("RGB", (400, 300), "white")), jpeg(Image.new("RGB", (96, 80), "black"))
    limits = Limits(per_minute=0, workers=1, waiting=2, large_pixels=100_000, large_waiting=3)
    with serving(limits, engine=gate) as client, ThreadPoolExecutor(8) as senders:
        some = [senders.submit(client.identify, large) for _ in range(5)]
        assert gate.entered.acquire(timeout=10)
        while sum(future.done() for future in some) < 2:  # three are at work or wait; the others are sent away
            assert client.identify(small).status in {200, 503}  # the large ones' headers are looked at here, too
        assert client.identify(small).status == 200
        gate.is_open.set()
        answers = [future.result() for future in some]
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 503, 503]
    assert {answer.headers["Retry-After"] for answer in answers if answer.status == 503} == {"2"}


def test_more_pictures_than_there_are_places_for_are_told_to_come_back(serving: Serving, red: bytes, gate: Any) -> None:
    limits = Limits(per_minute=0, workers=1, waiting=2)
    with serving(limits, engine=gate) as client, ThreadPoolExecutor(3) as senders:
        some = [senders.submit(client.identify, red) for _ in range(3)]
        assert gate.entered.acquire(timeout=10)
        (sent_away,) = wait(some, timeout=30, return_when=FIRST_COMPLETED).done
        assert (sent_away.result().status, sent_away.result().reason) == (503, "busy")
        assert client.get("/health").status == 200
        gate.is_open.set()
        assert sorted(future.result().status for future in some) == [200, 200, 503]
        assert client.identify(red).status == 200


def test_an_upload_leaves_nothing_on_disk(serving: Serving, jpeg: Callable[..., bytes]) -> None:
    written, is_watched = [], threading.Event()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and is_watched.is_set() and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            written.append(arguments[0])

    sys.addaudithook(watch)
    noise = np.random.default_rng(5).integers(0, 255, (1400, 1400, 3), np.uint8)
    large = jpeg(Image.fromarray(noise))
    assert len(large) > 1_500_000  # Starlette's own parser would take a file for it
    body = b'--f\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n' + large + b"\r\n--f--\r\n"
    with serving() as client:
        is_watched.set()
        answers = [client.identify(body, "multipart/form-data; boundary=f"), client.identify(large)]
        is_watched.clear()
    assert [answer.status for answer in answers] == [200, 200]
    assert not written


# -- examples


def tagged(picture: Image.Image) -> bytes:
    """A JPEG that says where it was taken, in EXIF and in XMP, with a comment and a profile."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (41.0, 30.0, 12.0), 3: "E", 4: (2.0, 10.0, 0.0)})
    exif[0x013B] = "A. Nester"
    buffer = io.BytesIO()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">GPSLatitude 41,30.2N</x:xmpmeta>'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(buffer, "JPEG", exif=exif, xmp=xmp, comment=b"nest behind the mill", icc_profile=profile)
    return buffer.getvalue()


def openly(code: str | None, **more: str) -> Provenance:
    return Provenance("gbif", licence=code, **more)


def test_only_training_pictures_under_an_open_licence_are_shown(project: Project, red: bytes, plant: Plant) -> None:
    plant(
        project,
        [
            ("cigüeña", "a.jpg", openly(None), "train"),
            ("cigüeña", "b.jpg", openly("cc-by-4.0", author="B. Berg"), "test"),
            ("cigüeña", "c.jpg", openly("cc-by-nc-4.0", author="C. Cruz"), "train"),
            ("cigüeña", "d.jpg", openly("cc-by-sa-4.0", author="D. Diaz"), "train"),
            ("garza", "a.jpg", openly(None), "train"),
            ("grulla", "a.jpg", openly("cc0-1.0"), "train"),
        ],
        red,
    )
    found = examples(project, ["cigüeña", "garza", "milano negro"])
    assert found.keys() == {"cigüeña"}
    shown = found["cigüeña"]
    assert shown.file.name == "d.jpg"  # the freest
    assert shown.attribution == "D. Diaz, CC BY-SA 4.0, via gbif"
    assert shown.licence_url == "https://creativecommons.org/licenses/by-sa/4.0/"


def test_strangers_words_stay_words(project: Project, red: bytes, plant: Plant) -> None:
    origin = openly(
        "cc-by-4.0", attribution="A\u202eB\n<b>C</b>", page_url="javascript:alert(1)", licence_url="file:///etc/passwd"
    )
    plant(project, [("garza", "a.jpg", origin, "train")], red)
    shown = examples(project, ["garza"])["garza"]
    assert shown.attribution == "AB <b>C</b>"
    assert shown.page_url is None
    assert shown.licence_url == "https://creativecommons.org/licenses/by/4.0/"


def test_there_is_nothing_to_show_without_a_record(project: Project) -> None:
    assert examples(project, ["garza"]) == {}
    assert not project.hidden.exists()


def test_what_is_shown_does_not_say_where_it_was_taken(serving: Serving, project: Project, plant: Plant) -> None:
    data = tagged(Image.new("RGB", (800, 600), (200, 30, 30)))
    assert all(word in data for word in (b"Nester", b"GPSLatitude", b"mill"))
    plant(project, [("cigüeña", "nest.jpg", openly("cc-by-4.0", author="D. Diaz"), "train")], data)
    with serving(project=project, examples=examples(project, ["cigüeña"])) as client:
        named = client.identify(data).json()["top"]
        (address,) = [one["example"]["picture"] for one in named if one["example"]]
        answer = client.get(address)
        assert client.get("/example/1.jpg").status == 404
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    shown = Image.open(io.BytesIO(answer.body))
    assert max(shown.size) == 320
    assert not shown.getexif()
    assert not shown.info.keys() & {"exif", "xmp", "comment", "icc_profile"}
    assert not any(word in answer.body for word in (b"Nester", b"GPS", b"mill", b"Exif"))


def test_an_example_that_is_gone_is_refused(serving: Serving, project: Project, red: bytes, plant: Plant) -> None:
    plant(project, [("cigüeña", "a.jpg", openly("cc0-1.0"), "train")], red)
    found = examples(project, ["cigüeña"])
    image_path(project, found["cigüeña"].file).unlink()
    with serving(project=project, examples=found) as client:
        answer = client.get("/example/0.jpg")
    assert (answer.status, answer.reason) == (422, "unreadable")


def test_the_answer_is_that_of_the_one_transform(
    serving: Serving, make_picture: Any, jpeg: Any, by_colour: Any
) -> None:
    data = jpeg(make_picture(3))
    prepared = images.prepare(images.decode(data).image, 32, "squish")
    expected = by_colour().probabilities(prepared[None])[0]
    with serving() as client:
        said = client.identify(data).json()
    assert said["confidence"] == round(float(expected.max()), 6)
