"""Containers in a layer's attributes that tell the layer when they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class TrackedList(list[Any]):
    """A list held by a layer. Built from plain values it belongs to none."""

    def __init__(self, values: Iterable[Any] = (), owner: Any = None) -> None:
        super().__init__(track(value, owner) for value in values)
        self._owner = owner

    def _new(self, value: Any) -> Any:
        if self._owner is None:
            return value
        value = track(value, self._owner)
        self._owner._on_container_change(value)
        return value

    def _changed(self) -> None:
        if self._owner is not None:
            self._owner._on_container_change(None)

    def append(self, value: Any) -> None:
        super().append(self._new(value))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, self._new(value))

    def extend(self, values: Iterable[Any]) -> None:
        super().extend([self._new(value) for value in values])

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, [self._new(v) for v in value] if isinstance(key, slice) else self._new(value))

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._changed()

    def pop(self, index: Any = -1) -> Any:
        value = super().pop(index)
        self._changed()
        return value

    def remove(self, value: Any) -> None:
        super().remove(value)
        self._changed()

    def clear(self) -> None:
        super().clear()
        self._changed()

    def reverse(self) -> None:
        super().reverse()
        self._changed()

    def sort(self, **kwargs: Any) -> None:
        super().sort(**kwargs)
        self._changed()

    def __reduce__(self) -> Any:
        return list, (list(self),)


class TrackedDict(dict[Any, Any]):
    """A dict held by a layer. Built from plain values it belongs to none."""

    def __init__(self, values: Any = (), owner: Any = None) -> None:
        super().__init__({key: track(value, owner) for key, value in dict(values).items()})
        self._owner = owner

    def _new(self, value: Any) -> Any:
        if self._owner is None:
            return value
        value = track(value, self._owner)
        self._owner._on_container_change(value)
        return value

    def _changed(self) -> None:
        if self._owner is not None:
            self._owner._on_container_change(None)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._new(value))

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._changed()

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        self._changed()
        return value

    def popitem(self) -> tuple[Any, Any]:
        item = super().popitem()
        self._changed()
        return item

    def clear(self) -> None:
        super().clear()
        self._changed()

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def track(value: Any, owner: Any) -> Any:
    """`value` with its lists and dicts, at any depth, replaced by ones that report to `owner`."""
    kind = type(value)
    if kind is list or kind is TrackedList:
        return TrackedList(value, owner)
    if kind is dict or kind is TrackedDict:
        return TrackedDict(value, owner)
    if kind is tuple and any(isinstance(item, (list, dict, tuple)) for item in value):
        return tuple(track(item, owner) for item in value)
    return value


def leaves(value: Any) -> Iterator[Any]:
    """What a value holds: itself, or the items of its lists, tuples, sets and dicts, in their order."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from leaves(item)
    else:
        yield value
