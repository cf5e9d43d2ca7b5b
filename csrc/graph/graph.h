// csrc/graph/graph.h -- an append-only, topologically ordered graph of typed values
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/op.h"

namespace nabi {

/// A use of an op. Its outputs are consecutive values.
struct Node {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<ValueId> inputs;
  ValueId first = 0;  // id of output 0
  int outputs = 1;
  std::string layer;  // for messages and listings only
};

/// One tensor of the graph.
struct Value {
  Type type;
  int node = 0;   // the node that makes it
  int index = 0;  // which of the node's outputs it is
};

/// Nodes in execution order. Adding checks types at once and returns an equal earlier node where there is one.
class Graph {
 public:
  /// Adds a node; returns its outputs. Throws ValueError or TypeError worded for the user.
  std::vector<ValueId> add(const OpDef& op, std::vector<ValueId> inputs, Attrs attrs = {});
  std::vector<ValueId> add(std::string_view op, std::vector<ValueId> inputs, Attrs attrs = {});

  /// add() for ops with one output.
  ValueId add1(std::string_view op, std::vector<ValueId> inputs, Attrs attrs = {});

  /// A scalar constant.
  ValueId constant(double value, DType dtype);

  /// The layer whose name later nodes carry.
  void set_layer(std::string layer) { layer_ = std::move(layer); }
  const std::string& layer() const { return layer_; }

  /// Values handed back to the caller of a program, in order.
  void set_outputs(std::vector<ValueId> outputs);

  /// The value that the variable in `slot` holds when a step ends; the last call for a slot counts.
  void set_update(std::int64_t slot, ValueId value);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Value>& values() const { return values_; }
  const Type& type(ValueId id) const { return values_[check_id(id)].type; }
  const Node& producer(ValueId id) const { return nodes_[values_[check_id(id)].node]; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  const std::vector<std::pair<std::int64_t, ValueId>>& updates() const { return updates_; }

  /// One line a node, then `update` and `return` lines.
  std::string text() const;

  /// Reads what text() wrote.
  static Graph parse(std::string_view text);

 private:
  std::size_t check_id(ValueId id) const;

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<ValueId> outputs_;
  std::vector<std::pair<std::int64_t, ValueId>> updates_;  // sorted by slot
  std::unordered_multimap<std::size_t, int> known_;        // hash of op, inputs, attributes -> node
  std::string layer_;
};

}  // namespace nabi
