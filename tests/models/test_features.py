"""Features of a frozen body: what they are, that they are kept, and for what."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from birds import images
from birds.errors import UsageError, WeightsError
from birds.files import sha256_of
from birds.models import features as module
from birds.models.architectures import IMAGENET_MEAN, IMAGENET_STD, make_body
from birds.models.features import arch_of, features
from birds.models.gate import torchvision
from birds.models.weights import load_pretrained
from birds.progress import Bar, Progress
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


def save_network(path: Path, arch: str = ARCH, seed: int = 0, classes: int = 1000) -> Path:
    torch.manual_seed(seed)
    network = torchvision.models.get_model(arch, weights=None, num_classes=classes)
    save_file(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("weights") / "some.safetensors")


@pytest.fixture
def pictures(tmp_path: Path, write_images: Any) -> list[tuple[str, Path]]:
    return [(sha256_of(path), path) for path in write_images(tmp_path, {"garza": 3, "loro": 2})]


@pytest.fixture
def compute(tmp_path: Path, weights: Path) -> Callable[..., tuple[np.ndarray, int]]:
    """``compute(pictures)``: features in a small size, and how many pictures had to be computed."""

    def compute(pictures: list[tuple[str, Path]], **others: Any) -> tuple[np.ndarray, int]:
        progress = Counted()
        settings = {"arch": ARCH, "weights": str(weights), "cache": tmp_path / "cache", "size": 64, **others}
        return features(pictures, progress=progress, **settings), progress.n

    return compute


def test_they_are_what_the_body_gives_in_eval_mode(pictures: Any, compute: Any, weights: Path) -> None:
    body, length = make_body(ARCH)
    load_pretrained(body, ARCH, str(weights))
    body.eval()
    pixels = np.stack([images.prepare(images.open_rgb(path), 64) for _, path in pictures])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.inference_mode():
        expected = body((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std).numpy()
    found, _ = compute(pictures, batch_size=2)
    assert found.dtype == np.float32
    assert found.shape == (5, length)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batch_norm_is_as_the_weights_have_it(tmp_path: Path, pictures: Any, compute: Any) -> None:
    """In training mode the statistics of a batch would tell one picture by the others."""
    weights = save_network(tmp_path / "m.safetensors", "mobilenet_v2")
    others = {"arch": "mobilenet_v2", "weights": str(weights)}
    together, _ = compute(pictures, **others)
    alone, _ = compute(pictures[1:2], **others, cache=tmp_path / "another")
    np.testing.assert_allclose(alone[0], together[1], atol=1e-5)


def test_the_mirrored_view_is_that_of_the_mirrored_picture(tmp_path: Path, compute: Any, make_picture: Any) -> None:
    from PIL import ImageOps

    ways = {"plain.png": make_picture(1), "mirrored.png": ImageOps.mirror(make_picture(1))}
    for name, image in ways.items():
        image.save(tmp_path / name)
    both = [(sha256_of(tmp_path / name), tmp_path / name) for name in ways]
    whole, _ = compute(both)
    mirrored, n = compute(both, view="mirrored")
    assert n == 2  # not taken from what is kept of the other view
    assert not np.allclose(whole[0], whole[1], atol=1e-3)
    np.testing.assert_allclose(mirrored, whole[::-1], atol=1e-4)


def test_only_new_pictures_are_computed(pictures: Any, compute: Any) -> None:
    first, n = compute(pictures[:3])
    assert n == 3
    everything, n = compute(pictures)
    assert n == 2
    again, n = compute(pictures[::-1])
    assert n == 0
    np.testing.assert_array_equal(everything[:3], first)
    np.testing.assert_array_equal(again, everything[::-1])


def test_the_same_content_is_computed_once(pictures: Any, compute: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(pictures[0][1].read_bytes())
    found, n = compute([*pictures, (pictures[0][0], copy)])
    assert n == 5
    np.testing.assert_array_equal(found[5], found[0])


def test_a_renamed_picture_is_still_known(pictures: Any, compute: Any) -> None:
    compute(pictures)
    digest, path = pictures[0]
    assert compute([(digest, path.rename(path.with_name("other.jpg")))])[1] == 0


def test_other_weights_sizes_and_views_are_kept_apart(tmp_path: Path, pictures: Any, compute: Any) -> None:
    first, _ = compute(pictures)
    other_weights = str(save_network(tmp_path / "other.safetensors", seed=1))
    for others in ({"weights": other_weights}, {"size": 96}, {"view": "mirrored"}):
        found, n = compute(pictures, **others)
        assert n == 5, others
        assert not np.allclose(found, first), others
    np.testing.assert_array_equal(compute(pictures)[0], first)


def test_the_same_weights_in_another_file_are_known(tmp_path: Path, pictures: Any, compute: Any, weights: Path) -> None:
    compute(pictures)
    torch.save(load_file(weights), tmp_path / "same.pth")
    assert compute(pictures, weights=str(tmp_path / "same.pth"))[1] == 0


def test_pictures_that_cannot_be_read_are_rows_of_nan_and_tried_again(pictures: Any, compute: Any) -> None:
    (_, gone), (_, edited), (_, damaged) = pictures[:3]
    good = edited.read_bytes()
    gone.unlink()
    edited.write_bytes(pictures[4][1].read_bytes())  # its digest is that of the old content
    damaged.write_bytes(b"no picture")
    listed = [*pictures[:2], (sha256_of(damaged), damaged), *pictures[3:]]
    found, _ = compute(listed, batch_size=2)
    assert np.isnan(found).all(axis=1).tolist() == [True, True, True, False, False]
    assert not np.isnan(found[3:]).any()
    edited.write_bytes(good)
    found, n = compute(listed)
    assert n == 3
    assert np.isnan(found).any(axis=1).tolist() == [True, False, True, False, False]


def test_nothing_readable_and_nothing_at_all(tmp_path: Path, compute: Any) -> None:
    found, _ = compute([("0" * 64, tmp_path / "missing.jpg")])
    assert np.isnan(found).all()
    assert compute([])[0].shape == (0, found.shape[1])


def test_damaged_files_of_the_cache_are_computed_anew(tmp_path: Path, pictures: Any, compute: Any) -> None:
    first, _ = compute(pictures)
    (kept,) = (tmp_path / "cache").glob("*/*.npz")
    for damaged in (b"", kept.read_bytes()[:200], b"x" * 500):
        kept.write_bytes(damaged)
        found, n = compute(pictures)
        assert n == 5
        np.testing.assert_allclose(found, first, atol=1e-6)


DIES_AT_THE_LAST = """
import json, os, sys
from pathlib import Path
from birds.models import features as module

