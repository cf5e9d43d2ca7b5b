// csrc/passes/simplify.cpp -- drops dead nodes and nodes that change nothing, computes with numbers, spreads nothing
// that its reader spreads by itself
#include <cmath>
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

/// The number that this node makes of two numbers, computed as the kernel would, or NaN where it is none of ours.
double number_of(const Graph& graph, const Node& node, const std::vector<ValueId>& in) {
  if (in.size() != 2 || node.outputs != 1 || !is_float(graph.type(in[0]).dtype)) return NAN;
  for (ValueId id : in) {
    if (graph.producer(id).op->name != "constant") return NAN;
  }
  // A double holds the sum, product and quotient of two floats well enough to be rounded once more without harm
  // (Figueroa, "When is double rounding innocuous?", 1995).
  const bool narrow = graph.type(in[0]).dtype == DType::f32;
  const auto stored = [&](double x) { return narrow ? static_cast<double>(static_cast<float>(x)) : x; };
  const double a = stored(graph.producer(in[0]).attrs.number("value"));
  const double b = stored(graph.producer(in[1]).attrs.number("value"));
  const std::string_view op = node.op->name;
  double out = NAN;
  if (op == "add") out = stored(a + b);
  if (op == "subtract") out = stored(a - b);
  if (op == "multiply") out = stored(a * b);
  if (op == "divide") out = stored(a / b);
  // What may be next to zero is left to the kernels, which flush it.
  const auto plain = [](double x) { return std::isfinite(x) && std::fabs(x) > 1e-30; };
  return plain(a) && plain(b) && plain(out) ? out : NAN;
}

/// The one number that a broadcast repeats, as a scalar of the new graph, or kNone.
ValueId repeated_number(Graph& graph, ValueId id) {
  if (graph.producer(id).op->name != "broadcast_to") return kNone;
  ValueId source = graph.producer(id).inputs[0];
  if (graph.producer(source).op->name == "reshape") source = graph.producer(source).inputs[0];
  if (count(graph.type(source).shape) != 1) return kNone;
  if (graph.type(source).shape.empty()) return source;
  return graph.add1("reshape", {source}, {{"shape", std::vector<std::int64_t>{}}});
}

/// The node on new operands, or the number it comes to.
std::vector<ValueId> made_of(Graph& graph, const Node& node, std::vector<ValueId> in) {
  const double number = number_of(graph, node, in);
  if (!std::isnan(number)) return {graph.constant(number, graph.type(in[0]).dtype)};
  return graph.add(*node.op, std::move(in), node.attrs);
}

/// An elementwise node whose operands are all numbers, spread or not, computed once and spread then; empty otherwise.
std::vector<ValueId> spread_late(Graph& graph, const Node& node, std::vector<ValueId> in) {
  if (!node.op->has(kElementwise) || node.outputs != 1) return {};
  Shape wanted;
  for (ValueId& id : in) {
    const Shape shape = graph.type(id).shape;
    if (!shape.empty()) {
      wanted = broadcast(wanted, shape, node.op->name);
      id = repeated_number(graph, id);
    }
    if (id == kNone) return {};
  }
  if (wanted.empty()) return {};
  return graph.add("broadcast_to", made_of(graph, node, std::move(in)), {{"shape", wanted}});
}

/// Operands that a broadcast made, replaced by what it broadcast where the node spreads them as well.
std::vector<ValueId> unspread(Graph& graph, const Node& node, std::vector<ValueId> in) {
  const std::string_view op = node.op->name;
  if (op == "softmax_cross_entropy_grad" || op == "sparse_softmax_cross_entropy_grad") {
    const ValueId number = repeated_number(graph, in[2]);
    if (number != kNone) in[2] = number;
    return in;
  }
  if (!node.op->has(kElementwise)) return in;
  const auto joint = [&] {
    Shape shape;
    for (ValueId id : in) shape = broadcast(shape, graph.type(id).shape, op);
    return shape;
  };
  const Shape wanted = joint();
  for (ValueId& id : in) {
    if (graph.producer(id).op->name != "broadcast_to") continue;
    const ValueId spread = id, number = repeated_number(graph, id);
    id = number != kNone ? number : graph.producer(spread).inputs[0];
    if (joint() != wanted) id = spread;
  }
  return in;
}

/// The graph without the nodes that nothing needs.
Graph swept(const Graph& graph) {
  Rewriter out(graph);
  const std::vector<bool> live = live_nodes(graph);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (live[n]) out.copy(graph.nodes()[n]);
  }
  return out.finish();
}

}  // namespace

Graph simplify(const Graph& graph) {
  Rewriter out(graph);
  const std::vector<bool> live = live_nodes(graph);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!live[n]) continue;
    const Node& node = graph.nodes()[n];
    std::vector<ValueId> in = out.mapped(node.inputs);
    const ValueId same = repeated(out.graph, node, in);
    if (same != kNone) {
      out.set(node.first, same);
    } else if (node.op->name == "reshape" && out.graph.producer(in[0]).op->name == "reshape") {
      out.graph.set_layer(node.layer);  // only the last of several reshapes counts
      out.set(node.first, out.graph.add1("reshape", {out.graph.producer(in[0]).inputs[0]}, node.attrs));
    } else {
      out.graph.set_layer(node.layer);
      std::vector<ValueId> made = spread_late(out.graph, node, in);
      if (made.empty()) made = made_of(out.graph, node, unspread(out.graph, node, std::move(in)));
      for (int i = 0; i < node.outputs; ++i) out.set(node.first + i, made[i]);
    }
  }
  return swept(out.finish());
}

}  // namespace nabi::passes
