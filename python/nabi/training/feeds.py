"""User data on its way into a program: checks, structure, and the rows of each batch.

Nothing here copies a data set. Arrays keep their dtype and layout; the native gatherer converts the rows of a batch.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nabi import _core, config, dtypes, tree

AnyArray = np.ndarray[Any, Any]
Spec = tuple[tuple[int, ...], str]  # shape of a sample, dtype in the program


# ---------------------------------------------------------------------------------------------------------------------
# Arrays
# ---------------------------------------------------------------------------------------------------------------------
def is_array_like(value: Any) -> bool:
    """Whether the value is an array, a table, or converts to an array; lists, scalars and strings are not."""
    if isinstance(value, np.ndarray):
        return True
    if isinstance(value, np.generic):
        return False  # a number, as in `list(array)`
    return hasattr(value, "shape") and (hasattr(value, "__array__") or hasattr(value, "toarray"))


def as_array(value: Any, name: str) -> AnyArray:
    """The array behind one entry of `x`, `y` or `sample_weight`, without a copy wherever that is possible.

    Args:
        value: array-like, at least one axis.
        name: what to call it in messages.

    Raises:
        ValueError: objects, strings or other data that is not numeric; no axis of samples.
    """
    kind = type(value).__module__.partition(".")[0]
    if kind == "pandas":
        array = np.asarray(value)
        if array.ndim == 1:
            array = array[:, None]  # a Series is one column
    elif isinstance(value, np.ndarray):
        array = value
    elif hasattr(value, "toarray"):  # SciPy's sparse matrices
        array = value.toarray()
    else:
        array = np.asarray(value)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"`{name}` must hold numbers. Received an array of dtype {array.dtype} and shape {array.shape}."
        )
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have an axis of samples. Received an array of shape ().")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def feed_dtype(array: AnyArray, wanted: str | None) -> str:
    """The dtype in which a program takes an array: `wanted`, else floats as `floatx()` and integers unnarrowed."""
    if wanted is not None:
        return wanted
    if array.dtype.kind == "i" and array.dtype.itemsize == 8:
        return "int64"
    return dtypes.fed_dtype(array.dtype)


class Feeds:
    """The arrays of one data set and the structures they stand in.

    Args:
        x: an array, or lists, tuples and dicts of arrays.
        y: the same for targets, or None.
        sample_weight: one weight per sample (or per sample and step), structured as `y` where there are several, or
            None.
        input_dtypes: dtypes that the model's inputs have, in order; None where data decides.

    Attributes:
        arrays: the arrays in order: x, y, sample_weight.
        specs: per array the shape of a sample and the dtype in the program.
        rows: number of samples.

    Raises:
        ValueError: not arrays, lengths that differ, no samples, data that is not numeric.
    """

    def __init__(
        self, x: Any, y: Any = None, sample_weight: Any = None, input_dtypes: Sequence[str | None] | None = None
    ) -> None:
        parts = {"x": x, "y": y, "sample_weight": sample_weight}
        self._structures: dict[str, Any] = {}
        self.arrays: list[AnyArray] = []
        self.specs: list[Spec] = []
        sizes: dict[str, list[int]] = {}
        for name, part in parts.items():
            if part is None:
                self._structures[name] = None
                continue
            leaves = tree.flatten(part)
            arrays = [None if leaf is None else as_array(leaf, name) for leaf in leaves]
            self._structures[name] = tree.map_structure(lambda leaf: leaf is not None, part)
            wanted = input_dtypes if name == "x" and input_dtypes and len(input_dtypes) == len(arrays) else None
            sizes[name] = []
            for i, array in enumerate(arrays):
                if array is None:
                    continue
                sizes[name].append(array.shape[0])
                dtype = feed_dtype(array, config.floatx() if name == "sample_weight" else wanted[i] if wanted else None)
                self.arrays.append(array)
                self.specs.append((tuple(array.shape[1:]), dtype))
        if not self.arrays or not sizes.get("x"):
            raise ValueError("`x` must be an array or hold arrays. Received: x=None")
        if len({size for part in sizes.values() for size in part}) > 1:
            lines = "".join(f"'{name}' sizes: {', '.join(map(str, part))}\n" for name, part in sizes.items())
            raise ValueError(
                "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples." + lines
            )
        self.rows = self.arrays[0].shape[0]
        if self.rows == 0:
            raise ValueError("The data is empty: `x` has 0 samples.")

    def pack(self, leaves: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Puts one value per array back into the structures: (x, y, sample_weight)."""
        left = iter(leaves)
        packed = []
        for structure in self._structures.values():
            packed.append(tree.map_structure(lambda there: next(left) if there else None, structure))
        return packed[0], packed[1], packed[2]

    @property
    def key(self) -> tuple[Any, ...]:
        """What a program's trace depends on, besides the number of rows."""
        return (repr(self._structures), tuple(self.specs))

    def slice(self, first: int, last: int) -> list[AnyArray]:
        """Views of the rows [first, last) of every array."""
        return [array[first:last] for array in self.arrays]


