// csrc/ops/reduce.cpp -- sums, means, extrema, products and their kin over axes: types and gradients
#include "error.h"
#include "ops/expr.h"
#include "ops/register.h"
#include "ops/rules.h"

namespace nabi::ops {
namespace {

using List = std::vector<std::int64_t>;

void check_axes(const TypeArgs& args) {
  const auto rank = static_cast<std::int64_t>(args.inputs[0].shape.size());
  std::int64_t before = -1;
  for (std::int64_t axis : args.attrs.list("axes")) {
    check(axis > before && axis < rank, args.op.name, ": requires increasing axes in [0, ", rank, "), got ",
          to_string(args.attrs.list("axes")));
    before = axis;
  }
}

void check_not_empty(const TypeArgs& args, const List& axes) {
  for (std::int64_t axis : axes) {
    check(args.inputs[0].shape[static_cast<std::size_t>(axis)] > 0, args.op.name,
          ": requires at least one element, got shape ", to_string(args.inputs[0].shape));
  }
}

enum Accepts { kFloating, kNumeric, kOrdered, kLogical };

template <Accepts accepts, bool empty_ok>
void reduce_type(const TypeArgs& args) {
  const DType dtype = args.inputs[0].dtype;
  const bool ok = accepts == kOrdered || (accepts == kFloating && is_float(dtype)) ||
                  (accepts == kNumeric && dtype != DType::boolean) || (accepts == kLogical && dtype == DType::boolean);
  static constexpr const char* kNames[] = {"floating-point", "numeric", "numeric or bool", "bool"};
  check<TypeError>(ok, args.op.name, ": requires ", kNames[accepts], " input, got ", name_of(dtype));
  check_axes(args);
  if (!empty_ok) check_not_empty(args, args.attrs.list("axes"));
  args.outputs.push_back(
      {dtype, reduced_shape(args.inputs[0].shape, args.attrs.list("axes"), args.attrs.flag("keepdims"))});
}

void arg_type(const TypeArgs& args) {
  const Shape& shape = args.inputs[0].shape;
  const std::int64_t axis = args.attrs.integer("axis");
  check(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()), args.op.name, ": requires axis to be in [0, ",
        shape.size(), "), got ", axis);
  check_not_empty(args, {axis});
  args.outputs.push_back({DType::i32, reduced_shape(shape, {axis}, false)});
}

/// The parts every gradient here needs; values are spread back to the input's shape.
struct Parts {
  explicit Parts(const GradArgs& args)
      : args(args), graph(args.graph), shape(graph.type(args.inputs[0]).shape), axes(args.attrs.list("axes")) {}

  ValueId back(ValueId value) const { return spread(graph, value, shape, axes); }
  double reduced() const {
    double out = 1;
    for (std::int64_t axis : axes) out *= static_cast<double>(shape[static_cast<std::size_t>(axis)]);
    return out;
  }
  ValueId sum(ValueId value) const {
    return graph.add1("reduce_sum", {value}, {{"axes", axes}, {"keepdims", keepdims()}});
  }
  bool keepdims() const { return args.attrs.flag("keepdims"); }
  DType dtype() const { return graph.type(args.inputs[0]).dtype; }
  ValueId number(double value) const { return graph.constant(value, dtype()); }

  const GradArgs& args;
  Graph& graph;
  const Shape shape;
  const List axes;
};

void sum_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  args.grads[0] = Parts(args).back(args.upstream[0]);
}

void mean_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  const Parts parts(args);
  const ValueId share = parts.graph.add1("divide", {args.upstream[0], parts.number(parts.reduced())});
  args.grads[0] = parts.back(share);
}

/// Every element that equals the extremum gets the same share, as in JAX and Keras.
void extremum_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone || !is_float(args.graph.type(args.inputs[0]).dtype)) return;
  const Parts parts(args);
  Graph& graph = parts.graph;
  const ValueId hit = graph.add1("equal", {args.inputs[0], parts.back(args.outputs[0])});
  const ValueId hits = parts.sum(graph.add1("cast", {hit}, {{"dtype", name_of(parts.dtype())}}));
  const ValueId share = parts.back(graph.add1("divide", {args.upstream[0], hits}));
  args.grads[0] = graph.add1("select", {hit, share, parts.number(0)});
}

/// The product of the others: y / x without zeros; with one zero only that element has a gradient, with more none.
void product_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone || !is_float(args.graph.type(args.inputs[0]).dtype)) return;
  const Parts parts(args);
  Graph& graph = parts.graph;
  const ValueId x = args.inputs[0];
  const ValueId zero = graph.add1("equal", {x, parts.number(0)});
  const ValueId zeros = parts.sum(graph.add1("cast", {zero}, {{"dtype", name_of(parts.dtype())}}));
  const ValueId filled = graph.add1("select", {zero, parts.number(1), x});
  const ValueId rest = graph.add1("reduce_prod", {filled}, {{"axes", parts.axes}, {"keepdims", parts.keepdims()}});
  const ValueId scaled = graph.add1("multiply", {args.upstream[0], rest});
  const ValueId one_zero =
      graph.add1("select", {graph.add1("equal", {zeros, parts.number(1)}), scaled, parts.number(0)});
  const ValueId no_zero =
      graph.add1("select", {graph.add1("equal", {zeros, parts.number(0)}), scaled, parts.number(0)});
  const ValueId others = graph.add1("divide", {parts.back(no_zero), filled});
  args.grads[0] = graph.add1("select", {zero, parts.back(one_zero), others});
}

void logsumexp_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  const Parts parts(args);
  const Expr x(args.graph, args.inputs[0]);
  const Expr y(args.graph, parts.back(args.outputs[0])), g(args.graph, parts.back(args.upstream[0]));
  args.grads[0] = (g * Expr::apply("exp", {}, x - y)).emit(args.graph, parts.dtype());
}

}  // namespace

void register_reduce(std::vector<OpDef>& table) {
  const std::vector<AttrDef> attrs{{"axes", List{}, true}, {"keepdims", false}};
  const auto row = [&](const char* name, auto type, auto gradient) {
    table.push_back({name, "reduce", 1, 1, 0, attrs, type, gradient});
  };
  const auto none = static_cast<void (*)(const GradArgs&)>(nullptr);
  row("reduce_sum", reduce_type<kNumeric, true>, sum_gradient);
  row("reduce_mean", reduce_type<kFloating, true>, mean_gradient);
  row("reduce_max", reduce_type<kOrdered, false>, extremum_gradient);
  row("reduce_min", reduce_type<kOrdered, false>, extremum_gradient);
  row("reduce_prod", reduce_type<kNumeric, true>, product_gradient);
  row("reduce_any", reduce_type<kLogical, true>, none);
  row("reduce_all", reduce_type<kLogical, true>, none);
  row("logsumexp", reduce_type<kFloating, false>, logsumexp_gradient);
  const AttrDef axis{"axis", std::int64_t{0}, true};
  table.push_back({"argmax", "reduce", 1, 1, 0, {axis}, arg_type});
  table.push_back({"argmin", "reduce", 1, 1, 0, {axis}, arg_type});
}

}  // namespace nabi::ops
