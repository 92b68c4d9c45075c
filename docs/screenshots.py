"""Draw the pictures of the review page in docs/images/: `python docs/screenshots.py`. Drawn birds, invented findings.

A project of the demo's birds is made in a temporary folder, and something to decide is written into its record.
"""

import tempfile
import time
from pathlib import Path

from birds.clean.server import review_app
from birds.clean.session import Session
from birds.demo.collection import collection
from birds.demo.draw import LABELS, draw_bird
from birds.files import Project
from birds.moves import image_path, reject
from birds.reasons import Reason
from birds.reconcile import inspect_stored, reconcile
from birds.record import Author, PictureFile, Record
from birds.record_review import Finding, Guess
from birds.scrape.browser import open_browser
from birds.web import LocalServer
from PIL import Image, ImageChops, ImageStat

IMAGES = Path(__file__).parent / "images"
EACH = 60


def make_project(root: Path) -> Project:
    project, dirt = Project(root), {}
    for label in LABELS:
        (project.images / label).mkdir(parents=True)
        for picture in collection(label, EACH):
            (project.images / label / picture.name).write_bytes(picture.data)
            dirt[label, picture.name] = picture.dirt
    with Record(project) as record:
        reconcile(project, record)
        files = inspect_stored(project, record)
        kinds = {file.id: dirt[file.label, file.name] for file in files}
        record.review.replace_findings(findings(files, kinds))
        record.review.replace_guesses((f.id, f.label, guess(project, f, kinds[f.id])) for f in files)
    session = Session(project)
    of_first = [file.id for file in files if file.label == LABELS[0]]
    session.keep([one for i, one in enumerate(of_first[:24]) if i % 6 != 2])
    session.reject([of_first[2], of_first[14]])
    with Record(project) as record:
        for file in files:
            if kinds[file.id] == "broken":
                reject(project, record, file, Reason.UNREADABLE, Author.AUTO)
    return project


def findings(files: list[PictureFile], kinds: dict[int, str | None]) -> list[Finding]:
    """Copies and near copies beside their originals, sketches, and pictures of another species."""
    found, bundle = [], 0
    for file in files:
        if kinds[file.id] == "drawing":
            found.append(Finding(file.id, Reason.NOT_A_PHOTOGRAPH, 0.07))
        if kinds[file.id] == "wrong_label":
            found.append(Finding(file.id, Reason.SUSPECTED_LABEL, 0.03))
        if kinds[file.id] in ("near_duplicate", "exact_copy"):
            alike = [other for other in files if other.label == file.label and is_alike(file, other)]
            bundle += 1
            best = max(alike, key=lambda one: (one.content.width or 0, one.content.bytes))
            found += [Finding(one.id, Reason.NEAR_DUPLICATE, 0.1, bundle, is_best=one is best) for one in alike]
    return list({(one.file, one.reason): one for one in found}.values())


def is_alike(one: PictureFile, other: PictureFile) -> bool:
    hashes = one.content.phash, other.content.phash
    return None not in hashes and ((hashes[0] or 0) ^ (hashes[1] or 0)).bit_count() <= 6


def guess(project: Project, file: PictureFile, kind: str | None) -> Guess:
    """What a good classifier would say: of a picture of another species, that species."""
    if kind != "wrong_label":
        return Guess(file.label, 0.93, 0.93, is_suspected=False)
    seed = int(file.name.split()[-1][:3]) + 5_000  # as demo/collection.py draws it
    picture = Image.open(image_path(project, file)).convert("RGB")

    def difference(label: str) -> float:
        drawn = draw_bird(label, seed).resize(picture.size)
        return ImageStat.Stat(ImageChops.difference(drawn, picture)).sum[0]

    return Guess(min(LABELS, key=difference), 0.94, 0.03, is_suspected=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        with LocalServer(review_app(project)) as server, open_browser(Path(folder) / "profile") as driver:
            emulate = driver.execute_cdp_cmd

            def shoot(name: str, queue: str, label: str, width: int, height: int, *, scheme: str = "light") -> None:
                is_phone = width < 500
                emulate("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
                emulate("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
                size = {"width": width, "height": height, "deviceScaleFactor": 2 if is_phone else 1, "mobile": is_phone}
                emulate("Emulation.setDeviceMetricsOverride", size)
                click = "document.querySelector(arguments[0]).click()"
                driver.execute_script(click, f"[data-queue='{queue}']")
                time.sleep(0.5)
                driver.execute_script(click, f"[data-label='{label}']")
                time.sleep(2)
                driver.execute_script("document.activeElement.blur()")
                driver.save_screenshot(str(IMAGES / name))

            driver.get(server.url)
            time.sleep(3)
            shoot("review.png", "all", LABELS[0], 1280, 800)
            shoot("review-dark.png", "suspected", "", 1280, 800, scheme="dark")
            shoot("review-duplicates.png", "duplicates", "", 1280, 800)
            shoot("review-phone.png", "all", LABELS[0], 390, 780)


if __name__ == "__main__":
    main()
