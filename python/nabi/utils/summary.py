"""`model.summary()`: Keras's table, drawn without further packages.

The layout rules (column widths, wrapping, alignment) are those of Keras 3.15 and of the `rich` tables it prints.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nabi.utils.progbar import print_msg

_PLAIN = ""
_BOLD = "1"
_NUMBER = "38;5;34"
_NONE = "38;5;45"
_SYMBOL = "38;5;33"
_NO = "38;5;9"

Piece = tuple[str, str]  # text and its terminal style
Cell = list[Piece]
Char = tuple[str, str]

# One row a line: left, horizontal, crossing, right of the box's rules; then left, divider, right of its rows.
_HEAVY_HEAD = ("┏━┳┓", "┃┃┃", "┡━╇┩", "│││", "├─┼┤", "└─┴┘")
_ASCII = ("+--+", "|||", "|-+|", "|||", "|-+|", "+--+")


def count_params(weights: Iterable[Any]) -> int:
    """Number of elements of all weights together."""
    return sum(math.prod(weight.shape) for weight in weights)


def weight_memory_size(weights: Iterable[Any]) -> float:
    """Bytes of all weights together, each counted once."""
    unique = {id(weight): weight for weight in weights}.values()
    return float(sum(math.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in unique))


def readable_memory_size(size: float) -> str:
    """Bytes as "53.23 KB": units of 1024, two decimals."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------
