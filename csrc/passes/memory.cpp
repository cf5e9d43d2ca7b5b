// csrc/passes/memory.cpp -- assigns arena offsets from value lifetimes
//
// Lifetimes are known, so offsets are chosen largest first, each at the lowest place free during its whole life
// (greedy by size, Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
#include <algorithm>
#include <map>
#include <set>

#include "error.h"
#include "graph/pointwise.h"
#include "passes/passes.h"

namespace nabi::passes {
namespace {

constexpr std::size_t kAlign = 64;

/// Bytes that are needed from node `first` to node `last`, both included.
struct Interval {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
  std::int64_t offset = -1;
};

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<std::size_t>& workspace)
      : graph_(graph), workspace_(workspace), end_(static_cast<int>(graph.nodes().size())) {}

  Plan run() {
    find_roots();
    find_last_uses();
    place_updates();
    place_rest();
    assign_offsets();
    return std::move(plan_);
  }

 private:
  const Node& node(int n) const { return graph_.nodes()[n]; }
  int index_of(ValueId id) const { return graph_.values()[id].node; }
  ValueId root(ValueId id) const { return roots_[id]; }

  /// Aliases share the bytes of the value they come from.
  void find_roots() {
    roots_.resize(graph_.values().size());
    for (ValueId id = 0; id < static_cast<ValueId>(roots_.size()); ++id) {
      const Node& producer = graph_.producer(id);
      roots_[id] = producer.op->has(kAlias) ? roots_[producer.inputs[0]] : id;
    }
  }

