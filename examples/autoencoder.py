"""An autoencoder: pictures through a narrow place and back, and so also cleaned of noise.

Run `python examples/autoencoder.py`. The encoder leaves 32 numbers of a picture; the decoder must draw it from them.
Noise does not fit through: what comes out of a noisy picture is the digit alone.
"""

from __future__ import annotations

import argparse

import numpy as np
from pictures import load, show

import nabi
from nabi import layers


def build(shape: tuple[int, ...], code: int = 32) -> tuple[nabi.Model, nabi.Model]:
    """The autoencoder, and its first half, which is a model on the same variables."""
    height, width, channels = shape
    picture = layers.Input(shape)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(picture)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    encoder = nabi.Model(picture, layers.Dense(code, name="code")(x), name="encoder")

    decoder = nabi.Sequential(
        [
            layers.Input((code,)),
            layers.Dense(height // 4 * (width // 4) * 32, activation="relu"),
            layers.Reshape((height // 4, width // 4, 32)),
            layers.UpSampling2D(2),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2D(channels, 3, padding="same", activation="sigmoid"),
        ],
        name="decoder",
    )
    return nabi.Model(picture, decoder(encoder(picture)), name="autoencoder"), encoder


def main(
    epochs: int = 5, samples: int = 10_000, data: str = "mnist", verbose: int = 2
) -> tuple[nabi.Model, nabi.callbacks.History]:
    """Trains on noisy pictures with the clean ones as targets; returns the model and its history."""
    nabi.utils.set_random_seed(0)
    (clean, _), (clean_test, _) = load(data, samples)
    rng = np.random.default_rng(1)
    noisy, noisy_test = (x + rng.normal(0, 0.3, x.shape).astype("float32") for x in (clean, clean_test))

    model, encoder = build(clean.shape[1:])
    model.compile("adam", "binary_crossentropy", metrics=["mse"])
    history = model.fit(
        noisy, clean, batch_size=64, epochs=epochs, validation_data=(noisy_test, clean_test), verbose=verbose
    )

    drawn = model.predict(noisy_test, verbose=0)
    print(f"Codes of {encoder.output_shape[1]} numbers for pictures of {clean[0].size}.")
    print(f"Mean squared error: {np.mean((noisy_test - clean_test) ** 2):.4f} with noise, ", end="")
    print(f"{np.mean((drawn - clean_test) ** 2):.4f} redrawn. Noisy, redrawn, clean:")
    show(noisy_test[0, ..., 0], drawn[0, ..., 0], clean_test[0, ..., 0])
    return model, history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion_mnist", "digits"])
    main(**vars(parser.parse_args()))
