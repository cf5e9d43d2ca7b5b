"""What the modules `keras...` and `tensorflow...` consist of while Nabi stands in for them.

`SOURCES` gives, for the path of a module below `keras`, the modules of Nabi whose names it offers, the first that has a
name winning. Paths that are not listed are those of Nabi itself. `INSTEAD` says what to use for names that are not
offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LAYER_ROOMS = (
    "core convolutional pooling normalization recurrent embeddings merge wrappers noise advanced_activations local "
    "containers experimental experimental.preprocessing preprocessing convolutional_recurrent"
).split()

#: path below `keras` -> modules of Nabi, in the order of search
SOURCES: dict[str, tuple[str, ...]] = {
    "": ("nabi",),
    "backend": ("nabi.legacy.backend",),
    **{f"layers.{room}": ("nabi.layers",) for room in _LAYER_ROOMS},
    "engine": ("nabi.layers", "nabi.models"),
    **{
        f"engine.{room}": ("nabi.layers", "nabi.models")
        for room in ("topology", "training", "base_layer", "input_layer")
    },
    **{f"engine.{room}": ("nabi.models", "nabi.layers") for room in ("sequential", "network", "functional")},
    "topology": ("nabi.layers", "nabi.models"),
    "initializations": ("nabi.initializers",),
    "objectives": ("nabi.losses",),
    "legacy": (),
    "legacy.interfaces": (),
    "models": ("nabi.models", "nabi.saving"),
    "optimizers.legacy": ("nabi.optimizers",),
    "optimizers.schedules": ("nabi.optimizers.schedules",),
    "preprocessing": (),
    "preprocessing.image": ("nabi.legacy.preprocessing.image", "nabi.utils"),
    "preprocessing.sequence": ("nabi.legacy.preprocessing.sequence",),
    "preprocessing.text": ("nabi.legacy.preprocessing.text",),
    "utils.np_utils": ("nabi.legacy.np_utils",),
    "utils": ("nabi.legacy.np_utils", "nabi.utils", "nabi.legacy.preprocessing.sequence"),
    **{
        f"utils.{room}": ("nabi.utils",)
        for room in ("generic_utils", "data_utils", "layer_utils", "vis_utils", "io_utils")
    },
    "wrappers": (),
    "wrappers.scikit_learn": ("nabi.legacy.wrappers",),
}

#: (path, name) -> what to use instead; "*" stands for every name of a module
INSTEAD: Mapping[tuple[str, str], str] = {
    ("models", "model_from_yaml"): "model_from_json",
    ("utils", "multi_gpu_model"): "the model itself: one process uses all cores",
    ("utils", "HDF5Matrix"): "h5py.File(...)[...], which fit reads as it is",
    ("layers", "CuDNNLSTM"): "LSTM",
    ("layers", "CuDNNGRU"): "GRU",
    ("layers", "LocallyConnected1D"): "Conv1D",
    ("layers", "LocallyConnected2D"): "Conv2D",
    ("layers", "AtrousConvolution2D"): "Conv2D(dilation_rate=...)",
    ("layers", "MaxoutDense"): "Dense and Maximum",
    ("layers", "Highway"): "Dense, Multiply and Add",
    ("layers", "ThresholdedReLU"): "ReLU(threshold=...)",
    ("callbacks", "TensorBoard"): "CSVLogger",
    ("callbacks", "RemoteMonitor"): "LambdaCallback",
    ("tensorflow", "GradientTape"): "nabi.ops.gradients inside a train_step",
    ("tensorflow", "Session"): "keras models, which need none",
    ("tensorflow", "placeholder"): "keras.Input",
    ("tensorflow", "InteractiveSession"): "keras models, which need none",
}


def aliases(path: str) -> Mapping[str, Any]:
    """Names that a module of old had beyond those of its sources."""
    make = _ALIASES.get(path)
    return make() if make is not None else {}


def _root() -> dict[str, Any]:
    return {"__version__": "3.15.1"}


def _layers() -> dict[str, Any]:
    from nabi import layers
    from nabi.legacy import merge

    return {"merge": merge.merge, "Merge": merge.Merge, "Convolution1D": layers.Conv1D}


def _optimizers() -> dict[str, Any]:
    from nabi.legacy import optimizers

    return optimizers.aliases()


def _losses() -> Mapping[str, Any]:
    from nabi.legacy import optimizers

    return optimizers.loss_aliases()


def _of(room: str) -> Callable[[], Mapping[str, Any]]:
    def find() -> Mapping[str, Any]:
        from nabi.legacy import arguments

        return arguments.aliases()[room]

    return find


_ALIASES: dict[str, Callable[[], Mapping[str, Any]]] = {
    "": _root,
    "layers": _layers,
    "layers.merge": _layers,
    "optimizers": _optimizers,
    "losses": _losses,
    "metrics": _losses,
    "objectives": _losses,
    "constraints": _of("constraints"),
    "regularizers": _of("regularizers"),
    "initializers": _of("initializers"),
    "initializations": _of("initializers"),
}
