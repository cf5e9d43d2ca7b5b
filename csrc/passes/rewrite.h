// csrc/passes/rewrite.h -- helps a pass to build a new graph from an old one
#pragma once

#include <utility>
#include <vector>

#include "graph/graph.h"

namespace nabi::passes {

/// The new graph and where each old value went.
class Rewriter {
 public:
  explicit Rewriter(const Graph& old) : old_(old), map_(old.values().size(), kNone) {}

  Graph graph;

  /// The new value of an old one; it must have been made.
  ValueId operator[](ValueId id) const { return map_[id]; }
  void set(ValueId old_id, ValueId new_id) { map_[old_id] = new_id; }

  /// New ids of a list of old ones.
  std::vector<ValueId> mapped(const std::vector<ValueId>& ids) const {
    std::vector<ValueId> out;
    for (ValueId id : ids) out.push_back(map_[id]);
    return out;
  }

  /// Adds the old node as it was, on its new inputs.
  void copy(const Node& node) {
    graph.set_layer(node.layer);
    const std::vector<ValueId> ids = graph.add(*node.op, mapped(node.inputs), node.attrs);
    for (int i = 0; i < node.outputs; ++i) map_[node.first + i] = ids[i];
  }

  /// Carries outputs and updates over and returns the new graph.
  Graph finish() {
    graph.set_layer("");
    graph.set_outputs(mapped(old_.outputs()));
    for (const auto& [slot, id] : old_.updates()) graph.set_update(slot, map_[id]);
    return std::move(graph);
  }

 private:
  const Graph& old_;
  std::vector<ValueId> map_;
};

/// True for each node that an output or update needs.
std::vector<bool> live_nodes(const Graph& graph);

/// How often each value is read by nodes, outputs and updates.
std::vector<int> use_counts(const Graph& graph);

}  // namespace nabi::passes
