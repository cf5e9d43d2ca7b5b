"""Functions on tensors, with Keras's names and signatures (`keras.ops`).

On arrays they run at once and give a `nabi.Array`; inside a trace they add to its graph; on symbolic tensors they
become nodes of a functional model.
"""

from nabi.ops import image, linalg, nn, numpy
from nabi.ops.control import (
    associative_scan,
    cond,
    custom_gradient,
    fori_loop,
    map,
    scan,
    switch,
    vectorized_map,
    while_loop,
)
from nabi.ops.core import (
    cast,
    convert_to_numpy,
    convert_to_tensor,
    dtype,
    gradients,
    is_tensor,
    saturate_cast,
    shape,
    stop_gradient,
)
from nabi.ops.elementwise import erf, erfc, rsqrt
from nabi.ops.indexing import in_top_k, scatter, scatter_update, segment_max, segment_sum, slice_update, top_k
from nabi.ops.indexing import slice_ as slice
from nabi.ops.layout import unstack
from nabi.ops.nn import *  # noqa: F403
from nabi.ops.numpy import *  # noqa: F403
from nabi.ops.reduction import logsumexp, norm
from nabi.ops.special import cdist, erfinv, segment_min, unfold
from nabi.trace import bind

__all__ = [
    "associative_scan",
    "cast",
    "cdist",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "erf",
    "erfc",
    "erfinv",
    "fori_loop",
    "gradients",
    "in_top_k",
    "is_tensor",
    "image",
    "linalg",
    "logsumexp",
    "map",
    "nn",
    "norm",
    "numpy",
    "rsqrt",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_sum",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "switch",
    "top_k",
    "unfold",
    "unstack",
    "vectorized_map",
    "while_loop",
]
__all__ += nn.__all__
__all__ += numpy.__all__

bind({name: globals()[name] for name in __all__})
