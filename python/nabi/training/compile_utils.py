"""What `compile` was given, made into losses and metrics per output once shapes are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nabi import losses as losses_module
from nabi import metrics as metrics_module
from nabi import ops, tree
from nabi.losses.classes import LossFunctionWrapper
from nabi.names import get_object_name

_NESTED = (list, tuple, dict)


def _kind_of_classes(y_true: Any, y_pred: Any) -> str:
    """ "binary", "sparse" or "categorical", from the shapes alone."""
    if y_pred.shape and y_pred.shape[-1] == 1:
        return "binary"
    fewer_axes = len(y_true.shape) < len(y_pred.shape)
    if fewer_axes or (y_true.shape and y_true.shape[-1] == 1 and y_pred.shape[-1] > 1):
        return "sparse"
    return "categorical"


def get_metric(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """The metric object for what the user typed; "accuracy" and "acc" are resolved from shapes.

    Raises:
        ValueError: None, or a name that no metric has.
    """
    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if str(identifier).lower() in ("accuracy", "acc"):
        classes = {
            "binary": metrics_module.BinaryAccuracy,
            "sparse": metrics_module.SparseCategoricalAccuracy,
            "categorical": metrics_module.CategoricalAccuracy,
        }
        metric: Any = classes[_kind_of_classes(y_true, y_pred)](name=str(identifier))
    else:
        metric = metrics_module.get(identifier)
    name = identifier if isinstance(identifier, str) else get_object_name(metric)
    if not isinstance(metric, metrics_module.Metric):
        metric = metrics_module.MeanMetricWrapper(metric)
    metric.name = name
    return metric


def get_loss(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """The loss object for what the user typed; "crossentropy" and "ce" are resolved from shapes; None for None.

    Raises:
        ValueError: a name that no loss has.
    """
    if identifier is None:
        return None
    if str(identifier).lower() in ("crossentropy", "ce"):
        functions = {
            "binary": losses_module.binary_crossentropy,
            "sparse": losses_module.sparse_categorical_crossentropy,
            "categorical": losses_module.categorical_crossentropy,
        }
        loss: Any = functions[_kind_of_classes(y_true, y_pred)]
    else:
        loss = losses_module.get(identifier)
    if isinstance(loss, losses_module.Loss):
        return loss
    if not callable(loss):
        raise ValueError(f"Could not interpret loss: {identifier}. Expected a name, a function or a `Loss` instance.")
    name = identifier if isinstance(identifier, str) else get_object_name(loss)
    return LossFunctionWrapper(loss, name=name)


def check_loss(loss: Any) -> None:
    """Looks up every loss name in the structure, so that unknown ones are reported by `compile`.

    Raises:
        ValueError: a name that no loss has, or something that is no loss.
    """
    for entry in tree.flatten(loss):
        if entry is not None and str(entry).lower() not in ("crossentropy", "ce"):
            found = losses_module.get(entry)
            if not callable(found):
                raise ValueError(
                    f"Could not interpret loss: {entry}. Expected a name, a function or a `Loss` instance."
                )


def check_metrics(metrics: Any, argument: str) -> None:
    """Looks up every metric name, so that unknown ones are reported by `compile`.

    Raises:
        ValueError: not a list, tuple or dict; or a name that no metric has.
    """
    if metrics is None or (not isinstance(metrics, (str,)) and not metrics):
        return
    if not isinstance(metrics, _NESTED):
        raise ValueError(
            f"Expected `{argument}` argument to be a list, tuple, or dict. "
            f"Received instead: {argument}={metrics} of type {type(metrics)}"
        )
    for entry in tree.flatten(metrics):
        if isinstance(entry, str) and entry.lower() not in ("accuracy", "acc"):
            metrics_module.get(entry)


def output_keys(y_pred: Any, output_names: Sequence[str] | None) -> list[str]:
    """A name per output, in the order of `tree.flatten(y_pred)`."""
    count = len(tree.flatten(y_pred))
    if isinstance(y_pred, Mapping) and len(y_pred) == count:
        return [str(key) for key in sorted(y_pred)]
    if output_names is not None and len(output_names) == count:
        return list(output_names)
    return [f"output_{i}" for i in range(count)]


def _loss_names(y_pred: Any, names: Sequence[str]) -> list[str]:
    """What the means of the outputs' losses begin with: the path to the output, by keys, its own name for a place."""
    if not _is_deep(y_pred):
        return list(names)
    paths = [path for path, _ in tree.flatten_with_path(y_pred)]
    named = [(*path[:-1], name) if isinstance(path[-1], int) else path for path, name in zip(paths, names, strict=True)]
    return ["/".join(str(part) for part in path) for path in named]


