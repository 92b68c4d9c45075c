"""Features of a frozen, pretrained body: a vector for each picture and view, computed once and kept on disk.

A body that never changes gives a picture the same features every time, so whoever asks again (the cleaner after ten
new pictures, the next run) waits for the new ones only. A vector is found by what it was made of: the picture's
content, the body's weights, the size and the view.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .. import images
from ..progress import SILENT, Progress
from . import architectures
from .architectures import Architecture, head_names, make_body, with_derived
from .augmentation import Augmentation
from .feature_cache import DIGEST, Shard, read_shards, write_shard
from .feature_pass import FrozenNetwork, Wanted, compute
from .feature_views import VIEWS, View, is_random
from .normalisation import Channels
from .weights import load_pretrained, read_tensors

_FORMAT = 3  # raised when the same picture, weights, size and view come to mean other features
_SHARD = 256  # pictures: what a kill costs at most, some seconds a view
_GUESSED = ("mobilenet_v2", "squeezenet1_1", "resnet18", "resnet34", "resnet50", "resnext50_32x4d")


class Features:
    """Vectors of n pictures in several views, in the order asked for.

    They lie in files and are read when asked for: memory grows with n, not with n times their length.

    Attributes
    ----------
    views : their names.
    length : values a vector; 0 where there is none.
    """

    def __init__(self, pictures: Sequence[tuple[str, Path]], views: Sequence[str]) -> None:
        digests = np.fromiter((bytes.fromhex(digest) for digest, _ in pictures), DIGEST, len(pictures))
        self.views = tuple(views)
        self.length = 0
        self._contents, self._first, self._content_of = np.unique(digests, return_index=True, return_inverse=True)
        self._place = np.full((len(views), len(self._contents), 2), -1, np.int32)  # number of a file, row in it
        self._files: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._content_of)

    @property
    def is_readable(self) -> NDArray[np.bool_]:
        """[n]: False for a file that could not be read or is no longer what its SHA-256 says."""
        lacks_one: NDArray[np.bool_] = np.any(self._is_missing, axis=0)[self._content_of]
        return ~lacks_one

    def gather(self, rows: NDArray[np.integer], views: NDArray[np.integer] | int) -> NDArray[np.float32]:
        """float32 [len(rows), length]: of each picture in `rows` its view in `views`; NaN where there is none."""
        places = self._place[views, self._content_of[rows]]
        found = np.full((len(places), self.length), np.nan, np.float32)
        for at, (file, row) in enumerate(places.tolist()):
            if file >= 0:
                found[at] = self._files[file][row]
        return found

    @property
    def _is_missing(self) -> NDArray[np.bool_]:
        missing: NDArray[np.bool_] = self._place[:, :, 0] < 0  # [views, contents]
        return missing

    def _find_in(self, shard: Shard, view: int) -> None:
        """From now on, `view` of the pictures that `shard` has is found there."""
        at = np.searchsorted(self._contents, shard.digests)
        rows = np.flatnonzero(at < len(self._contents))
        rows = rows[self._contents[at[rows]] == shard.digests[rows]]
        if len(rows):
            self._place[view, at[rows], 0], self._place[view, at[rows], 1] = len(self._files), rows
            self._files.append(shard.vectors())
            self.length = shard.length

    def _wanted(self, pictures: Sequence[tuple[str, Path]]) -> Iterator[Wanted]:
        """What is still missing, in the order of `pictures`."""
        missing = self._is_missing
        for content in np.argsort(self._first):
            if missing[:, content].any():
                digest, path = pictures[self._first[content]]
                yield Wanted(int(content), path, bytes.fromhex(digest), np.flatnonzero(missing[:, content]).tolist())

    def _keep(self, seen: Sequence[tuple[int, NDArray[np.float32]]], view: int, folder: Path) -> None:
        """Write (number of a content, its vector) of one view to the cache, from where they are found."""
        numbers, vectors = zip(*seen, strict=True)
        self._find_in(write_shard(folder, self._contents[list(numbers)], np.stack(vectors)), view)


def load_body(arch: str, weights: str, progress: Progress = SILENT) -> nn.Module:
    """The pretrained body of `arch`, see `weights.load_pretrained`.

    Raises
    ------
    UsageError : there is no such architecture.
    WeightsError : the weights cannot be had, or do not fit.
    """
    architectures.find(arch)
    body, _ = make_body(arch)
    load_pretrained(body, arch, weights, progress)
    return body


def features(
    pictures: Sequence[tuple[str, Path]],
    *,
    arch: str,
    body: nn.Module,
    cache: Path,
    views: Sequence[str] = VIEWS,
    size: int | None = None,
    evaluation_size: int | None = None,
    resize: str = images.DEFAULT_RESIZE,
    augmentation: Augmentation | None = None,
    normalisation: tuple[Channels, Channels] | None = None,
    precision: str = "fp32",
    channels_last: bool = True,
    progress: Progress = SILENT,
) -> Features:
    """What `body` sees in each picture, in eval mode, batch norm included.

    A picture is read, checked and decoded once for all views that it lacks; a later call with more views decodes again.
    As many processors are at work as torch is told to use.

    Parameters
    ----------
    pictures : (SHA-256 of the file in hexadecimal, path) pairs, n of them; the same content is computed once.
    arch, body : of this architecture, from `load_body` or `architectures.make_body`. A copy of it computes, on the
        device it is on.
    cache : folder that keeps them; made where it is missing. Several processes may use it at once.
    views : ``whole``, ``mirrored``, or ``crop-K`` (`feature_views.crop_views`): the K-th view that training could draw,
        another one for each picture but the same in every run.
    size : pixels of a side of random views; default that of the architecture.
    evaluation_size, resize : what `images.prepare` makes of whole ones; default `architectures.evaluation_size`.
    augmentation : what random views may be; default everything.
    normalisation : mean and standard deviation of red, green and blue; default what the weights were published with.
    precision : ``fp32``, ``bf16`` or ``fp16``. What is kept of one is not used for another.
    channels_last : layout to compute in; what comes of it differs in the last places only.

    Raises
    ------
    UsageError : there is no such architecture.
    ProjectError : the cache cannot be written.
    """
    architecture = architectures.find(arch)
    if normalisation:
        architecture = replace(architecture, mean=normalisation[0], std=normalisation[1])
    size = size or architecture.size
    whole = evaluation_size or architectures.evaluation_size(arch, size)
    shown = [View(name, size if is_random(name) else whole, resize, augmentation or Augmentation()) for name in views]
    network_key = f"{re.sub(r'[^A-Za-z0-9_.]', '-', arch)}-{_digest(body, architecture)[:16]}-{precision}"
    folders = [cache / f"{network_key}-{view.key}-{_FORMAT}" for view in shown]
    found = Features(pictures, views)
    for number, folder in enumerate(folders):
        for shard in read_shards(folder):
            found._find_in(shard, number)
    if not found._is_missing.any():
        return found
    network = FrozenNetwork(body, architecture, precision, channels_last=channels_last)
    kept: list[list[tuple[int, NDArray[np.float32]]]] = [[] for _ in views]
    with progress.bar("features", total=int(found._is_missing.any(axis=0).sum())) as bar:
        for done, seen in compute(network, found._wanted(pictures), shown):
            for number, view, vector in seen:
                kept[view].append((number, vector))
                if len(kept[view]) == _SHARD:
                    found._keep(kept[view], view, folders[view])
                    kept[view] = []
            bar.advance(done)
        for view, rest in enumerate(kept):
            if rest:
                found._keep(rest, view, folders[view])
    return found


def _digest(body: nn.Module, architecture: Architecture) -> str:
    """SHA-256 of all that the body computes with: the same weights are the same, whichever file they came in."""
    digest = hashlib.sha256(f"{architecture.mean} {architecture.std}".encode())
    for name, tensor in body.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def arch_of(weights: Path) -> str | None:
    """The architecture whose body the tensors of a weights file are, by their names and shapes; None if none is found.

    Tried are the architectures that the file is named after (``resnet18-f37072fd.pth``) and a few common ones.

    Raises
    ------
    WeightsError : there is no such file, or it cannot be read.
    """
    tensors = read_tensors(weights)
    named = [name for name in architectures.names() if name in weights.stem]
    for name in dict.fromkeys([*sorted(named, key=len, reverse=True), *_GUESSED]):
        body, _ = make_body(name)
        shapes = {key: tensor.shape for key, tensor in with_derived(body, tensors).items()}
        own = {key: tensor.shape for key, tensor in body.state_dict().items()}
        fits = all(shapes.get(key) == shape for key, shape in own.items() if not key.endswith("num_batches_tracked"))
        # a deeper network has all that a shallower one of its family has, and more
        if fits and {key.partition(".")[0] for key in shapes.keys() - own.keys()} <= head_names(body):
            return name
    return None
