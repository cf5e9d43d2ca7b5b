"""Every example runs, learns, and ends with the same bytes in its weights for one and for two threads."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import _core

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "pictures")
Example = Callable[[str], ModuleType]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Example:
    """An example as a module, by name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def on_one_and_two_threads(main: Callable[..., Any], models: Callable[[Any], Any], **arguments: Any) -> Any:
    """What `main(**arguments)` returns, after the weights of `models(result)` were found equal for 1 and 2 threads."""
    weights, result = [], None
    for threads in (2, 1):
        _core.set_num_threads(threads)
        _core.force_sharing(threads > 1)
        nabi.utils.clear_session()
        result = main(**arguments)
        weights.append([w.tobytes() for model in models(result) for w in model.get_weights()])
    assert len(weights[0]) > 3 and weights[0] == weights[1]
    return result


def test_autoencoder(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    model, history = on_one_and_two_threads(
        example("autoencoder").main, lambda result: result[:1], epochs=6, samples=1500, data="digits", verbose=0
    )
    error = history.history["val_mse"]
    assert error[-1] < 0.6 * error[0]
    assert error[-1] < 0.3**2  # less than the noise
    assert model.get_layer("encoder").output_shape == (None, 32)
    assert "Mean squared error: 0.09" in capsys.readouterr().out


def test_gan(example: Example) -> None:
    (generator, discriminator, gan), history = on_one_and_two_threads(
        example("gan").main, lambda result: result[0][2:], epochs=24, samples=1500, data="digits"
    )
    distance = history["distance"]
    assert len(distance) == 24
    assert distance[-1] < 0.5 * max(distance)
    assert all(np.isfinite(history["discriminator"] + history["generator"]))
    assert gan.layers == [generator, discriminator]
    assert not discriminator.trainable_variables
    assert [id(v) for v in gan.trainable_variables] == [id(v) for v in generator.trainable_variables]


def test_gan_trains_each_model_alone(example: Example) -> None:
    """The frozen discriminator learns by its own `compile` only, the generator by the whole model's."""
    nabi.utils.set_random_seed(0)
    generator, discriminator, gan = example("gan").build((8, 8, 1))

    def state() -> tuple[list[bytes], list[bytes]]:
        return ([w.tobytes() for w in generator.get_weights()], [w.tobytes() for w in discriminator.get_weights()])

    rng = np.random.default_rng(0)
    start = state()
    gan.train_on_batch(rng.normal(size=(8, 32)).astype("float32"), np.ones((8, 1), "float32"))
    after_gan = state()
    assert after_gan[0] != start[0] and after_gan[1] == start[1]
    discriminator.train_on_batch(rng.random((8, 8, 8, 1), "float32"), np.ones((8, 1), "float32"))
    after_discriminator = state()
    assert after_discriminator[0] == after_gan[0] and after_discriminator[1] != after_gan[1]


def test_resnet(example: Example) -> None:
    model, history = on_one_and_two_threads(
        example("resnet").main, lambda result: result[:1], epochs=4, samples=1000, data="digits", width=8, verbose=0
    )
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.8
    assert sum(isinstance(layer, nabi.layers.Add) for layer in model.layers) == 3


def test_siamese(example: Example) -> None:
    model, history = on_one_and_two_threads(
        example("siamese").main, lambda result: result[:1], epochs=4, samples=1000, data="digits", verbose=0
    )
    assert history.history["loss"][-1] < 0.6 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.8
    assert len(model.trainable_variables) == 8  # of one embedding


def test_unet(example: Example) -> None:
    _, history, overlaps = on_one_and_two_threads(
        example("unet").main, lambda result: result[:1], epochs=6, samples=300, size=24, verbose=0
    )
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.9
    assert min(overlaps) > 0.3


def test_a_data_set_that_is_not_there_is_replaced(
    example: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise FileNotFoundError("mnist.npz is in none of the folders")

    monkeypatch.setattr(nabi.datasets.mnist, "load_data", missing)
    (x, y), (x_test, y_test) = example("pictures").load("mnist", 200)
    assert x.shape == (200, 8, 8, 1) and y.shape == (200,) and x_test.shape == (40, 8, 8, 1) and y_test.shape == (40,)
    assert x.dtype == np.float32 and x.min() == 0 and x.max() == 1 and set(y) <= set(range(10))
    assert "mnist.npz is in none of the folders" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_command_line(name: str) -> None:
    arguments = ["--epochs", "1", "--samples", "64", *([] if name == "unet" else ["--data", "digits"])]
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_examples() -> None:
    assert NAMES == ["autoencoder", "gan", "resnet", "siamese", "unet"]
