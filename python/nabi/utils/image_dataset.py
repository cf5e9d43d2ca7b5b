"""Folders of images as a data set. Pillow is loaded when it is needed.

Source of names, defaults, order and messages: Keras 3.15 `keras.utils.image_dataset_from_directory`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from nabi import config
from nabi.trace import Array
from nabi.training.data_adapters import PyDataset
from nabi.utils.image_utils import load_img
from nabi.utils.progbar import print_msg

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
_KERNELS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
_INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


class ImageDataset(PyDataset):
    """Batches of images read from files: float32 images, or (images, labels).

    Attributes:
        class_names: names of the classes in the order of their numbers; None without labels.
        file_paths: the files, in the order before the epochs' shuffles.
    """

    def __init__(
        self,
        file_paths: list[str],
        labels: Any,
        class_names: list[str] | None,
        batch_size: int | None,
        shuffle: bool,
        seed: int,
        **reading: Any,
    ) -> None:
        super().__init__()
        self.file_paths = file_paths
        self.class_names = class_names
        self._labels = labels
        self._batch_size = batch_size
        self._reading = reading
        self._rng = np.random.RandomState(seed) if shuffle else None
        self._order = np.arange(len(file_paths))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.file_paths) // (self._batch_size or 1))

    def on_epoch_end(self) -> None:
        """Another order for the next epoch."""
        if self._rng is not None:
            self._order = self._rng.permutation(len(self.file_paths))

    def __iter__(self) -> Iterator[Any]:
        yield from (self[i] for i in range(len(self)))
        self.on_epoch_end()

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"The data set has {len(self)} batches, numbered from 0. Received: index={index}")
        step = self._batch_size or 1
        rows = self._order[index * step : (index + 1) * step]
        images = np.stack([_read(self.file_paths[i], **self._reading) for i in rows])
        labels = None if self._labels is None else self._labels[rows]
        if self._batch_size is None:
            images, labels = images[0], None if labels is None else labels[0]
        if labels is None:
            return images.view(Array)
        return images.view(Array), np.asarray(labels).view(Array)


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The images under a directory, in batches of one size.

    Args:
        directory: has one folder for each class; without inferred labels its structure does not matter.
        labels: "inferred" from the folders, None, or a list of numbers for the files in alphanumeric order.
        label_mode: "int" (numbers), "binary" (float32 (batch, 1)), "categorical" (one-hot), or None.
        class_names: the folders to use, in this order.
        color_mode: "grayscale", "rgb" or "rgba".
        batch_size: None for one image at a time.
        image_size: (height, width).
        shuffle: another order in each epoch, and before `validation_split` is taken.
        seed: of the order.
        validation_split: the share of the files, the last ones, that is kept for validation.
        subset: "training", "validation" or "both", which gives a pair.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        follow_links: go into linked folders.
        crop_to_aspect_ratio: cut the middle with the ratio of `image_size` first.
        pad_to_aspect_ratio: add zeros for it instead.
        data_format: "channels_last", "channels_first", or None for the global setting.
        format: accepted for compatibility.
        verbose: print how many files were found.

    Returns:
        A `PyDataset` of images in 0..255, float32, with the attributes `class_names` and `file_paths`.

    Raises:
        ValueError: arguments that are unknown or do not go together, or no images.
        NotImplementedError: an interpolation that Nabi does not have.
    """
    if labels not in ("inferred", None):
        if not isinstance(labels, (list, tuple)):
            raise ValueError(
                "`labels` argument should be a list/tuple of integer labels, of the same size as the number of image "
                "files in the target directory. If you wish to infer the labels from the subdirectory names in the "
                'target directory, pass `labels="inferred"`. If you wish to get a dataset that only contains images '
                f"(no labels), pass `labels=None`. Received: labels={labels}"
            )
        if class_names:
            raise ValueError(
                'You can only pass `class_names` if `labels="inferred"`. '
                f"Received: labels={labels}, and class_names={class_names}"
            )
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            '`label_mode` argument must be one of "int", "categorical", "binary", or None. '
            f"Received: label_mode={label_mode}"
        )
    if labels is None or label_mode is None:
        labels = label_mode = None
    if color_mode not in _CHANNELS:
        raise ValueError(
            f'`color_mode` must be one of {{"rgb", "rgba", "grayscale"}}. Received: color_mode={color_mode}'
        )
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    elif not isinstance(image_size, (list, tuple)) or len(image_size) != 2:
        raise ValueError(
            f"Invalid `image_size` value. Expected a tuple of 2 integers. Received: image_size={image_size}"
        )
    interpolation = interpolation.lower()
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(
            f"Argument `interpolation` should be one of {_INTERPOLATIONS}. Received: interpolation={interpolation}"
        )
    if interpolation not in _KERNELS:
        raise NotImplementedError(f"Images are resized with one of {_KERNELS}. Received: interpolation={interpolation}")
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` should be either "tf" or "grain". Received: format={format}')
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`.")
    _check_split(validation_split, subset, shuffle, seed)
    if seed is None:
        seed = int(np.random.randint(1000000))  # noqa: NPY002 - np.random.seed must reproduce
    files, numbers, names = _indexed(directory, labels, class_names, follow_links, verbose)
    if label_mode == "binary" and len(names or ()) != 2:
        raise ValueError(
            f'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: class_names={names}'
        )
    if shuffle:
        order = np.arange(len(files))
        np.random.RandomState(seed).shuffle(order)
        files = [files[i] for i in order]
        numbers = None if numbers is None else numbers[order]
    coded = _coded(numbers, label_mode, len(names or ()))

    def part(which: str | None, shuffled: bool) -> ImageDataset:
        kept = slice(None)
        if validation_split:
            count = int(validation_split * len(files))
            kept = slice(0, len(files) - count) if which == "training" else slice(len(files) - count, None)
            number = len(files) - count if which == "training" else count
            print_msg(f"Using {number} files for {which}.")
        if not files[kept]:
            what = "No images" if subset != "both" else f"No {which} images"
            raise ValueError(f"{what} found in directory {directory}. Allowed formats: {ENDINGS}")
        return ImageDataset(
            files[kept],
            None if coded is None else coded[kept],
            names,
            batch_size,
            shuffled,
            seed,
            color_mode=color_mode,
            size=(int(image_size[0]), int(image_size[1])),
            interpolation=interpolation,
            crop=crop_to_aspect_ratio,
            pad=pad_to_aspect_ratio,
            first=config.standardize_data_format(data_format) == "channels_first",
        )

    if subset == "both":
        return [part("training", shuffle), part("validation", False)]
    return part(subset, shuffle)


