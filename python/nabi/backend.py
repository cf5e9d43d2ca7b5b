"""What Keras calls the backend: dtypes, settings and names (`keras.backend`)."""

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
from nabi.trace import KerasTensor, Variable, is_keras_tensor, standardize_shape

__all__ = [
    "KerasTensor",
    "Variable",
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "name_scope",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_data_format",
    "standardize_dtype",
    "standardize_shape",
]
