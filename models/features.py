"""Features of a frozen, pretrained body: one vector a picture, computed once and kept on disk.

A body that never changes gives a picture the same features every time, so whoever asks again (the cleaner after ten
new pictures, the next run) waits for the new ones only. A row is found by what it was made of: the picture's content,
the body's weights, the size and the view.
"""

import hashlib
import io
import itertools
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .. import files, images
from ..errors import ImageError
from ..progress import SILENT, Bar, Progress
from . import architectures
from .architectures import IMAGENET_MEAN, IMAGENET_STD, make_body
from .weights import load_pretrained, read_tensors

VIEWS = ("whole", "mirrored")
_FORMAT = 1  # raised when the same picture, weights, size and view come to mean other features
_SHARD = 256  # pictures: what a kill costs at most, some seconds
_DECODERS = 2  # threads
_AHEAD = 2  # batches that are prepared while the body computes
_GUESSED = ("mobilenet_v2", "squeezenet1_1", "resnet18", "resnet34", "resnet50", "resnext50_32x4d")
_OF_THE_HEAD = {"fc", "classifier", "heads", "head", "aux1", "aux2", "AuxLogits"}  # torchvision's names for it

_Prepared = tuple[str, NDArray[np.uint8] | None]  # SHA-256 of a file; its pixels, None where there is no such picture


def features(
    pictures: Sequence[tuple[str, Path]],
    *,
    arch: str,
    weights: str,
    cache: Path,
    size: int | None = None,
    view: str = "whole",
    batch_size: int = 32,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """What the body of `arch` sees in each picture, in eval mode, batch norm included.

    Parameters
    ----------
    pictures : (SHA-256 of the file in hexadecimal, path) pairs, n of them; the same content is computed once.
    weights : ``imagenet`` or a file, see `weights.load_pretrained`.
    cache : folder that keeps them; made where it is missing. Several processes may use it at once.
    size : pixels of a side, squeezed by `images.prepare`; default `architectures.evaluation_size`.
    view : one of `VIEWS`.
    batch_size : pictures at once; memory grows with it and with the result, not with what the cache holds.

    Returns
    -------
    float32 [n, features]; a row of NaN for a file that cannot be read or is no longer what its SHA-256 says.

    Raises
    ------
    UsageError : there is no such architecture.
    WeightsError : the weights cannot be had, or do not fit.
    """
    if view not in VIEWS:
        raise ValueError(f"view is one of {VIEWS}, not {view!r}")
    known = architectures.find(arch)
    size = size or architectures.evaluation_size(arch, known.size)
    body, length = make_body(arch)
    load_pretrained(body, arch, weights)
    body.eval()
    folder = cache / f"{arch}-{_digest(body)[:16]}-{size}-{view}-{_FORMAT}"
    rows: dict[str, list[int]] = {}
    for row, (digest, _) in enumerate(pictures):
        rows.setdefault(digest, []).append(row)
    result = np.full((len(pictures), length), np.nan, np.float32)
    missing = dict(pictures)
    for digest, vector in _kept(folder, length):
        if missing.pop(digest, None):
            result[rows[digest]] = vector
    if not missing:
        return result
    with progress.bar(f"features ({view})", total=len(missing)) as bar:
        prepared = _prepared(missing, size, ahead=_AHEAD * batch_size)
        computed = _computed(body, prepared, view, batch_size, bar)
        while shard := dict(itertools.islice(computed, _SHARD)):
            _keep(folder, shard)
            for digest, vector in shard.items():
                result[rows[digest]] = vector
    return result


def _digest(body: nn.Module) -> str:
    """SHA-256 of the body's tensors: the same weights are the same, whichever file they came in."""
    digest = hashlib.sha256()
    for name, tensor in body.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _kept(folder: Path, length: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(SHA-256, features) of every picture in the cache. What cannot be read there is as good as missing."""
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path) as shard:
                digests, vectors = shard["sha256"], shard["features"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
        if vectors.shape == (len(digests), length):
            yield from zip(digests.tolist(), vectors, strict=True)


def _keep(folder: Path, shard: dict[str, NDArray[np.float32]]) -> None:
    """Add a file to the cache. It is named after its content: two processes that compute the same share it."""
    buffer = io.BytesIO()
    np.savez(buffer, sha256=np.array(list(shard)), features=np.stack(list(shard.values())))
    name = images.sha256("".join(shard).encode())[:16]
    files.write_bytes(folder / f"{name}.npz", buffer.getvalue())


def _computed(
    body: nn.Module, prepared: Iterator[_Prepared], view: str, batch_size: int, bar: Bar
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(SHA-256, features) of what could be prepared."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    while batch := list(itertools.islice(prepared, batch_size)):
        readable = [(digest, pixels) for digest, pixels in batch if pixels is not None]
        if readable:
            stacked = torch.from_numpy(np.stack([pixels for _, pixels in readable]))  # [N, size, size, 3]
            pictures = (stacked.permute(0, 3, 1, 2).float() / 255 - mean) / std
            with torch.inference_mode():
                vectors = body(pictures.flip(3) if view == "mirrored" else pictures).numpy()
            yield from zip((digest for digest, _ in readable), vectors, strict=True)
        bar.advance(len(batch))


def _prepared(wanted: dict[str, Path], size: int, ahead: int) -> Iterator[_Prepared]:
    """SHA-256 and pixels of each file, in order; at most `ahead` of them wait to be taken."""
    with ThreadPoolExecutor(_DECODERS) as pool:
        waiting: deque[tuple[str, Future[NDArray[np.uint8] | None]]] = deque()
        for digest, path in wanted.items():
            waiting.append((digest, pool.submit(_pixels, digest, path, size)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        for digest, future in waiting:
            yield digest, future.result()


def _pixels(digest: str, path: Path, size: int) -> NDArray[np.uint8] | None:
    """uint8 [size, size, 3]; None where there is no such picture."""
    try:
        data = path.read_bytes()
        if images.sha256(data) != digest:  # edited since: its features must not be kept under the old content
            return None
        return images.prepare(images.decode(data, least_side=size).image, size)
    except (OSError, ImageError):
        return None


def arch_of(weights: Path) -> str | None:
    """The architecture whose body the tensors of a weights file are, by their names and shapes; None if none is found.

    Tried are the architectures that the file is named after (``resnet18-f37072fd.pth``) and a few common ones.

    Raises
    ------
    WeightsError : there is no such file, or it cannot be read.
    """
    shapes = {name: tensor.shape for name, tensor in read_tensors(weights).items()}
    named = [name for name in architectures.names() if name in weights.stem]
    for name in dict.fromkeys([*sorted(named, key=len, reverse=True), *_GUESSED]):
        own = {key: tensor.shape for key, tensor in make_body(name)[0].state_dict().items()}
        fits = all(shapes.get(key) == shape for key, shape in own.items() if not key.endswith("num_batches_tracked"))
        # a deeper network has all that a shallower one of its family has, and more
        if fits and all(key.partition(".")[0] in _OF_THE_HEAD for key in shapes.keys() - own.keys()):
            return name
    return None
