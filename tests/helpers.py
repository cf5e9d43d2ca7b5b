"""What the tests of layers share: one check of a layer against NumPy."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import layers, ops, tree
from nabi.trace import KerasTensor, Trace

Array = np.ndarray[Any, Any]
Reference = Callable[[Any, list[Array]], Array]


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal float64 numbers, rounded to float32 so that both precisions see the same ones."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32).astype(np.float64)


def check_layer(
    layer: layers.Layer,
    inputs: Any,
    reference: Reference,
    *,
    weights: tuple[str, ...] = (),
    gradients: bool = True,
    tolerance: float = 2e-5,
    **call: Any,
) -> layers.Layer:
    """Runs a layer every way there is and compares it with NumPy.

    Forward in float32 on arrays, shapes for symbolic inputs with a free batch, the config through JSON and back, and
    in float64 the gradients of a weighted sum of the output by inputs and weights, against central differences of the
    reference along random directions.

    Args:
        layer: not built; its weights are replaced by random ones.
        inputs: an array, or a list of them, float64.
        reference: from (inputs, weights) to the output, in float64.
        weights: the names of all weights, in order.
        gradients: False for outputs that are not differentiable.
        **call: further arguments of the call.

    Returns:
        The layer, built.
    """
    floats = tree.map_structure(lambda x: x.astype(np.float32), inputs)
    first = layer(floats, **call)
    assert layer.built
    assert tuple(w.name for w in layer.weights) == weights
    values = [
        normal(*w.shape, seed=i + 1) * 0.5 + (1.0 if "variance" in w.name else 0.0) for i, w in enumerate(layer.weights)
    ]
    values = [np.abs(v) if "variance" in w.name else v for v, w in zip(values, layer.weights, strict=True)]
    layer.set_weights(values)
    wanted = reference(inputs, values)
    found = layer(floats, **call)
    assert found.dtype == np.float32
    assert found.shape == wanted.shape == first.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)

    _check_shapes(layer, inputs, wanted.shape, call)
    _check_config(layer, floats, found, call)
    if gradients:
        _check_gradients(layer, inputs, values, reference, call)
    return layer


def _check_shapes(layer: layers.Layer, inputs: Any, shape: tuple[int, ...], call: dict[str, Any]) -> None:
    free = tree.map_structure(lambda x: (None, *x.shape[1:]), inputs)
    symbolic = tree.map_structure(lambda x: KerasTensor((None, *x.shape[1:]), "float32"), inputs)
    fresh = type(layer).from_config(layer.get_config())
    output = fresh(symbolic, **call)
    assert output.shape == (None, *shape[1:])
    assert output.dtype == "float32"
    assert output._keras_history.operation is fresh
    assert fresh.built and [w.shape for w in fresh.weights] == [w.shape for w in layer.weights]
    assert fresh.count_params() == sum(int(np.prod(w.shape)) for w in layer.weights)
    assert tuple(layer.compute_output_shape(free)) == (None, *shape[1:])


def _check_config(layer: layers.Layer, inputs: Any, output: Array, call: dict[str, Any]) -> None:
    config = layers.serialize(layer)
    text = json.dumps(config)
    again = layers.deserialize(json.loads(text))
    assert json.dumps(layers.serialize(again)) == text
    assert config["module"] == "keras.layers" and config["class_name"] == type(layer).__name__
    if not again.built:
        again(inputs, **call)
    again.set_weights(layer.get_weights())
    assert np.asarray(again(inputs, **call)).tobytes() == np.asarray(output).tobytes()
    copied = copy.deepcopy(layer)
    assert np.asarray(copied(inputs, **call)).tobytes() == np.asarray(output).tobytes()
    assert all(a is not b for a, b in zip(copied.weights, layer.weights, strict=True))


def _check_gradients(
    layer: layers.Layer, inputs: Any, values: list[Array], reference: Reference, call: dict[str, Any]
) -> None:
    double = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    with Trace() as trace:
        entered = tree.map_structure(lambda x: trace.input(x.shape, "float64"), inputs)
        output = double(entered, **call)
        assert output.dtype == "float64"
        upstream = normal(*output.shape, seed=99)
        loss = ops.sum(output * ops.convert_to_tensor(upstream, dtype="float64"))
        trainable = [i for i, w in enumerate(double.weights) if w.trainable]
        sources = [*tree.flatten(entered), *(double.weights[i] for i in trainable)]
        found = trace.gradients(loss, sources)
        assert all(g is not None for g in found)
        program = trace.compile([output, *(g for g in found if g is not None)])
    double.set_weights(values)
    result = program.call([np.ascontiguousarray(x) for x in tree.flatten(inputs)])
    np.testing.assert_allclose(result[0], reference(inputs, values), rtol=1e-9, atol=1e-9)

    flat = [*tree.flatten(inputs), *values]
    count = len(tree.flatten(inputs))

    def weighted(arrays: list[Array]) -> float:
        return float(np.sum(reference(tree.pack_sequence_as(inputs, arrays[:count]), arrays[count:]) * upstream))

    step = 1e-5
    for k, (place, gradient) in enumerate(
        zip([*range(count), *(count + i for i in trainable)], result[1:], strict=True)
    ):
        assert gradient.shape == flat[place].shape
        direction = normal(*flat[place].shape, seed=200 + k)
        ahead, back = list(flat), list(flat)
        ahead[place] = flat[place] + step * direction
        back[place] = flat[place] - step * direction
        slope = (weighted(ahead) - weighted(back)) / (2 * step)
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=2e-5, atol=2e-6)
