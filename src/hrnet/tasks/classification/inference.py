"""Pictures to classes: the centre, mirroring, batches through an engine, codec."""

from collections.abc import Sequence

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.inference import BatchedInference, Item, pixels_of
from hrnet.engines.pipeline import Arrays
from hrnet.results.classification import Classification
from hrnet.tasks.classification.codec import decode, softmax
from hrnet.tasks.classification.samples import centre
from hrnet.tasks.classification.settings import ClassificationRecipe


class ClassificationInference(BatchedInference[None, Classification]):
    """A recipe and an engine, ready to predict: the classes of each picture, in a list of one."""

    def __init__(self, recipe: ClassificationRecipe, engine: Engine) -> None:
        self.recipe, self.engine, self.batch_size = recipe, engine, recipe.testing.batch_size

    def prepare(self, item: Item) -> tuple[None, Sequence[np.ndarray]]:
        """The centre of a picture."""
        return None, [centre(pixels_of(item[0]), self.recipe.model.input_size, self.recipe.testing.crop)]

    def run(self, crops: np.ndarray) -> Arrays:
        return (self.probabilities(crops),)

    def finish(self, state: None, answers: list[Arrays]) -> list[Classification]:
        """The most probable classes."""
        ((probabilities,),) = answers
        return decode(probabilities[None], self.recipe.model.class_names, self.recipe.testing.top)

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (B, K) for pictures (B, H, W, 3), averaged with the mirrored pictures' where asked."""
        found = softmax(self.engine.run(batch)[-1])
        if self.recipe.testing.flip:
            found = 0.5 * (found + softmax(self.engine.run(np.ascontiguousarray(batch[:, :, ::-1]))[-1]))
        return found