def _is_deep(y_pred: Any) -> bool:
    return any(len(path) > 1 for path, _ in tree.flatten_with_path(y_pred))


def _by_structure(entries: Any, y_pred: Any) -> list[Any] | None:
    """What stands in `entries` for each output, if outputs and entries are structures within structures of one form."""
    if not tree.is_nested(entries) or not _is_deep(y_pred):
        return None
    found: list[Any] = []
    try:
        tree.map_structure_up_to(tree.lists_to_tuples(y_pred), found.append, tree.lists_to_tuples(entries))
    except ValueError:
        return None
    return found


def align(y: Any, y_pred: Any, names: Sequence[str], argument: str) -> list[Any]:
    """The entry of `y` for each output, in the order of `tree.flatten(y_pred)`.

    Args:
        y: targets or weights: one for a single output, else a list, a tuple, or a dict by output name.
        y_pred: the outputs.
        names: their names.
        argument: what to call `y` in messages.

    Raises:
        ValueError: the numbers differ, or a name is missing.
    """
    if isinstance(y, Mapping) and not (isinstance(y_pred, Mapping) and set(y) == set(y_pred)):
        missing = [name for name in names if name not in y]
        if len(missing) == len(names) or set(y) - set(names):
            raise ValueError(f"Expected `{argument}` to have the keys {list(names)}. Received keys: {list(y)}")
        return [y.get(name) for name in names]
    flat = tree.flatten(y)
    if len(flat) != len(names):
        y_true_structure = tree.map_structure(lambda _: "*", y)
        y_pred_structure = tree.map_structure(lambda _: "*", y_pred)
        raise ValueError(
            f"{'y_true' if argument == 'y' else argument} and y_pred have different structures.\n"
            f"{'y_true' if argument == 'y' else argument}: {y_true_structure}\ny_pred: {y_pred_structure}\n"
        )
    return flat


