"""The arrays of one data set and the structures they stand in."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from nabi import config, tree
from nabi.training.data_adapters.arrays import AnyArray, Spec, as_array, feed_dtype


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

    def like(self, arrays: list[AnyArray]) -> Feeds:
        """The same for other arrays of the same sample shapes, dtypes and number of rows."""
        feeds = object.__new__(Feeds)
        feeds.__dict__.update(self.__dict__)
        feeds.arrays = arrays
        return feeds

    @functools.cached_property
    def key(self) -> tuple[Any, ...]:
        """What a program's trace depends on, besides the number of rows."""
        return (repr(self._structures), tuple(self.specs))

    def slice(self, first: int, last: int) -> list[AnyArray]:
        """Views of the rows [first, last) of every array."""
        return [array[first:last] for array in self.arrays]