def check_array_data(x: Any, y: Any, sample_weight: Any) -> bool:
    """Whether all data are arrays; False for data sets that yield batches.

    Raises:
        ValueError: neither arrays nor something that yields batches.
    """
    leaves = [leaf for part in (x, y, sample_weight) if part is not None for leaf in tree.flatten(part)]
    if all(leaf is None or is_array_like(leaf) for leaf in leaves):
        return True
    is_plain = isinstance(x, (list, tuple, dict, str, bytes, int, float, np.generic)) or x is None or is_array_like(x)
    if not is_plain and (hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__")):
        return False
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if part is not None and not all(leaf is None or is_array_like(leaf) for leaf in tree.flatten(part)):
            raise ValueError(f"Unrecognized data type: {name}={_short(part)} (of type {type(part)})")
    raise ValueError(f"Unrecognized data type: x={_short(x)} (of type {type(x)})")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """`x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)` as a triple with None for what is absent.

    Raises:
        ValueError: more than three entries.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found {len(data)} entries."
        )
    x, y, sample_weight = data + (None,) * (3 - len(data))
    return x, y, sample_weight


def class_weights(y: Any, class_weight: Any) -> AnyArray:
    """One weight per sample from one per class.

    Args:
        y: labels of shape (n,) or (n, 1), or one-hot rows (n, classes).
        class_weight: dict from class to weight; classes it lacks get 1.

    Returns:
        float32 array of shape (n,).

    Raises:
        ValueError: `class_weight` is no dict of numbers, or there are several outputs.
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "`class_weight` must be a dict that maps class indices (integers) to weights (floats). "
            f"Received: class_weight={class_weight}"
        )
    if y is None or isinstance(y, (list, tuple, dict)):
        raise ValueError("`class_weight` is only supported for Models with a single output.")
    labels = as_array(y, "y")
    if labels.ndim > 1:
        labels = np.argmax(labels, axis=-1) if labels.shape[-1] != 1 else np.squeeze(labels, axis=-1)
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(labels.shape, np.float32)
    for label, weight in class_weight.items():
        if not all(isinstance(number, (int, float, np.number)) for number in (label, weight)):
            raise ValueError(
                "`class_weight` must map class indices (integers) to weights (floats). "
                f"Received: class_weight={class_weight}"
            )
        weights[labels == label] = weight
    return weights


