"""Work done in threads a little ahead of whoever takes its results, in order: memory stays flat, however much there is.

Unlike those of a ``ThreadPoolExecutor``, the threads do not keep the program from ending: after Ctrl-C nobody waits
for a slow web server.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def in_threads(
    make: Callable[[_Given], _Made], given: Iterable[_Given], *, threads: int, ahead: int
) -> Iterator[_Made]:
    """What `make` makes of each of `given`, in their order. An exception comes in its place of the order.

    Parameters
    ----------
    ahead : results, under way or waiting to be taken, at most.
    """
    jobs: SimpleQueue[tuple[_Given, Future[_Made]] | None] = SimpleQueue()
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set() and (job := jobs.get()) is not None:
            one, future = job
            try:
                future.set_result(make(one))
            except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
                future.set_exception(error)

    window: deque[Future[_Made]] = deque()
    for number in range(threads):
        threading.Thread(target=work, name=f"birds-predict-{number}", daemon=True).start()
    try:
        for one in given:
            future: Future[_Made] = Future()
            window.append(future)
            jobs.put((one, future))
            if len(window) >= ahead:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        is_over.set()
        for _ in range(threads):
            jobs.put(None)
