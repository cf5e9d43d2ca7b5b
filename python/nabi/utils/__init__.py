"""Helpers with Keras's names."""

from nabi.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from nabi.dtypes import standardize_dtype
from nabi.names import clear_session
from nabi.objects import (
    CustomObjectScope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from nabi.objects import CustomObjectScope as custom_object_scope  # noqa: N813 - Keras has both
from nabi.random import set_random_seed
from nabi.trace import is_keras_tensor
from nabi.training.data_adapters import PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight
from nabi.training.data_adapters import PyDataset as Sequence
from nabi.utils.files import get_file
from nabi.utils.image_dataset import image_dataset_from_directory
from nabi.utils.image_utils import array_to_img, img_to_array, load_img, save_img
from nabi.utils.numerical import normalize, to_categorical
from nabi.utils.progbar import Progbar

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
