"""A siamese pair: one network looks at two pictures and learns whether they show the same thing.

Run `python examples/siamese.py`. Both pictures go through the same sub-model, so its variables are trained by both. The
distance of the two results is pulled to 0 for equal classes and pushed beyond a margin for others (Hadsell, Chopra,
LeCun, Dimensionality Reduction by Learning an Invariant Mapping, 2006). Classes themselves are never named.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from pictures import load

import nabi
from nabi import layers, ops

MARGIN = 1.0


class Distance(layers.Layer):
    """Euclidean distance of two batches of vectors: 2 x (batch, n) to (batch, 1)."""

    def call(self, inputs: Any) -> Any:
        a, b = inputs
        squares = ops.sum(ops.square(a - b), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(squares, 1e-7))  # the root has no slope at 0


def contrastive_loss(same: Any, distance: Any) -> Any:
    """Squared distance of equal pairs, squared lack of distance of others."""
    lack = ops.maximum(MARGIN - distance, 0.0)
    return ops.mean(same * ops.square(distance) + (1.0 - same) * ops.square(lack), axis=-1)


def accuracy(same: Any, distance: Any) -> Any:
    """Share of pairs on the right side of half the margin."""
    return ops.mean(ops.cast(ops.equal(same > 0.5, distance < MARGIN / 2), "float32"), axis=-1)


def pairs(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """For each picture one of its class and one of another: two inputs (2 n, ...) and 1 or 0 (2 n, 1)."""
    classes = [np.flatnonzero(y == label) for label in np.unique(y)]
    others = [np.flatnonzero(y != label) for label in np.unique(y)]
    place = np.searchsorted(np.unique(y), y)
    equal = [rng.choice(classes[c]) for c in place]
    other = [rng.choice(others[c]) for c in place]
    same = np.repeat(np.float32([1, 0]), len(x))[:, None]
    return [np.concatenate([x, x]), np.concatenate([x[equal], x[other]])], same


def build(shape: tuple[int, ...]) -> nabi.Model:
    """Two inputs, one sub-model called twice, their distance."""
    embedding = nabi.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(16),
        ],
        name="embedding",
    )
    left, right = layers.Input(shape, name="left"), layers.Input(shape, name="right")
    return nabi.Model([left, right], Distance(name="distance")([embedding(left), embedding(right)]), name="siamese")


def main(
    epochs: int = 6, samples: int = 6_000, data: str = "mnist", verbose: int = 2
) -> tuple[nabi.Model, nabi.callbacks.History]:
    """Trains on pairs of pictures; returns the model and its history."""
    nabi.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    train, test = (pairs(x, y, rng) for x, y in load(data, samples))
    model = build(train[0][0].shape[1:])
    model.compile("adam", contrastive_loss, metrics=[accuracy])
    history = model.fit(*train, batch_size=64, epochs=epochs, validation_data=test, verbose=verbose)

    found = model.predict(test[0], verbose=0)
    means = [float(found[test[1] == same].mean()) for same in (1, 0)]
    print(f"Mean distance of test pairs: {means[0]:.3f} of one class, {means[1]:.3f} of two.")
    print(f"Told apart rightly: {history.history['val_accuracy'][-1]:.4f}")
    return model, history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=6_000)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion_mnist", "digits"])
    main(**vars(parser.parse_args()))