pictures, weights, cache = json.loads(sys.argv[1])
pixels = module._pixels
module._SHARD, module._AHEAD = 2, 0
module._pixels = lambda digest, *rest: os._exit(9) if digest == pictures[-1][0] else pixels(digest, *rest)
pictures = [(digest, Path(path)) for digest, path in pictures]
module.features(pictures, arch="squeezenet1_1", weights=weights, cache=Path(cache), size=64, batch_size=1)
"""


def test_a_kill_loses_one_shard_at_most(tmp_path: Path, pictures: Any, compute: Any, weights: Path) -> None:
    arguments = json.dumps([[(digest, str(path)) for digest, path in pictures], str(weights), str(tmp_path / "cache")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DIES_AT_THE_LAST, arguments]
    assert subprocess.run(command, check=False, env=environment, timeout=120).returncode == 9
    assert compute(pictures)[1] == 1


def test_features_are_written_in_shards(
    tmp_path: Path, pictures: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHARD", 2)
    found, _ = compute(pictures)
    assert len(list((tmp_path / "cache").glob("*/*.npz"))) == 3
    np.testing.assert_array_equal(compute(pictures)[0], found)


def test_what_cannot_work_is_refused(tmp_path: Path, compute: Any) -> None:
    with pytest.raises(UsageError, match="no architecture"):
        compute([], arch="squeezenet9")
    with pytest.raises(WeightsError, match="There is no weights file"):
        compute([], weights=str(tmp_path / "missing.pth"))
    with pytest.raises(WeightsError, match="does not fit mobilenet_v2"):
        compute([], arch="mobilenet_v2")
    with pytest.raises(ValueError, match="view"):
        compute([], view="upside down")


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