def check_sample_weight(y: Any, sample_weight: Any, class_weight: Any) -> Any:
    """The sample weights to use: as given, spread over several outputs, or made from class weights.

    Raises:
        ValueError: both kinds are given, or one array of weights per step for several outputs.
    """
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        return class_weights(y, class_weight)
    if sample_weight is None or not isinstance(y, (list, tuple, dict)):
        return sample_weight
    if isinstance(sample_weight, (list, tuple, dict)):
        return sample_weight
    shape = np.shape(sample_weight)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise ValueError(
            "For a model with multiple outputs, when providing a single `sample_weight` array, it should only have "
            "one scalar score per sample (i.e. shape `(num_samples,)`). If you want to use non-scalar sample weights, "
            "pass a `sample_weight` argument with one array per model output."
        )
    return tree.map_structure(lambda _: sample_weight, y)


def split_validation(x: Any, y: Any, sample_weight: Any, split: float) -> tuple[Any, Any]:
    """Cuts the last part off for validation: ((x, y, sample_weight), (x, y, sample_weight)), both views.

    Raises:
        ValueError: not between 0 and 1, not arrays, or one part would be empty.
    """
    if not isinstance(split, (int, float, np.number)) or not 0 < split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: validation_split={split}")
    leaves = [leaf for part in (x, y, sample_weight) if part is not None for leaf in tree.flatten(part)]
    wrong = [type(leaf) for leaf in leaves if leaf is not None and not is_array_like(leaf)]
    if wrong:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. "
            f"Found incompatible type in the input: {wrong}"
        )
    rows = next((leaf.shape[0] for leaf in leaves if leaf is not None), 0)
    at = math.floor(rows * (1.0 - split))
    if at in (0, rows):
        raise ValueError(
            f"Training data contains {rows} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by `validation_split={split}`. Either provide more data, or a different value "
            "for the `validation_split` argument."
        )

    def cut(first: int, last: int) -> tuple[Any, Any, Any]:
        def rows_of(leaf: Any) -> Any:
            return as_array(leaf, "x")[first:last]

        return tuple(tree.map_structure(rows_of, part, none_is_leaf=False) for part in (x, y, sample_weight))

    return cut(0, at), cut(at, rows)


# ---------------------------------------------------------------------------------------------------------------------
# Batches
# ---------------------------------------------------------------------------------------------------------------------
class ArrayBatches:
    """Arrays cut into batches: whole ones, then perhaps a smaller last one.

    Args:
        feeds: the data.
        batch_size: samples per batch; None for 32, or for what makes `steps` batches.
        steps: batches per epoch; None for one pass over the data.
        shuffle: False, True (all samples) or "batch" (within each batch).
        permutation: gives the order of the samples for the pass of that number.
    """

    def __init__(
        self,
        feeds: Feeds,
        batch_size: int | None,
        steps: int | None,
        shuffle: bool | str = False,
        permutation: Callable[[int, int], AnyArray] | None = None,
    ) -> None:
        self.feeds = feeds
        if not batch_size:
            batch_size = math.ceil(feeds.rows / steps) if steps else 32
        self.batch_size = batch_size
        self.batches = math.ceil(feeds.rows / batch_size)
        self.full = feeds.rows // batch_size
        self.tail = feeds.rows - self.full * batch_size
        self.steps = steps
        self._shuffle = shuffle
        self._permutation = permutation
        self._pass = 0  # passes over the data begun
        self._position = 0  # batches of the present pass that are used up
        self.index: AnyArray | None = None

    @property
    def num_batches(self) -> int:
        """Batches in an epoch, as callbacks are told."""
        return self.steps or self.batches

    def restart(self) -> None:
        """Begins with the first sample again."""
        self._pass = 0

    def start_epoch(self, epoch: int) -> tuple[int, int]:
        """Batches of the present pass that the epoch takes: [first, last).

        Without `steps` each epoch is a new pass. With it a pass goes on where the epoch before it stopped.
        """
        if self.steps is None or self._position >= self.batches or self._pass == 0:
            self._position = 0
            self.index = self._order(epoch)
            self._pass += 1
        first = self._position
        wanted = first + (self.steps or self.batches)
        if wanted > self.batches and self.steps is not None:
            warn_out_of_data()
        last = min(wanted, self.batches)
        self._position = last
        return first, last

    def _order(self, epoch: int) -> AnyArray | None:
        if not self._shuffle or self._permutation is None:
            return None
        order = self._permutation(self.feeds.rows, epoch)
        if self._shuffle != "batch":
            return order
        starts = np.arange(0, self.feeds.rows, self.batch_size)
        parts = [np.argsort(order[start : start + self.batch_size], kind="stable") + start for start in starts]
        return np.concatenate(parts).astype(np.int64)

    def programs(self) -> list[tuple[Feeds, int]]:
        """The programs an epoch needs: (data, rows of a batch)."""
        found = []
        if self.full:
            found.append((self.feeds, self.batch_size))
        if self.tail:
            found.append((self.feeds, self.tail))
        return found


