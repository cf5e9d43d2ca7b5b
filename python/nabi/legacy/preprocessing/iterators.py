"""Batches of changed pictures: from arrays, folders and data frames.

Source of arguments, messages and random order: Keras's `keras.src.legacy.preprocessing.image`.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator as AnyIterator
from typing import Any

import numpy as np

from nabi.utils import PyDataset
from nabi.utils.image_utils import array_to_img, img_to_array, load_img
from nabi.utils.progbar import print_msg

Array = np.ndarray[Any, Any]

ENDINGS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


class Iterator(PyDataset):
    """Batches by number, and one after another without end.

    With a seed every batch draws from `RandomState(seed + batches seen)`, as Keras's do; without, from a stream that
    NumPy's global generator starts. Neither is disturbed by what else draws numbers while the model trains.

    Args:
        n: number of samples.
        batch_size: samples of a batch.
        shuffle: another order in each epoch.
        seed: of the order and the changes.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        super().__init__()
        self.n = n
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.index_array: Array | None = None
        self._rng: Any = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx: int) -> Any:
        if not 0 <= idx < len(self):
            raise IndexError(f"Asked to retrieve element {idx}, but the Sequence has length {len(self)}")
        with self._lock:
            rng = self._next_stream()
            if self.index_array is None:
                self._set_index_array()
            assert self.index_array is not None
            index = self.index_array[self.batch_size * idx : self.batch_size * (idx + 1)]
            return self._batch(index, rng)

    def _next_stream(self) -> Any:
        if self.seed is not None:
            self._rng = np.random.RandomState(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1
        return self._rng

    def _set_index_array(self) -> None:
        self.index_array = self._rng.permutation(self.n) if self.shuffle else np.arange(self.n)

    def on_epoch_end(self) -> None:
        """Chooses the next epoch's order."""
        self._set_index_array()

    def reset(self) -> None:
        """`next` begins at the first batch again."""
        self.batch_index = 0

    def __iter__(self) -> AnyIterator[Any]:
        return self

    def __next__(self) -> Any:
        with self._lock:
            rng = self._next_stream()
            if self.batch_index == 0:
                self._set_index_array()
            assert self.index_array is not None
            start = self.batch_index * self.batch_size
            index = self.index_array[start : start + self.batch_size]
            self.batch_index = 0 if start + self.batch_size >= self.n else self.batch_index + 1
            return self._batch(index, rng)

    def next(self) -> Any:
        """`next(iterator)` as a method."""
        return self.__next__()

    def _batch(self, index: Array, rng: Any) -> Any:
        """The samples of these numbers."""
        raise NotImplementedError

    def _save(self, batch: Array, index: Array, rng: Any) -> None:
        """Writes the changed pictures to files, to look at."""
        to = self.__dict__.get("save_to_dir")
        if not to:
            return
        os.makedirs(to, exist_ok=True)
        for picture, j in zip(batch, index, strict=True):
            name = f"{self.__dict__['save_prefix']}_{j}_{rng.randint(10**7)}.{self.__dict__['save_format']}"
            array_to_img(picture, self.__dict__["data_format"], scale=True).save(os.path.join(to, name))


class NumpyArrayIterator(Iterator):
    """Batches from arrays: `(x, y, sample_weight)`, as far as they are given; x may come with other inputs."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: str = "float32",
    ) -> None:
        others: list[Any] = []
        if isinstance(x, (tuple, list)):
            others = [np.asarray(o) for o in (x[1] if isinstance(x[1], list) else [x[1]])]
            x = x[0]
            for o in others:
                if len(x) != len(o):
                    raise ValueError(
                        "All of the arrays in `x` should have the same length. Found a pair with: "
                        f"len(x[0]) = {len(x)}, len(x[?]) = {len(o)}"
                    )
        for name, given in (("y` (labels)", y), ("sample_weight`", sample_weight)):
            if given is not None and len(x) != len(given):
                raise ValueError(
                    f"`x` (images tensor) and `{name} should have the same length. Found: x.shape = "
                    f"{np.shape(x)}, {name.split('`')[0]}.shape = {np.shape(given)}"
                )
        if subset is not None:
            chosen = _subset(subset, len(x), image_data_generator._validation_split)
            if y is not None and not ignore_class_split:
                split = int(len(x) * image_data_generator._validation_split)
                if not np.array_equal(np.unique(y[:split]), np.unique(y[split:])):
                    raise ValueError(
                        "Training and validation subsets have different number of classes after the split. If your "
                        "numpy arrays are sorted by the label, you might want to shuffle them."
                    )
            x, others = x[chosen], [o[chosen] for o in others]
            y = y[chosen] if y is not None else None
            sample_weight = sample_weight[chosen] if sample_weight is not None else None
        self.x = np.asarray(x)
        if self.x.ndim != 4:
            raise ValueError(
                f"Input data in `NumpyArrayIterator` should have rank 4. You passed an array with shape {self.x.shape}"
            )
        channels_axis = 3 if data_format == "channels_last" else 1
        if self.x.shape[channels_axis] not in (1, 3, 4):
            warnings.warn(
                f'NumpyArrayIterator is set to use the data format convention "{data_format}" (channels on axis '
                f"{channels_axis}), i.e. expected either 1, 3, or 4 channels on axis {channels_axis}. However, it was "
                f"passed an array with shape {self.x.shape} ({self.x.shape[channels_axis]} channels).",
                stacklevel=3,
            )
        self.x_misc = others
        self.y = None if y is None else np.asarray(y)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.image_data_generator = image_data_generator
        self.dtype, self.data_format = dtype, data_format
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _batch(self, index: Array, rng: Any) -> Any:
        batch = self.image_data_generator._changed(self.x[index].astype(self.dtype), rng)
        self._save(batch, index, rng)
        x = [batch, *(o[index] for o in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return x
        if self.sample_weight is None:
            return x, self.y[index]
        return x, self.y[index], self.sample_weight[index]


def _subset(subset: str, count: int, split: float) -> slice:
    if subset not in ("training", "validation"):
        raise ValueError(f'Invalid subset name: {subset}; expected "training" or "validation".')
    at = int(count * split)
    return slice(0, at) if subset == "validation" else slice(at, count)


class FileIterator(Iterator):
    """Batches from image files; subclasses know the paths and what belongs to them."""

    filenames: list[str]
    directory: str
    classes: Any = None
    class_indices: dict[Any, int]
    _weights: Any = None
    _targets: Any = None

    def __init__(self, generator: Any, class_mode: str | None, options: dict[str, Any]) -> None:
        self.image_data_generator = generator
        self.class_mode = class_mode
        self.target_size = tuple(options["target_size"])
        self.color_mode = options["color_mode"]
        if self.color_mode not in ("rgb", "rgba", "grayscale"):
            raise ValueError(f'Invalid color mode: {self.color_mode}; expected "rgb", "rgba", or "grayscale".')
        self.data_format = options["data_format"]
        self.dtype = options["dtype"]
        self.interpolation = options["interpolation"]
        self.keep_aspect_ratio = options["keep_aspect_ratio"]
        self.save_to_dir = options["save_to_dir"]
        self.save_prefix, self.save_format = options["save_prefix"], options["save_format"]
        channels = {"rgb": 3, "rgba": 4, "grayscale": 1}[self.color_mode]
        last = self.data_format == "channels_last"
        self.image_shape = (*self.target_size, channels) if last else (channels, *self.target_size)
        self.samples = len(self.filenames)
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        super().__init__(self.samples, options["batch_size"], options["shuffle"], options["seed"])

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_indices)

    @property
    def labels(self) -> Any:
        """The class (or the targets) of each file."""
        return self._targets if self._targets is not None else self.classes

    def _batch(self, index: Array, rng: Any) -> Any:
        pictures = np.zeros((len(index), *self.image_shape), self.dtype)
        for i, j in enumerate(index):
            img = load_img(
                self.filepaths[j], self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio
            )
            pictures[i] = img_to_array(img, self.data_format)
        batch = self.image_data_generator._changed(pictures, rng) if self.image_data_generator else pictures
        self._save(batch, index, rng)
        if self.class_mode is None:
            return batch
        if self.class_mode == "input":
            y: Any = batch.copy()
        elif self.class_mode in ("binary", "sparse"):
            y = np.asarray([self.classes[j] for j in index], self.dtype)
        elif self.class_mode == "categorical":
            y = np.zeros((len(index), self.num_classes), self.dtype)
            for i, j in enumerate(index):
                y[i, self.classes[j]] = 1.0
        elif self.class_mode == "multi_output":
            y = [target[index] for target in self._targets]
        else:
            y = self._targets[index]
        return (batch, y) if self._weights is None else (batch, y, self._weights[index])


class DirectoryIterator(FileIterator):
    """Batches from a folder with a folder for each class."""

    def __init__(
        self,
        directory: str,
        image_data_generator: Any,
        classes: Any = None,
        class_mode: str | None = "categorical",
        follow_links: bool = False,
        subset: str | None = None,
        **options: Any,
    ) -> None:
        modes = ("categorical", "binary", "sparse", "input", None)
        if class_mode not in modes:
            raise ValueError(f"Invalid class_mode: {class_mode}; expected one of: {modes}")
        self.directory = os.fspath(directory)
        names = list(classes or sorted(e.name for e in os.scandir(directory) if e.is_dir()))
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames, numbers = [], []
        for name, number in self.class_indices.items():
            found = list(_pictures(os.path.join(self.directory, name), follow_links))
            if subset is not None:
                found = found[_subset(subset, len(found), image_data_generator._validation_split)]
            self.filenames += [os.path.join(name, path) for path in found]
            numbers += [number] * len(found)
        self.classes = np.asarray(numbers, "int32")
        print_msg(f"Found {len(self.filenames)} images belonging to {len(names)} classes.")
        super().__init__(image_data_generator, class_mode, options)


def _pictures(folder: str, follow_links: bool) -> AnyIterator[str]:
    for root, _, files in sorted(os.walk(folder, followlinks=follow_links)):
        for name in sorted(files):
            if name.lower().endswith(ENDINGS):
                yield os.path.relpath(os.path.join(root, name), folder)


class DataFrameIterator(FileIterator):
    """Batches from files that a pandas DataFrame names."""

    def __init__(
        self,
        dataframe: Any,
        directory: str | None = None,
        image_data_generator: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        classes: Any = None,
        class_mode: str | None = "categorical",
        subset: str | None = None,
        validate_filenames: bool = True,
        **options: Any,
    ) -> None:
        modes = ("binary", "categorical", "input", "multi_output", "raw", "sparse", None)
        if class_mode not in modes:
            raise ValueError(f"Invalid class_mode: {class_mode}; expected one of: {modes}")
        _check_frame(dataframe, class_mode, x_col, y_col, weight_col, classes)
        frame = dataframe
        self.directory = directory or ""
        if validate_filenames:
            valid = [_is_picture(os.path.join(self.directory, name)) for name in frame[x_col]]
            if not all(valid):
                warnings.warn(
                    f'Found {len(valid) - sum(valid)} invalid image filename(s) in x_col="{x_col}". These filename(s) '
                    "will be ignored.",
                    stacklevel=3,
                )
            frame = frame[np.asarray(valid, bool)]
        labelled = class_mode in ("binary", "categorical", "sparse")
        kept = list(range(len(frame)))
        if labelled:
            labels = [list(v) if isinstance(v, (list, tuple)) else [v] for v in frame[y_col]]
            names = list(dict.fromkeys(classes)) if classes else sorted({v for row in labels for v in row})
            self.class_indices = {name: i for i, name in enumerate(names)}
            numbers = [[self.class_indices[v] for v in row if v in self.class_indices] for row in labels]
            kept = [i for i, row in enumerate(numbers) if row]
        if subset is not None:
            kept = kept[_subset(subset, len(kept), image_data_generator._validation_split)]
        frame = frame.iloc[kept]
        if labelled:
            lists = [isinstance(v, (list, tuple)) for v in frame[y_col]]
            self.classes = [numbers[i] if many else numbers[i][0] for i, many in zip(kept, lists, strict=True)]
        self.filenames = frame[x_col].tolist()
        self._weights = frame[weight_col].to_numpy() if weight_col else None
        if class_mode == "multi_output":
            self._targets = [np.array(frame[column].tolist()) for column in y_col]
        elif class_mode == "raw":
            self._targets = frame[y_col].to_numpy()
        kind = "validated" if validate_filenames else "non-validated"
        belonging = f" belonging to {len(self.class_indices)} classes" if labelled else ""
        print_msg(f"Found {len(self.filenames)} {kind} image filenames{belonging}.")
        super().__init__(image_data_generator, class_mode, options)


def _is_picture(path: str) -> bool:
    return path.lower().endswith(ENDINGS) and os.path.isfile(path)


def _check_frame(frame: Any, class_mode: Any, x_col: str, y_col: Any, weight_col: Any, classes: Any) -> None:
    if class_mode == "multi_output" and not isinstance(y_col, list):
        raise TypeError(f'If class_mode="{class_mode}", y_col must be a list. Received {type(y_col).__name__}.')
    if not all(isinstance(v, str) for v in frame[x_col]):
        raise TypeError(f"All values in column x_col={x_col} must be strings.")
    if class_mode in ("binary", "sparse") and not all(isinstance(v, str) for v in frame[y_col]):
        raise TypeError(f'If class_mode="{class_mode}", y_col="{y_col}" column values must be strings.')
    if class_mode == "binary":
        found = len(set(classes)) if classes else frame[y_col].nunique()
        if found != 2:
            what = "class/es were given" if classes else "classes were found"
            raise ValueError(f'If class_mode="binary" there must be 2 classes. {found} {what}.')
    if class_mode == "categorical" and not all(isinstance(v, (str, list, tuple)) for v in frame[y_col]):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col="{y_col}" column values must be type string, list or tuple.'
        )
    if classes and class_mode in ("input", "multi_output", "raw", None):
        warnings.warn(f'`classes` will be ignored given the class_mode="{class_mode}"', stacklevel=4)
    if weight_col and not np.issubdtype(frame[weight_col].dtype, np.number):
        raise TypeError(f"Column weight_col={weight_col} must be numeric.")
