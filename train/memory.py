"""Memory that training has freed, given back to the system.

Between two batches something small stays (fastai keeps every loss), cut out of the room that the batch before has left;
the next batch does not fit there any more and takes new room. glibc gives such holes back only when asked: in 1,400
batches of 64 vectors of SqueezeNet they grow to 130 MB.
"""

import ctypes
from collections.abc import Callable
from functools import cache

from ..models.gate import fastai

_BATCHES = 64


class FreedMemory(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """Gives freed memory back every some batches, of training and of validation."""

    batches = 0

    def after_batch(self) -> None:
        self.batches += 1
        if self.batches % _BATCHES == 0:
            _trim()(0)


@cache
def _trim() -> Callable[[int], int]:
    """``malloc_trim`` of the C library that this process runs on; nothing where it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl and macOS have none, Windows no library of that name
        return lambda _room: 0