def warn_out_of_data() -> None:
    """Tells that an epoch ends early because there are no more batches."""
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at "
        "least `steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your "
        "dataset.",
        stacklevel=5,
    )


class IterableBatches:
    """Batches that a generator, a `PyDataset`-like sequence or another iterable yields, each a tuple of arrays.

    Args:
        source: the iterable. One with `__getitem__` and a length is read by number; others from their iterator.
        steps: batches per epoch; None to go on until the source ends.
        shuffle: change the order of the batches of a source read by number.
        permutation: gives that order.
        class_weight: dict from class to weight, for batches without sample weights.
    """

    def __init__(
        self,
        source: Any,
        steps: int | None,
        shuffle: bool | str = False,
        permutation: Callable[[int, int], AnyArray] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.source = source
        self._class_weight = class_weight
        self.steps = steps
        self._shuffle = shuffle
        self._permutation = permutation
        self._size = self._length()
        self._iterator: Iterator[Any] | None = None

    def _length(self) -> int | None:
        size = getattr(self.source, "num_batches", None)
        if isinstance(size, int):
            return size
        try:
            return len(self.source)
        except TypeError:
            return None

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch, as callbacks are told; None if unknown."""
        return self.steps or self._size

    def first_batch(self) -> Any:
        """The batch that comes next, which `epoch` will still give."""
        if self._iterator is None:
            self._iterator = self._new_iterator(0)
        try:
            batch = next(self._iterator)
        except StopIteration:
            raise ValueError("The data is empty: `x` yields no batches.") from None
        self._iterator = itertools.chain([batch], self._iterator)
        return batch if self._class_weight is None else self._weighted(batch)

    def _weighted(self, batch: Any) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        return x, y, check_sample_weight(y, sample_weight, self._class_weight)

    def _new_iterator(self, epoch: int) -> Iterator[Any]:
        if hasattr(self.source, "__getitem__") and self._size is not None:
            return self._by_number(epoch)
        return iter(self.source)

    def _by_number(self, epoch: int) -> Iterator[Any]:
        assert self._size is not None
        order: Any = range(self._size)
        if self._shuffle and self._permutation is not None:
            order = self._permutation(self._size, epoch)
        for i in order:
            yield self.source[int(i)]
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def epoch(self, epoch: int) -> Iterator[Any]:
        """The batches of one epoch."""
        if self._iterator is None:
            self._iterator = self._new_iterator(epoch)
        taken, ended = 0, False
        while self.steps is None or taken < self.steps:
            try:
                batch = next(self._iterator)
            except StopIteration:
                ended = True
                break
            taken += 1
            yield batch if self._class_weight is None else self._weighted(batch)
        if self.steps is not None and taken < self.steps:
            warn_out_of_data()
        if (ended or self._size == taken) and not hasattr(self.source, "__next__"):
            self._iterator = None  # the next epoch starts from the source's beginning


def seeded_permutation(seed: int, run: int) -> Callable[[int, int], AnyArray]:
    """Orders of samples: a function of their number and the epoch, for the `run`-th fit since `compile`."""

    def order(rows: int, epoch: int) -> AnyArray:
        return _core.permutation(rows, seed, run, epoch)

    return order
