"""Tracing: from Python code on tensors to programs of the core.

A `Trace` collects a graph; inside it ops take and give `Tensor`s, and a `Variable` is a value that may be rebound.
`Cached` runs such code on arrays. `KerasTensor`, `Node` and `Operation` record calls for functional models.
"""

from nabi.trace.eager import Array, Cached, admit, clear_caches, eager, run_eagerly_cached
from nabi.trace.graph import Trace, current_trace, emit, suspended, to_tensor
from nabi.trace.infer import OpCall, declare_op, find_op, infer_output, op_class, symbolic_op
from nabi.trace.keras_tensor import Arguments, KerasHistory, KerasTensor, Node, Operation, any_symbolic, is_keras_tensor
from nabi.trace.operators import bind, call_op, user_line
from nabi.trace.tensor import Tensor
from nabi.trace.variable import Variable, standardize_shape

__all__ = [
    "Arguments",
    "Array",
    "Cached",
    "KerasHistory",
    "KerasTensor",
    "Node",
    "OpCall",
    "Operation",
    "Tensor",
    "Trace",
    "Variable",
    "admit",
    "any_symbolic",
    "bind",
    "call_op",
    "clear_caches",
    "current_trace",
    "declare_op",
    "eager",
    "emit",
    "find_op",
    "infer_output",
    "is_keras_tensor",
    "op_class",
    "run_eagerly_cached",
    "standardize_shape",
    "suspended",
    "symbolic_op",
    "to_tensor",
    "user_line",
]
