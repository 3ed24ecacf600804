"""The path from pictures to results that every task walks, and what keeps an engine busy on it: reading and cropping
run ahead in threads, and crops of several items share batches."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from hrnet.engines.engine import Engine, cores
from hrnet.errors import HRNetError

Anything = TypeVar("Anything")
State = TypeVar("State")
Result = TypeVar("Result")
Arrays = tuple[np.ndarray, ...]
Picture = np.ndarray | Callable[[], np.ndarray]  # (H, W, 3) RGB uint8, or what reads it when its turn comes
Item = tuple[Picture, np.ndarray | None, np.ndarray | None]  # with boxes (P, 4) x1 y1 x2 y2 and their scores (P,)

BATCHES_AHEAD = 2  # one that runs and one that waits


class Inference(ABC, Generic[Result]):
    """A recipe and an engine, ready to predict: prediction, validation and evaluation all walk this path."""

    takes_boxes = False

    @abstractmethod
    def attempt(self, items: Iterable[Item]) -> Iterator[list[Result] | HRNetError]:
        """The results of each picture, in order; one that cannot be used answers with its error, the others go on.

        What is held at once does not grow with the number of pictures. Tasks that take no boxes leave them unread.
        """

    def predict(self, items: Iterable[Item]) -> Iterator[list[Result]]:
        """The results of each picture, in order. Raises the error of the first that cannot be used."""
        for found in self.attempt(items):
            if isinstance(found, HRNetError):
                raise found
            yield found


class BatchedInference(Inference[Result], Generic[State, Result]):
    """Inference in three steps: a picture's crops, the network on batches of crops, the picture's results."""

    batch_size: int
    most_bytes: float = float("inf")  # of a batch of several crops

    @abstractmethod
    def prepare(self, item: Item) -> tuple[State, Sequence[np.ndarray]]:
        """Crops (h, w, 3) of a picture, none or several, and what `finish` must know of it. Called in threads."""

    @abstractmethod
    def run(self, crops: np.ndarray) -> Arrays:
        """Arrays, whose first axis is the batch's, for crops (B, h, w, 3) of one size."""

    @abstractmethod
    def finish(self, state: State, answers: list[Arrays]) -> list[Result]:
        """The results of a picture from what `run` gave for each of its crops."""

    def attempt(self, items: Iterable[Item]) -> Iterator[list[Result] | HRNetError]:
        def prepared(item: Item) -> tuple[State | HRNetError, Sequence[np.ndarray]]:
            try:
                return self.prepare(item)
            except HRNetError as error:
                return error, []

        def ran(crops: np.ndarray) -> tuple[Any, ...]:
            try:
                return self.run(crops)
            except HRNetError as error:  # such as a full memory: the answer of each crop
                return ([error] * len(crops),)

        for state, answers in flow(items, prepared, ran, self.batch_size, self.most_bytes):
            yield state if isinstance(state, HRNetError) else self.finished(state, answers)

    def finished(self, state: State, answers: list[tuple[Any, ...]]) -> list[Result] | HRNetError:
        """What `finish` gives, or what was wrong."""
        for first, *_ in answers:
            if isinstance(first, HRNetError):
                return first
        try:
            return self.finish(state, answers)
        except HRNetError as error:
            return error


def seen_both_ways(engine: Engine, pictures: np.ndarray, at_once: bool = True) -> tuple[Arrays, Arrays]:
    """What an engine puts out for pictures (B, H, W, 3), and for their mirror images, in one batch or in two."""
    mirrored = pictures[:, :, ::-1]
    if not at_once:
        return engine.run(pictures), engine.run(mirrored)
    both = engine.run(np.concatenate([pictures, mirrored]))
    return tuple(each[: len(pictures)] for each in both), tuple(each[len(pictures) :] for each in both)


def pixels_of(picture: Picture) -> np.ndarray:
    """The picture itself, read where it is not yet."""
    return picture() if callable(picture) else picture


@dataclass
class Underway(Generic[State]):
    """An item whose crops are on their way through the engine: the state, and where each crop's answer will be."""

    state: State
    answers: list[tuple["Future[Arrays]", int]]

    def outputs(self) -> list[Arrays]:
        """The outputs of each of this item's crops; waits for them."""
        return [tuple(array[place] for array in batch.result()) for batch, place in self.answers]


def flow(
    items: Iterable[Anything],
    prepare: Callable[[Anything], tuple[State, Sequence[np.ndarray]]],
    run: Callable[[np.ndarray], Arrays],
    batch_size: int,
    most_bytes: float = float("inf"),
) -> Iterator[tuple[State, list[Arrays]]]:
    """Yield, for each item in order, its state and the outputs of `run` for each of its crops.

    `prepare(item)` gives a state of the caller's choice and crops (H, W, 3), maybe none; it is called in threads,
    ahead of what is asked for. `run(batch)` gives arrays whose first axis is the batch's; it is called in one thread of
    its own, with batches of up to `batch_size` crops of one size, in order, several together of at most `most_bytes`.
    What is held is bounded: items up to twice the number of threads, and batches up to two. An error in `prepare` or
    `run` is raised where its item would have been.
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
                if error := item.exception():
                    break  # the items before it come first
                state, crops = item.result()
                underway.append(Underway(state, batcher.add(crops)))
                crowded = len(underway) > 4 * threads + (BATCHES_AHEAD + 1) * batch_size
                if crowded:  # with items without crops, which a batch in the making would hold back
                    batcher.flush()
                # A lone item waits until the next is queued, so that the engine has work while the caller finishes it.
                while underway and batcher.ran(
                    underway[0].answers, must=crowded or (batcher.full and len(underway) > 1)
                ):
                    first = underway.popleft()
                    yield first.state, first.outputs()
            batcher.flush()
            while underway:
                first = underway.popleft()
                yield first.state, first.outputs()
            if error is not None:
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
