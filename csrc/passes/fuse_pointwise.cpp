// csrc/passes/fuse_pointwise.cpp -- elementwise nodes over one iteration space become one node that passes memory once
#include <algorithm>

#include "error.h"
#include "graph/pointwise.h"
#include "passes/fuse.h"
#include "passes/rewrite.h"

namespace nabi::passes {
namespace {

constexpr std::size_t kMaxNodes = 48;  // instructions of one pointwise node: its blocks must stay in the first cache

class Clusters {
 public:
  explicit Clusters(const Graph& graph)
      : graph_(graph),
        live_(live_nodes(graph)),
        users_(graph.values().size()),
        ends_(graph.values().size(), false),
        cluster_(graph.nodes().size(), -1) {
    for (int n = 0; n < size(); ++n) {
      if (!live_[n]) continue;
      for (ValueId id : graph.nodes()[n].inputs) users_[id].push_back(n);
    }
    for (ValueId id : graph.outputs()) ends_[id] = true;
    for (const auto& update : graph.updates()) ends_[update.second] = true;
  }

  Graph run() {
    for (int root = size() - 1; root >= 0; --root) {
      if (live_[root] && cluster_[root] < 0 && elementwise(root)) grow(root);
    }
    join_numbers();
    Rewriter out(graph_);
    for (int n = 0; n < size(); ++n) {
      if (!live_[n]) continue;
      if (cluster_[n] < 0) {
        out.copy(graph_.nodes()[n]);
      } else if (cluster_[n] == n) {
        emit(out, n);
      }
    }
    return out.finish();
  }

 private:
  int size() const { return static_cast<int>(graph_.nodes().size()); }

  bool elementwise(int n) const { return graph_.nodes()[n].op->has(kElementwise); }

  const Shape& shape(int n) const { return graph_.type(graph_.nodes()[n].first).shape; }

  /// Takes in producers of the root's shape whose readers are all inside or come later: those values are then extra
  /// outputs. Nothing that stands after the root can feed the cluster, so no cycle can arise.
  void grow(int root) {
    std::vector<int> members{root};
    cluster_[root] = root;
    bool grown = true;
    while (grown && members.size() < kMaxNodes) {  // a new member may let in producers passed over before
      grown = false;
      for (std::size_t i = 0; i < members.size(); ++i) {
        for (ValueId id : graph_.nodes()[members[i]].inputs) {
          const int p = graph_.values()[id].node;
          if (members.size() >= kMaxNodes || !fits(p, root)) continue;
          cluster_[p] = root;
          members.push_back(p);
          grown = true;
        }
      }
    }
  }

  bool fits(int p, int root) const {
    if (cluster_[p] >= 0 || !elementwise(p) || shape(p) != shape(root)) return false;
    const std::vector<int>& readers = users_[graph_.nodes()[p].first];
    return std::all_of(readers.begin(), readers.end(), [&](int u) { return cluster_[u] == root || u > root; });
  }

  /// Where a node runs: its cluster at the place of the root.
  int place(int n) const { return cluster_[n] < 0 ? n : cluster_[n]; }

  /// Clusters that compute one number cost a call each: one joins a later one when nothing before that reads it.
  void join_numbers() {
    std::vector<std::pair<int, std::vector<int>>> later;  // root and members
    for (int root = size() - 1; root >= 0; --root) {
      if (cluster_[root] != root || !shape(root).empty()) continue;
      std::vector<int> members;
      for (int n = 0; n <= root; ++n) {
        if (cluster_[n] == root) members.push_back(n);
      }
      const auto waits = [&](int at) {
        return std::all_of(members.begin(), members.end(), [&](int m) {
          const std::vector<int>& readers = users_[graph_.nodes()[m].first];
          return std::all_of(readers.begin(), readers.end(),
                             [&](int u) { return cluster_[u] == root || place(u) >= at; });
        });
      };
      const auto into = std::find_if(later.begin(), later.end(), [&](const auto& other) {
        return other.second.size() + members.size() <= kMaxNodes && waits(other.first);
      });
      if (into == later.end()) {
        later.emplace_back(root, std::move(members));
        continue;
      }
      for (int m : members) cluster_[m] = into->first;
      into->second.insert(into->second.end(), members.begin(), members.end());
    }
  }

  bool is_constant(ValueId id) const { return graph_.producer(id).op->name == "constant"; }

  /// True for a constant operand that is written into the code, which does not say its dtype: a register beside it or
  /// the result must. (Comparing two constants keeps them as inputs.)
  bool writes_out(const Node& node, ValueId id) const {
    if (!is_constant(id)) return false;
    if (graph_.type(id).dtype == graph_.type(node.first).dtype) return true;
    return !std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId other) { return is_constant(other); });
  }

  void emit(Rewriter& out, int root) const {
    PointwiseCode code;
    std::vector<ValueId> inputs;
    std::vector<int> members;
    for (int n = 0; n <= root; ++n) {
      if (cluster_[n] == root) members.push_back(n);
    }
    auto inside = [&](ValueId id) { return cluster_[graph_.values()[id].node] == root; };
    for (int n : members) {
      const Node& node = graph_.nodes()[n];
      for (ValueId id : node.inputs) {
        if (inside(id) || writes_out(node, id)) continue;
        if (std::find(inputs.begin(), inputs.end(), id) == inputs.end()) inputs.push_back(id);
      }
    }
    code.inputs = static_cast<int>(inputs.size());
    std::vector<ValueId> results;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const Node& node = graph_.nodes()[members[m]];
      Instruction instruction{node.op, node.attrs, {}, graph_.type(node.first).dtype};
      for (ValueId id : node.inputs) {
        Operand operand;
        if (inside(id)) {
          const auto at = std::lower_bound(members.begin(), members.end(), graph_.values()[id].node);
          operand.reg = code.inputs + static_cast<int>(at - members.begin());
        } else if (writes_out(node, id)) {
          operand.constant = graph_.producer(id).attrs.number("value");
        } else {
          operand.reg = static_cast<int>(std::find(inputs.begin(), inputs.end(), id) - inputs.begin());
        }
        instruction.args.push_back(operand);
      }
      code.instructions.push_back(std::move(instruction));
      const std::vector<int>& readers = users_[node.first];
      const bool outside =
          ends_[node.first] || std::any_of(readers.begin(), readers.end(), [&](int u) { return cluster_[u] != root; });
      if (outside) {
        code.outputs.push_back(code.inputs + static_cast<int>(m));
        results.push_back(node.first);
      }
    }
    out.graph.set_layer(graph_.nodes()[root].layer);
    const std::vector<ValueId> made = out.graph.add("pointwise", out.mapped(inputs), {{"code", code.text()}});
    check<InternalError>(made.size() == results.size(), "pointwise makes ", made.size(), " values");
    for (std::size_t i = 0; i < made.size(); ++i) {
      check<InternalError>(out.graph.type(made[i]) == graph_.type(results[i]), "pointwise makes ",
                           to_string(out.graph.type(made[i])), " for ", to_string(graph_.type(results[i])), " by ",
                           code.text());
      out.set(results[i], made[i]);
    }
  }

  const Graph& graph_;
  std::vector<bool> live_;
  std::vector<std::vector<int>> users_;
  std::vector<bool> ends_;    // values that outputs or updates read
  std::vector<int> cluster_;  // by node: the root of its cluster, -1 outside
};

}  // namespace

Graph fuse_pointwise(const Graph& graph) { return Clusters(graph).run(); }

}  // namespace nabi::passes
