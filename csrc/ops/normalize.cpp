// csrc/ops/normalize.cpp -- batch normalisation, softmax and the cross-entropies computed from logits
#include <string>

#include "error.h"
#include "graph/graph.h"
#include "ops/expr.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

void check_float(const OpDef& op, const Type& type) {
  check<TypeError>(is_float(type.dtype), op.name, ": requires a float tensor, got ", name_of(type.dtype));
}

void check_axis(const OpDef& op, const Type& type) {
  check_float(op, type);
  check(!type.shape.empty(), op.name, ": requires at least one axis, got a scalar");
}

void check_same(const OpDef& op, const char* what, const Type& expected, const Type& got) {
  check<TypeError>(expected.dtype == got.dtype, op.name, ": requires ", what, " of dtype ", name_of(expected.dtype),
                   ", got ", name_of(got.dtype));
  check(expected.shape == got.shape, op.name, ": requires ", what, " of shape ", to_string(expected.shape), ", got ",
        to_string(got.shape));
}

/// The shape without its last axis.
Shape rows_of(const Shape& shape) { return Shape(shape.begin(), shape.end() - 1); }

// batch_norm ---------------------------------------------------------------------------------------------------------

void batch_norm_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  check_axis(args.op, x);
  const Type channels{x.dtype, {x.shape.back()}};
  check_same(args.op, "gamma", channels, args.inputs[1]);
  check_same(args.op, "beta", channels, args.inputs[2]);
  args.outputs.insert(args.outputs.end(), {x, channels, channels});
}

void batch_norm_grad_type(const TypeArgs& args) {
  const Type& x = args.inputs[1];
  check_axis(args.op, x);
  const Type channels{x.dtype, {x.shape.back()}};
  check_same(args.op, "a gradient", x, args.inputs[0]);
  check_same(args.op, "gamma", channels, args.inputs[2]);
  check_same(args.op, "a mean", channels, args.inputs[3]);
  check_same(args.op, "a variance", channels, args.inputs[4]);
  check(args.inputs.size() == 5u + args.attrs.flag("relu"), args.op.name, ": requires ", 5 + args.attrs.flag("relu"),
        " inputs, got ", args.inputs.size());
  if (args.attrs.flag("relu")) check_same(args.op, "beta", channels, args.inputs[5]);
  args.outputs.insert(args.outputs.end(), {x, channels, channels});
}

/// Only y passes a gradient on, through the statistics too; mean and variance, which feed the moving averages, do not.
void batch_norm_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  check<NotImplemented>(!args.attrs.flag("relu"), "batch_norm: has no gradient once a ReLU is fused into it");
  args.grads = args.graph.add("batch_norm_grad",
                              {args.upstream[0], args.inputs[0], args.inputs[1], args.outputs[1], args.outputs[2]},
                              {{"epsilon", args.attrs.number("epsilon")}});
}

// softmax ------------------------------------------------------------------------------------------------------------

void softmax_type(const TypeArgs& args) {
  check_axis(args.op, args.inputs[0]);
  args.outputs.push_back(args.inputs[0]);
}

/// Sum over the last axis, which stays with length 1.
Expr sum_last(Graph& graph, ValueId like, const Expr& x) {
  const std::int64_t last = static_cast<std::int64_t>(graph.type(like).shape.size()) - 1;
  return Expr::apply("reduce_sum", {{"axes", std::vector<std::int64_t>{last}}, {"keepdims", true}}, x);
}

void softmax_gradient(const GradArgs& args) {
  Graph& graph = args.graph;
  const Expr y(graph, args.outputs[0]), g(graph, args.upstream[0]);
  args.grads[0] = ((g - sum_last(graph, args.outputs[0], g * y)) * y).emit(graph, graph.type(args.outputs[0]).dtype);
}

void log_softmax_gradient(const GradArgs& args) {
  Graph& graph = args.graph;
  const Expr y(graph, args.outputs[0]), g(graph, args.upstream[0]);
  const Expr out = g - Expr::apply("exp", {}, y) * sum_last(graph, args.outputs[0], g);
  args.grads[0] = out.emit(graph, graph.type(args.outputs[0]).dtype);
}

// cross-entropies ----------------------------------------------------------------------------------------------------

/// x of shape [...] as [..., 1].
ValueId add_axis(Graph& graph, ValueId x) {
  Shape shape = graph.type(x).shape;
  shape.push_back(1);
  return graph.add1("reshape", {x}, {{"shape", shape}});
}

/// Checks a gradient of the loss: one per row, or one number for all.
void check_gradient(const TypeArgs& args) {
  const Type expected{args.inputs[0].dtype, rows_of(args.inputs[0].shape)};
  if (args.inputs[2] != Type{expected.dtype, {}}) check_same(args.op, "a gradient", expected, args.inputs[2]);
}

void cross_entropy_type(const TypeArgs& args) {
  check_axis(args.op, args.inputs[0]);
  check_same(args.op, "a target", args.inputs[0], args.inputs[1]);
  args.outputs.push_back({args.inputs[0].dtype, rows_of(args.inputs[0].shape)});
}

