"""Draws whole trainings as plain data: a chain of layers with branches, loss, metrics, optimizer, arguments of fit.

A thing of one of the libraries is written `Make("losses.Huber", {"delta": 0.5})` and made by `make(side, thing)`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

Array = np.ndarray[Any, Any]
Draw = Any


class Make(NamedTuple):
    """A call of a class of `keras` or `nabi`."""

    path: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.path}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"


class Branch(NamedTuple):
    """Two chains on one tensor, merged."""

    merge: Make
    left: list[Any]
    right: list[Any]


class Case(NamedTuple):
    """All that a comparison needs."""

    shape: tuple[int, ...]
    chain: list[Any]
    head: list[Make]
    kind: str
    loss: Make
    metrics: list[Any]
    weighted: list[Any]
    optimizer: Make
    weighting: str
    samples: int
    batch: int
    seed: int


def make(side: Any, thing: Any) -> Any:
    """The object in `side`, which is `keras` or `nabi`."""
    if isinstance(thing, Make):
        owner = side
        for part in thing.path.split("."):
            owner = getattr(owner, part)
        return owner(**{name: make(side, value) for name, value in thing.arguments.items()})
    return [make(side, entry) for entry in thing] if isinstance(thing, list) else thing


def make_model(side: Any, case: Case) -> Any:
    """The model, not compiled."""
    x = inputs = side.Input(shape=case.shape)
    for step in [*case.chain, *case.head]:
        x = _apply(side, x, step)
    return side.Model(inputs, x)


def _apply(side: Any, x: Any, step: Any) -> Any:
    if isinstance(step, Make):
        return make(side, step)(x)
    sides = []
    for chain in (step.left, step.right):
        branch = x
        for inner in chain:
            branch = _apply(side, branch, inner)
        sides.append(branch)
    return make(side, step.merge)(sides)


# ---------------------------------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------------------------------
ACTIVATIONS = (
    "elu exponential gelu hard_sigmoid leaky_relu linear log_softmax mish relu relu6 selu sigmoid silu softmax "
    "softplus softsign tanh hard_silu celu glu sparsemax squareplus tanh_shrink soft_shrink hard_shrink hard_tanh "
    "log_sigmoid"
).split()
_CALM = ["elu", "gelu", "relu", "sigmoid", "softplus", "softsign", "tanh", None, None]

_SMALL = st.floats(0.001, 0.1).map(lambda v: round(v, 4))


def _layer(name: str, **arguments: Any) -> Make:
    return Make(f"layers.{name}", arguments)


_regularizers = st.one_of(
    st.builds(lambda v: Make("regularizers.L1", {"l1": v}), _SMALL),
    st.builds(lambda v: Make("regularizers.L2", {"l2": v}), _SMALL),
    st.builds(lambda v, w: Make("regularizers.L1L2", {"l1": v, "l2": w}), _SMALL, _SMALL),
)
_constraints = st.one_of(
    st.builds(lambda v, a: Make("constraints.MaxNorm", {"max_value": v, "axis": a}), st.floats(0.3, 2), st.just(0)),
    st.just(Make("constraints.NonNeg", {})),
    st.builds(lambda a: Make("constraints.UnitNorm", {"axis": a}), st.just(0)),
    st.builds(
        lambda r: Make("constraints.MinMaxNorm", {"min_value": 0.3, "max_value": 0.9, "rate": r}), st.floats(0, 1)
    ),
)


def _rarely(draw: Draw, strategy: Any, one_in: int = 5) -> Any:
    return draw(strategy) if draw(st.integers(1, one_in)) == 1 else None


def _penalties(draw: Draw, weight: str = "kernel", bias: bool = True) -> dict[str, Any]:
    names = {f"{weight}_regularizer": _regularizers, f"{weight}_constraint": _constraints}
    names["activity_regularizer"] = _regularizers
    if bias:
        names |= {"bias_regularizer": _regularizers, "bias_constraint": _constraints}
    found = {name: _rarely(draw, strategy, 8) for name, strategy in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def _dense(draw: Draw, shape: tuple[int, ...], units: int | None = None) -> Make:
    use_bias = draw(st.booleans())
    arguments = {
        "units": units or draw(st.integers(1, 7)),
        "activation": draw(st.sampled_from(_CALM)),
        "use_bias": use_bias,
        **_penalties(draw, bias=use_bias),
    }
    return _layer("Dense", **arguments)


def _conv(draw: Draw, shape: tuple[int, ...], same: bool = False) -> Make:
    rank, channels = len(shape) - 1, shape[-1]
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3) if channels % g == 0]))
    padding = "same" if same else draw(st.sampled_from(["same", "valid", *(["causal"] if rank == 1 else [])]))
    size = [draw(st.integers(1, min(3, n) if padding == "valid" else 3)) for n in shape[:-1]]
    dilated = draw(st.integers(1, 5)) == 1
    strides, dilation = [1] * rank, [1] * rank
    if dilated:
        dilation = [draw(st.integers(1, 2)) for _ in range(rank)]
        if padding == "valid":
            dilation = [d if (k - 1) * d + 1 <= n else 1 for k, d, n in zip(size, dilation, shape, strict=False)]
    elif not same:
        strides = [draw(st.integers(1, 2)) for _ in range(rank)]
    use_bias = draw(st.booleans())
    return _layer(
        f"Conv{rank}D",
        filters=channels if same else groups * draw(st.integers(1, 4)),
        kernel_size=tuple(size),
        strides=tuple(strides),
        padding=padding,
        dilation_rate=tuple(dilation),
        groups=groups,
        activation=draw(st.sampled_from(_CALM)),
        use_bias=use_bias,
        **_penalties(draw, bias=use_bias),
    )


def _pool(draw: Draw, shape: tuple[int, ...]) -> Make:
    rank = len(shape) - 1
    padding = draw(st.sampled_from(["same", "valid"]))
    size = tuple(draw(st.integers(1, min(3, n) if padding == "valid" else 3)) for n in shape[:-1])
    strides = draw(st.sampled_from([None, tuple(draw(st.integers(1, 2)) for _ in size)]))
    kind = draw(st.sampled_from(["MaxPooling", "AveragePooling"]))
    return _layer(f"{kind}{rank}D", pool_size=size, strides=strides, padding=padding)


def _batch_norm(draw: Draw, shape: tuple[int, ...]) -> Make:
    arguments: dict[str, Any] = {
        "axis": draw(st.sampled_from([-1, -1, *range(1, len(shape) + 1)])),
        "momentum": draw(st.sampled_from([0.5, 0.9, 0.99])),
        "epsilon": draw(st.sampled_from([1e-3, 1e-2])),
        "center": draw(st.booleans()),
        "scale": draw(st.booleans()),
    }
    if arguments["scale"] and draw(st.integers(1, 6)) == 1:
        arguments["gamma_regularizer"] = draw(_regularizers)
    if arguments["center"] and draw(st.integers(1, 6)) == 1:
        arguments["beta_constraint"] = Make("constraints.NonNeg", {})
    return _layer("BatchNormalization", **arguments)


def _keeping(draw: Draw, shape: tuple[int, ...]) -> Make:
    """A layer whose output has the shape of its input."""
    rank = len(shape)
    kinds = ["Dense", "Activation", "Simple", "BatchNormalization", "ReLU", "PReLU", "ActivityRegularization"]
    kind = draw(st.sampled_from(kinds + ["Conv"] * 3 if 2 <= rank <= 4 else kinds))
    if kind == "Dense":
        return _dense(draw, shape, shape[-1])
    if kind == "Conv":
        return _conv(draw, shape, same=True)
    if kind == "Activation":
        usable = [name for name in ACTIVATIONS if name != "glu"]
        return _layer("Activation", activation=draw(st.sampled_from(usable)))
    if kind == "BatchNormalization":
        return _batch_norm(draw, shape)
    if kind == "ReLU":
        maximum = draw(st.sampled_from([None, 0.5, 2.0]))
        slope, threshold = draw(st.sampled_from([0.0, 0.2])), draw(st.sampled_from([0.0, 0.3]))
        return _layer("ReLU", max_value=maximum, negative_slope=slope, threshold=threshold)
    if kind == "PReLU":
        shared = draw(st.sampled_from([None, [1]])) if rank > 1 else None
        return _layer("PReLU", shared_axes=shared, alpha_regularizer=_rarely(draw, _regularizers))
    if kind == "ActivityRegularization":
        return _layer("ActivityRegularization", l1=draw(_SMALL), l2=draw(_SMALL))
    return draw(
        st.sampled_from(
            [
                _layer("LeakyReLU", negative_slope=0.1),
                _layer("ELU", alpha=0.7),
                _layer("Softmax"),
                _layer("Softmax", axis=1),
                _layer("Rescaling", scale=0.5, offset=0.1),
                _layer("Identity"),
                _layer("Dropout", rate=0.0),
                _layer("GaussianNoise", stddev=0.0),
            ]
        )
    )


def _reshaping(draw: Draw, shape: tuple[int, ...]) -> Make:
    rank, count = len(shape), int(np.prod(shape))
    if rank == 1:
        factor = max(f for f in (1, 2, 3) if count % f == 0)
        return draw(
            st.sampled_from(
                [
                    _layer("Reshape", target_shape=(factor, count // factor)),
                    _layer("Reshape", target_shape=(factor, -1, 1)),
                    _layer("RepeatVector", n=3),
                ]
            )
        )
    options = [
        _layer("Flatten"),
        _layer("Reshape", target_shape=(-1, shape[-1])),
        _layer("Permute", dims=tuple(draw(st.permutations(range(1, rank + 1))))),
    ]
    if rank == 3:
        options += [
            _layer("UpSampling2D", size=(2, 1)),
            _layer("ZeroPadding2D", padding=((1, 0), (0, 2))),
        ]
    if 2 <= rank <= 4:
        options += [_layer(f"Global{kind}Pooling{rank - 1}D") for kind in ("Max", "Average")]
        options += [_layer(f"Global{kind}Pooling{rank - 1}D", keepdims=True) for kind in ("Max", "Average")]
    return draw(st.sampled_from(options))


def _branch(draw: Draw, shape: tuple[int, ...], depth: int) -> Branch:
    chains = [[_keeping(draw, shape) for _ in range(draw(st.integers(0, 2)))] for _ in range(2)]
    kind = draw(st.sampled_from(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]))
    arguments = {"axis": draw(st.integers(1, len(shape)))} if kind == "Concatenate" else {}
    return Branch(_layer(kind, **arguments), *chains)


def _step(draw: Draw, shape: tuple[int, ...]) -> Any:
    kinds = ["keep", "keep", "dense", "reshape", "branch"]
    if 2 <= len(shape) <= 4:
        kinds += ["conv", "conv", "pool"]
    if len(shape) == 2:
        kinds.append("mask")
    kind = draw(st.sampled_from(kinds))
    if kind == "keep":
        return _keeping(draw, shape)
    if kind == "dense":
        return _dense(draw, shape)
    if kind == "conv":
        return _conv(draw, shape)
    if kind == "pool":
        return _pool(draw, shape)
    if kind == "mask":
        return _layer("Masking", mask_value=0.0)
    return _reshaping(draw, shape) if kind == "reshape" else _branch(draw, shape, 1)


# ---------------------------------------------------------------------------------------------------------------------
# Losses and metrics
# ---------------------------------------------------------------------------------------------------------------------
_REDUCTIONS = st.sampled_from(["sum_over_batch_size", "sum_over_batch_size", "mean_with_sample_weight", "sum", "mean"])

LOSSES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "values": [
        ("MeanSquaredError", {}),
        ("MeanAbsoluteError", {}),
        ("Huber", {"delta": 0.5}),
        ("LogCosh", {}),
        ("CosineSimilarity", {"axis": -1}),
    ],
    "positive": [
        ("Poisson", {}),
        ("MeanSquaredLogarithmicError", {}),
        ("MeanAbsolutePercentageError", {}),
    ],
    "multilabel": [
        ("BinaryCrossentropy", {"label_smoothing": 0.1}),
        ("BinaryCrossentropy", {}),
        ("BinaryFocalCrossentropy", {"gamma": 1.5, "apply_class_balancing": True}),
        ("Dice", {}),
        ("Tversky", {"alpha": 0.3, "beta": 0.7}),
    ],
    "one-hot": [
        ("CategoricalCrossentropy", {}),
        ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
        ("KLDivergence", {}),
        ("CategoricalFocalCrossentropy", {"gamma": 1.5}),
        ("CategoricalHinge", {}),
    ],
    "logits": [
        ("CategoricalCrossentropy", {"from_logits": True}),
        ("CategoricalFocalCrossentropy", {"from_logits": True}),
    ],
    "binary logits": [
        ("BinaryCrossentropy", {"from_logits": True}),
        ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ],
    "labels": [("SparseCategoricalCrossentropy", {}), ("CategoricalGeneralizedCrossEntropy", {"q": 0.6})],
    "label logits": [
        ("SparseCategoricalCrossentropy", {"from_logits": True}),
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}),
    ],
    "signs": [("Hinge", {}), ("SquaredHinge", {})],
}
ACTIVATION_OF = {
    "positive": "softplus",
    "multilabel": "sigmoid",
    "one-hot": "softmax",
    "labels": "softmax",
    "signs": "tanh",
}
NO_REDUCTION = {"Dice", "Tversky"}  # one value for the batch, whatever the reduction

_REGRESSION = [
    Make("metrics.MeanSquaredError", {}),
    Make("metrics.MeanAbsoluteError", {}),
    Make("metrics.RootMeanSquaredError", {}),
    Make("metrics.LogCoshError", {}),
    Make("metrics.CosineSimilarity", {"axis": -1}),
    "mse",
    "mae",
    "accuracy",
]
_FLAT_REGRESSION = [
    Make("metrics.R2Score", {}),
    Make("metrics.R2Score", {"class_aggregation": "variance_weighted_average"}),
    Make("metrics.PearsonCorrelation", {}),
    Make("metrics.ConcordanceCorrelation", {}),
]
_BINARY = [
    Make("metrics.AUC", {}),
    Make("metrics.AUC", {"curve": "PR", "num_thresholds": 25, "summation_method": "minoring"}),
    Make("metrics.Precision", {}),
    Make("metrics.Precision", {"thresholds": [0.2, 0.6]}),
    Make("metrics.Recall", {"thresholds": 0.4}),
    Make("metrics.TruePositives", {}),
    Make("metrics.TrueNegatives", {"thresholds": 0.3}),
    Make("metrics.FalsePositives", {}),
    Make("metrics.FalseNegatives", {"thresholds": [0.3, 0.5]}),
    Make("metrics.BinaryAccuracy", {"threshold": 0.4}),
    Make("metrics.SensitivityAtSpecificity", {"specificity": 0.5, "num_thresholds": 20}),
    Make("metrics.SpecificityAtSensitivity", {"sensitivity": 0.5, "num_thresholds": 20}),
    Make("metrics.PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 20}),
    Make("metrics.RecallAtPrecision", {"precision": 0.4, "num_thresholds": 20}),
    Make("metrics.BinaryIoU", {"threshold": 0.5}),
    "mse",
    "accuracy",
]
_CATEGORICAL = [
    Make("metrics.CategoricalAccuracy", {}),
    Make("metrics.TopKCategoricalAccuracy", {"k": 2}),
    "accuracy",
    "mae",
]
_SPARSE = [
    Make("metrics.SparseCategoricalAccuracy", {}),
    Make("metrics.SparseTopKCategoricalAccuracy", {"k": 2}),
    "accuracy",
]
METRICS: dict[str, list[Any]] = {
    "values": _REGRESSION,
    "positive": [*_REGRESSION, Make("metrics.Poisson", {}), Make("metrics.MeanSquaredLogarithmicError", {}), "mape"],
    "multilabel": [*_BINARY, Make("metrics.BinaryCrossentropy", {})],
    "one-hot": [
        *_CATEGORICAL,
        Make("metrics.CategoricalCrossentropy", {"label_smoothing": 0.1}),
        Make("metrics.KLDivergence", {}),
        Make("metrics.CategoricalHinge", {}),
        Make("metrics.AUC", {"multi_label": True, "num_thresholds": 30}),
        Make("metrics.Precision", {"top_k": 2}),
        Make("metrics.Recall", {"class_id": 1}),
        Make("metrics.OneHotIoU", {"num_classes": 3, "target_class_ids": [0, 2]}),
        Make("metrics.OneHotMeanIoU", {"num_classes": 3}),
    ],
    "logits": [*_CATEGORICAL, Make("metrics.CategoricalCrossentropy", {"from_logits": True})],
    "binary logits": ["mse", Make("metrics.BinaryCrossentropy", {"from_logits": True})],
    "labels": [
        *_SPARSE,
        Make("metrics.SparseCategoricalCrossentropy", {}),
        Make("metrics.MeanIoU", {"num_classes": 3, "sparse_y_pred": False}),
        Make("metrics.IoU", {"num_classes": 3, "target_class_ids": [1], "sparse_y_pred": False}),
    ],
    "label logits": [*_SPARSE, Make("metrics.SparseCategoricalCrossentropy", {"from_logits": True})],
    "signs": [Make("metrics.Hinge", {}), Make("metrics.SquaredHinge", {}), "mse"],
}
_FLAT = {
    "values": _FLAT_REGRESSION,
    "one-hot": [
        Make("metrics.F1Score", {"average": "macro"}),
        Make("metrics.FBetaScore", {"beta": 2.0, "average": "weighted"}),
    ],
    "multilabel": [
        Make("metrics.F1Score", {"threshold": 0.5}),
        Make("metrics.FBetaScore", {"beta": 0.5, "threshold": 0.3, "average": "micro"}),
    ],
}


# ---------------------------------------------------------------------------------------------------------------------
# Optimizers
# ---------------------------------------------------------------------------------------------------------------------
_RATES = st.sampled_from([0.001, 0.01, 0.05])
_SCHEDULES = st.sampled_from(
    [
        Make(
            "optimizers.schedules.ExponentialDecay",
            {"initial_learning_rate": 0.05, "decay_steps": 2, "decay_rate": 0.5},
        ),
        Make("optimizers.schedules.CosineDecay", {"initial_learning_rate": 0.05, "decay_steps": 4, "alpha": 0.1}),
        Make("optimizers.schedules.CosineDecayRestarts", {"initial_learning_rate": 0.05, "first_decay_steps": 2}),
        Make("optimizers.schedules.PiecewiseConstantDecay", {"boundaries": [1, 3], "values": [0.05, 0.02, 0.01]}),
        Make("optimizers.schedules.PolynomialDecay", {"initial_learning_rate": 0.05, "decay_steps": 3, "cycle": True}),
        Make(
            "optimizers.schedules.InverseTimeDecay",
            {"initial_learning_rate": 0.05, "decay_steps": 2, "decay_rate": 0.5, "staircase": True},
        ),
    ]
)
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": st.sampled_from([0.0, 0.9]), "nesterov": st.booleans()},
    "Adam": {"amsgrad": st.booleans(), "beta_1": st.sampled_from([0.9, 0.7]), "epsilon": st.sampled_from([1e-7, 1e-3])},
    "AdamW": {"beta_2": st.sampled_from([0.999, 0.9])},
    "Adamax": {"beta_1": st.sampled_from([0.9, 0.5])},
    "Nadam": {"beta_2": st.sampled_from([0.999, 0.95])},
    "Lamb": {"beta_1": st.sampled_from([0.9, 0.5])},
    "Lion": {"beta_1": st.sampled_from([0.9, 0.5])},
    "RMSprop": {
        "rho": st.sampled_from([0.9, 0.5]),
        "momentum": st.sampled_from([0.0, 0.8]),
        "centered": st.booleans(),
    },
    "Adagrad": {"initial_accumulator_value": st.sampled_from([0.1, 0.5])},
    "Adadelta": {"rho": st.sampled_from([0.95, 0.5])},
    "Ftrl": {
        "l1_regularization_strength": st.sampled_from([0.0, 0.01]),
        "l2_regularization_strength": st.sampled_from([0.0, 0.02]),
        "l2_shrinkage_regularization_strength": st.sampled_from([0.0, 0.05]),
        "beta": st.sampled_from([0.0, 0.1]),
    },
}
_CLIPS = st.sampled_from(
    [
        {},
        {},
        {},
        {"clipnorm": 0.1},
        {"clipnorm": 5.0},
        {"clipvalue": 0.02},
        {"global_clipnorm": 0.2},
        {"global_clipnorm": 9.0},
    ]
)


def _optimizer(draw: Draw) -> Make:
    name = draw(st.sampled_from(sorted(OPTIMIZERS)))
    arguments = {key: draw(strategy) for key, strategy in OPTIMIZERS[name].items()}
    arguments["learning_rate"] = draw(st.one_of(_RATES, _RATES, _SCHEDULES))
    arguments |= draw(_CLIPS)
    if draw(st.integers(1, 4)) == 1:
        arguments["weight_decay"] = draw(st.sampled_from([0.004, 0.1]))
    if draw(st.integers(1, 4)) == 1:
        arguments |= {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": draw(st.sampled_from([None, 2]))}
    if draw(st.integers(1, 4)) == 1:
        arguments["gradient_accumulation_steps"] = draw(st.integers(2, 3))
    return Make(f"optimizers.{name}", arguments)


# ---------------------------------------------------------------------------------------------------------------------
# Cases
# ---------------------------------------------------------------------------------------------------------------------
_SHAPES = st.one_of(
    st.tuples(st.integers(1, 8)),
    st.tuples(st.integers(2, 7), st.integers(1, 6)),
    st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(1, 4)),
    st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(2, 3), st.integers(1, 3)),
)


@st.composite
def cases(draw: Draw, side: Any) -> Case:
    """A case; `side` tells the shapes along the way."""
    shape = draw(_SHAPES)
    chain: list[Any] = []
    x = side.Input(shape=shape)
    for _ in range(draw(st.integers(1, 5))):
        step = _step(draw, tuple(x.shape[1:]))
        after = _apply(side, x, step)
        if int(np.prod(after.shape[1:])) > 500:
            break
        chain.append(step)
        x = after
    kind = draw(st.sampled_from(sorted(LOSSES)))
    rank = len(x.shape) - 1
    sequence = rank == 2 and draw(st.booleans())  # otherwise one vector per sample
    head = [] if rank == 1 or sequence else [_layer("Flatten")]
    units = 3 if kind not in ("multilabel", "binary logits", "values") else draw(st.integers(1, 3))
    head.append(_layer("Dense", units=units, activation=ACTIVATION_OF.get(kind), **_penalties(draw)))
    name, arguments = draw(st.sampled_from(LOSSES[kind]))
    if name == "CosineSimilarity" and units == 1:  # a sign: what flows back is rounding, which optimizers make large
        name = "MeanSquaredError"
        arguments = {}
    if name not in NO_REDUCTION:
        arguments = {**arguments, "reduction": draw(_REDUCTIONS)}
    choices = METRICS[kind] + ([] if sequence else _FLAT.get(kind, []))
    lists = [draw(st.lists(st.sampled_from(range(len(choices))), max_size=3, unique=True)) for _ in range(2)]
    weighting = draw(st.sampled_from(["none", "none", "sample", "steps" if sequence else "sample", "class"]))
    if weighting == "class" and (sequence or kind not in ("one-hot", "labels", "logits", "label logits")):
        weighting = "none"
    if name in NO_REDUCTION:
        weighting = "none"
    return Case(
        shape=shape,
        chain=chain,
        head=head,
        kind=kind,
        loss=Make(f"losses.{name}", arguments),
        metrics=[choices[i] for i in lists[0]],
        weighted=[choices[i] for i in lists[1]],
        optimizer=_optimizer(draw),
        weighting=weighting,
        samples=draw(st.integers(5, 14)),
        batch=draw(st.integers(2, 6)),
        seed=draw(st.integers(0, 999)),
    )


def data(case: Case, output: tuple[int | None, ...]) -> tuple[Array, Array, dict[str, Any]]:
    """Inputs, targets and the weights for `fit`."""
    rng = np.random.default_rng(case.seed)
    x = rng.standard_normal((case.samples, *case.shape)).astype(np.float32)
    if len(case.shape) == 2:  # something to mask: whole steps of zeros
        x[rng.random(x.shape[:2]) < 0.25] = 0
    shape = (case.samples, *(int(n or 0) for n in output[1:]))
    scores = rng.standard_normal(shape).astype(np.float32)
    classes = scores.argmax(-1)
    kind = case.kind
    y: Array
    if kind == "values":
        y = scores
    elif kind == "positive":
        y = np.abs(scores) + np.float32(0.2)
    elif kind in ("multilabel", "binary logits"):
        y = (scores > 0).astype(np.float32)
    elif kind in ("one-hot", "logits"):
        y = np.eye(shape[-1], dtype=np.float32)[classes]
    elif kind == "signs":
        y = np.where(scores > 0, np.float32(1), np.float32(-1))
    else:
        y = classes.astype(np.int32)
    weights: dict[str, Any] = {}
    if case.weighting == "class":
        weights["class_weight"] = {0: 2.0, 1: 0.5}
    elif case.weighting != "none":
        of = shape[:2] if case.weighting == "steps" else (case.samples, *[1] * (len(shape) - 2))
        weights["sample_weight"] = rng.uniform(0.1, 2.0, of).astype(np.float32)
    return x, y, weights
