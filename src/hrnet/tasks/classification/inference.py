"""Pictures to classes: the centre, mirroring, batches through an engine, codec. Prediction, validation and evaluation
all walk this one path."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.results.classification import Classification
from hrnet.tasks.classification.codec import decode, softmax
from hrnet.tasks.classification.samples import centre
from hrnet.tasks.classification.settings import ClassificationRecipe


class ClassificationInference:
    """A recipe and an engine, ready to predict."""

    takes_boxes = False

    def __init__(self, recipe: ClassificationRecipe, engine: Engine) -> None:
        self.recipe, self.engine = recipe, engine

    def predict(self, items: Iterable[tuple[np.ndarray, Any, Any]]) -> Iterator[list[Classification]]:
        """The classes of each picture (a list of one), in order.

        `items` yields `(image (H, W, 3) RGB uint8 or a function that reads it, None, None)`; boxes have no meaning
        here.
        """
        model, testing = self.recipe.model, self.recipe.testing
        waiting: list[np.ndarray] = []
        for given, *_ in items:
            image = given() if callable(given) else given
            waiting.append(centre(image, model.input_size, testing.crop))
            if len(waiting) == testing.batch_size:
                yield from self.finish(waiting)
                waiting = []
        if waiting:
            yield from self.finish(waiting)

    def finish(self, pictures: list[np.ndarray]) -> Iterator[list[Classification]]:
        """The classes of a batch."""
        probabilities = self.probabilities(np.stack(pictures))
        found = decode(probabilities, self.recipe.model.class_names, self.recipe.testing.top)
        yield from ([each] for each in found)

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (B, K) for pictures (B, H, W, 3), averaged with the mirrored pictures' where asked."""
        found = softmax(self.engine.run(batch)[-1])
        if self.recipe.testing.flip:
            found = 0.5 * (found + softmax(self.engine.run(np.ascontiguousarray(batch[:, :, ::-1]))[-1]))
        return found
