// csrc/ops/rules.h -- what type and gradient rules of several families need
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace nabi::ops {

/// Adds `g` up over the axes along which a tensor of `shape` was broadcast to g's shape.
ValueId sum_to(Graph& graph, ValueId g, const Shape& shape);

/// The shape of a reduction over sorted `axes`: they become 1 with keepdims, else they go.
Shape reduced_shape(const Shape& shape, const std::vector<std::int64_t>& axes, bool keepdims);

/// Undoes reduced_shape: `value` with the axes back as 1 and then broadcast to `shape`.
ValueId spread(Graph& graph, ValueId value, const Shape& shape, const std::vector<std::int64_t>& axes);

/// A gradient rule for steps: ops whose derivative is zero wherever it exists.
void no_gradient(const GradArgs& args);

}  // namespace nabi::ops
