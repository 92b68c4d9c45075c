"""Features of a frozen body: what they are, that they are kept, and for what."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from birds import images
from birds.errors import ProjectError, UsageError, WeightsError
from birds.files import sha256_of
from birds.models import feature_pass, feature_views
from birds.models import features as module
from birds.models.architectures import IMAGENET_MEAN, IMAGENET_STD, make_body
from birds.models.augmentation import Augmentation
from birds.models.feature_views import View, crop_views
from birds.models.features import Features, arch_of, features, load_body
from birds.models.gate import torchvision
from birds.progress import Bar, Progress
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageOps
from safetensors.torch import load_file, save_file

ARCH = "squeezenet1_1"


class Counted(Progress):
    """Counts what the bars were advanced by: pictures that were computed."""

    def __init__(self) -> None:
        self.n = 0

    @contextmanager
    def bar(self, title: str, total: int | None = None) -> Iterator[Bar]:
        outer = self

        class Counting(Bar):
            def advance(self, n: int = 1) -> None:
                outer.n += n

        yield Counting()


@dataclass
class Answer:
    """What a call gave: the features, and how many pictures were computed for it."""

    features: Features
    computed: int

    def of(self, view: int = 0) -> np.ndarray:
        """float32 [n, d]: every picture in one view."""
        return self.features.gather(np.arange(len(self.features)), view)


def save_network(path: Path, arch: str = ARCH, seed: int = 0, classes: int = 1000) -> Path:
    torch.manual_seed(seed)
    network = torchvision.models.get_model(arch, weights=None, num_classes=classes)
    save_file(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("weights") / "some.safetensors")


@pytest.fixture(scope="module")
def body(weights: Path) -> torch.nn.Module:
    return load_body(ARCH, str(weights))


@pytest.fixture
def pictures(tmp_path: Path, write_images: Any) -> list[tuple[str, Path]]:
    return [(sha256_of(path), path) for path in write_images(tmp_path, {"garza": 3, "loro": 2})]


@pytest.fixture
def compute(tmp_path: Path, body: torch.nn.Module) -> Callable[..., Answer]:
    """``compute(pictures, *views)``: features in a small size."""

    def compute(pictures: list[tuple[str, Path]], *views: str, **others: Any) -> Answer:
        progress = Counted()
        options = {"arch": ARCH, "body": body, "cache": tmp_path / "cache", "size": 64, **others}
        return Answer(features(pictures, views=views or ("whole",), progress=progress, **options), progress.n)

    return compute


def expected(body: torch.nn.Module, squares: list[np.ndarray]) -> np.ndarray:
    """What the body itself, in eval mode, makes of uint8 pictures."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    body.eval()
    with torch.inference_mode():
        return body((torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255 - mean) / std).numpy()


def test_they_are_what_the_body_gives_in_eval_mode(pictures: Any, compute: Any, body: torch.nn.Module) -> None:
    found = compute(pictures)
    squares = [images.prepare(images.open_rgb(path), 64) for _, path in pictures]
    assert found.of().dtype == np.float32
    assert found.of().shape == (5, make_body(ARCH)[1]) == (len(found.features), found.features.length)
    np.testing.assert_allclose(found.of(), expected(body, squares), atol=1e-5)


@pytest.mark.parametrize("arch", ["mobilenet_v2", "resnet18", "densenet121"])
def test_batch_norm_is_as_the_weights_have_it(arch: str, pictures: Any, compute: Any) -> None:
    """In training mode the statistics of a batch would tell one picture by the others. The body stays as it was."""
    torch.manual_seed(0)
    body, _ = make_body(arch)
    with torch.no_grad():  # statistics that are of no batch here, and that convolutions can take up wrongly
        for layer in body.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                for values in (layer.running_mean, layer.bias):
                    values.normal_(std=0.1)
                for values in (layer.running_var, layer.weight):
                    values.uniform_(0.5, 1.5)
    body.train()
    found = compute(pictures, arch=arch, body=body).of()
    assert body.training
    squares = [images.prepare(images.open_rgb(path), 64) for _, path in pictures]
    real = expected(body, squares)
    np.testing.assert_allclose(found, real, atol=1e-4 * np.abs(real).max())


