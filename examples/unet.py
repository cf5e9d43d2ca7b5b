"""A small U-Net: which pixels of a picture belong to what.

Run `python examples/unet.py`. The way down sees ever larger surroundings of ever fewer pixels, the way up brings them
back to full size; at each size, what was seen on the way down is put beside what comes up (Ronneberger, Fischer, Brox,
U-Net, 2015). The pictures are made here: discs and squares in noise, which only their outlines tell apart.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from pictures import show

import nabi
from nabi import layers

CLASSES = ("background", "disc", "square")


def shapes(count: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures float32 (count, size, size, 1) of a disc and a square each, and the class of each pixel, int32."""
    rows, columns = np.mgrid[:size, :size]
    x = rng.normal(0, 0.2, (count, size, size, 1)).astype("float32")
    y = np.zeros((count, size, size), "int32")
    for picture, truth in zip(x, y, strict=True):
        for kind in rng.permutation([1, 2]):  # the second may cover the first
            radius = rng.uniform(size / 8, size / 5)
            top, left = (
                np.abs(rows - rng.uniform(radius, size - radius)),
                np.abs(columns - rng.uniform(radius, size - radius)),
            )
            inside = top**2 + left**2 < radius**2 if kind == 1 else np.maximum(top, left) < radius * 0.9
            picture[inside, 0] += rng.uniform(0.6, 1.0)
            truth[inside] = kind
    return x, y


def convolutions(x: Any, filters: int) -> Any:
    """Two convolutions that keep the size."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return x


def build(size: int, width: int = 8, depth: int = 2) -> nabi.Model:
    """`depth` halvings and as many doublings, with a bridge at each size."""
    picture = layers.Input((size, size, 1))
    x, bridges = picture, []
    for level in range(depth):
        x = convolutions(x, width << level)
        bridges.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = convolutions(x, width << depth)
    for level in reversed(range(depth)):
        x = layers.UpSampling2D(2)(x)
        x = layers.Concatenate()([x, bridges[level]])
        x = convolutions(x, width << level)
    return nabi.Model(picture, layers.Conv2D(len(CLASSES), 1, activation="softmax")(x), name="unet")


def overlap(truth: np.ndarray, found: np.ndarray) -> list[float]:
    """Intersection over union of each class."""
    return [
        float(((truth == c) & (found == c)).sum() / max(((truth == c) | (found == c)).sum(), 1))
        for c in range(len(CLASSES))
    ]


def main(
    epochs: int = 8, samples: int = 1_000, size: int = 32, verbose: int = 2
) -> tuple[nabi.Model, nabi.callbacks.History, list[float]]:
    """Trains on made-up pictures; returns the model, its history and the overlap of each class in new pictures."""
    nabi.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    train, test = shapes(samples, size, rng), shapes(max(samples // 5, 1), size, rng)
    model = build(size)
    model.compile(nabi.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*train, batch_size=16, epochs=epochs, validation_data=test, verbose=verbose)

    found = model.predict(test[0], verbose=0).argmax(-1)
    overlaps = overlap(test[1], found)
    print("Intersection over union:", ", ".join(f"{n} {v:.3f}" for n, v in zip(CLASSES, overlaps, strict=True)))
    print("Picture, found, truth:")
    show(test[0][0, ..., 0], found[0] / 2, test[1][0] / 2)
    return model, history, overlaps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--size", type=int, default=32, help="of the pictures, in pixels: a multiple of 4")
    main(**vars(parser.parse_args()))
