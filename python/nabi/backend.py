"""What Keras calls the backend: dtypes, settings, names and the basic ops (`keras.backend`)."""

from typing import Any

from nabi import config, random
from nabi.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    standardize_data_format,
)
from nabi.dtypes import is_float_dtype, is_int_dtype, result_type, standardize_dtype
from nabi.names import clear_session, get_uid, name_scope
from nabi.ops import (
    cast,
    cond,
    convert_to_numpy,
    convert_to_tensor,
    is_tensor,
    linalg,
    nn,
    numpy,
    scatter,
    shape,
    slice,
    stop_gradient,
)
from nabi.trace import KerasTensor, Variable, is_keras_tensor, standardize_shape
from nabi.trace import infer_output as compute_output_spec

#: What Keras asks of a backend before it tests it.
SUPPORTS_SPARSE_TENSORS = False
SUPPORTS_RAGGED_TENSORS = False
SUPPORTS_COMPLEX_DTYPES = False


def get_keras_mask(x: Any) -> Any:
    """The mask that a tensor carries, or None."""
    return getattr(x, "_keras_mask", None)


def set_keras_mask(x: Any, mask: Any) -> None:
    """Gives a tensor its mask; None takes it away."""
    x._keras_mask = mask


__all__ = [
    "KerasTensor",
    "Variable",
    "backend",
    "cast",
    "clear_session",
    "compute_output_spec",
    "cond",
    "config",
    "convert_to_numpy",
    "convert_to_tensor",
    "epsilon",
    "floatx",
    "get_keras_mask",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "is_tensor",
    "linalg",
    "name_scope",
    "nn",
    "numpy",
    "random",
    "result_type",
    "scatter",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_keras_mask",
    "shape",
    "slice",
    "standardize_data_format",
    "standardize_dtype",
    "standardize_shape",
    "stop_gradient",
]
