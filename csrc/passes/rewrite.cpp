// csrc/passes/rewrite.cpp -- liveness and use counts that passes share
#include "passes/rewrite.h"

namespace nabi::passes {

std::vector<bool> live_nodes(const Graph& graph) {
  std::vector<bool> live(graph.nodes().size(), false);
  auto need = [&](ValueId id) { live[graph.values()[id].node] = true; };
  for (ValueId id : graph.outputs()) need(id);
  for (const auto& update : graph.updates()) need(update.second);
  for (int n = static_cast<int>(graph.nodes().size()) - 1; n >= 0; --n) {
    if (!live[n]) continue;
    for (ValueId id : graph.nodes()[n].inputs) need(id);
  }
  return live;
}

std::vector<int> use_counts(const Graph& graph) {
  std::vector<int> uses(graph.values().size(), 0);
  for (const Node& node : graph.nodes()) {
    for (ValueId id : node.inputs) ++uses[id];
  }
  for (ValueId id : graph.outputs()) ++uses[id];
  for (const auto& update : graph.updates()) ++uses[update.second];
  return uses;
}

}  // namespace nabi::passes
