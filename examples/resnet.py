"""A residual network: blocks that learn what to add to their input.

Run `python examples/resnet.py`. Each block is two convolutions with batch normalization, and a way around them; where a
block halves the picture, a convolution of one pixel does so on the way around too (He et al., Deep Residual Learning
for Image Recognition, 2015).
"""

from __future__ import annotations

import argparse
from typing import Any

from pictures import load

import nabi
from nabi import layers


def block(x: Any, filters: int, strides: int = 1) -> Any:
    """One residual block: (batch, h, w, c) to (batch, h / strides, w / strides, filters)."""
    around = x
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    if strides != 1 or around.shape[-1] != filters:
        around = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(around)
        around = layers.BatchNormalization(momentum=0.9)(around)
    return layers.ReLU()(layers.Add()([x, around]))


def build(shape: tuple[int, ...], classes: int = 10, width: int = 16) -> nabi.Model:
    """Three stages of blocks, each of half the size and twice the width of the one before, then an average."""
    picture = layers.Input(shape)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(picture)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    for stage in range(3):
        x = block(x, width << stage, strides=1 if stage == 0 else 2)
    x = layers.GlobalAveragePooling2D()(x)
    return nabi.Model(picture, layers.Dense(classes, activation="softmax")(x), name="resnet")


def main(
    epochs: int = 4, samples: int = 10_000, data: str = "fashion_mnist", width: int = 16, verbose: int = 2
) -> tuple[nabi.Model, nabi.callbacks.History]:
    """Trains a classifier of pictures with a falling learning rate; returns the model and its history."""
    nabi.utils.set_random_seed(0)
    train, test = load(data, samples)
    model = build(train[0].shape[1:], width=width)
    steps = epochs * -(-len(train[0]) // 64)
    rate = nabi.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(nabi.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*train, batch_size=64, epochs=epochs, validation_data=test, verbose=verbose)
    print(f"{model.count_params():,} parameters, test accuracy {history.history['val_accuracy'][-1]:.4f}")
    return model, history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--data", default="fashion_mnist", choices=["mnist", "fashion_mnist", "cifar10", "digits"])
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    main(**vars(parser.parse_args()))
