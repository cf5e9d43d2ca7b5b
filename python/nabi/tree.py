"""Nested structures of tuples, lists and dicts (Keras: `keras.tree`); dicts are walked in sorted key order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def is_nested(structure: Any) -> bool:
    """Whether the value is a tuple, list or dict."""
    return isinstance(structure, (list, tuple, dict))


def _keys(structure: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(structure)
    except TypeError:
        return list(structure)


def _like(structure: Any, values: list[Any]) -> Any:
    kind = type(structure)
    if isinstance(structure, dict):
        found = dict(zip(_keys(structure), values, strict=False))
        ordered = {key: found[key] for key in structure}
        return ordered if kind is dict else kind(ordered)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return kind(*values)
    return tuple(values) if kind is tuple else kind(values)


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, dict):
        return [structure[key] for key in _keys(structure)]
    return list(structure)


def _walk(structure: Any) -> Iterator[Any]:
    if isinstance(structure, (list, tuple, dict)):
        for child in _children(structure):
            yield from _walk(child)
    else:
        yield structure


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order; a lone value gives a list of one."""
    return list(_walk(structure))


def flatten_with_path(structure: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of (path, leaf); a path is a tuple of keys and positions."""
    if isinstance(structure, dict):
        items = [(key, structure[key]) for key in _keys(structure)]
    elif isinstance(structure, (list, tuple)):
        items = list(enumerate(structure))
    else:
        return [(path, structure)]
    return [pair for key, child in items for pair in flatten_with_path(child, (*path, key))]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Applies `func` to the leaves of one or several structures of the same form.

    Args:
        none_is_leaf: False leaves None as it is instead of passing it to `func`.

    Raises:
        ValueError: the structures differ.
    """
    if not structures:
        raise ValueError("Must provide at least one structure to `map_structure`.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return _map(func, structures, none_is_leaf)


def _map(func: Callable[..., Any], structures: tuple[Any, ...], none_is_leaf: bool) -> Any:
    first = structures[0]
    if isinstance(first, (list, tuple, dict)):
        rows = zip(*(_children(structure) for structure in structures), strict=False)
        return _like(first, [_map(func, row, none_is_leaf) for row in rows])
    if first is None and not none_is_leaf:
        return None
    return func(*structures)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Applies `func` to what stands, in structures at least as deep, in place of each leaf of the shallow one.

    Raises:
        ValueError: a structure does not have the shallow one's form, or there is none.
    """
    if not structures:
        raise ValueError("Cannot map over no sequences")
    return _map_up_to(shallow_structure, func, structures)


def _map_up_to(shallow: Any, func: Callable[..., Any], structures: tuple[Any, ...]) -> Any:
    if not isinstance(shallow, (list, tuple, dict)):
        return func(*structures)
    for other in structures:
        same = type(other) is type(shallow) and len(other) == len(shallow)
        if not same or (isinstance(shallow, dict) and set(other) != set(shallow)):
            raise ValueError(f"The structures don't have the same form: {shallow} and {other}")
    rows = zip(*(_children(structure) for structure in structures), strict=True)
    values = [_map_up_to(child, func, row) for child, row in zip(_children(shallow), rows, strict=True)]
    return _like(shallow, values)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Applies `func` to every structure within a structure and to its leaves.

    What it gives replaces the part; None keeps it (and goes on inside it, when top-down); `MAP_TO_NONE` puts None.
    """
    if top_down:
        found = func(structure)
        if found is MAP_TO_NONE:
            return None
        if found is not None:
            return found
    if isinstance(structure, (list, tuple, dict)):
        structure = _like(structure, [traverse(func, child, top_down) for child in _children(structure)])
    if top_down:
        return structure
    found = func(structure)
    return None if found is MAP_TO_NONE else structure if found is None else found


class MAP_TO_NONE:  # noqa: N801 - Keras's name
    """Given by a function to `traverse`, puts None."""


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """Puts the values of a flat sequence into the form of `structure`.

    Raises:
        ValueError: their number differs from that of the structure's leaves.
    """
    values = list(flat_sequence)
    wanted = len(flatten(structure))
    if wanted != len(values):
        raise ValueError(f"The target structure has {wanted} elements, but flat_sequence has {len(values)} elements.")
    left = iter(values)
    return _map(lambda _: next(left), (structure,), True)


def assert_same_structure(a: Any, b: Any) -> None:
    """Raises ValueError unless both have the same nesting, kinds and keys."""
    nested = (list, tuple, dict)
    if not isinstance(a, nested) and not isinstance(b, nested):
        return
    same = isinstance(a, nested) and isinstance(b, nested)
    same = same and (isinstance(a, dict) == isinstance(b, dict)) and (isinstance(a, list) == isinstance(b, list))
    if same and isinstance(a, dict):
        same = set(a) == set(b)
    if not same or len(a) != len(b):
        raise ValueError(f"`a` and `b` don't have the same structure: {a} and {b}")
    for left, right in zip(_children(a), _children(b), strict=False):
        assert_same_structure(left, right)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Applies `func` to every shape: a tuple or list of ints and Nones."""
    if isinstance(structure, (list, tuple)) and all(d is None or isinstance(d, int) for d in structure):
        return func(tuple(structure))
    if isinstance(structure, (list, tuple, dict)):
        return _like(structure, [map_shape_structure(func, child) for child in _children(structure)])
    raise ValueError(f"Cannot map function to unknown objects {structure}")


def lists_to_tuples(structure: Any) -> Any:
    """The structure with every list turned into a tuple."""
    if isinstance(structure, (list, tuple)) and not hasattr(structure, "_fields"):
        return tuple(lists_to_tuples(child) for child in structure)
    if isinstance(structure, dict):
        return {key: lists_to_tuples(child) for key, child in structure.items()}
    return structure
