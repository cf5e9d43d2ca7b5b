// csrc/passes/simplify.cpp -- drops dead nodes and nodes that change nothing
#include <string_view>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace nabi::passes {
namespace {

/// True when the value is the scalar constant `number`.
bool is_constant(const Graph& graph, ValueId id, double number) {
  const Node& node = graph.producer(id);
  return node.op->name == "constant" && node.attrs.number("value") == number;
}

/// The earlier value (of the new graph) that this node would only repeat, or kNone. A value computed from float
/// rounding is never changed: only identities that keep every bit are used.
ValueId repeated(const Graph& graph, const Node& node, const std::vector<ValueId>& in) {
  const std::string_view op = node.op->name;
  if (op == "stop_gradient") return in[0];
  if (op == "multiply" || op == "divide") {
    if (is_constant(graph, in[1], 1) && graph.type(in[1]).shape.empty()) return in[0];
    if (op == "multiply" && is_constant(graph, in[0], 1) && graph.type(in[0]).shape.empty()) return in[1];
    return kNone;
  }
  if (op == "negative" && graph.producer(in[0]).op->name == "negative") return graph.producer(in[0]).inputs[0];
  if (op == "reshape") {
    return graph.type(in[0]).shape == node.attrs.list("shape") ? in[0] : kNone;
  }
  if (op == "cast") {
    return name_of(graph.type(in[0]).dtype) == node.attrs.text("dtype") ? in[0] : kNone;
  }
  if (op == "broadcast_to") return graph.type(in[0]).shape == node.attrs.list("shape") ? in[0] : kNone;
  if (op == "transpose") {
    const auto& perm = node.attrs.list("perm");
    for (std::size_t i = 0; i < perm.size(); ++i) {
      if (perm[i] != static_cast<std::int64_t>(i)) return kNone;
    }
    return in[0];
  }
  return kNone;
}

}  // namespace

Graph simplify(const Graph& graph) {
  Rewriter out(graph);
  const std::vector<bool> live = live_nodes(graph);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!live[n]) continue;
    const Node& node = graph.nodes()[n];
    const std::vector<ValueId> in = out.mapped(node.inputs);
    const ValueId same = repeated(out.graph, node, in);
    if (same != kNone) {
      out.set(node.first, same);
    } else if (node.op->name == "reshape" && out.graph.producer(in[0]).op->name == "reshape") {
      out.graph.set_layer(node.layer);  // only the last of several reshapes counts
      out.set(node.first, out.graph.add1("reshape", {out.graph.producer(in[0]).inputs[0]}, node.attrs));
    } else {
      out.copy(node);
    }
  }
  return out.finish();
}

}  // namespace nabi::passes
