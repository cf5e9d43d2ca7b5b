"""Functional models made of ops: Keras reads Nabi's configs and Nabi reads Keras's, and both compute the same."""
# ruff: noqa: E501

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from parity.pair import close, keras, nabi, numbers

X, Y = numbers(4, 5, 6), np.abs(numbers(4, 5, 6, seed=1)) + 0.5

#: From the module of ops and two symbolic tensors (4, 5, 6), the second positive, to what a model gives.
GRAPHS: dict[str, Any] = {
    "operators": lambda ops, x, y: -x + 2 * y - x * y / (1 + y) + 3.0 / y + y**2 + abs(x) - 1,
    "more operators": lambda ops, x, y: (2.0**x) // y + y % 0.7 + x @ ops.transpose(y, (0, 2, 1)) @ y,
    "comparisons": lambda ops, x, y: ops.cast((x > 0) & ~(y <= 1) | (x < y), "float32") + ops.where(x >= y, x, 2 * y),
    "xor, equal": lambda ops, x, y: ops.cast(((x > 0) ^ (y != 1.5)), "int32") + ops.cast(ops.equal(x, x), "int32"),
    "indexing": lambda ops, x, y: x[:, 1] + y[:, -1, ::1] + x[:, 0, None][:, 0] + x[..., 1:2, :][:, 0],
    "shapes": lambda ops, x, y: ops.squeeze(ops.expand_dims(ops.reshape(ops.transpose(x, (0, 2, 1)), (4, 30)), 1), 1),
    "flip, roll": lambda ops, x, y: ops.flip(x, axis=1) + ops.roll(y, 2, axis=-1) + ops.moveaxis(ops.swapaxes(x, 1, 2), 1, 2),
    "join": lambda ops, x, y: ops.concatenate([x, y], axis=-1) + ops.stack([x, y], axis=1)[:, 0, :, :1],
    "stacks": lambda ops, x, y: ops.hstack([x, y])[:, :5] + ops.vstack([x, y])[:4, :] + ops.dstack([x, y])[..., :6],
    "split": lambda ops, x, y: sum(ops.split(x, 3, axis=2)) + ops.array_split(y, 3, axis=-1)[0],
    "pad": lambda ops, x, y: ops.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=2.0) * ops.pad(
        y, ((0, 0), (1, 2), (0, 1)), mode="reflect"
    ),
    "repeat, tile": lambda ops, x, y: ops.repeat(x, 2, axis=1) + ops.tile(y, (1, 2, 1)),
    "reductions": lambda ops, x, y: ops.sum(x, axis=1) + ops.mean(y, 1) + ops.max(x, axis=1) - ops.min(y, axis=(1,)),
    "more reductions": lambda ops, x, y: ops.std(x, axis=1, keepdims=True) + ops.var(y, axis=2, keepdims=True)
    + ops.prod(y, axis=-1, keepdims=True) + ops.logsumexp(x, axis=1, keepdims=True),
    "any, all": lambda ops, x, y: ops.cast(ops.any(x > 1, axis=1), "float32") + ops.cast(ops.all(y > 0, axis=1), "float32"),
    "positions": lambda ops, x, y: ops.argmax(x, axis=-1) + ops.argmin(y, axis=-1) + ops.argsort(x, axis=-1)[..., 0],
    "cumulative": lambda ops, x, y: ops.cumsum(x, axis=1) + ops.cumprod(y, axis=1) + ops.sort(x, axis=1),
    "top_k": lambda ops, x, y: ops.top_k(x, 2)[0] + ops.cast(ops.top_k(y, 2, sorted=True)[1], "float32"),
    "norm": lambda ops, x, y: ops.norm(x) + ops.linalg.norm(ops.reshape(y, (120,)), ord=2),
    "products": lambda ops, x, y: ops.einsum("bij,bkj->bik", x, y) @ ops.matmul(x, ops.transpose(y, (0, 2, 1))),
    "tensordot": lambda ops, x, y: ops.tensordot(x, y, axes=[[1, 2], [1, 2]]) + ops.dot(x[:, 0], ops.transpose(y[:, 0])),
    "elementary": lambda ops, x, y: ops.exp(x) + ops.log(y) + ops.sqrt(y) + ops.rsqrt(y) + ops.square(x) + ops.sign(x)
    + ops.sin(x) + ops.cos(x) + ops.tanh(x) + ops.erf(x) + ops.log1p(y) + ops.expm1(x) + ops.reciprocal(y),
    "rounding": lambda ops, x, y: ops.round(x, 1) + ops.floor(y) + ops.ceil(x) + ops.clip(x, -0.5, 0.5) + ops.trunc(y),
    "pairs": lambda ops, x, y: ops.maximum(x, y) + ops.minimum(x, 0.3) + ops.power(y, 2) + ops.arctan2(x, y)
    + ops.logaddexp(x, y) + ops.divide_no_nan(x, y) + ops.cast(ops.isclose(x, y), "float32"),
    "nan": lambda ops, x, y: ops.nan_to_num(ops.log(x), nan=1.5) + ops.cast(ops.isnan(ops.log(x)), "float32"),
    "like": lambda ops, x, y: ops.zeros_like(x) + ops.ones_like(y) + ops.full_like(x, 2.5) + ops.stop_gradient(x),
    "take": lambda ops, x, y: ops.take(x, [0, 2], axis=2) + ops.take_along_axis(y, ops.argsort(y, axis=2), axis=2)[..., :2],
    "triangles": lambda ops, x, y: ops.tril(x) + ops.triu(y, k=1) + ops.diff(ops.pad(x, ((0, 0), (0, 0), (1, 0))), axis=-1),
    "one_hot": lambda ops, x, y: ops.one_hot(ops.argmax(x, axis=-1), 6) + ops.multi_hot(ops.argmax(x, axis=-1), 6)[:, None],
    "activations": lambda ops, x, y: ops.relu(x) + ops.sigmoid(x) + ops.softplus(x) + ops.silu(x) + ops.gelu(x, approximate=False)
    + ops.leaky_relu(x, negative_slope=0.3) + ops.elu(x, alpha=0.5) + ops.selu(x) + ops.hard_sigmoid(x) + ops.celu(x)
    + ops.relu6(x) + ops.softsign(x) + ops.log_sigmoid(x) + ops.hard_tanh(x) + ops.threshold(x, 0.1, 0.2),
    "softmax": lambda ops, x, y: ops.softmax(x, axis=1) + ops.log_softmax(y) + ops.normalize(x, axis=1, order=2),
    "normalizations": lambda ops, x, y: ops.layer_normalization(x, axis=-1) + ops.rms_normalization(y, axis=-1),
    "normalizations with weights": lambda ops, x, y: ops.layer_normalization(x, y[0, 0], y[0, 1], epsilon=1e-2)
    + ops.rms_normalization(x, y[0, 0], axis=-1, epsilon=1e-2),
    "batch_normalization": lambda ops, x, y: ops.batch_normalization(
        x, x[0, 0], y[0, 0], axis=-1, offset=x[0, 1], scale=y[0, 1], epsilon=1e-2
    ),
    "moments": lambda ops, x, y: ops.moments(x, axes=[1])[0] + ops.moments(x, axes=[1], keepdims=True)[1][:, 0],
    "psnr": lambda ops, x, y: ops.psnr(x, y, 2.0),
    "losses": lambda ops, x, y: ops.categorical_crossentropy(ops.softmax(x), ops.softmax(y)) + ops.sum(
        ops.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(y), from_logits=True), axis=-1
    ),
    "pooling": lambda ops, x, y: ops.max_pool(x, 2, 1, padding="same") + ops.average_pool(y, 2, strides=1, padding="same"),
    "conv": lambda ops, x, y: ops.conv(x, ops.ones((3, 6, 2)), 1, padding="same"),
    "attention": lambda ops, x, y: ops.dot_product_attention(x[:, :, None], y[:, :, None], x[:, :, None], is_causal=True),
    "slices": lambda ops, x, y: ops.slice_update(x, [0, 1, 1], ops.slice(y, [0, 0, 0], [4, 2, 3])),
    "scatter": lambda ops, x, y: ops.scatter_update(x, [[0, 0, 0], [1, 1, 1]], y[0, 0, :2]),
    "segments": lambda ops, x, y: ops.segment_sum(ops.reshape(x, (20, 6)), ops.arange(20) // 5, num_segments=4),
    "searchsorted": lambda ops, x, y: ops.searchsorted(ops.sort(ops.reshape(x, (120,))), x[0, 0], side="right"),
    "isin": lambda ops, x, y: ops.cast(ops.isin(x, x[0, 0]), "int32"),
    "cdist": lambda ops, x, y: ops.cdist(x, y),
    "unstack": lambda ops, x, y: sum(ops.unstack(x, axis=1)) + ops.trapezoid(y, dx=0.5, axis=1),
    "quantile": lambda ops, x, y: ops.quantile(x, 0.3) + ops.median(y) + ops.average(x, axis=1),
    "bincount": lambda ops, x, y: ops.bincount(ops.argmax(x, axis=-1), minlength=7),
    "spaces": lambda ops, x, y: ops.broadcast_to(x[:, :1], (4, 5, 6)) * ops.linspace(0.0, 1.0, 6),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_op_configs(name: str) -> None:
    models = []
    for side in (keras, nabi):
        inputs = [side.Input(batch_shape=X.shape, name=label) for label in "xy"]
        models.append(side.Model(inputs, GRAPHS[name](side.ops, *inputs)))
    theirs, ours = models
    wanted = np.asarray(theirs([X, Y]))
    close(ours([X, Y]), wanted, 1e-4)
    close(np.asarray(keras.models.model_from_json(ours.to_json())([X, Y])), wanted, 1e-4)
    close(nabi.models.model_from_json(theirs.to_json())([X, Y]), wanted, 1e-4)
    close(nabi.models.model_from_json(ours.to_json())([X, Y]), wanted, 1e-4)
    kinds = [[layer["class_name"] for layer in json.loads(m.to_json())["config"]["layers"]] for m in models]
    assert kinds[1] == kinds[0]
    if name != "spaces":
        assert [layer.name for layer in ours.operations] == [layer.name for layer in theirs.operations]
