"""A generative adversarial network: two models that learn against each other.

Run `python examples/gan.py`. The generator draws pictures from noise; the discriminator says which pictures are real.
Each learns from the other's mistakes (Goodfellow et al., Generative Adversarial Networks, 2014).

The third model, noise to verdict, holds the other two: its variables are theirs. What trains is decided at `compile`:
in that model the discriminator is frozen, while by its own `compile`, made before, it goes on learning.
"""

from __future__ import annotations

import argparse

import numpy as np
from pictures import load, show

import nabi
from nabi import layers

NOISE = 32
Models = tuple[nabi.Sequential, nabi.Sequential, nabi.Sequential]


def build(shape: tuple[int, ...]) -> Models:
    """Generator, discriminator, and both in a row."""
    generator = nabi.Sequential(
        [
            layers.Input((NOISE,)),
            layers.Dense(256),
            layers.LeakyReLU(0.2),
            layers.BatchNormalization(momentum=0.8),
            layers.Dense(512),
            layers.LeakyReLU(0.2),
            layers.BatchNormalization(momentum=0.8),
            layers.Dense(int(np.prod(shape)), activation="sigmoid"),
            layers.Reshape(shape),
        ],
        name="generator",
    )
    discriminator = nabi.Sequential(
        [
            layers.Input(shape),
            layers.Flatten(),
            layers.Dense(256),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.4),
            layers.Dense(128),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.4),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="discriminator",
    )
    discriminator.compile(nabi.optimizers.Adam(2e-4, beta_1=0.5), "binary_crossentropy")

    discriminator.trainable = False
    gan = nabi.Sequential([layers.Input((NOISE,)), generator, discriminator], name="gan")
    gan.compile(nabi.optimizers.Adam(2e-4, beta_1=0.5), "binary_crossentropy")
    return generator, discriminator, gan


def distance(drawn: np.ndarray, real: np.ndarray) -> float:
    """How far two sets of pictures are apart: in mean and deviation of a pixel, averaged over the pixels."""
    return float(np.mean(np.abs(drawn.mean(0) - real.mean(0))) + np.mean(np.abs(drawn.std(0) - real.std(0))))


def main(
    epochs: int = 15, samples: int = 10_000, data: str = "mnist", batch_size: int = 64
) -> tuple[Models, dict[str, list[float]]]:
    """Trains both in turn; returns the three models and their history by epoch."""
    nabi.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    (real, _), _ = load(data, samples)
    batch_size = min(batch_size, len(real))
    generator, discriminator, gan = build(real.shape[1:])
    fixed = rng.normal(size=(500, NOISE)).astype("float32")

    def noise(count: int) -> np.ndarray:
        return rng.normal(size=(count, NOISE)).astype("float32")

    # What the discriminator should say: yes to real pictures (0.9: never quite sure), then no to drawn ones.
    verdicts = np.repeat(np.float32([0.9, 0]), batch_size)[:, None]
    history: dict[str, list[float]] = {"discriminator": [], "generator": [], "distance": []}
    print(f"Before training: distance {distance(generator.predict(fixed, verbose=0), real):.3f}")
    for epoch in range(epochs):
        judged, fooled = [], []
        order = rng.permutation(len(real))
        for start in range(0, len(real) - batch_size + 1, batch_size):
            batch = real[order[start : start + batch_size]]
            drawn = generator.predict_on_batch(noise(batch_size))
            judged.append(discriminator.train_on_batch(np.concatenate([batch, drawn]), verdicts))
            # The generator learns to be taken for real.
            fooled.append(gan.train_on_batch(noise(batch_size), np.ones((batch_size, 1), "float32")))
        history["discriminator"].append(float(np.mean(judged)))
        history["generator"].append(float(np.mean(fooled)))
        history["distance"].append(distance(generator.predict(fixed, verbose=0), real))
        print(f"Epoch {epoch + 1}/{epochs} - " + " - ".join(f"{name}: {h[-1]:.3f}" for name, h in history.items()))
    show(*generator.predict(fixed[:3], verbose=0)[..., 0])
    return (generator, discriminator, gan), history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion_mnist", "digits"])
    main(**vars(parser.parse_args()))
