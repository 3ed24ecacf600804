"""Keeping an engine busy: reading and cropping run ahead in threads, and crops of several items share batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import numpy as np

from hrnet.engines.engine import cores

Item = TypeVar("Item")
State = TypeVar("State")
Arrays = tuple[np.ndarray, ...]

BATCHES_AHEAD = 2  # one that runs and one that waits


@dataclass
class Underway(Generic[State]):
    """An item whose crops are on their way through the engine: the state, and where each crop's answer will be."""

    state: State
    answers: list[tuple["Future[Arrays]", int]]

    def outputs(self) -> Arrays:
        """The outputs of this item's crops, each array with one entry per crop; waits for them."""
        rows = [[array[place] for array in batch.result()] for batch, place in self.answers]
        return tuple(np.stack(each) for each in zip(*rows, strict=True))


def flow(
    items: Iterable[Item],
    prepare: Callable[[Item], tuple[State, Sequence[np.ndarray]]],
    run: Callable[[np.ndarray], Arrays],
    batch_size: int,
) -> Iterator[tuple[State, Arrays]]:
    """Yield, for each item in order, its state and the outputs of `run` for its crops.

    `prepare(item)` gives a state of the caller's choice and crops (N, H, W, 3), N may be 0; it is called in threads,
    ahead of what is asked for. `run(batch)` gives arrays whose first axis is the batch's; it is called in one thread of
    its own, with batches of up to `batch_size` crops of one size, in order. Outputs of an item without crops are ().
    What is held is bounded: items up to twice the number of threads, and batches up to two. An error in `prepare` or
    `run` is raised where its item would have been.
    """
    threads = max(2, min(cores(), 8))
    source = iter(items)
    with ThreadPoolExecutor(threads) as preparing, ThreadPoolExecutor(1) as running:
        prepared: deque[Future[tuple[State, Sequence[np.ndarray]]]] = deque()
        underway: deque[Underway[State]] = deque()
        batcher = Batcher(running, run, batch_size)
        error: BaseException | None = None
        try:
            while True:
                prepared.extend(preparing.submit(prepare, item) for item in islice(source, 2 * threads - len(prepared)))
                if not prepared:
                    break
                item = prepared.popleft()
                if error := item.exception():
                    break  # the items before it come first
                state, crops = item.result()
                underway.append(Underway(state, batcher.add(crops)))
                while underway and batcher.ran(underway[0].answers, must=batcher.full):
                    first = underway.popleft()
                    yield first.state, first.outputs()
            batcher.flush()
            while underway:
                first = underway.popleft()
                yield first.state, first.outputs()
            if error is not None:
                raise error
        finally:
            for waiting in prepared:
                waiting.cancel()


class Batcher:
    """Gathers crops into batches and hands full ones to the engine's thread."""

    def __init__(self, running: ThreadPoolExecutor, run: Callable[[np.ndarray], Arrays], size: int) -> None:
        self.running, self.run, self.size = running, run, size
        self.crops: list[np.ndarray] = []
        self.batch: Future[Arrays] = Future()
        self.sent: deque[Future[Arrays]] = deque()

    def add(self, crops: Sequence[np.ndarray]) -> list[tuple["Future[Arrays]", int]]:
        """Put crops into batches; where the answer of each will be."""
        answers = []
        for crop in crops:
            if self.crops and (len(self.crops) == self.size or self.crops[0].shape != crop.shape):
                self.flush()
            answers.append((self.batch, len(self.crops)))
            self.crops.append(crop)
        if len(self.crops) == self.size:
            self.flush()
        return answers

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
        answer.set_result(run(np.stack(crops)))
    except BaseException as error:
        answer.set_exception(error)
