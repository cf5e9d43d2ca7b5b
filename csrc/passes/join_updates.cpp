// csrc/passes/join_updates.cpp -- the updates of many variables by one rule become one node, which takes in L2
// penalties
#include <algorithm>
#include <map>

#include "passes/fuse.h"
#include "passes/rewrite.h"

namespace nabi::passes {
namespace {

/// An update as it will be: L2 penalties are no part of the gradient any more.
struct Update {
  int at;  // its place
  std::vector<ValueId> inputs;
  Attrs attrs;
};

/// Updates that will stand in the place of the last of them.
using Group = std::vector<Update>;

class Joiner {
 public:
  explicit Joiner(const Graph& graph)
      : graph_(graph), live_(live_nodes(graph)), first_reader_(graph.values().size()), uses_(use_counts(graph)) {
    const int end = static_cast<int>(graph.nodes().size());
    std::fill(first_reader_.begin(), first_reader_.end(), end);
    for (int n = end - 1; n >= 0; --n) {
      if (!live_[n]) continue;
      for (ValueId id : graph.nodes()[n].inputs) first_reader_[id] = n;
    }
  }

  Graph run() {
    std::vector<Group> groups;
    for (int n = 0; n < static_cast<int>(graph_.nodes().size()); ++n) {
      if (!live_[n] || !node(n).op->has(kUpdate)) continue;
      const Update update = read(n);
      const auto fit =
          std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return takes(group, update); });
      fit == groups.end() ? groups.push_back({update}) : fit->push_back(update);
    }
    std::map<int, const Group*> at;
    std::vector<bool> absorbed(graph_.nodes().size(), false);
    for (const Group& group : groups) {
      at[group.back().at] = &group;
      for (const Update& update : group) absorbed[update.at] = true;
    }
    Rewriter out(graph_);
    for (int n = 0; n < static_cast<int>(graph_.nodes().size()); ++n) {
      if (!live_[n]) continue;
      if (!absorbed[n]) {
        out.copy(node(n));
      } else if (at.count(n) != 0) {
        emit(out, *at[n]);
      }
    }
    return out.finish();
  }

 private:
  const Node& node(int n) const { return graph_.nodes()[n]; }

  bool is_number(ValueId id) const { return graph_.producer(id).op->name == "constant"; }

  /// The number in number * variable that only one node reads, or 0.
  double penalty(ValueId id, ValueId variable) const {
    const Node& product = graph_.producer(id);
    if (product.op->name != "multiply" || uses_[id] != 1) return 0;
    for (int i = 0; i < 2; ++i) {
      if (is_number(product.inputs[i]) && product.inputs[1 - i] == variable) {
        return graph_.producer(product.inputs[i]).attrs.number("value");
      }
    }
    return 0;
  }

  Update read(int n) const {
    Update update{n, node(n).inputs, node(n).attrs};
    const Node& sum = graph_.producer(update.inputs[1]);
    const bool single = update.inputs.size() == node(n).op->in_place.size() + 2;  // not joined before
    if (!single || sum.op->name != "add" || uses_[sum.first] != 1 || update.attrs.number("l2") != 0) return update;
    for (int i = 0; i < 2; ++i) {
      const double l2 = penalty(sum.inputs[i], update.inputs[0]);
      if (l2 == 0 || graph_.type(sum.inputs[1 - i]) != graph_.type(sum.first)) continue;
      update.attrs.set("l2", l2);
      update.inputs[1] = sum.inputs[1 - i];
      break;
    }
    return update;
  }

  /// True when an update may join: the same rule and rate, and nothing up to it reads what the others make.
  bool takes(const Group& group, const Update& update) const {
    const Node &a = node(group[0].at), &b = node(update.at);
    if (a.op != b.op || !(group[0].attrs == update.attrs) || a.inputs.back() != b.inputs.back() ||
        graph_.type(a.first).dtype != graph_.type(b.first).dtype) {
      return false;
    }
    return std::all_of(group.begin(), group.end(), [&](const Update& other) {
      for (int i = 0; i < node(other.at).outputs; ++i) {
        if (first_reader_[node(other.at).first + i] <= update.at) return false;
      }
      return true;
    });
  }

  void emit(Rewriter& out, const Group& group) const {
    const Node& first = node(group[0].at);
    std::vector<ValueId> inputs;
    for (const Update& update : group) {
      const std::vector<ValueId> own = out.mapped(update.inputs);
      inputs.insert(inputs.end(), own.begin(), own.end() - 1);
    }
    inputs.push_back(out[first.inputs.back()]);
    out.graph.set_layer(first.layer);
    const std::vector<ValueId> made = out.graph.add(*first.op, inputs, group[0].attrs);
    auto next = made.begin();
    for (const Update& update : group) {
      for (int i = 0; i < node(update.at).outputs; ++i) out.set(node(update.at).first + i, *next++);
    }
  }

  const Graph& graph_;
  std::vector<bool> live_;
  std::vector<int> first_reader_;  // by value: the first node that reads it
  std::vector<int> uses_;
};

}  // namespace

Graph join_updates(const Graph& graph) { return Joiner(graph).run(); }

}  // namespace nabi::passes
