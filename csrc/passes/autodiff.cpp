// csrc/passes/autodiff.cpp -- reverse-mode gradients as new nodes of the same graph
#include <algorithm>

#include "error.h"
#include "passes/passes.h"

namespace nabi::passes {
namespace {

bool has_float_output(const Graph& graph, const Node& node) {
  for (int i = 0; i < node.outputs; ++i) {
    if (is_float(graph.type(node.first + i).dtype)) return true;
  }
  return false;
}

}  // namespace

std::vector<ValueId> gradients(Graph& graph, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs,
                               const std::vector<ValueId>& upstream) {
  check(upstream.empty() || upstream.size() == ys.size(), "gradients: requires one upstream gradient per y, got ",
        upstream.size(), " for ", ys.size());
  for (std::size_t i = 0; i < upstream.size(); ++i) {
    check(graph.type(upstream[i]) == graph.type(ys[i]), "gradients: requires upstream ", i, " to be ",
          to_string(graph.type(ys[i])), ", got ", to_string(graph.type(upstream[i])));
  }
  const std::size_t size = graph.values().size();  // gradient nodes come after these and are not walked

  // Which values depend on an x, and so may carry a gradient.
  std::vector<bool> depends(size, false);
  for (ValueId x : xs) {
    check<TypeError>(is_float(graph.type(x).dtype), "gradients: requires floating-point variables, got ",
                     to_string(graph.type(x)));
    depends[x] = true;
  }
  const int node_count = static_cast<int>(graph.nodes().size());
  for (int n = 0; n < node_count; ++n) {
    const Node& node = graph.nodes()[n];
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return depends[id]; });
    for (int i = 0; any && i < node.outputs; ++i) {
      if (is_float(graph.type(node.first + i).dtype)) depends[node.first + i] = true;
    }
  }

  std::vector<ValueId> grads(size, kNone);
  auto accumulate = [&](ValueId id, ValueId grad) {
    check<InternalError>(graph.type(id) == graph.type(grad), "gradient of ", to_string(graph.type(id)), " made by ",
                         graph.producer(id).op->name, " is ", to_string(graph.type(grad)));
    grads[id] = grads[id] == kNone ? grad : graph.add1("add", {grads[id], grad});
  };
  for (std::size_t i = 0; i < ys.size(); ++i) {
    if (!depends[ys[i]]) continue;
    if (!upstream.empty()) {
      accumulate(ys[i], upstream[i]);
      continue;
    }
    const Type type = graph.type(ys[i]);
    const ValueId one = graph.constant(1, type.dtype);
    accumulate(ys[i], type.shape.empty() ? one : graph.add1("broadcast_to", {one}, {{"shape", type.shape}}));
  }

  const std::string layer = graph.layer();
  for (int n = node_count - 1; n >= 0; --n) {
    const Node node = graph.nodes()[n];  // a copy: adding nodes moves the originals
    std::vector<ValueId> outputs;
    std::vector<ValueId> incoming;
    bool flows = false;
    for (int i = 0; i < node.outputs; ++i) {
      outputs.push_back(node.first + i);
      incoming.push_back(grads[node.first + i]);
      flows = flows || incoming.back() != kNone;
    }
    std::vector<bool> wanted;
    bool any = false;
    for (ValueId id : node.inputs) {
      wanted.push_back(depends[id]);
      any = any || depends[id];
    }
    if (!flows || !any) continue;
    if (node.op->gradient == nullptr) {
      check<NotImplemented>(!has_float_output(graph, node), node.op->name, ": has no gradient rule");
      continue;
    }
    std::vector<ValueId> made(node.inputs.size(), kNone);
    graph.set_layer(node.layer);
    node.op->gradient(GradArgs{graph, node.attrs, node.inputs, outputs, incoming, wanted, made});
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (made[i] != kNone && wanted[i]) accumulate(node.inputs[i], made[i]);
    }
  }
  graph.set_layer(layer);

  std::vector<ValueId> out;
  for (ValueId x : xs) out.push_back(grads[x]);
  return out;
}

}  // namespace nabi::passes
