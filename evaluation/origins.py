"""Where test pictures came from and whether a person looked at them, as the record says."""

from dataclasses import dataclass

from ..files import Project
from ..record import Author, PictureFile, Record
from .judging import Judged


@dataclass(frozen=True)
class Origin:
    """One picture: whether a person decided about it, and the page (else the address) it came from."""

    is_reviewed: bool
    url: str | None


def origins(project: Project, judged: Judged) -> list[Origin | None]:
    """The origin of each picture, by its content; None where no record knows it."""
    if not project.record.is_file():
        return [None] * len(judged)
    with Record(project) as record:
        files: dict[str, PictureFile] = {}
        for file in record.files():
            known = files.get(file.sha256)
            if known is None or (file.author is Author.PERSON and known.author is not Author.PERSON):
                files[file.sha256] = file
    return [_origin(files.get(digest)) for digest in judged.sha256]


def _origin(file: PictureFile | None) -> Origin | None:
    if file is None:
        return None
    urls = (file.provenance.page_url, file.provenance.image_url)
    url = next((url for url in urls if url and url.startswith(("https://", "http://"))), None)
    return Origin(file.author is Author.PERSON, url)