def _check_split(validation_split: Any, subset: Any, shuffle: bool, seed: Any) -> None:
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {validation_split}")
    if bool(validation_split) != bool(subset):
        raise ValueError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in ("training", "validation", "both", None):
        raise ValueError(f'`subset` must be either "training", "validation" or "both", received: {subset}')
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` argument, to make sure that "
            "there is no overlap between the training and validation subset."
        )


def _indexed(
    directory: Any, labels: Any, class_names: Any, follow_links: bool, verbose: bool
) -> tuple[list[str], Any, list[str] | None]:
    """The files, their class numbers and the names of the classes."""
    directory = os.fspath(directory)
    folders = [""]
    if labels == "inferred":
        entries = sorted(os.listdir(directory))
        folders = [e for e in entries if not e.startswith(".") and os.path.isdir(os.path.join(directory, e))]
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(
                    "The `class_names` passed did not match the names of the subdirectories of the target directory. "
                    f"Expected: {folders} (or a subset of it), but received: class_names={class_names}"
                )
            folders = list(class_names)
    elif class_names is not None:
        raise ValueError("When `labels=None` (no labels), argument `class_names` cannot be specified.")
    files: list[str] = []
    numbers: list[int] = []
    for number, folder in enumerate(folders):
        found = [
            os.path.join(root, name)
            for root, _, entries in sorted(os.walk(os.path.join(directory, folder), followlinks=follow_links))
            for name in sorted(entries)
            if name.lower().endswith(ENDINGS)
        ]
        files += found
        numbers += [number] * len(found)
    if labels is None:
        if verbose:
            print_msg(f"Found {len(files)} files.")
        return files, None, None
    if labels != "inferred":
        if len(labels) != len(files):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the target directory. len(labels) "
                f"is {len(labels)} while we found {len(files)} files in directory {directory}."
            )
        folders, numbers = [str(label) for label in sorted(set(labels))], list(labels)
    if verbose:
        print_msg(f"Found {len(files)} files belonging to {len(folders)} classes.")
    return files, np.asarray(numbers, "int32"), folders


def _coded(numbers: Any, label_mode: str | None, classes: int) -> Any:
    if numbers is None or label_mode == "int":
        return numbers
    if label_mode == "binary":
        return numbers.astype("float32")[:, None]
    return (numbers[:, None] == np.arange(classes)).astype("float32")


def _read(
    path: str, color_mode: str, size: tuple[int, int], interpolation: str, crop: bool, pad: bool, first: bool
) -> np.ndarray[Any, Any]:
    """One image in its new size, float32."""
    from nabi.ops.image import weights  # the ops need this package

    x = np.asarray(load_img(path, color_mode=color_mode), dtype="float32")
    x = x if x.ndim == 3 else x[:, :, None]
    height, width = x.shape[:2]
    if crop:
        h, w = max(min(height, int(width * size[0] / size[1])), 1), max(min(width, int(height * size[1] / size[0])), 1)
        top, left = (height - h) // 2, (width - w) // 2
        x = x[top : top + h, left : left + w]
    elif pad:
        h, w = max(height, int(width * size[0] / size[1])), max(width, int(height * size[1] / size[0]))
        top, left = (h - height) // 2, (w - width) // 2
        x = np.pad(x, ((top, h - height - top), (left, w - width - left), (0, 0)))
    for axis in (0, 1):
        if x.shape[axis] != size[axis]:
            table = weights(x.shape[axis], size[axis], interpolation, antialias=False).astype("float32")
            x = np.moveaxis(np.tensordot(table, x, (1, axis)), 0, axis)
    return np.ascontiguousarray(x.transpose(2, 0, 1) if first else x, dtype="float32")
