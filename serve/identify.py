"""From the bytes of a picture to what the model says: in a few threads, so that nobody waits for somebody else's bomb.

Pictures are opened by ``images.decode`` alone. Ordinary ones share some threads; those that claim many pixels go
through a thread of their own, one at a time, however many come: while it is at work, the others are answered.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .. import images
from ..errors import ImageError
from ..reasons import Reason
from .limits import Budget, Limits
from .refusals import Refusal, busy, of_image

if TYPE_CHECKING:
    import numpy as np

    from ..models.engines import Engine
    from ..models.manifest import Manifest

_T = TypeVar("_T")
_MANY_PIXELS = 4_000_000  # decoding them takes so long that to give their memory back adds nothing


@dataclass(frozen=True)
class Identified:
    """What the model says of one picture.

    Attributes
    ----------
    ranked : (index of the class, confidence), best first.
    is_unsure : the best confidence is below the model's threshold.
    width, height : pixels of the upright picture.
    """

    ranked: list[tuple[int, float]]
    is_unsure: bool
    format: str
    width: int
    height: int


class Identifier:
    """A model that is ready to answer.

    Parameters
    ----------
    engine : what computes probabilities. It is asked from several threads at once.
    top : classes to give of each picture.
    """

    def __init__(self, manifest: "Manifest", engine: "Engine", limits: Limits, *, top: int = 5) -> None:
        self.manifest = manifest
        self._engine = engine
        self._top = top
        self._large_pixels = limits.large_pixels
        self._ordinary = ThreadPoolExecutor(limits.workers, thread_name_prefix="birds-picture")
        self._one_large = ThreadPoolExecutor(1, thread_name_prefix="birds-large-picture")
        self._places, self._large_places = Budget(limits.waiting), Budget(limits.large_waiting)

    async def identify(self, data: bytes) -> Identified:
        """What the model says of the picture in `data`.

        Raises
        ------
        Refusal : no picture that can be used, or too many are at work.
        """
        found = await self._run(self._ordinary, self._places, lambda: self._at_once(data))
        if found is None:
            found = await self._run(self._one_large, self._large_places, lambda: self._look(data, self._large_pixels))
        assert found is not None
        return found

    async def shown(self, render: Callable[[], bytes]) -> bytes:
        """What `render` makes of a picture of the project, in the same threads. Raises `Refusal` like `identify`."""
        shown = await self._run(self._ordinary, self._places, lambda: _done_or_refused(render))
        assert shown is not None
        return shown

    def warm_up(self) -> None:
        """Let the engine compute once, so that the first visitor doesn't wait for what it puts off."""
        import numpy as np

        size = self.manifest.preprocess.size
        self._engine.probabilities(np.zeros((1, size, size, 3), np.uint8))

    def close(self) -> None:
        """Wait for what is at work; what waits is dropped."""
        for pool in (self._ordinary, self._one_large):
            pool.shutdown(wait=True, cancel_futures=True)

    async def _run(
        self, pool: ThreadPoolExecutor, places: Budget, work: Callable[[], tuple[_T | None, Refusal | None]]
    ) -> _T | None:
        if not places.take():
            raise busy()
        future = asyncio.get_running_loop().run_in_executor(pool, work)
        future.add_done_callback(lambda _: places.give())  # when the thread is done, not when nobody waits any longer
        done, refusal = await asyncio.shield(future)
        if refusal:
            raise refusal
        return done

    def _at_once(self, data: bytes) -> tuple[Identified | None, Refusal | None]:
        """As `_look`, but neither for a picture that is too large to be looked at here."""
        pixels = images.pixels(data)
        return (None, None) if pixels > self._large_pixels else self._look(data, pixels)

    def _look(self, data: bytes, pixels: int) -> tuple[Identified | None, Refusal | None]:
        looked = _done_or_refused(lambda: self._found(data))
        if pixels > _MANY_PIXELS:
            images.give_back_memory()
        return looked

    def _found(self, data: bytes) -> Identified:
        decoded = images.decode(data)
        if min(decoded.width, decoded.height) < images.MIN_SIDE:
            message = f"{decoded.width}x{decoded.height} pixels are too few: a side has {images.MIN_SIDE} at least."
            raise ImageError(message, reason=Reason.TOO_SMALL)
        preprocess = self.manifest.preprocess
        prepared = images.prepare(decoded.image, preprocess.size, preprocess.resize)
        width, height, picture_format = decoded.width, decoded.height, decoded.format
        del decoded  # before the engine takes memory, too
        ranked = self._ranked(self._engine.probabilities(prepared[None])[0])
        is_unsure = ranked[0][1] < self.manifest.abstain_threshold
        return Identified(ranked, is_unsure, picture_format, width, height)

    def _ranked(self, probabilities: "np.ndarray") -> list[tuple[int, float]]:
        best = (-probabilities).argsort(kind="stable")[: self._top]
        return [(int(index), float(probabilities[index])) for index in best]


def _done_or_refused(work: Callable[[], _T]) -> tuple[_T | None, Refusal | None]:
    """What `work` gives, or why it refuses the picture. The error itself ends here: it holds on to all the pixels."""
    try:
        return work(), None
    except ImageError as error:
        return None, of_image(error)
