"""How fast things run here: a network and its engines, a pipeline, a training step."""
