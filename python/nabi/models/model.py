"""The base class of all models."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from nabi import objects
from nabi.layers.calling import build_by_call
from nabi.layers.layer import Layer, is_default
from nabi.trace import Cached
from nabi.training.trainer import TRAINER_STATE, Trainer

# Set without raising the version: no traced program depends on them, or a key of its own covers them.
_UNTRACKED = TRAINER_STATE | {"_symbolic", "_inputs_struct", "_outputs_struct", "_graph"}


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether constructor arguments are those of a functional model: inputs and outputs."""
    return len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


class Model(Trainer, Layer):
    """Layers that are trained together.

    `Model(inputs, outputs)` makes a model of the calls between symbolic tensors. A subclass makes its layers in
    `__init__` and defines `call`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from nabi.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            from nabi.models.functional import Functional

            _make_functional(type(self))
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
            return
        Layer.__init__(self, *args, **kwargs)
        Trainer.__init__(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _UNTRACKED:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def _layers(self) -> list[Any]:
        """Direct sublayers: those of the stack or graph, then those that a subclass holds besides."""
        explicit = self._explicit_layers
        found = self._scan().layers
        if explicit is None:
            return found
        known = {id(layer) for layer in explicit}
        return explicit + [layer for layer in found if id(layer) not in known]

    @_layers.setter
    def _layers(self, layers: list[Any]) -> None:
        object.__setattr__(self, "_explicit_layers", layers)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The model's computation, for a subclass to define."""
        raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._eager is None:
            # One arena serves all of a model's programs: nothing in it outlives a run.
            eager = Cached(self._traced, state=lambda: self.version, arena=lambda: self._steps.arena)
            object.__setattr__(self, "_eager", eager)
        return super().__call__(*args, **kwargs)

    @property
    def layers(self) -> list[Any]:
        """The layers of the model, without those inside of them."""
        return self._listed_layers()

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`Model.layers` attribute is reserved and should not be used. Please use another name.")

    def _listed_layers(self) -> list[Any]:
        return list(self._flatten_layers(include_self=False, recursive=False))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of this name or at this index.

        Raises:
            ValueError: neither or both are given, or there is no such layer.
        """
        if index is not None and name is not None:
            raise ValueError(f"Provide only a layer name or a layer index. Received: index={index}, name={name}.")
        layers = self.layers
        if index is not None:
            if index >= len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers."
                )
            return layers[index]
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.")

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints the layers with their output shapes and numbers of parameters.

        Args:
            line_length: width of the table in characters.
            positions: where the columns end, as fractions of the width.
            print_fn: receives the whole text once; standard output by default.
            expand_nested: show the layers of nested models too.
            show_trainable: show which layers train.
            layer_range: names (or regular expressions) of the first and the last layer to show.
        """
        from nabi.utils.summary import print_summary

        print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Saves the weights, and the optimizer's state if compiled, to a `.weights.h5` file.

        Raises:
            ValueError: wrong ending, or the model is not built.
        """
        from nabi.saving.weights import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Loads weights from a `.weights.h5` or `.keras` file, or an `.h5` or `.hdf5` file of Keras 1 and 2.

        Args:
            filepath: the file.
            skip_mismatch: leave layers whose weights do not fit as they are, with a warning, instead of raising.
            **kwargs: `by_name=True` goes by the names of layers instead of their order, in `.h5` and `.hdf5` files.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no weights file, or does not fit; the model is unchanged.
        """
        from nabi.saving.weights import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def save(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Saves config, weights and how the model is compiled to a `.keras` (or older `.h5`, `.hdf5`) file.

        Args:
            filepath: the file.
            overwrite: replace an existing file; otherwise ask, or raise where nobody can answer.
            zipped: True; a folder instead of a file is not offered.

        Raises:
            ValueError: another ending. FileExistsError: `overwrite` is False and nobody can be asked.
        """
        from nabi.saving.models import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A model made from `get_config()`, with new weights.

        Raises:
            TypeError: the constructor does not take the config. ValueError: the calls in it do not fit.
        """
        from nabi.models.configs import model_from_config

        return model_from_config(cls, config, custom_objects)

    def to_json(self, **kwargs: Any) -> str:
        """The model's config, with what it is built for and compiled with, as JSON text; no weights.

        Args:
            **kwargs: for `json.dumps`.
        """
        return json.dumps(objects.serialize_keras_object(self), **kwargs)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights for the shapes of `get_build_config()`: by `build`, or by a symbolic call without one."""
        shapes = config.get("shapes_dict") or {"input_shape": config.get("input_shape")}
        if not is_default(self.build):
            super().build_from_config(config)
        elif all(shape is not None for shape in shapes.values()):
            try:
                build_by_call(self, shapes)
            except Exception as error:
                warnings.warn(
                    f"Model '{self.name}' had a build config, but the model cannot be built automatically in "
                    "`build_from_config(config)`. You should implement `def build_from_config(self, config)`, and you "
                    "might also want to implement the method that generates the config at saving time, "
                    "`def get_build_config(self)`. The method `build_from_config()` is meant to create the state of "
                    f"the model (i.e. its variables) upon deserialization. Error encountered: {error}",
                    stacklevel=2,
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        from nabi.models.copies import restore

        calls = state.pop("_calls", None)
        super().__setstate__(state)
        if calls is not None:
            restore(self, calls)

    def _input_dtypes(self) -> list[str | None] | None:
        """The dtypes that the inputs have, in order; None where data decides."""
        return None

    def _arrange_inputs(self, x: Any) -> Any:
        """User data in the structure that `call` takes."""
        return x


def _make_functional(cls: type) -> None:
    """Puts `Functional` in the place of `Model` among a subclass's bases.

    A subclass that hands inputs and outputs to `super().__init__` becomes functional.
    """
    from nabi.models.functional import Functional

    if issubclass(cls, Functional):
        return
    for base in cls.__mro__[:-1]:
        if Model in base.__bases__:
            base.__bases__ = tuple(Functional if b is Model else b for b in base.__bases__)
            return