def _width(text: str) -> int:
    """Columns a terminal uses for the text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _crop(chars: list[Char], width: int) -> list[Char]:
    kept: list[Char] = []
    for char in chars:
        width -= _width(char[0])
        if width < 0:
            break
        kept.append(char)
    return kept


def _line_width(chars: list[Char]) -> int:
    return sum(_width(c) for c, _ in chars)


def _wrap(cell: Cell, width: int) -> list[list[Char]]:
    """Breaks a cell between words; a word longer than the column is cut and ends in an ellipsis."""
    chars = [(c, style) for text, style in cell for c in text]
    text = "".join(c for c, _ in chars)
    breaks = [0]
    used = 0
    for match in re.finditer(r"\s*\S+\s*", text):
        word = match.group(0)
        length = _width(word.rstrip())
        if used + length > width and match.start() > 0 and (length > width or used):
            breaks.append(match.start())
            used = 0
        used += _width(word)
    lines = [chars[a:b] for a, b in zip(breaks, [*breaks[1:], len(chars)], strict=True)]
    return [_fit(line, width) for line in lines]


def _fit(line: list[Char], width: int) -> list[Char]:
    while line and line[-1][0].isspace() and _line_width(line) > width:
        line = line[:-1]
    if _line_width(line) > width:
        line = [*_crop(line, width - 1), ("…", line[-1][1])]
    return line


def _align(line: list[Char], width: int, side: str) -> list[Char]:
    if side != "left":
        while line and line[-1][0].isspace():
            line = line[:-1]
    space = max(0, width - _line_width(line))
    before = space if side == "right" else space // 2 if side == "center" else 0
    return [(" ", _PLAIN)] * before + line + [(" ", _PLAIN)] * (space - before)


def _paint(line: list[Char], colors: bool, bold: bool = False) -> str:
    if not colors:
        return "".join(c for c, _ in line)
    out, i = "", 0
    while i < len(line):
        style, text = line[i][1], ""
        while i < len(line) and line[i][1] == style:
            text += line[i][0]
            i += 1
        code = ";".join(part for part in (_BOLD if bold else "", style) if part)
        out += f"\x1b[{code}m{text}\x1b[0m" if code else text
    return out


def _share(total: int, values: list[int]) -> list[int]:
    """Takes `total` off the values as evenly as rounding allows, none below 0 (rich's `ratio_reduce`)."""
    left, remaining, result = len(values), total, []
    for value in values:
        part = min(value, round(remaining / left))
        result.append(value - part)
        remaining -= part
        left -= 1
    return result


def _spread(total: int, values: list[int]) -> list[int]:
    """Adds `total` to the values in proportion to them (rich's `ratio_distribute`)."""
    ratio, remaining, result = sum(values), total, []
    for value in values:
        part = math.ceil(value * remaining / ratio) if ratio > 0 else remaining
        result.append(value + part)
        ratio -= value
        remaining -= part
    return result


def render_table(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    widths: Sequence[int],
    alignment: Sequence[str],
    total_width: int,
    colors: bool = False,
    unicode: bool = True,
) -> str:
    """Draws a boxed table.

    Args:
        header: titles of the columns.
        rows: cells of each row.
        widths: wanted width of each column in characters, without padding.
        alignment: "left", "right" or "center" per column.
        total_width: width of the whole table; the columns give way or grow to meet it.
        colors: write terminal styles.
        unicode: draw with box characters; otherwise with ASCII.
    """
    room = total_width - len(widths) - 1
    padded = [width + 2 for width in widths]
    if sum(padded) > room:
        padded = _share(sum(padded) - room, padded)
    elif sum(padded) < room:
        padded = _spread(room - sum(padded), padded)
    inner = [max(0, width - 2) for width in padded]
    top, head, head_rule, body, body_rule, bottom = _HEAVY_HEAD if unicode else _ASCII

    def rule(marks: str) -> str:
        return marks[0] + marks[2].join(marks[1] * width for width in padded) + marks[3] + "\n"

    def draw(cells: Sequence[Cell], marks: str, bold: bool) -> str:
        columns = [_wrap(cell, width) for cell, width in zip(cells, inner, strict=True)]
        height = max(len(lines) for lines in columns)
        if bold:  # titles stand at the bottom of their row
            columns = [[[] for _ in range(height - len(lines))] + lines for lines in columns]
        out = ""
        for i in range(height):
            parts = []
            for lines, width, side in zip(columns, inner, alignment, strict=True):
                line = _align(lines[i] if i < len(lines) else [], width, side)
                parts.append(" " + _paint(line, colors, bold) + " ")
            out += marks[0] + marks[1].join(parts) + marks[2] + "\n"
        return out

    out = rule(top) + draw([[(title, _PLAIN)] for title in header], head, bold=True) + rule(head_rule)
    out += rule(body_rule).join(draw(cells, body, bold=False) for cells in rows)
    return out + rule(bottom)


# ---------------------------------------------------------------------------------------------------------------------
# Summaries
# ---------------------------------------------------------------------------------------------------------------------
def _shape_pieces(shape: Sequence[int | None]) -> Cell:
    pieces: Cell = [("(", _PLAIN)]
    for i, size in enumerate(shape):
        if i:
            pieces.append((", ", _PLAIN))
        pieces.append((str(size), _NONE if size is None else _NUMBER))
    return [*pieces, (")", _PLAIN)]


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(size is None or isinstance(size, int) for size in value)


def _structure_pieces(shapes: Any) -> Cell:
    """One shape, or a list, tuple or dict of shapes, as Python writes it."""
    if _is_shape(shapes):
        return _shape_pieces(shapes)
    if len(shapes) == 1:
        return _structure_pieces(next(iter(shapes.values())) if isinstance(shapes, dict) else shapes[0])
    marks = "{}" if isinstance(shapes, dict) else "()" if isinstance(shapes, tuple) else "[]"
    pieces: Cell = [(marks[0], _PLAIN)]
    entries = shapes.items() if isinstance(shapes, dict) else enumerate(shapes)
    for i, (key, shape) in enumerate(entries):
        name = f"{key}: " if isinstance(shapes, dict) else ""
        pieces += [((", " if i else "") + name, _PLAIN), *_structure_pieces(shape)]
    return [*pieces, (marks[1], _PLAIN)]


def _output_shape(layer: Any) -> Cell:
    """A layer's output shape from its last symbolic call, or from the shape it was built for; "?" if unknown."""
    nodes = getattr(layer, "_inbound_nodes", [])
    if nodes:
        shapes = [tensor.shape for tensor in nodes[-1].outputs]
        return _structure_pieces(shapes[0] if len(shapes) == 1 else shapes)
    build_shapes = getattr(layer, "_build_shapes_dict", None)
    if not build_shapes:
        return [("?", _PLAIN)]
    try:
        if hasattr(layer, "output_shape"):
            return _structure_pieces(layer.output_shape)
        return _structure_pieces(layer.compute_output_shape(**build_shapes))
    except (NotImplementedError, TypeError, ValueError):
        return [("?", _PLAIN)]


def _connections(layer: Any, relevant: set[int]) -> Cell:
    pieces: Cell = []
    for node in layer._inbound_nodes:
        if id(node) not in relevant:
            continue
        for tensor in node.input_tensors:
            history = tensor._keras_history
            pieces += [
                ((", " if pieces else "") + f"{history.operation.name}[", _PLAIN),
                (str(history.node_index), _NUMBER),
                ("][", _PLAIN),
                (str(history.tensor_index), _NUMBER),
                ("]", _PLAIN),
            ]
    return pieces or [("-", _PLAIN)]


def _layer_rows(
    layer: Any, level: int, relevant: set[int] | None, expand_nested: bool, show_trainable: bool
) -> list[list[Cell]]:
    prefix = "   " * level + "└ " if level else ""
    name: Cell = [(f"{prefix}{layer.name} (", _PLAIN), (type(layer).__name__, _SYMBOL), (")", _PLAIN)]
    if not hasattr(layer, "built"):
        params: Cell = [("0", _NUMBER)]
    elif not layer.built:
        params = [("0", _NUMBER), (" (unbuilt)", _PLAIN)]
    else:
        params = [(f"{layer.count_params():,}", _NUMBER)]
    row = [name, _output_shape(layer), params]
    if relevant is not None:
        row.append(_connections(layer, relevant))
    if show_trainable:
        if not getattr(layer, "weights", None):
            row.append([("-", _BOLD)])
        else:
            row.append([("Y", f"{_BOLD};{_NUMBER}")] if layer.trainable else [("N", f"{_BOLD};{_NO}")])
    rows = [row]
    if expand_nested:
        for inner in getattr(layer, "layers", None) or ():
            rows += _layer_rows(inner, level + 1, relevant, expand_nested, show_trainable)
    return rows


def _is_chain(model: Any) -> bool:
    """Whether a functional graph has one node after another, each layer used once."""
    nodes: set[int] = set()
    for level in model._nodes_by_depth.values():
        if len(level) > 1 or len(level[0].input_tensors) > 1:
            return False
        nodes.add(id(level[0]))
    return all(sum(id(node) in nodes for node in layer._inbound_nodes) <= 1 for layer in model.layers)


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Prints a model's layers, output shapes and parameter counts.

    Args:
        model: the model.
        line_length: width of the table; by default 88 (108 with connections), or the terminal's less 4.
        positions: where the columns end, as fractions of the width.
        print_fn: receives the whole text once; by default it goes to standard output.
        expand_nested: show the layers of nested models too.
        show_trainable: show which layers train.
        layer_range: names (or regular expressions) of the first and the last layer to show.

    Raises:
        ValueError: the table is too narrow, `positions` has too few entries, or `layer_range` names no layers.
    """
    relevant: set[int] | None = None
    if not hasattr(model, "_nodes_by_depth"):
        layers = model.layers
    else:
        layers = model.operations
        if not _is_chain(model):
            relevant = {id(node) for level in model._nodes_by_depth.values() for node in level}
    header = ["Layer (type)", "Output Shape", "Param #"]
    alignment = ["left", "left", "right"]
    length = 88
    stops = list(positions or [0.45, 0.80, 1.0])
    if relevant is not None:
        header.append("Connected to")
        alignment.append("left")
        length = 108
        stops = list(positions or [0.3, 0.56, 0.74, 1.0])
    if show_trainable:
        header.append("Trainable")
        alignment.append("center")
        length += 12
        stops = [stop * 0.90 for stop in stops] + [1.0]
    if len(stops) < len(header):
        raise ValueError(
            f'`positions` requires an entry for each of the {len(header) - show_trainable} columns before "Trainable", '
            f"got {len(stops) - show_trainable}: positions={positions}"
        )
    line_length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    ends = [0] + [int(stop * line_length) for stop in stops]
    widths = [b - a for a, b in zip(ends, ends[1:], strict=False)][: len(header)]
    if min(widths) < 4:
        raise ValueError("Insufficient console width to print summary.")

    to_screen = print_fn is None
    encoding = str(getattr(sys.stdout, "encoding", None) or "utf-8").lower() if to_screen else "utf-8"
    colors = to_screen and hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
    first, last = layer_index_range(layers, layer_range)
    rows = [
        row for layer in layers[first:last] for row in _layer_rows(layer, 0, relevant, expand_nested, show_trainable)
    ]
    text = _paint([(c, _BOLD) for c in f'Model: "{model.name}"'], colors) + "\n"
    text += render_table(header, rows, widths, alignment, line_length, colors, encoding.startswith("utf"))
    text += _totals(model, colors)
    if to_screen:
        print_msg(text, line_break=False)
    elif print_fn is not None:
        print_fn(text)


def _totals(model: Any, colors: bool) -> str:
    groups = [("Trainable", model.trainable_weights), ("Non-trainable", model.non_trainable_weights)]
    optimizer = getattr(model, "optimizer", None)
    if getattr(model, "compiled", False) and optimizer is not None and optimizer.built:
        groups.append(("Optimizer", optimizer.variables))
    lines = [(name, count_params(weights), weight_memory_size(weights)) for name, weights in groups]
    lines.insert(0, ("Total", sum(count for _, count, _ in lines), sum(size for _, _, size in lines)))
    text = ""
    for name, count, size in lines:
        line = [(c, _BOLD) for c in f" {name} params: "] + [(c, _NUMBER) for c in f"{count:,}"]
        text += _paint(line, colors) + f" ({readable_memory_size(size)})\n"
    return text


def layer_index_range(layers: Sequence[Any], layer_range: Sequence[str] | None = None) -> tuple[int, int]:
    """Index of the first layer that `layer_range` names and one past the last.

    Raises:
        ValueError: it is not a pair of strings, or matches no layer.
    """
    if layer_range is None:
        return 0, len(layers)
    if len(layer_range) != 2:
        raise ValueError(
            f"layer_range must be a list or tuple of length 2. Received: layer_range = {layer_range} "
            f"of length {len(layer_range)}"
        )
    if not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"layer_range should contain string type only. Received: {layer_range}")
    found = [[i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range]
    if not all(found):
        raise ValueError(f"Passed layer_names do not match the layer names in the model. Received: {layer_range}")
    lower, upper = found
    if min(lower) > max(upper):
        return min(upper), max(lower) + 1
    return min(lower), max(upper) + 1