def test_whole_pictures_are_larger_than_views_drawn_at_random(
    pictures: Any, compute: Any, body: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    real = feature_pass.FrozenNetwork.__call__

    def watched(self: Any, squares: Any) -> Any:
        seen.extend(square.shape for square in squares)
        return real(self, squares)

    monkeypatch.setattr(feature_pass.FrozenNetwork, "__call__", watched)
    compute(pictures[:1], "whole", "mirrored", "crop-0", size=128)
    compute(pictures[:1], "whole", "crop-1", size=56, evaluation_size=72)
    assert sorted(seen) == [(56, 56, 3), (72, 72, 3), (128, 128, 3), (146, 146, 3), (146, 146, 3)]


def test_the_mirrored_view_is_that_of_the_mirrored_picture(tmp_path: Path, compute: Any, make_picture: Any) -> None:
    ways = {"plain.png": make_picture(1), "mirrored.png": ImageOps.mirror(make_picture(1))}
    for name, image in ways.items():
        image.save(tmp_path / name)
    found = compute([(sha256_of(tmp_path / name), tmp_path / name) for name in ways], "whole", "mirrored")
    assert not np.allclose(found.of(0)[0], found.of(0)[1], atol=1e-3)
    np.testing.assert_allclose(found.of(1), found.of(0)[::-1], atol=1e-4)


def test_a_picture_is_opened_once_for_all_its_views(
    pictures: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []
    decode = images.decode
    monkeypatch.setattr(images, "decode", lambda data, **options: opened.append(data) or decode(data, **options))
    found = compute(pictures, "whole", "mirrored", *crop_views(4))
    assert len(opened) == 5
    assert found.features.views == ("whole", "mirrored", "crop-0", "crop-1", "crop-2", "crop-3")
    assert not np.isnan([found.of(view) for view in range(6)]).any()


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_pictures_and_views_come_in_the_order_asked_for(everything: Any, data: st.DataObject) -> None:
    found, direct = everything
    places = st.tuples(st.integers(0, 4), st.integers(0, len(direct) - 1))
    asked = np.array(data.draw(st.lists(places, min_size=1, max_size=12)))
    vectors = found.gather(asked[:, 0], asked[:, 1])
    for vector, (row, view) in zip(vectors, asked.tolist(), strict=True):
        np.testing.assert_allclose(vector, direct[view][row], atol=1e-5)


@pytest.fixture(scope="module")
def everything(
    tmp_path_factory: pytest.TempPathFactory, write_images: Any, body: torch.nn.Module
) -> tuple[Features, list[np.ndarray]]:
    """Five pictures in four views, in small shards and a cache that was filled in two calls; and computed directly."""
    folder = tmp_path_factory.mktemp("everything")
    pictures = [(sha256_of(path), path) for path in write_images(folder, {"garza": 5})]
    views = [View("whole", 72), View("mirrored", 72), View("crop-0", 64), View("crop-7", 64)]
    direct = []
    for view in views:
        squares = [view.pixels(images.open_rgb(path), bytes.fromhex(digest)) for digest, path in pictures]
        direct.append(expected(body, squares))
    options: dict[str, Any] = {"arch": ARCH, "body": body, "cache": folder / "cache", "size": 64, "evaluation_size": 72}
    with pytest.MonkeyPatch.context() as small:
        small.setattr(module, "_SHARD", 2)
        features(pictures[1:4], views=["crop-7", "whole"], **options)
        return features(pictures, views=[view.name for view in views], **options), direct


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True), st.permutations(("whole", "crop-1", "crop-2")))
@settings(max_examples=8, deadline=None)
def test_a_view_is_the_same_to_the_last_bit_whatever_it_is_computed_with(
    tmp_path_factory: pytest.TempPathFactory, everything: Any, body: torch.nn.Module, rows: list[int], views: list[str]
) -> None:
    """So a pass that was cut short, or another order of files, ends in the same training."""
    pictures = sorted((tmp_path_factory.getbasetemp() / "everything0").glob("images/*/*.jpg"))
    pairs = [(sha256_of(path), path) for path in pictures]
    options: dict[str, Any] = {"arch": ARCH, "body": body, "size": 64}
    reference = features(
        pairs, views=("whole", "crop-1", "crop-2"), cache=tmp_path_factory.getbasetemp() / "reference", **options
    )
    some = features([pairs[row] for row in rows], views=views[:2], cache=tmp_path_factory.mktemp("cache"), **options)
    for number, view in enumerate(views[:2]):
        np.testing.assert_array_equal(
            some.gather(np.arange(len(rows)), number),
            reference.gather(np.array(rows), reference.views.index(view)),
        )