class CompileLoss:
    """The losses of a model's outputs and their weights.

    Args:
        loss: a loss (name, function, object), or a list, tuple or dict of them by output.
        loss_weights: a factor per loss, in the same structure.
        output_names: names of the outputs, where they are known.

    Attributes:
        metrics: one mean per loss where there are several.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None) -> None:
        check_loss(loss)
        if loss_weights is not None and not isinstance(loss_weights, (*_NESTED, float, int)):
            raise ValueError(
                f"Expected `loss_weights` to be a float, list, tuple, or dict. Received: loss_weights={loss_weights}"
            )
        self._loss = loss
        self._weights = loss_weights
        self._output_names = output_names
        self.built = False
        self.metrics: list[Any] = []
        self._parts: list[tuple[int, Any, float | None]] = []  # output number, loss, factor
        self._names: list[str] = []

    def build(self, y_true: list[Any], y_pred: list[Any], names: list[str], outputs: Any = None) -> None:
        """Finds the loss of each output. Targets and predictions are flat, with shapes; `outputs` is what they lie in.

        A dict of losses may leave some out where the outputs are a dict too.
        """
        count = len(y_pred)
        loss, weights = self._loss, self._weights
        entries: list[tuple[int, Any]]
        structured = _by_structure(loss, outputs)
        if structured is not None:
            entries = list(enumerate(structured))
        elif isinstance(loss, Mapping):
            unknown = [key for key in loss if key not in names]
            if unknown or (not isinstance(outputs, Mapping) and len(loss) != count):
                raise ValueError(f"Expected keys {names} in loss dict, but found loss.keys()={list(loss.keys())}")
            entries = [(i, loss[name]) for i, name in enumerate(names) if name in loss]
        elif isinstance(loss, (list, tuple)):
            flat = tree.flatten(loss)
            if count == 1:
                entries = [(0, entry) for entry in flat]  # several losses of one output are added up
            elif len(flat) == count:
                entries = list(enumerate(flat))
            else:
                raise ValueError(
                    f"Expected one loss for each of the {count} outputs {names}. Received {len(flat)}: loss={loss}"
                )
        else:
            entries = [(i, loss) for i in range(count)]
        structured = _by_structure(weights, outputs)
        if structured is not None:
            weights = [structured[i] for i, _ in entries]
        elif isinstance(weights, Mapping) and all(names[i] in weights for i, _ in entries):
            weights = [weights[names[i]] for i, _ in entries]
        flat_weights: list[Any] = [None] * len(entries) if weights is None else tree.flatten(weights)
        if len(flat_weights) != len(entries):
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {len(entries)} losses "
                f"and {len(flat_weights)} weights."
            )
        parts = [
            (i, get_loss(entry, y_true[i], y_pred[i]), weight)
            for (i, entry), weight in zip(entries, flat_weights, strict=True)
            if entry is not None
        ]
        several = len(parts) > 1
        self.metrics = []
        if several:
            labels = _loss_names(outputs, names)
            for i, part, _ in parts:
                self.metrics.append(metrics_module.Mean(name=f"{labels[i] if count > 1 else part.name}_loss"))
        self._parts = parts
        self._names = names
        self.built = True

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The weighted sum of the losses, a scalar; None where no output has a loss."""
        names = output_keys(y_pred, self._output_names)
        flat_pred = tree.flatten(y_pred)
        flat_true = self._align_targets(y_true, y_pred, names)
        flat_weight = [sample_weight] * len(names)
        if isinstance(sample_weight, _NESTED):
            flat_weight = align(sample_weight, y_pred, names, "sample_weight")
        if not self.built:
            self.build(flat_true, flat_pred, names, y_pred)
        total: Any = None
        for number, (i, loss, weight) in enumerate(self._parts):
            if flat_true[i] is None:
                there = [name for name, value in zip(names, flat_true, strict=True) if value is not None]
                raise ValueError(f"`y` must have targets for output '{names[i]}', which has a loss. Received: {there}")
            try:
                value = loss(flat_true[i], flat_pred[i], flat_weight[i])
            except (TypeError, ValueError) as error:
                shapes = {"`y`": flat_true[i], "the output": flat_pred[i], "`sample_weight`": flat_weight[i]}
                known = [f"{what} has shape {x.shape}" for what, x in shapes.items() if hasattr(x, "shape")]
                error.add_note(f"In the loss '{loss.name}' of output '{names[i]}': {', '.join(known)}.")
                raise
            if self.metrics:
                self.metrics[number].update_state(value, sample_weight=flat_pred[i].shape[0])
            if weight is not None:
                value = ops.multiply(value, weight)
            total = value if total is None else ops.add(total, value)
        return total

    def _align_targets(self, y_true: Any, y_pred: Any, names: list[str]) -> list[Any]:
        if y_true is None:
            raise ValueError("The model was compiled with a loss, so `y` must be given. Received: y=None")
        flat_loss = tree.flatten(self._loss) if isinstance(self._loss, (list, tuple)) else []
        with_loss = [i for i, entry in enumerate(flat_loss) if entry is not None]
        if len(flat_loss) == len(names) != len(with_loss) == len(tree.flatten(y_true)):
            found: list[Any] = [None] * len(names)  # targets for the outputs that have a loss only
            for i, value in zip(with_loss, tree.flatten(y_true), strict=True):
                found[i] = value
            return found
        return align(y_true, y_pred, names, "y")

    @property
    def variables(self) -> list[Any]:
        """State of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]


class CompileMetrics:
    """The metrics of a model's outputs; behaves as one metric whose result is a dict.

    Args:
        metrics: a list, tuple or dict of metrics (names, functions, objects), by output where there are several.
        weighted_metrics: the same for metrics that sample weights apply to.
        output_names: names of the outputs, where they are known.
    """

    name = "compile_metrics"

    def __init__(self, metrics: Any, weighted_metrics: Any, output_names: Sequence[str] | None = None) -> None:
        check_metrics(metrics, "metrics")
        check_metrics(weighted_metrics, "weighted_metrics")
        self._user = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._output_names = output_names
        self.built = False
        self._plain: list[list[Any]] = []  # per output
        self._weighted: list[list[Any]] = []
        self._prefixes: list[str] = []

    @property
    def metrics(self) -> list[Any]:
        """The metric objects, unweighted ones first; empty before the first step."""
        return [metric for group in self._plain + self._weighted for metric in group]

    @property
    def variables(self) -> list[Any]:
        """State of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true: list[Any], y_pred: list[Any], names: list[str], outputs: Any = None) -> None:
        """Creates the metrics of each output. Targets and predictions are flat; `outputs` is what they lie in."""
        plain = self._build_set("metrics", y_true, y_pred, names, outputs)
        self._weighted = self._build_set("weighted_metrics", y_true, y_pred, names, outputs)
        self._plain = plain
        self._prefixes = [f"{name}_" for name in names] if len(names) > 1 else [""]
        self.built = True

    def _build_set(
        self, argument: str, y_true: list[Any], y_pred: list[Any], names: list[str], outputs: Any
    ) -> list[list[Any]]:
        given = self._user[argument]
        if not given:
            return [[] for _ in names]
        per_output: list[Any]
        structured, deep = _by_structure(given, outputs), _is_deep(outputs)
        if len(names) == 1:
            per_output = [tree.flatten(given)]
        elif structured is not None:
            per_output = structured
        elif not deep and isinstance(given, Mapping) and set(given) <= set(names):
            per_output = [given.get(name) for name in names]
        elif not deep and isinstance(given, (list, tuple)) and len(given) == len(names):
            per_output = list(given)
        else:
            raise ValueError(
                f"Invalid `{argument}`. `{argument}` should contain metrics objects and either be a dict or a list "
                f"matching the output names of the model {names}.\nReceived: {argument}={given}"
            )
        return [[get_metric(m, y_true[i], y_pred[i]) for m in _as_list(entry)] for i, entry in enumerate(per_output)]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch to every metric."""
        names = output_keys(y_pred, self._output_names)
        flat_pred = tree.flatten(y_pred)
        flat_true = align(y_true, y_pred, names, "y")
        if not self.built:
            self.build(flat_true, flat_pred, names, y_pred)
        weights = [sample_weight] * len(names)
        if isinstance(sample_weight, _NESTED):
            weights = align(sample_weight, y_pred, names, "sample_weight")
        for i in range(len(names)):
            for metric in self._plain[i]:
                metric.update_state(flat_true[i], flat_pred[i])
            for metric in self._weighted[i]:
                metric.update_state(flat_true[i], flat_pred[i], sample_weight=weights[i])

    def reset_state(self) -> None:
        """Starts all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    def named(self) -> list[tuple[str, Any]]:
        """The metrics with the names they have in logs; a name met twice gets a number or `weighted_` before it."""
        found: list[tuple[str, Any]] = []
        used: dict[str, int] = {}
        for prefix, group in zip(self._prefixes, self._plain, strict=True):
            for metric in group:
                found.append((_unique(prefix + metric.name, used), metric))
        for prefix, group in zip(self._prefixes, self._weighted, strict=True):
            for metric in group:
                name = prefix + metric.name
                if name in used:
                    name = f"{prefix}weighted_{metric.name}"
                found.append((_unique(name, used), metric))
        return found

    def result(self) -> dict[str, Any]:
        """The results by name.

        Raises:
            ValueError: no batch has been seen yet.
        """
        if not self.built:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        return {name: metric.result() for name, metric in self.named()}


def _as_list(entry: Any) -> Iterable[Any]:
    if entry is None:
        return []
    return entry if isinstance(entry, (list, tuple)) else [entry]


def _unique(name: str, used: dict[str, int]) -> str:
    count = used.get(name, 0)
    used[name] = count + 1
    return f"{name}_{count}" if count else name
