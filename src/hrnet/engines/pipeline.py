"""Keeping an engine busy: reading and cropping run ahead in threads, and crops of several items share batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import numpy as np

from hrnet.errors import HRNetError
from hrnet.machine import cores

Item = TypeVar("Item")
State = TypeVar("State")
Arrays = tuple[np.ndarray, ...]

BATCHES_AHEAD = 2  # one that runs and one that waits


@dataclass
class Underway(Generic[State]):
    """An item whose crops are on their way through the engine: the state, or why there is none, and where each crop's
    answer will be."""

    state: State | HRNetError
    answers: list[tuple["Future[Arrays]", int]]

    def reached(self) -> tuple[State, list[Arrays]] | HRNetError:
        """The state and the outputs of each of this item's crops, waited for; or what was wrong."""
        if isinstance(self.state, HRNetError):
            return self.state
        try:
            return self.state, [tuple(array[place] for array in batch.result()) for batch, place in self.answers]
        except HRNetError as error:
            return error


def flow(
    items: Iterable[Item],
    prepare: Callable[[Item], tuple[State, Sequence[np.ndarray]]],
    run: Callable[[np.ndarray], Arrays],
    batch_size: int,
    most_bytes: float = float("inf"),
) -> Iterator[tuple[State, list[Arrays]] | HRNetError]:
    """Yield, for each item in order, its state and the outputs of `run` for each of its crops; or the `HRNetError` of
    `prepare`, or of `run` for one of its batches, such as a full memory.

    `prepare(item)` gives a state of the caller's choice and crops (H, W, 3), maybe none; it is called in threads,
    ahead of what is asked for. `run(batch)` gives arrays whose first axis is the batch's; it is called in one thread of
    its own, with batches of up to `batch_size` crops of one size, in order, several together of at most `most_bytes`.
    What is held is bounded: items up to twice the number of threads, batches up to two, and items without crops. Any
    other error is raised where its item would have been.
    """
    threads = max(2, min(cores(), 8))
    source = iter(items)
    with ThreadPoolExecutor(threads) as preparing, ThreadPoolExecutor(1) as running:
        prepared: deque[Future[tuple[State, Sequence[np.ndarray]]]] = deque()
        underway: deque[Underway[State]] = deque()
        batcher = Batcher(running, run, batch_size, most_bytes)
        error: BaseException | None = None
        try:
            while True:
                prepared.extend(preparing.submit(prepare, item) for item in islice(source, 2 * threads - len(prepared)))
                if not prepared:
                    break
                item = prepared.popleft()
                error = item.exception()
                if isinstance(error, HRNetError):
                    underway.append(Underway(error, []))
                elif error is not None:
                    break  # the items before it come first
                else:
                    state, crops = item.result()
                    underway.append(Underway(state, batcher.add(crops)))
                crowded = len(underway) > 4 * threads + (BATCHES_AHEAD + 1) * batch_size
                if crowded:  # with items without crops, which a batch in the making would hold back
                    batcher.flush()
                # A lone item waits until the next is queued, so that the engine has work while the caller finishes it.
                while underway and batcher.ran(
                    underway[0].answers, must=crowded or (batcher.full and len(underway) > 1)
                ):
                    yield underway.popleft().reached()
            batcher.flush()
            while underway:
                yield underway.popleft().reached()
            if error is not None and not isinstance(error, HRNetError):
                raise error
        finally:
            for pool in (preparing, running):
                pool.shutdown(wait=False, cancel_futures=True)


class Batcher:
    """Gathers crops into batches and hands full ones to the engine's thread."""

    def __init__(
        self, running: ThreadPoolExecutor, run: Callable[[np.ndarray], Arrays], size: int, most_bytes: float
    ) -> None:
        self.running, self.run, self.size, self.most_bytes = running, run, size, most_bytes
        self.crops: list[np.ndarray] = []
        self.batch: Future[Arrays] = Future()
        self.sent: deque[Future[Arrays]] = deque()

    def add(self, crops: Sequence[np.ndarray]) -> list[tuple["Future[Arrays]", int]]:
        """Put crops into batches; where the answer of each will be."""
        answers = []
        for crop in crops:
            if self.crops and not self.fits(crop):
                self.flush()
            answers.append((self.batch, len(self.crops)))
            self.crops.append(crop)
        if len(self.crops) == self.size:
            self.flush()
        return answers

    def fits(self, crop: np.ndarray) -> bool:
        """Whether a crop may share the batch that is being gathered."""
        count = len(self.crops)
        return count < self.size and crop.shape == self.crops[0].shape and (count + 1) * crop.nbytes <= self.most_bytes

    def flush(self) -> None:
        """Send the batch that is being gathered, once there is room for it."""
        if not self.crops:
            return
        while self.full:
            self.sent.popleft().exception()  # waits; the error itself is raised where its item is
        crops, answer = self.crops, self.batch
        self.crops, self.batch = [], Future()
        self.running.submit(fulfil, answer, self.run, crops)
        self.sent.append(answer)

    @property
    def full(self) -> bool:
        """Whether as many batches are on their way as may be."""
        while self.sent and self.sent[0].done():
            self.sent.popleft()
        return len(self.sent) >= BATCHES_AHEAD

    def ran(self, answers: list[tuple["Future[Arrays]", int]], must: bool) -> bool:
        """Whether an item's outputs are there; with `must`, also whether they will be without further crops."""
        return all(batch.done() or (must and batch is not self.batch) for batch, _ in answers)


def fulfil(answer: "Future[Arrays]", run: Callable[[np.ndarray], Arrays], crops: list[np.ndarray]) -> None:
    """Run a batch and put its outputs, or its error, where they are waited for."""
    try:
        alone = len(crops) == 1 and crops[0].flags.writeable  # torch warns of arrays that are not
        answer.set_result(run(crops[0][None] if alone else np.stack(crops)))
    except BaseException as error:
        answer.set_exception(error)