def test_random_views_differ_from_each_other_and_from_picture_to_picture(make_picture: Any) -> None:
    picture = make_picture(1)
    drawn = [View(name, 64).pixels(picture, bytes([content]) * 32) for name in crop_views(3) for content in (1, 2)]
    assert len({pixels.tobytes() for pixels in drawn}) == 6
    again = View("crop-2", 64).pixels(make_picture(1), bytes([2]) * 32)
    np.testing.assert_array_equal(drawn[-1], again)


def test_random_views_are_what_augmentation_allows(make_picture: Any) -> None:
    picture = make_picture(1)
    none = Augmentation(crop=False, flip=False, colour=False)
    squares = [View(name, 64, augmentation=none).pixels(picture, b"1" * 32) for name in crop_views(8)]
    assert all(np.array_equal(square, squares[0]) for square in squares)
    keys = {View("crop-0", 64, augmentation=Augmentation(**{flag: False})).key for flag in ("crop", "flip", "colour")}
    assert len(keys | {View("crop-0", 64).key}) == 4


def test_only_new_pictures_are_computed(pictures: Any, compute: Any) -> None:
    first = compute(pictures[:3])
    assert first.computed == 3
    everything = compute(pictures)
    assert everything.computed == 2
    again = compute(pictures[::-1])
    assert again.computed == 0
    np.testing.assert_array_equal(everything.of()[:3], first.of())
    np.testing.assert_array_equal(again.of(), everything.of()[::-1])