void cross_entropy_grad_type(const TypeArgs& args) {
  check_axis(args.op, args.inputs[0]);
  check_same(args.op, "a target", args.inputs[0], args.inputs[1]);
  check_gradient(args);
  args.outputs.push_back(args.inputs[0]);
}

/// The probabilities are a node of their own, so that a model that also outputs them computes them once.
void cross_entropy_gradient(const GradArgs& args) {
  Graph& graph = args.graph;
  const ValueId logits = args.inputs[0], target = args.inputs[1], g = args.upstream[0];
  if (args.wanted[0]) {
    args.grads[0] = graph.add1("softmax_cross_entropy_grad", {graph.add1("softmax", {logits}), target, g});
  }
  if (args.wanted[1]) {
    const ValueId log_p = graph.add1("log_softmax", {logits});
    args.grads[1] = (-Expr(graph, log_p) * Expr(graph, add_axis(graph, g))).emit(graph, graph.type(logits).dtype);
  }
}

/// Of (p * sum(t) - t) * g.
void cross_entropy_grad_gradient(const GradArgs& args) {
  Graph& graph = args.graph;
  const ValueId like = args.inputs[0];
  check<NotImplemented>(graph.type(args.inputs[2]).shape == rows_of(graph.type(like).shape),
                        "softmax_cross_entropy_grad: has no gradient where one number is the gradient of all rows");
  const DType dtype = graph.type(like).dtype;
  const Expr p(graph, args.inputs[0]), t(graph, args.inputs[1]), g(graph, add_axis(graph, args.inputs[2]));
  const Expr u(graph, args.upstream[0]);
  if (args.wanted[0]) args.grads[0] = (u * sum_last(graph, like, t) * g).emit(graph, dtype);
  if (args.wanted[1]) args.grads[1] = ((sum_last(graph, like, u * p) - u) * g).emit(graph, dtype);
  if (args.wanted[2]) {
    const ValueId sum = sum_last(graph, like, u * (p * sum_last(graph, like, t) - t)).emit(graph, dtype);
    args.grads[2] = graph.add1("reshape", {sum}, {{"shape", graph.type(args.inputs[2]).shape}});
  }
}

void check_labels(const OpDef& op, const Shape& expected, const Type& labels) {
  check<TypeError>(labels.dtype == DType::i32 || labels.dtype == DType::i64, op.name,
                   ": requires int32 or int64 labels, got ", name_of(labels.dtype));
  check(labels.shape == expected, op.name, ": requires labels of shape ", to_string(expected), ", got ",
        to_string(labels.shape));
}

void sparse_type(const TypeArgs& args) {
  check_axis(args.op, args.inputs[0]);
  check_labels(args.op, rows_of(args.inputs[0].shape), args.inputs[1]);
  args.outputs.push_back({args.inputs[0].dtype, rows_of(args.inputs[0].shape)});
}

void sparse_grad_type(const TypeArgs& args) {
  check_axis(args.op, args.inputs[0]);
  const Shape rows = rows_of(args.inputs[0].shape);
  check_labels(args.op, rows, args.inputs[1]);
  check_gradient(args);
  args.outputs.push_back(args.inputs[0]);
}

void sparse_gradient(const GradArgs& args) {
  if (!args.wanted[0]) return;
  const ValueId probs = args.graph.add1("softmax", {args.inputs[0]});
  args.grads[0] = args.graph.add1("sparse_softmax_cross_entropy_grad", {probs, args.inputs[1], args.upstream[0]});
}

}  // namespace

void register_normalize(std::vector<OpDef>& table) {
  const AttrDef epsilon{"epsilon", 1e-3, true};
  const auto row = [&](const char* name, int inputs, unsigned traits, std::vector<AttrDef> attrs,
                       void (*type)(const TypeArgs&), void (*gradient)(const GradArgs&), std::vector<int> in_place) {
    table.push_back({name, "normalize", inputs, inputs, traits, std::move(attrs), type, gradient, std::move(in_place)});
  };
  row("batch_norm", 3, 0, {epsilon, {"relu", false}}, batch_norm_type, batch_norm_gradient, {0});
  // relu: the incoming gradient counts only where the normalised value, computed again from beta (input 5), is
  // positive. mask: x is what a ReLU made, so the result is kept only where x is positive.
  row("batch_norm_grad", 5, 0, {epsilon, {"relu", false}, {"mask", false}}, batch_norm_grad_type, nullptr, {0});
  table.back().max_inputs = 6;
  row("softmax", 1, 0, {}, softmax_type, softmax_gradient, {0});
  row("log_softmax", 1, 0, {}, softmax_type, log_softmax_gradient, {0});
  row("softmax_cross_entropy", 2, 0, {}, cross_entropy_type, cross_entropy_gradient, {});
  row("softmax_cross_entropy_grad", 3, 0, {}, cross_entropy_grad_type, cross_entropy_grad_gradient, {0});
  row("sparse_softmax_cross_entropy", 2, kFaults, {}, sparse_type, sparse_gradient, {});
  table.back().checked = "labels";
  row("sparse_softmax_cross_entropy_grad", 3, kFaults, {}, sparse_grad_type, nullptr, {0});
  table.back().checked = "labels";
}

}  // namespace nabi::ops
