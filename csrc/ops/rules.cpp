// csrc/ops/rules.cpp -- what type and gradient rules of several families need
#include "ops/rules.h"

#include <algorithm>

namespace nabi::ops {

ValueId sum_to(Graph& graph, ValueId g, const Shape& shape) {
  const Shape from = graph.type(g).shape;
  if (from == shape) return g;
  const std::size_t extra = from.size() - shape.size();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && from[i] != 1)) axes.push_back(static_cast<std::int64_t>(i));
  }
  const ValueId sum = axes.empty() ? g : graph.add1("reduce_sum", {g}, {{"axes", axes}, {"keepdims", false}});
  return graph.type(sum).shape == shape ? sum : graph.add1("reshape", {sum}, {{"shape", shape}});
}

Shape reduced_shape(const Shape& shape, const std::vector<std::int64_t>& axes, bool keepdims) {
  Shape out;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool gone = std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(i));
    if (!gone) out.push_back(shape[i]);
    if (gone && keepdims) out.push_back(1);
  }
  return out;
}

ValueId spread(Graph& graph, ValueId value, const Shape& shape, const std::vector<std::int64_t>& axes) {
  const Shape kept = reduced_shape(shape, axes, true);
  if (graph.type(value).shape != kept) value = graph.add1("reshape", {value}, {{"shape", kept}});
  return kept == shape ? value : graph.add1("broadcast_to", {value}, {{"shape", shape}});
}

void no_gradient(const GradArgs&) {}

}  // namespace nabi::ops