def test_only_missing_views_are_computed(pictures: Any, compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    pixels = feature_views.View.pixels
    monkeypatch.setattr(View, "pixels", lambda self, *rest: shown.append(self.name) or pixels(self, *rest))
    compute(pictures[:3], "whole", "crop-0")
    shown.clear()
    assert compute(pictures, "crop-1", "whole").computed == 5
    assert sorted(shown) == ["crop-1"] * 5 + ["whole"] * 2


def test_a_second_call_asks_neither_the_body_nor_the_files(
    pictures: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compute(pictures, "whole", "crop-0")
    for _, path in pictures:
        path.unlink()

    def fail(*_arguments: object, **_options: object) -> None:
        raise AssertionError("nothing is to be computed")

    monkeypatch.setattr(torch.nn.Module, "__call__", fail)
    monkeypatch.setattr(module, "FrozenNetwork", fail)
    second = compute(pictures, "whole", "crop-0")
    for view in (0, 1):
        np.testing.assert_array_equal(first.of(view), second.of(view))


def test_the_same_content_is_computed_once(pictures: Any, compute: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(pictures[0][1].read_bytes())
    found = compute([*pictures, (pictures[0][0], copy)])
    assert found.computed == 5
    np.testing.assert_array_equal(found.of()[5], found.of()[0])


def test_a_renamed_picture_is_still_known(pictures: Any, compute: Any) -> None:
    compute(pictures)
    digest, path = pictures[0]
    assert compute([(digest, path.rename(path.with_name("other.jpg")))]).computed == 0


def test_whatever_makes_other_features_keeps_them_apart(tmp_path: Path, pictures: Any, compute: Any) -> None:
    first = compute(pictures, "crop-0")
    other_weights = load_body(ARCH, str(save_network(tmp_path / "other.safetensors", seed=1)))
    for others in (
        {"body": other_weights},
        {"size": 96},
        {"precision": "bf16"},
        {"augmentation": Augmentation(colour=False)},
    ):
        found = compute(pictures, "crop-0", **others)
        assert found.computed == 5, others
        assert not np.array_equal(found.of(), first.of()), others
    whole = compute(pictures)
    assert whole.computed == 5
    assert compute(pictures, resize="crop").computed == 5
    assert compute(pictures, "mirrored").computed == 5
    np.testing.assert_array_equal(compute(pictures, "crop-0").of(), first.of())


def test_bf16_is_fp32_but_for_its_precision(pictures: Any, compute: Any) -> None:
    fp32, bf16 = (compute(pictures, precision=precision).of() for precision in ("fp32", "bf16"))
    assert bf16.dtype == np.float32
    np.testing.assert_allclose(bf16, fp32, atol=0.03 * np.abs(fp32).max())


def test_the_layout_changes_the_last_places_only(tmp_path: Path, pictures: Any, compute: Any) -> None:
    last = compute(pictures, channels_last=True).of()
    first = compute(pictures, channels_last=False, cache=tmp_path / "another").of()
    np.testing.assert_allclose(first, last, atol=1e-5)
    assert compute(pictures, channels_last=False).computed == 0


def test_the_same_weights_in_another_file_are_known(tmp_path: Path, pictures: Any, compute: Any, weights: Path) -> None:
    compute(pictures)
    torch.save(load_file(weights), tmp_path / "same.pth")
    assert compute(pictures, body=load_body(ARCH, str(tmp_path / "same.pth"))).computed == 0


def test_torch_uses_as_many_threads_afterwards_as_before(pictures: Any, compute: Any) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        compute(pictures)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_pictures_that_cannot_be_read_are_said_and_tried_again(pictures: Any, compute: Any) -> None:
    (_, gone), (_, edited), (_, damaged) = pictures[:3]
    good = edited.read_bytes()
    gone.unlink()
    edited.write_bytes(pictures[4][1].read_bytes())  # its digest is that of the old content
    damaged.write_bytes(b"no picture")
    listed = [*pictures[:2], (sha256_of(damaged), damaged), *pictures[3:]]
    found = compute(listed)
    assert found.features.is_readable.tolist() == [False, False, False, True, True]
    assert np.isnan(found.of()).all(axis=1).tolist() == [True, True, True, False, False]
    assert not np.isnan(found.of()[3:]).any()
    edited.write_bytes(good)
    found = compute(listed)
    assert found.computed == 3
    assert found.features.is_readable.tolist() == [False, True, False, True, True]


def test_a_picture_without_one_of_its_views_is_not_readable(pictures: Any, compute: Any) -> None:
    compute(pictures)
    pictures[0][1].unlink()
    assert compute(pictures).features.is_readable.all()
    assert compute(pictures, "whole", "mirrored").features.is_readable.tolist() == [False, True, True, True, True]


def test_nothing_readable_and_nothing_at_all(tmp_path: Path, compute: Any) -> None:
    found = compute([("0" * 64, tmp_path / "missing.jpg")])
    assert not found.features.is_readable.any()
    assert found.of().shape == (1, 0)
    assert compute([]).of().shape == (0, 0)


def test_damaged_files_of_the_cache_are_computed_anew(tmp_path: Path, pictures: Any, compute: Any) -> None:
    first = compute(pictures).of()
    (kept,) = (tmp_path / "cache").glob("*/*.npy")
    whole = kept.read_bytes()
    for damaged in (b"", whole[:200], whole[:-1], b"x" * 500, whole.replace(b"features", b"fxatures")):
        kept.unlink()  # what is mapped must not change: birds itself replaces files, too
        kept.write_bytes(damaged)
        found = compute(pictures)
        assert found.computed == 5
        np.testing.assert_array_equal(found.of(), first)


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path, pictures: Any, compute: Any) -> None:
    (tmp_path / "a file").write_bytes(b"")
    with pytest.raises(ProjectError, match=r"cannot be kept in .*a file.*Make room"):
        compute(pictures, cache=tmp_path / "a file")


DIES_AT_THE_LAST = """
import json, os, sys
from pathlib import Path
import torch
from birds.models import feature_pass, features as module

pictures, weights, cache = json.loads(sys.argv[1])
torch.set_num_threads(1)
opened = feature_pass._open
module._SHARD, feature_pass._BATCH = 2, 1
feature_pass._open = lambda one: os._exit(9) if one.digest.hex() == pictures[-1][0] else opened(one)
pictures = [(digest, Path(path)) for digest, path in pictures]
body = module.load_body("squeezenet1_1", weights)
module.features(pictures, arch="squeezenet1_1", body=body, cache=Path(cache), views=["whole"], size=64)
"""


def test_a_kill_loses_one_shard_and_what_waits_at_most(
    tmp_path: Path, pictures: Any, compute: Any, weights: Path
) -> None:
    arguments = json.dumps([[(digest, str(path)) for digest, path in pictures], str(weights), str(tmp_path / "cache")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DIES_AT_THE_LAST, arguments]
    assert subprocess.run(command, check=False, env=environment, timeout=120).returncode == 9
    assert compute(pictures).computed <= 3


def test_features_are_written_in_shards_without_holding_files_open(
    tmp_path: Path, pictures: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHARD", 2)
    found = compute(pictures)
    assert len(list((tmp_path / "cache").glob("*/*.npy"))) == 3
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
    again = compute(pictures)
    np.testing.assert_array_equal(again.of(), found.of())
    if before:
        assert len(list(descriptors.iterdir())) <= before  # 100,000 pictures in ten views lie in 4,000 files


def test_what_cannot_work_is_refused(tmp_path: Path, compute: Any) -> None:
    with pytest.raises(UsageError, match="no architecture"):
        load_body("squeezenet9", "imagenet")
    with pytest.raises(WeightsError, match="There is no weights file"):
        load_body(ARCH, str(tmp_path / "missing.pth"))
    with pytest.raises(WeightsError, match="does not fit mobilenet_v2"):
        load_body("mobilenet_v2", str(save_network(tmp_path / "some.safetensors")))
    for view in ("upside down", "crop-", "crop--1", "crop-01", "crop-1x"):
        with pytest.raises(ValueError, match="view"):
            compute([], view)


@pytest.mark.parametrize(
    ("arch", "file", "classes"),
    [
        ("squeezenet1_1", "some.safetensors", 1000),
        ("squeezenet1_0", "squeezenet1_0-mine.safetensors", 1000),
        ("resnet18", "mine.safetensors", 5),
        ("resnet34", "resnet18-no.safetensors", 5),  # has every tensor that resnet18 has, and more
        ("mobilenet_v2", "best of resnet50.safetensors", 8),
    ],
)
def test_the_architecture_is_read_off_the_tensors(tmp_path: Path, arch: str, file: str, classes: int) -> None:
    assert arch_of(save_network(tmp_path / file, arch, classes=classes)) == arch


def test_no_architecture_is_made_up(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "resnet18.safetensors")
    assert arch_of(tmp_path / "resnet18.safetensors") is None
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError):
        arch_of(tmp_path / "bad.pth")


def test_the_architectures_of_the_real_weights(real_data: Path) -> None:
    found = {path.stem: arch_of(path) for path in sorted((real_data / "weights").glob("*.safetensors"))}
    assert found == {
        "mobilenet_v2-imagenet": "mobilenet_v2",
        "mobilenet_v2-inat-birds": "mobilenet_v2",
        "squeezenet1_1-imagenet": "squeezenet1_1",
    }