  void find_last_uses() {
    last_.assign(graph_.values().size(), -1);
    for (int n = 0; n < end_; ++n) {
      for (ValueId id : node(n).inputs) last_[root(id)] = n;
      for (int i = 0; i < node(n).outputs; ++i) {  // an unread output still needs room while it is written
        last_[root(node(n).first + i)] = std::max(last_[root(node(n).first + i)], n);
      }
      if (node(n).op->has(kFaults)) plan_.first_write = n + 1;
    }
    // Before the first optimizer rule a step can still be given up, so what layers and metrics write on the way (moving
    // averages, seeds) waits for the end: it is small.
    const auto& nodes = graph_.nodes();
    const auto update = std::find_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.op->has(kUpdate); });
    if (update != nodes.end())
      plan_.first_write = std::max(plan_.first_write, static_cast<int>(update - nodes.begin()));
    for (ValueId id : graph_.outputs()) last_[root(id)] = end_;
    for (const auto& [slot, id] : graph_.updates()) {
      if (graph_.producer(root(id)).op->has(kSource)) last_[root(id)] = end_;
    }
  }

  /// An update is computed straight into its variable when nothing reads the old value any more, and only after the
  /// last node that may find bad data, so that a failed step changes nothing.
  void place_updates() {
    plan_.values.resize(graph_.values().size());
    std::map<std::int64_t, ValueId> variables;  // slot -> its value at the start of the step
    for (const Node& n : graph_.nodes()) {
      if (n.op->name == "variable") variables[n.attrs.integer("slot")] = n.first;
    }
    std::set<ValueId> taken;
    for (const auto& [slot, id] : graph_.updates()) {
      const ValueId value = root(id);
      const auto variable = variables.find(slot);
      if (variable != variables.end() && variable->second == value) continue;  // unchanged
      if (writes_in_place(value, variable == variables.end() ? kNone : variable->second) &&
          taken.insert(value).second) {
        plan_.values[value] = {Place::kVariable, slot};
      } else {
        if (node(index_of(value)).op->name == "variable") {
          temp_intervals_.emplace_back(plan_.copies.size(), intervals_.size());
          intervals_.push_back({bytes(graph_.type(id)), end_, end_, -1});
        }
        plan_.copies.push_back({slot, id, -1});
        last_[value] = end_;
      }
    }
  }

  bool writes_in_place(ValueId value, ValueId variable) const {
    const int n = index_of(value);
    const Node& producer = node(n);
    if (producer.op->has(kSource) || n < plan_.first_write) return false;
    if (variable == kNone) return true;
    if (last_[variable] > n) return false;
    return last_[variable] < n || overwrites(producer, value - producer.first, variable);
  }

  /// True when output `o` of the node may be written over `old`, one of its operands.
  bool overwrites(const Node& n, int o, ValueId old) const {
    if (n.op->name == "pointwise") return pointwise_overwrites(n, o, old);
    const int over = n.op->overwritten(o);
    if (over < 0) return false;
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      if (root(n.inputs[i]) == old && static_cast<int>(i) != over) return false;
    }
    const ValueId operand = n.inputs[over];
    return root(operand) == old && bytes(graph_.type(operand)) == bytes(graph_.type(n.first + o));
  }

  bool pointwise_overwrites(const Node& n, int o, ValueId old) const {
    const Type& out = graph_.type(n.first + o);
    std::vector<DType> dtypes;
    for (ValueId id : n.inputs) dtypes.push_back(graph_.type(id).dtype);
    const PointwiseCode code = PointwiseCode::parse(n.attrs.text("code"), dtypes);
    const int made = code.outputs[o] - code.inputs;  // the instruction that writes the output
    for (int i = 0; i < code.inputs; ++i) {
      if (root(n.inputs[i]) != old) continue;
      if (bytes(graph_.type(n.inputs[i])) != bytes(out) || graph_.type(n.inputs[i]).dtype != out.dtype) return false;
      for (std::size_t k = made + 1; k < code.instructions.size(); ++k) {
        for (const Operand& arg : code.instructions[k].args) {
          if (arg.reg == i) return false;
        }
      }
    }
    return true;
  }

  void place_rest() {
    intervals_of_.assign(graph_.values().size(), -1);
    for (int n = 0; n < end_; ++n) {
      const Node& producer = node(n);
      if (producer.op->name == "input") {
        // Every fed value has room from the first node on: the gatherer fills it before the step.
        plan_.values[producer.first] = {Place::kFeed, producer.attrs.integer("index")};
        add_interval(producer.first, 0, last_[producer.first]);
      } else if (producer.op->name == "variable") {
        plan_.values[producer.first] = {Place::kVariable, producer.attrs.integer("slot")};
      } else if (producer.op->name == "constant") {
        plan_.values[producer.first] = {Place::kConstant, producer.first};
      } else if (!producer.op->has(kAlias)) {
        for (int o = 0; o < producer.outputs; ++o) place_output(n, producer, o);
      }
      if (workspace_[n] > 0) {
        workspace_intervals_.emplace_back(n, static_cast<int>(intervals_.size()));
        intervals_.push_back({workspace_[n], n, n, -1});
      }
    }
  }

  void place_output(int n, const Node& producer, int o) {
    const ValueId id = producer.first + o;
    if (plan_.values[id].kind != Place::kNowhere) return;
    plan_.values[id] = {Place::kArena, 0};
    for (ValueId input : producer.inputs) {  // over an operand that dies here
      const ValueId old = root(input);
      const bool dies = plan_.values[old].kind == Place::kArena && last_[old] == n && reused_.count(old) == 0;
      if (dies && bytes(graph_.type(old)) == bytes(graph_.type(id)) && overwrites(producer, o, old)) {
        reused_.insert(old);
        intervals_of_[id] = intervals_of_[old];
        intervals_[intervals_of_[id]].last = last_[id];
        return;
      }
    }
    add_interval(id, n, last_[id]);
  }

  void add_interval(ValueId id, int first, int last) {
    intervals_of_[id] = static_cast<int>(intervals_.size());
    intervals_.push_back({bytes(graph_.type(id)), first, last, -1});
  }

  void assign_offsets() {
    std::vector<int> order(intervals_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return intervals_[a].bytes > intervals_[b].bytes; });
    std::vector<int> placed;  // by offset
    for (int i : order) {
      Interval& interval = intervals_[i];
      const std::size_t size = (interval.bytes + kAlign - 1) / kAlign * kAlign;
      std::size_t at = 0;
      for (int j : placed) {
        const Interval& other = intervals_[j];
        if (other.last < interval.first || interval.last < other.first) continue;
        if (at + size <= static_cast<std::size_t>(other.offset)) break;
        at = std::max(at, static_cast<std::size_t>(other.offset) + (other.bytes + kAlign - 1) / kAlign * kAlign);
      }
      interval.offset = static_cast<std::int64_t>(at);
      plan_.arena_bytes = std::max(plan_.arena_bytes, at + size);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                     [&](int a, int b) { return intervals_[a].offset < intervals_[b].offset; }),
                    i);
    }
    plan_.workspaces.assign(graph_.nodes().size(), -1);
    for (const auto& [n, i] : workspace_intervals_) plan_.workspaces[n] = intervals_[i].offset;
    for (const auto& [copy, i] : temp_intervals_) plan_.copies[copy].temp = intervals_[i].offset;
    for (ValueId id = 0; id < static_cast<ValueId>(plan_.values.size()); ++id) {
      const ValueId from = root(id);
      plan_.values[id] = plan_.values[from];
      if (intervals_of_[from] >= 0) plan_.values[id].offset = intervals_[intervals_of_[from]].offset;
    }
  }

  const Graph& graph_;
  const std::vector<std::size_t>& workspace_;
  const int end_;
  Plan plan_;
  std::vector<ValueId> roots_;
  std::vector<int> last_;  // by root: index of the last node that reads it, end_ when the step's end does
  std::vector<Interval> intervals_;
  std::vector<int> intervals_of_;                                    // by root
  std::vector<std::pair<int, int>> workspace_intervals_;             // (node, interval)
  std::vector<std::pair<std::size_t, std::size_t>> temp_intervals_;  // (copy, interval)
  std::set<ValueId> reused_;
};

}  // namespace

Plan plan_memory(const Graph& graph, const std::vector<std::size_t>& workspace) {
  return Planner(graph, workspace).run();
}

std::string to_string(const Graph& graph, const Plan& plan) {
  std::string out;
  for (std::size_t id = 0; id < plan.values.size(); ++id) {
    const Place& place = plan.values[id];
    const std::string type = to_string(graph.type(static_cast<ValueId>(id)));
    switch (place.kind) {
      case Place::kArena:
        out += concat("%", id, ": arena ", place.offset, "  ", type, "\n");
        break;
      case Place::kFeed:
        out += concat("%", id, ": feed ", place.at, " at ", place.offset, "  ", type, "\n");
        break;
      case Place::kVariable:
        out += concat("%", id, ": variable ", place.at, "  ", type, "\n");
        break;
      case Place::kConstant:
        out += concat("%", id, ": constant %", place.at, "  ", type, "\n");
        break;
      case Place::kNowhere:
        break;
    }
  }
  for (const Copy& copy : plan.copies) {
    out += concat("copy ", copy.slot, " <- %", copy.value, copy.temp < 0 ? "" : concat(" through ", copy.temp), "\n");
  }
  return out + concat("arena: ", plan.arena_bytes, " bytes\n");
}

}  // namespace nabi::passes
