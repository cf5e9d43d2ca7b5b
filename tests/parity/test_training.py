"""fit, evaluate, train_on_batch: histories, names, order and weights equal Keras's, for every loss and optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.pair import Array, close, keras, nabi, numbers, pair, same_weights

SAMPLES, FEATURES, CLASSES, BATCH = 44, 6, 3, 16  # 16 + 16 + 12: the last batch is ragged

X = numbers(SAMPLES, FEATURES, seed=1)
SCORES = X @ numbers(FEATURES, CLASSES, seed=2)
LABELS = SCORES.argmax(1)
TARGETS: dict[str, Array] = {
    "labels": LABELS,
    "labels column": LABELS[:, None].astype("uint8"),
    "one-hot": np.eye(CLASSES)[LABELS],
    "binary": (SCORES[:, :1] > 0).astype("int64"),
    "binary flat": (SCORES[:, 0] > 0).astype("float32"),
    "signs": np.where(SCORES[:, :1] > 0, 1.0, -1.0),
    "multilabel": (SCORES > 0).astype("float32"),
    "values": SCORES[:, :1],
    "values flat": SCORES[:, 0].astype("float64"),
    "positive": np.abs(SCORES).astype("float32") + 0.1,
    "vectors": SCORES,
}
WEIGHTS = np.random.default_rng(3).uniform(0.2, 2.0, SAMPLES)


def _mlp(side: Any, units: int, activation: str | None, regularizer: Callable[[Any], Any] | None = None) -> Any:
    regularizer = regularizer or (lambda side: None)
    return side.Sequential(
        [
            side.Input(shape=(FEATURES,)),
            side.layers.Dense(7, activation="tanh", kernel_regularizer=regularizer(side)),
            side.layers.Dense(units, activation=activation, bias_regularizer=regularizer(side)),
        ]
    )


def _same_history(found: dict[str, list[float]], wanted: dict[str, list[float]]) -> None:
    assert list(found) == list(wanted)
    for key, values in wanted.items():
        assert all(type(value) is type(values[0]) for value in found[key]), (key, type(found[key][0]), type(values[0]))
        np.testing.assert_allclose(found[key], values, rtol=1e-3, atol=1e-6, err_msg=key)


def _fit(
    make: Callable[[Any], Any],
    target: str,
    loss: Any,
    optimizer: Any = "sgd",
    metrics: Any = None,
    weighted: Any = None,
    tolerance: float = 1e-4,
    evaluate: bool = False,
    **fit: Any,
) -> tuple[Any, Any]:
    """Two epochs in both libraries; loss, optimizer, metrics: a name, or a function of the library."""
    theirs, ours = pair(make)
    histories, results = [], []
    for side, model in ((keras, theirs), (nabi, ours)):
        of = [thing(side) if callable(thing) else thing for thing in (optimizer, loss, metrics, weighted)]
        model.compile(optimizer=of[0], loss=of[1], metrics=of[2], weighted_metrics=of[3])
        y = TARGETS[target]
        arguments = {"epochs": 2, "batch_size": BATCH, "shuffle": False, "verbose": 0} | fit
        histories.append(model.fit(X, y, **arguments))
        if evaluate:
            results.append(model.evaluate(X, y, batch_size=BATCH, verbose=0))
            results.append(model.evaluate(X, y, batch_size=BATCH, verbose=0, sample_weight=WEIGHTS, return_dict=True))
    assert histories[1].epoch == histories[0].epoch
    _same_history(histories[1].history, histories[0].history)
    same_weights(theirs, ours, tolerance)
    if evaluate:
        assert type(results[2]) is type(results[0])
        np.testing.assert_allclose(results[2], results[0], rtol=1e-3)
        assert list(results[3]) == list(results[1])
        np.testing.assert_allclose(list(results[3].values()), list(results[1].values()), rtol=1e-3)
    assert ours.metrics_names == theirs.metrics_names
    assert [m.name for m in ours.metrics] == [m.name for m in theirs.metrics]
    return theirs, ours


def _loss(name: str, **arguments: Any) -> Callable[[Any], Any]:
    return lambda side: getattr(side.losses, name)(**arguments)


LOSSES: list[tuple[Any, str, int, str | None]] = [
    ("mse", "values", 1, None),
    ("mean_squared_error", "values flat", 1, None),
    ("MeanSquaredError", "vectors", 3, None),
    ("mae", "vectors", 3, None),
    ("mape", "positive", 3, None),
    ("msle", "positive", 3, "softplus"),
    ("categorical_crossentropy", "one-hot", 3, "softmax"),
    (_loss("CategoricalCrossentropy", label_smoothing=0.1), "one-hot", 3, "softmax"),
    (_loss("CategoricalCrossentropy", from_logits=True), "one-hot", 3, None),
    (_loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.2, reduction="sum"), "one-hot", 3, None),
    ("sparse_categorical_crossentropy", "labels", 3, "softmax"),
    ("crossentropy", "labels column", 3, "softmax"),
    (_loss("SparseCategoricalCrossentropy", from_logits=True), "labels column", 3, None),
    (_loss("SparseCategoricalCrossentropy", from_logits=True, ignore_class=1), "labels", 3, None),
    ("binary_crossentropy", "binary", 1, "sigmoid"),
    ("bce", "binary flat", 1, "sigmoid"),
    ("BinaryCrossentropy", "multilabel", 3, "sigmoid"),
    (_loss("BinaryCrossentropy", from_logits=True, label_smoothing=0.1), "multilabel", 3, None),
    (_loss("BinaryCrossentropy", label_smoothing=0.3), "binary", 1, "sigmoid"),
    ("binary_focal_crossentropy", "multilabel", 3, "sigmoid"),
    ("categorical_focal_crossentropy", "one-hot", 3, "softmax"),
    (_loss("Huber", delta=0.5), "vectors", 3, None),
    ("log_cosh", "vectors", 3, None),
    ("kl_divergence", "one-hot", 3, "softmax"),
    ("poisson", "positive", 3, "softplus"),
    ("cosine_similarity", "vectors", 3, None),
    ("hinge", "signs", 1, "tanh"),
    ("squared_hinge", "binary", 1, "tanh"),
    ("categorical_hinge", "one-hot", 3, "softmax"),
    ("dice", "multilabel", 3, "sigmoid"),
    ("tversky", "multilabel", 3, "sigmoid"),
    (lambda side: lambda y, p: side.ops.mean(side.ops.square(y - p) + side.ops.abs(p), axis=-1), "vectors", 3, None),
]


@pytest.mark.parametrize(("loss", "target", "units", "activation"), LOSSES)
def test_losses(loss: Any, target: str, units: int, activation: str | None) -> None:
    _fit(lambda side: _mlp(side, units, activation), target, loss, lambda side: side.optimizers.SGD(0.02))


OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.05}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.1, "momentum": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.01}),
    ("SGD", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.01, "weight_decay": 0.05, "global_clipnorm": 1.0}),
    ("Adam", {"learning_rate": 0.01, "use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 4}),
    ("Adam", {"learning_rate": 0.01, "gradient_accumulation_steps": 2}),
    ("AdamW", {"learning_rate": 0.01}),
    ("Adamax", {"learning_rate": 0.01}),
    ("Nadam", {"learning_rate": 0.01}),
    ("Lamb", {"learning_rate": 0.01}),
    ("Lion", {"learning_rate": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.9, "rho": 0.8}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True, "clipvalue": 0.1}),
    ("Adagrad", {"learning_rate": 0.05}),
    ("Adadelta", {"learning_rate": 0.5}),
    ("Ftrl", {"learning_rate": 0.05, "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02}),
]


def _optimizer_id(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(f"{k}={v}" for k, v in value.items())


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=_optimizer_id)
def test_optimizers(name: str, arguments: dict[str, Any]) -> None:
    theirs, ours = _fit(
        lambda side: _mlp(side, 3, "softmax"),
        "one-hot",
        "categorical_crossentropy",
        lambda side: getattr(side.optimizers, name)(**arguments),
    )
    a, b = theirs.optimizer, ours.optimizer
    named = [(v.name, tuple(v.shape)) for v in a.variables]  # Nadam's product of momenta has an automatic name there
    named = [("u_product", shape) if name.startswith("variable") else (name, shape) for name, shape in named]
    assert [(v.name, tuple(v.shape)) for v in b.variables] == named
    assert int(b.iterations) == int(a.iterations) == 6 // arguments.get("gradient_accumulation_steps", 1)
    for found, wanted in zip(b.variables, a.variables, strict=True):
        np.testing.assert_allclose(found.numpy(), np.asarray(wanted), rtol=1e-3, atol=1e-5, err_msg=found.path)


SCHEDULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ExponentialDecay", (0.1, 2, 0.5), {"staircase": True}),
    ("CosineDecay", (0.1, 5), {"warmup_target": 0.2, "warmup_steps": 2}),
    ("PiecewiseConstantDecay", ([1, 3], [0.1, 0.05, 0.01]), {}),
    ("PolynomialDecay", (0.1, 4), {"power": 2.0}),
    ("InverseTimeDecay", (0.1, 2, 0.5), {}),
]


@pytest.mark.parametrize(("name", "positional", "arguments"), SCHEDULES, ids=lambda v: v if isinstance(v, str) else "")
def test_schedules(name: str, positional: tuple[Any, ...], arguments: dict[str, Any]) -> None:
    _fit(
        lambda side: _mlp(side, 1, None),
        "values",
        "mse",
        lambda side: side.optimizers.SGD(getattr(side.optimizers.schedules, name)(*positional, **arguments)),
    )


METRICS: list[tuple[str, int, str | None, str, Any, Any]] = [
    ("labels", 3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], None),
    ("labels column", 3, "softmax", "sparse_categorical_crossentropy", ["acc"], ["accuracy"]),
    ("one-hot", 3, "softmax", "categorical_crossentropy", ["accuracy", "mse", "MeanSquaredError"], ["acc", "mae"]),
    ("binary", 1, "sigmoid", "binary_crossentropy", ["Accuracy", "mae"], ["accuracy"]),
    ("multilabel", 3, "sigmoid", "binary_crossentropy", ["accuracy", "binary_accuracy"], ["binary_accuracy"]),
    ("values", 1, None, "mse", ["mae", "mae", "mape", "cosine_similarity"], ["mae", "mse"]),
    ("one-hot", 3, "softmax", "ce", ["CategoricalCrossentropy", "categorical_crossentropy"], None),
    (
        "one-hot",
        3,
        "softmax",
        "categorical_crossentropy",
        lambda side: [
            side.metrics.CategoricalAccuracy(name="hits"),
            side.metrics.MeanSquaredError(),
            side.metrics.RootMeanSquaredError(),
            side.metrics.Precision(),
            side.metrics.Recall(thresholds=0.4),
            side.metrics.TopKCategoricalAccuracy(k=2),
        ],
        lambda side: [side.metrics.CategoricalAccuracy(name="hits")],
    ),
    ("vectors", 3, None, "mse", lambda side: [lambda y, p: side.ops.mean(side.ops.abs(y), axis=-1)], None),
]


@pytest.mark.parametrize(("target", "units", "activation", "loss", "metrics", "weighted"), METRICS)
def test_metrics(target: str, units: int, activation: str | None, loss: Any, metrics: Any, weighted: Any) -> None:
    _fit(
        lambda side: _mlp(side, units, activation),
        target,
        loss,
        lambda side: side.optimizers.SGD(0.05),
        metrics,
        weighted,
        evaluate=True,
        validation_split=0.25,
    )


_L2: Callable[[Any], Any] = lambda side: side.regularizers.L2(0.02)  # noqa: E731
_L1L2: Callable[[Any], Any] = lambda side: side.regularizers.L1L2(0.01, 0.02)  # noqa: E731

FITS: dict[str, tuple[str, Any, Callable[[Any], Any], dict[str, Any]]] = {
    "sample_weight": ("values", "mse", lambda s: _mlp(s, 1, None), {"sample_weight": WEIGHTS}),
    "sample_weight and split": (
        "labels",
        "sparse_categorical_crossentropy",
        lambda s: _mlp(s, 3, "softmax"),
        {"sample_weight": WEIGHTS, "validation_split": 0.3},
    ),
    "sample_weight, mean with weights": (
        "values",
        lambda s: s.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
        lambda s: _mlp(s, 1, None),
        {"sample_weight": WEIGHTS},
    ),
    "class_weight labels": (
        "labels",
        "sparse_categorical_crossentropy",
        lambda s: _mlp(s, 3, "softmax"),
        {"class_weight": {0: 2.0, 2: 0.25}, "validation_split": 0.2},
    ),
    "class_weight column": (
        "binary",
        "binary_crossentropy",
        lambda s: _mlp(s, 1, "sigmoid"),
        {"class_weight": {0: 0.5, 1: 3.0}},
    ),
    "class_weight one-hot": (
        "one-hot",
        "categorical_crossentropy",
        lambda s: _mlp(s, 3, "softmax"),
        {"class_weight": {0: 2.0, 1: 0.5, 2: 1.5}},
    ),
    "l2": ("values", "mse", lambda s: _mlp(s, 1, None, _L2), {"validation_split": 0.2}),
    "l1_l2": ("values", "mse", lambda s: _mlp(s, 1, None, _L1L2), {"sample_weight": WEIGHTS}),
    "validation_data": (
        "values",
        "mse",
        lambda s: _mlp(s, 1, None),
        {"validation_data": (X[:9], TARGETS["values"][:9], WEIGHTS[:9]), "validation_batch_size": 4},
    ),
    "validation_freq": ("values", "mse", lambda s: _mlp(s, 1, None), {"validation_split": 0.2, "validation_freq": 2}),
    "steps_per_epoch": ("values", "mse", lambda s: _mlp(s, 1, None), {"steps_per_epoch": 2}),
    "initial_epoch": ("values", "mse", lambda s: _mlp(s, 1, None), {"initial_epoch": 3, "epochs": 5}),
    "default batch": ("values", "mse", lambda s: _mlp(s, 1, None), {"batch_size": None}),
}


@pytest.mark.parametrize("case", FITS)
def test_fits(case: str) -> None:
    target, loss, make, arguments = FITS[case]
    weighted = ["accuracy"] if target == "labels" else ["mae"]
    optimizer = lambda side: side.optimizers.Adam(0.01)  # noqa: E731
    _fit(make, target, loss, optimizer, ["accuracy"], weighted, evaluate=True, **arguments)


def test_convolutional_network() -> None:
    """Convolution, batch norm, pooling and L2 together, with images and a ragged last batch."""
    x, y = numbers(21, 9, 8, 2, seed=4), np.arange(21) % CLASSES

    def make(side: Any) -> Any:
        layers = side.layers
        return side.Sequential(
            [
                side.Input(shape=(9, 8, 2)),
                layers.Conv2D(6, 3, padding="same", activation="relu", kernel_regularizer=side.regularizers.L2(0.01)),
                layers.BatchNormalization(momentum=0.8),
                layers.MaxPooling2D(2, padding="same"),
                layers.Conv2D(5, 2, strides=2, use_bias=False),
                layers.LeakyReLU(),
                layers.GlobalAveragePooling2D(),
                layers.Dropout(0.0),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )

    theirs, ours = pair(make)
    histories = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile(side.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
        fit = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, "validation_data": (x[:6], y[:6])}
        histories.append(model.fit(x, y, **fit).history)
    _same_history(histories[1], histories[0])
    same_weights(theirs, ours, 3e-4)


def test_functional_with_branches() -> None:
    """Concatenate and a residual Add, each weight used by one branch or by both."""

    def make(side: Any) -> Any:
        inputs = side.Input(shape=(FEATURES,), name="features")
        left = side.layers.Dense(4, activation="relu")(inputs)
        right = side.layers.Dense(4, activation="tanh")(inputs)
        added = side.layers.Add()([left, right])
        joined = side.layers.Concatenate()([added, left, inputs])
        return side.Model(inputs, side.layers.Dense(CLASSES, activation="softmax")(joined))

    _fit(make, "one-hot", "categorical_crossentropy", "adam", ["accuracy"], evaluate=True, validation_split=0.2)


def test_on_batch_values() -> None:
    """train_on_batch, test_on_batch and predict_on_batch: values, types, and metrics that go on until reset."""
    theirs, ours = pair(lambda side: _mlp(side, 3, "softmax"))
    y = TARGETS["labels"]
    seen: list[list[Any]] = [[], []]
    for out, side, model in zip(seen, (keras, nabi), (theirs, ours), strict=True):
        model.compile(side.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
        out.append(model.train_on_batch(X[:10], y[:10]))
        out.append(model.train_on_batch(X[10:13], y[10:13], return_dict=True))
        out.append(model.train_on_batch(X[:10], y[:10], sample_weight=WEIGHTS[:10]))
        out.append(model.train_on_batch(X[:10], y[:10], class_weight={0: 3.0}))
        model.reset_metrics()
        out.append(model.test_on_batch(X[:10], y[:10]))
        out.append(model.test_on_batch(X[:7], y[:7], return_dict=True))
    for wanted, found in zip(*seen, strict=True):
        assert type(found) is type(wanted)
        if isinstance(wanted, dict):
            assert list(found) == list(wanted)
            found, wanted = list(found.values()), list(wanted.values())
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        assert [type(v) for v in found] == [type(v) for v in wanted]
    close(np.asarray(ours.predict_on_batch(X[:5])), np.asarray(theirs.predict_on_batch(X[:5])), 1e-4)
    same_weights(theirs, ours)


def test_loss_only_gives_scalars() -> None:
    theirs, ours = pair(lambda side: _mlp(side, 1, None))
    for call in ("train_on_batch", "test_on_batch", "evaluate"):
        kinds = []
        for model in (theirs, ours):
            model.compile("sgd", "mse")
            value = getattr(model, call)(X, TARGETS["values"], **({"verbose": 0} if call == "evaluate" else {}))
            assert np.ndim(value) == 0
            kinds.append((type(value), float(value)))
        assert kinds[1][0] is kinds[0][0], call
        np.testing.assert_allclose(kinds[1][1], kinds[0][1], rtol=1e-4)


def test_callbacks_see_the_same() -> None:
    """The same hooks in the same order with the same keys."""
    seen: list[list[Any]] = [[], []]
    for out, side in zip(seen, (keras, nabi), strict=True):

        def record(name: str, out: list[Any]) -> Callable[..., None]:
            def hook(self: Any, number: Any = None, logs: Any = None) -> None:
                first = sorted(number) if isinstance(number, dict) else number
                out.append((name, first, sorted(logs) if isinstance(logs, dict) else logs))

            return hook

        hooks = [f"on_{what}_{when}" for what in ("train", "test", "epoch") for when in ("begin", "end")]
        hooks += [f"on_{what}_batch_{when}" for what in ("train", "test") for when in ("begin", "end")]
        Recorder = type("Recorder", (side.callbacks.Callback,), {name: record(name, out) for name in hooks})
        model = _mlp(side, 3, "softmax")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        recorder = Recorder()
        fit = {"epochs": 2, "batch_size": BATCH, "validation_split": 0.2, "verbose": 0, "callbacks": [recorder]}
        model.fit(X, TARGETS["labels"], **fit)
        out.append(recorder.params)
        model.evaluate(X, TARGETS["labels"], verbose=0, callbacks=[recorder])
    assert seen[1] == seen[0]
