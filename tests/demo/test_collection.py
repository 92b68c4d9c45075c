"""What a search finds in the demo: good pictures and a known amount of each kind of dirt."""

import io
from collections import Counter
from functools import partial
from pathlib import PurePath

import numpy as np
import pytest
from birds.demo.collection import Picture, collection
from birds.demo.draw import LABELS
from birds.duplicates import near_pairs
from birds.errors import ImageError
from birds.fingerprints import gray_of, hashes_of
from birds.images import decode
from birds.reasons import Reason
from PIL import Image

DIRT = {"exact_copy": 2, "near_duplicate": 3, "drawing": 1, "broken": 1, "wrong_label": 2}


@pytest.fixture(scope="module", params=["cigüeña", "tucán toco"])
def pictures(request: pytest.FixtureRequest) -> list[Picture]:
    return list(collection(request.param, count=90))


def of_kind(pictures: list[Picture], kind: str | None) -> list[Picture]:
    return [picture for picture in pictures if picture.dirt == kind]


def test_the_same_arguments_give_the_same_files_and_other_seeds_other_ones() -> None:
    first, again, other = (list(collection("abubilla", count=30, seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert not {picture.data for picture in first} & {picture.data for picture in other}


def test_ninety_pictures_have_the_usual_dirt(pictures: list[Picture]) -> None:
    assert Counter(picture.dirt for picture in pictures) == {None: 81, **DIRT}
    assert len({picture.name for picture in pictures}) == 90


@pytest.mark.parametrize("count", [0, 1, 5, 6, 12])
def test_few_pictures_begin_with_good_ones(count: int) -> None:
    pictures = list(collection("golondrina común", count=count))
    assert len(pictures) == count
    assert {picture.dirt for picture in pictures[:5]} <= {None}


def test_an_exact_copy_is_an_earlier_good_picture_byte_for_byte(pictures: list[Picture]) -> None:
    for copy in of_kind(pictures, "exact_copy"):
        assert copy.data in {picture.data for picture in pictures[: pictures.index(copy)] if picture.dirt is None}
    good = [picture.data for picture in of_kind(pictures, None)]
    assert len(set(good)) == len(good)


def test_a_near_duplicate_is_near_an_earlier_good_picture_and_no_copy(pictures: list[Picture]) -> None:
    for copy in of_kind(pictures, "near_duplicate"):
        earlier = [picture.data for picture in pictures[: pictures.index(copy)] if picture.dirt is None]
        assert copy.data not in earlier
        grays = np.stack([gray_of(decode(data).image) for data in (*earlier, copy.data)])
        found = near_pairs(hashes_of(grays), partial(np.take, grays, axis=0))
        assert any(pair.second == len(earlier) for pair in found)


def test_the_broken_file_does_not_decode_and_all_others_do(pictures: list[Picture]) -> None:
    for picture in pictures:
        if picture.dirt == "broken":
            with pytest.raises(ImageError) as raised:
                decode(picture.data)
            assert raised.value.reason is Reason.UNREADABLE
        else:
            assert min(decode(picture.data).image.size) >= 150


def test_formats_are_mixed_and_named_after_what_they_are(pictures: list[Picture]) -> None:
    formats = Counter()
    for picture in of_kind(pictures, None):
        with Image.open(io.BytesIO(picture.data)) as image:
            formats[image.format] += 1
            assert PurePath(picture.name).suffix == {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[image.format]
    assert formats.keys() == {"JPEG", "PNG", "WEBP"}
    assert formats["JPEG"] > 60


def test_every_species_can_be_searched() -> None:
    for label in LABELS:
        assert [picture.name.split()[0] for picture in collection(label, count=1)] == [label.split()[0]]
