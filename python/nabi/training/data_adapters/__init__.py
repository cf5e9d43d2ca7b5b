"""User data on its way into a program: checks, structure, and the rows of each batch.

Nothing here copies a data set. Arrays keep their dtype and layout; the native gatherer converts the rows of a batch.
"""

from nabi.training.data_adapters.array_batches import ArrayBatches, seeded_permutation, warn_out_of_data
from nabi.training.data_adapters.arrays import AnyArray, as_array, feed_dtype, is_array_like
from nabi.training.data_adapters.feeds import Feeds
from nabi.training.data_adapters.iterable_batches import IterableBatches
from nabi.training.data_adapters.py_dataset import PyDataset
from nabi.training.data_adapters.sources import source_of
from nabi.training.data_adapters.splitting import split_validation
from nabi.training.data_adapters.structures import check_array_data, pack_x_y_sample_weight, unpack_x_y_sample_weight
from nabi.training.data_adapters.weights import check_sample_weight, class_weights

__all__ = [
    "AnyArray",
    "ArrayBatches",
    "Feeds",
    "IterableBatches",
    "PyDataset",
    "as_array",
    "check_array_data",
    "check_sample_weight",
    "class_weights",
    "feed_dtype",
    "is_array_like",
    "pack_x_y_sample_weight",
    "seeded_permutation",
    "source_of",
    "split_validation",
    "unpack_x_y_sample_weight",
    "warn_out_of_data",
]
