// csrc/graph/graph.cpp -- adding nodes: attribute and type checks, sharing of equal nodes
#include "graph/graph.h"

#include <algorithm>
#include <functional>

#include "error.h"

namespace nabi {
namespace {

const char* kind_name(const AttrValue& value) {
  static constexpr const char* kNames[] = {"a bool", "an integer", "a number", "a string", "a list of integers"};
  return kNames[value.index()];
}

/// The attributes in full: defaults filled in, integers accepted for numbers, nothing unknown.
Attrs complete(const OpDef& op, const Attrs& given) {
  Attrs out;
  for (const AttrDef& def : op.attrs) {
    const AttrValue* value = given.find(def.name);
    if (value == nullptr) {
      check(!def.required, op.name, ": requires attribute ", def.name);
      out.set(def.name, def.kind);
    } else if (value->index() == def.kind.index()) {
      out.set(def.name, *value);
    } else {
      const bool number = std::holds_alternative<double>(def.kind) && std::holds_alternative<std::int64_t>(*value);
      check<TypeError>(number, op.name, ": requires attribute ", def.name, " to be ", kind_name(def.kind), ", got ",
                       to_string(*value));
      out.set(def.name, static_cast<double>(std::get<std::int64_t>(*value)));
    }
  }
  for (const auto& [name, value] : given.items()) {
    check(out.find(name) != nullptr, op.name, ": has no attribute ", name);
  }
  return out;
}

void mix(std::size_t& hash, std::size_t more) { hash ^= more + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2); }

std::size_t hash_of(const OpDef& op, const std::vector<ValueId>& inputs, const Attrs& attrs) {
  std::size_t hash = std::hash<const void*>()(&op);
  for (ValueId id : inputs) mix(hash, static_cast<std::size_t>(id));
  for (const auto& [name, value] : attrs.items()) mix(hash, std::hash<std::string>()(to_string(value)));
  return hash;
}

}  // namespace

std::size_t Graph::check_id(ValueId id) const {
  check(id >= 0 && static_cast<std::size_t>(id) < values_.size(), "graph: has no value ", id, ", only 0 to ",
        static_cast<std::int64_t>(values_.size()) - 1);
  return static_cast<std::size_t>(id);
}

std::vector<ValueId> Graph::add(const OpDef& op, std::vector<ValueId> inputs, Attrs given) {
  const int n = static_cast<int>(inputs.size());
  check(n >= op.min_inputs && (op.max_inputs < 0 || n <= op.max_inputs), op.name, ": requires ", op.min_inputs,
        op.max_inputs == op.min_inputs ? "" : " or more", " inputs, got ", n);
  std::vector<Type> in;
  for (ValueId id : inputs) in.push_back(values_[check_id(id)].type);
  if (op.has(kCommutative) && n == 2 && inputs[0] > inputs[1]) {
    std::swap(inputs[0], inputs[1]);
    std::swap(in[0], in[1]);
  }
  Node node;
  node.op = &op;
  node.attrs = complete(op, given);

  const std::size_t hash = hash_of(op, inputs, node.attrs);
  for (auto [at, end] = known_.equal_range(hash); at != end; ++at) {
    const Node& other = nodes_[at->second];
    if (other.op == &op && other.inputs == inputs && other.attrs == node.attrs) {
      node = other;  // the ids are all that is wanted
      std::vector<ValueId> ids;
      for (int i = 0; i < node.outputs; ++i) ids.push_back(node.first + i);
      return ids;
    }
  }

  std::vector<Type> out;
  try {
    op.type(TypeArgs{op, in, node.attrs, out});
  } catch (const ValueError& error) {
    if (layer_.empty()) throw;
    throw ValueError(concat(error.what(), " (layer \"", layer_, "\")"));
  } catch (const TypeError& error) {
    if (layer_.empty()) throw;
    throw TypeError(concat(error.what(), " (layer \"", layer_, "\")"));
  }
  node.inputs = std::move(inputs);
  node.first = static_cast<ValueId>(values_.size());
  node.outputs = static_cast<int>(out.size());
  node.layer = layer_;
  std::vector<ValueId> ids;
  for (int i = 0; i < node.outputs; ++i) {
    ids.push_back(static_cast<ValueId>(values_.size()));
    values_.push_back({std::move(out[i]), static_cast<int>(nodes_.size()), i});
  }
  known_.emplace(hash, static_cast<int>(nodes_.size()));
  nodes_.push_back(std::move(node));
  return ids;
}

std::vector<ValueId> Graph::add(std::string_view op, std::vector<ValueId> inputs, Attrs attrs) {
  return add(op_of(op), std::move(inputs), std::move(attrs));
}

ValueId Graph::add1(std::string_view op, std::vector<ValueId> inputs, Attrs attrs) {
  const std::vector<ValueId> out = add(op_of(op), std::move(inputs), std::move(attrs));
  check<InternalError>(out.size() == 1, op, " has ", out.size(), " outputs");
  return out[0];
}

ValueId Graph::constant(double value, DType dtype) {
  return add1("constant", {}, {{"value", value}, {"dtype", name_of(dtype)}});
}

void Graph::set_outputs(std::vector<ValueId> outputs) {
  for (ValueId id : outputs) check_id(id);
  outputs_ = std::move(outputs);
}

void Graph::set_update(std::int64_t slot, ValueId value) {
  check_id(value);
  auto at = std::lower_bound(updates_.begin(), updates_.end(), slot,
                             [](const auto& item, std::int64_t key) { return item.first < key; });
  if (at != updates_.end() && at->first == slot) {
    at->second = value;
  } else {
    updates_.insert(at, {slot, value});
  }
}

}  // namespace nabi
