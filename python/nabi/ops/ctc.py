"""Connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from nabi.ops import elementwise as e
from nabi.ops import indexing as i
from nabi.ops import layout
from nabi.ops import products as p
from nabi.ops import reduction as r
from nabi.ops._dispatch import Value, floating, iota, op_of, to_dtype
from nabi.ops.core import stop_gradient
from nabi.ops.creation import filled

_IMPOSSIBLE = -1e5  # the logarithm of no probability, finite so that gradients are


def _either(a: Value, b: Value) -> Value:
    """log(exp(a) + exp(b)) of finite values; the gradient of equal ones is shared."""
    top = stop_gradient(e.maximum(a, b))
    return e.add(top, e.log(e.add(e.exp(e.subtract(a, top)), e.exp(e.subtract(b, top)))))


@op_of("nn", "CTCLoss")
def ctc_loss(target: Value, output: Value, target_length: Value, output_length: Value, mask_index: int = 0) -> Value:
    """Minus the log-probability of each target over all its alignments with the outputs: [n].

    Args:
        target: [n, labels] class numbers.
        output: [n, steps, classes] logits. The steps are unrolled into the program.
        target_length: [n] how many of the labels count.
        output_length: [n] how many of the steps count.
        mask_index: the class of blanks.

    Raises:
        ValueError: other ranks.

    Source: Graves et al. 2006, in the form of Keras 3.15 on JAX (states before and at each label).
    """
    logits = floating(output)
    labels = to_dtype(target, "int32")
    if labels.ndim != 2 or logits.ndim != 3:
        raise ValueError(
            "ctc_loss: requires `target` of shape [n, labels] and `output` of shape [n, steps, classes], got "
            f"{tuple(labels.shape)} and {tuple(logits.shape)}"
        )
    (rows, count), (_, steps, classes), dtype = labels.shape, logits.shape, logits.dtype
    logs = e.subtract(logits, r.logsumexp(logits, axis=-1, keepdims=True))
    emitted = p.matmul(logs, layout.transpose(i.one_hot(labels, classes, dtype=dtype), (0, 2, 1)))  # [n, steps, labels]
    # 1 where the next label is the same, so that a blank must come between.
    same: Any = filled(0.0, (rows, count), dtype)
    if count > 1:
        twins = to_dtype(e.equal(labels[:, :-1], labels[:, 1:]), dtype)
        same = layout.concatenate([twins, filled(0.0, (rows, 1), dtype)], axis=1)
    direct, separated = e.multiply(same, _IMPOSSIBLE), e.multiply(e.subtract(1.0, same), _IMPOSSIBLE)
    valid = e.less(iota((1, steps), 1, "int32"), layout.reshape(to_dtype(output_length, "int32"), (-1, 1)))

    def pass_on(before: Any, score: Any) -> Any:
        return layout.concatenate([before[:, :1], _either(before[:, 1:], score)], axis=1)

    before: Any = layout.concatenate(  # [n, labels + 1]: all up to a label done, the next not begun
        [filled(0.0, (rows, 1), dtype), filled(_IMPOSSIBLE, (rows, count), dtype)], axis=1
    )
    at: Any = filled(_IMPOSSIBLE, (rows, count), dtype)  # [n, labels]: the label was the last class
    for step in range(steps):
        blank = logs[:, step, mask_index : mask_index + 1]
        label = emitted[:, step]
        begun = pass_on(before, e.add(at, direct))
        next_at = e.add(_either(begun[:, :-1], at), label)
        next_before = pass_on(e.add(begun, blank), e.add(e.add(at, blank), separated))
        counts = valid[:, step : step + 1]
        before, at = e.where(counts, next_before, before), e.where(counts, next_at, at)
    ends = pass_on(before, at)
    length = e.minimum(e.maximum(to_dtype(target_length, "int32"), 0), count)
    return e.negative(r.sum(e.multiply(ends, i.one_hot(length, count + 1, dtype=dtype)), axis=1))
