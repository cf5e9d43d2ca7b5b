"""`keras.preprocessing.image`: `ImageDataGenerator` and what goes with it.

Source of arguments, defaults and messages: Keras's `keras.src.legacy.preprocessing.image`. The pictures of a batch are
warped in one call of the core.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from nabi import config
from nabi.legacy.preprocessing import warps
from nabi.legacy.preprocessing.iterators import DataFrameIterator, DirectoryIterator, Iterator, NumpyArrayIterator
from nabi.utils.image_utils import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
]

Array = np.ndarray[Any, Any]

_OVERRIDES = "This ImageDataGenerator specifies `{}`, which overrides setting of `{}`."
_NOT_FIT = (
    "This ImageDataGenerator specifies `{}`, but it hasn't been fit on any training data. Fit it first by calling "
    "`.fit(numpy_data)`."
)
_FILLS = ("constant", "nearest", "reflect", "wrap")


class ImageDataGenerator:
    """Batches of pictures, changed at random and standardized.

    Args:
        featurewise_center, featurewise_std_normalization: take off the data's mean, divide by its deviation, both by
            channel; `fit` finds them.
        samplewise_center, samplewise_std_normalization: the same with each picture's own.
        zca_whitening, zca_epsilon: whiten; `fit` finds the matrix.
        rotation_range: degrees to either side.
        width_shift_range, height_shift_range: a float below 1 is a part of the size, one above pixels; an int n is one
            of the whole numbers below n; a list, one of it.
        brightness_range: (low, high), 1 leaving the picture as it is.
        shear_range: degrees.
        zoom_range: (low, high), or a float z for (1 - z, 1 + z).
        channel_shift_range: added to all channels, at most.
        fill_mode, cval: beyond the edge "constant" (`cval`), "nearest", "reflect" or "wrap".
        horizontal_flip, vertical_flip: every other time.
        rescale: factor.
        preprocessing_function: function of one picture, after the changes.
        data_format: None for `image_data_format()`.
        validation_split: the part that `subset="validation"` gets.
        interpolation_order: 0 or 1: the nearest pixel, or between pixels.
        dtype: of the batches.

    Raises:
        ValueError: an argument out of its range. NotImplementedError: splines (`interpolation_order` above 1).
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Any = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        data_format = data_format or config.image_data_format()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                '`data_format` should be `"channels_last"` (channel after row and column) or `"channels_first"` '
                f"(channel before row and column). Received: {data_format}"
            )
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(f"`validation_split` must be strictly between 0 and 1.  Received: {validation_split}")
        if fill_mode not in _FILLS:
            raise ValueError(f"`fill_mode` must be one of {_FILLS}. Received: {fill_mode}")
        if interpolation_order not in (0, 1):
            raise NotImplementedError(
                "`interpolation_order` must be 0 or 1: splines are not offered. Received: "
                f"interpolation_order={interpolation_order}"
            )
        if isinstance(zoom_range, (float, int)):
            zoom_range = [1 - zoom_range, 1 + zoom_range]
        elif len(zoom_range) != 2 or not all(isinstance(v, (float, int)) for v in zoom_range):
            raise ValueError(f"`zoom_range` should be a float or a tuple or list of two floats. Received: {zoom_range}")
        if brightness_range is not None and (
            not isinstance(brightness_range, (tuple, list)) or len(brightness_range) != 2
        ):
            raise ValueError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range = brightness_range
        self.shear_range, self.zoom_range = shear_range, list(zoom_range)
        self.channel_shift_range = channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.interpolation_order = interpolation_order
        self.data_format = data_format
        self.dtype = dtype or config.floatx()
        self.channel_axis, self.row_axis, self.col_axis = (3, 1, 2) if data_format == "channels_last" else (1, 2, 3)
        self._validation_split = validation_split
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None
        self._settle()

    def _settle(self) -> None:
        """What one setting means for another."""
        if self.zca_whitening:
            self._override("zca_whitening", "featurewise_center", True)
            self._override("zca_whitening", "featurewise_std_normalization", False)
        if self.featurewise_std_normalization:
            self._override("featurewise_std_normalization", "featurewise_center", True)
        if self.samplewise_std_normalization:
            self._override("samplewise_std_normalization", "samplewise_center", True)

    def _override(self, by: str, name: str, value: bool) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            warnings.warn(_OVERRIDES.format(by, name), stacklevel=4)

    # -----------------------------------------------------------------------------------------------------------------
    # Batches
    # -----------------------------------------------------------------------------------------------------------------
    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches from arrays.

        Args:
            x: pictures of rank 4; or (pictures, other inputs), which stay as they are.
            y: labels.
            batch_size: pictures of a batch.
            shuffle: another order in each epoch.
            sample_weight: weights.
            seed: of the order and the changes.
            save_to_dir, save_prefix, save_format: write the changed pictures there, to look at.
            ignore_class_split: allow subsets in which classes are missing.
            subset: "training" or "validation", with `validation_split`.
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    def flow_from_directory(
        self,
        directory: str,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches from a folder that has a folder of image files for each class; see `flow`."""
        return DirectoryIterator(
            directory,
            self,
            classes=classes,
            class_mode=class_mode,
            follow_links=follow_links,
            subset=subset,
            target_size=target_size,
            color_mode=color_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            data_format=self.data_format,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | None = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches from image files that a pandas DataFrame names; see `flow`."""
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            classes=classes,
            class_mode="raw" if class_mode == "other" else class_mode,
            subset=subset,
            validate_filenames=validate_filenames,
            target_size=target_size,
            color_mode=color_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            interpolation=interpolation,
            keep_aspect_ratio=False,
            data_format=self.data_format,
            dtype=self.dtype,
        )

    def _changed(self, pictures: Array, rng: Any) -> Any:
        """A batch, changed at random and standardized; `pictures` may be written to."""
        parameters = warps.draw(self, pictures.shape[1:], rng, len(pictures))
        pictures = self._applied(pictures, parameters)
        if self.preprocessing_function or self.samplewise_center or self.samplewise_std_normalization:
            for i, x in enumerate(pictures):
                pictures[i] = self.standardize(x)
            return pictures
        return self.standardize(pictures)

    def _applied(self, pictures: Array, parameters: list[warps.Parameters]) -> Array:
        moving = [i for i, p in enumerate(parameters) if warps.moves(p)]
        if moving:
            whole = len(moving) == len(pictures)
            warped = warps.warp(
                pictures if whole else pictures[moving],
                parameters if whole else [parameters[i] for i in moving],
                self.data_format,
                self.fill_mode,
                self.cval,
                self.interpolation_order,
            )
            if whole:
                pictures = warped
            else:
                pictures[moving] = warped
        for i, p in enumerate(parameters):
            if p.get("channel_shift_intensity") is not None:
                pictures[i] = warps.shift_channels(pictures[i], p["channel_shift_intensity"])
            if p.get("flip_horizontal"):
                pictures[i] = np.flip(pictures[i], self.col_axis - 1)
            if p.get("flip_vertical"):
                pictures[i] = np.flip(pictures[i], self.row_axis - 1)
            if p.get("brightness") is not None:
                pictures[i] = warps.brighten(pictures[i], p["brightness"], False, self.data_format)
        return pictures

    # -----------------------------------------------------------------------------------------------------------------
    # One picture
    # -----------------------------------------------------------------------------------------------------------------
    def get_random_transform(self, img_shape: tuple[int, ...], seed: int | None = None) -> warps.Parameters:
        """Random parameters for one picture of this shape, as `apply_transform` takes them."""
        return warps.draw(self, img_shape, np.random if seed is None else np.random.RandomState(seed))[0]

    def apply_transform(self, x: Any, transform_parameters: warps.Parameters) -> Array:
        """One picture, changed.

        Args:
            x: rank 3.
            transform_parameters: "theta" and "shear" in degrees, "tx" (rows) and "ty" (columns) in pixels, "zx" and
                "zy" factors, "flip_horizontal" and "flip_vertical", "channel_shift_intensity", "brightness".
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 3:
            raise ValueError("Input arrays must be multi-channel 2D images.")
        return np.asarray(self._applied(x[None], [transform_parameters])[0])

    def random_transform(self, x: Any, seed: int | None = None) -> Array:
        """One picture, changed at random."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def standardize(self, x: Any) -> Any:
        """Pictures rescaled, centred and normalized as the generator says; `x` is written to where that is enough."""
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center:
            if self.mean is not None:
                x -= self.mean
            else:
                warnings.warn(_NOT_FIT.format("featurewise_center"), stacklevel=2)
        if self.featurewise_std_normalization:
            if self.std is not None:
                x /= self.std + 1e-6
            else:
                warnings.warn(_NOT_FIT.format("featurewise_std_normalization"), stacklevel=2)
        if self.zca_whitening:
            if self.zca_whitening_matrix is not None:
                flat = x.reshape(-1, int(np.prod(x.shape[-3:])))
                x = np.reshape(flat @ self.zca_whitening_matrix, x.shape)
            else:
                warnings.warn(_NOT_FIT.format("zca_whitening"), stacklevel=2)
        return x

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Finds the mean, the deviation and the whitening matrix of pictures.

        Args:
            x: pictures of rank 4.
            augment: of changed pictures, `rounds` times the data.
            seed: of these changes.

        Raises:
            ValueError: another rank.
        """
        given = np.asarray(x)
        if given.ndim != 4:
            raise ValueError(f"Input to `.fit()` should have rank 4. Got array with shape: {given.shape}")
        if given.shape[self.channel_axis] not in (1, 3, 4):
            warnings.warn(
                f'Expected input to be images (as Numpy array) following the data format convention "{self.data_format}'
                f'" (channels on axis {self.channel_axis}), i.e. expected either 1, 3 or 4 channels on axis '
                f"{self.channel_axis}. However, it was passed an array with shape {given.shape} "
                f"({given.shape[self.channel_axis]} channels).",
                stacklevel=2,
            )
        if not (self.featurewise_center or self.featurewise_std_normalization or self.zca_whitening):
            return  # there is nothing to find
        x = np.array(given, dtype=self.dtype)
        if self.rescale:
            x *= self.rescale
        if augment:
            rng: Any = np.random if seed is None else np.random.RandomState(seed)
            x = np.concatenate(
                [self._applied(x.copy(), warps.draw(self, x.shape[1:], rng, len(x))) for _ in range(rounds)]
            )
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
            x /= self.std + 1e-6
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(flat.T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))) @ u.T


# ---------------------------------------------------------------------------------------------------------------------
# One picture at a time
# ---------------------------------------------------------------------------------------------------------------------
def apply_affine_transform(
    x: Any,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """A picture turned, moved, sheared and zoomed about its middle.

    Args:
        x: rank 3; the axes say which is which.
        theta, shear: degrees.
        tx, ty: pixels by row and column.
        zx, zy: factors.
        fill_mode, cval, order: see `ImageDataGenerator`.
    """
    x = np.asarray(x)
    if {row_axis, col_axis, channel_axis} != {0, 1, 2} or channel_axis == 1 or row_axis > col_axis:
        raise ValueError(
            "Rows must come before columns and channels first or last. Received: "
            f"row_axis={row_axis}, col_axis={col_axis}, channel_axis={channel_axis}"
        )
    generator = ImageDataGenerator(
        data_format="channels_first" if channel_axis == 0 else "channels_last",
        fill_mode=fill_mode,
        cval=cval,
        interpolation_order=order,
    )
    return generator.apply_transform(x, {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy})


def random_rotation(
    x: Any, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> Array:
    """A picture turned by up to `rg` degrees."""
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(x, theta, 0, 0, 0, 1, 1, row_axis, col_axis, channel_axis, **_order(options))


def random_shift(
    x: Any, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> Array:
    """A picture moved by up to these parts of its width and height."""
    shape = np.shape(x)
    tx = np.random.uniform(-hrg, hrg) * shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * shape[col_axis]
    return apply_affine_transform(x, 0, tx, ty, 0, 1, 1, row_axis, col_axis, channel_axis, **_order(options))


def random_shear(
    x: Any, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> Array:
    """A picture sheared by up to `intensity` degrees."""
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(x, 0, 0, 0, shear, 1, 1, row_axis, col_axis, channel_axis, **_order(options))


def random_zoom(
    x: Any, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> Array:
    """A picture zoomed by factors between the two of `zoom_range`."""
    if len(zoom_range) != 2:
        raise ValueError(f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return apply_affine_transform(x, 0, 0, 0, 0, zx, zy, row_axis, col_axis, channel_axis, **_order(options))


def _order(options: dict[str, Any]) -> dict[str, Any]:
    if "interpolation_order" in options:
        options["order"] = options.pop("interpolation_order")
    return options


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> Array:
    """A picture with a number added, kept within its own range."""
    return warps.shift_channels(np.asarray(x), intensity)


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> Array:
    """The same with a random number up to `intensity_range`."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range))


def apply_brightness_shift(x: Any, brightness: float, scale: bool = True) -> Array:
    """A picture brightened: 0 is black, 1 leaves it as it is."""
    return warps.brighten(np.asarray(x), brightness, scale, config.image_data_format())


def random_brightness(x: Any, brightness_range: Any, scale: bool = True) -> Array:
    """The same with a factor between the two of `brightness_range`."""
    if len(brightness_range) != 2:
        raise ValueError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]), scale)
