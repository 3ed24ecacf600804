"""The path from pictures to results that every task walks: prediction, validation and evaluation alike."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.pipeline import Arrays, flow
from hrnet.errors import HRNetError

State = TypeVar("State")
Result = TypeVar("Result")
Picture = np.ndarray | Callable[[], np.ndarray]  # (H, W, 3) RGB uint8, or what reads it when its turn comes
Item = tuple[Picture, np.ndarray | None, np.ndarray | None]  # with boxes (P, 4) x1 y1 x2 y2 and their scores (P,)


class Inference(ABC, Generic[Result]):
    """A recipe and an engine, ready to predict."""

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
        for reached in flow(items, self.prepare, self.run, self.batch_size, self.most_bytes):
            yield reached if isinstance(reached, HRNetError) else self.finished(*reached)

    def finished(self, state: State, answers: list[Arrays]) -> list[Result] | HRNetError:
        """What `finish` gives, or what was wrong."""
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


def told_when_read(error: HRNetError) -> Item:
    """An item whose picture cannot be read, so that its place among the results tells why."""

    def read() -> np.ndarray:
        raise error

    return read, None, None
