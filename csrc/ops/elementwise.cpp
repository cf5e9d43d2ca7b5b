// csrc/ops/elementwise.cpp -- rows of elementwise.def as ops: types by broadcasting, gradients by formula
#include "error.h"
#include "graph/pointwise.h"
#include "ops/expr.h"
#include "ops/register.h"
#include "ops/rules.h"

namespace nabi::ops {
namespace {

// What a row takes, as bits by dtype.
constexpr unsigned bit(DType dtype) { return 1u << static_cast<unsigned>(dtype); }
constexpr unsigned kFloats = bit(DType::f32) | bit(DType::f64);
constexpr unsigned kNumbers = kFloats | bit(DType::i32) | bit(DType::i64) | bit(DType::u8);
constexpr unsigned kAny = kNumbers | bit(DType::boolean);
constexpr unsigned kBools = bit(DType::boolean);

const char* what(unsigned dtypes) {
  if (dtypes == kFloats) return "floating-point";
  return dtypes == kBools ? "bool" : "numeric";
}

void check_dtype(const TypeArgs& args, std::size_t i, unsigned dtypes) {
  check<TypeError>((bit(args.inputs[i].dtype) & dtypes) != 0, args.op.name, ": requires ", what(dtypes), " input, got ",
                   name_of(args.inputs[i].dtype));
}

/// One dtype for inputs first, first + 1, ...; the broadcast shape of all inputs.
Type joined(const TypeArgs& args, unsigned dtypes, std::size_t first = 0) {
  check_dtype(args, first, dtypes);
  Type out{args.inputs[first].dtype, args.inputs[0].shape};
  for (std::size_t i = 1; i < args.inputs.size(); ++i) {
    out.shape = broadcast(out.shape, args.inputs[i].shape, args.op.name);
    check<TypeError>(i < first || args.inputs[i].dtype == out.dtype, args.op.name,
                     ": requires operands of one dtype, got ", name_of(out.dtype), " and ",
                     name_of(args.inputs[i].dtype));
  }
  return out;
}

template <unsigned dtypes>
void same_type(const TypeArgs& args) {
  args.outputs.push_back(joined(args, dtypes));
}

template <unsigned dtypes>
void bool_type(const TypeArgs& args) {
  args.outputs.push_back({DType::boolean, joined(args, dtypes).shape});
}

void select_type(const TypeArgs& args) {
  check_dtype(args, 0, kBools);
  args.outputs.push_back(joined(args, kAny, 1));
}

void cast_type(const TypeArgs& args) {
  args.outputs.push_back({dtype_of(args.attrs.text("dtype")), args.inputs[0].shape});
}

void pointwise_type(const TypeArgs& args) {
  std::vector<DType> dtypes;
  Shape shape;
  for (const Type& input : args.inputs) {
    dtypes.push_back(input.dtype);
    shape = broadcast(shape, input.shape, args.op.name);
  }
  const PointwiseCode code = PointwiseCode::parse(args.attrs.text("code"), dtypes);
  for (const Instruction& instruction : code.instructions) dtypes.push_back(instruction.dtype);
  for (int reg : code.outputs) args.outputs.push_back({dtypes[reg], shape});
}

/// The ops as functions on formulas, for the gradient column.
namespace formula {
#define NABI_ONE(name) \
  [[maybe_unused]] Expr name(const Expr& x) { return Expr::apply(#name, {}, x); }
#define NABI_TWO(name) \
  [[maybe_unused]] Expr name(const Expr& a, const Expr& b) { return Expr::apply(#name, {}, a, b); }
#define NABI_UNARY(name, dtypes, cost, value, gradient) NABI_ONE(name)
#define NABI_STEP(name, dtypes, cost, value) NABI_ONE(name)
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) NABI_TWO(name)
#define NABI_BINARY_STEP(name, dtypes, cost, value) NABI_TWO(name)
#include "ops/elementwise.def"
#undef NABI_ONE
#undef NABI_TWO
Expr select(const Expr& condition, const Expr& a, const Expr& b) { return Expr::apply("select", {}, condition, a, b); }
}  // namespace formula

/// Emits a gradient formula and sums it to the shape of input i.
void give(const GradArgs& args, std::size_t i, const Expr& grad) {
  const Type like = args.graph.type(args.inputs[i]);
  args.grads[i] = sum_to(args.graph, grad.emit(args.graph, like.dtype), like.shape);
}

bool flows(const GradArgs& args, std::size_t i) { return args.upstream[0] != kNone && args.wanted[i]; }

// One gradient function a row, in a namespace of its own: the op's name would hide the formula's.
#define NABI_RULE(name, body)                   \
  void gradient_##name(const GradArgs& args) {  \
    using namespace formula;                    \
    const Expr y(args.graph, args.outputs[0]);  \
    const Expr g(args.graph, args.upstream[0]); \
    body                                        \
  }
#define NABI_UNARY(name, dtypes, cost, value, gradient) \
  NABI_RULE(                                            \
      name, if (flows(args, 0)) {                       \
        const Expr x(args.graph, args.inputs[0]);       \
        give(args, 0, gradient);                        \
      })
#define NABI_ALPHA(name, initial, cost, value, gradient) \
  NABI_RULE(                                             \
      name, if (flows(args, 0)) {                        \
        const Expr x(args.graph, args.inputs[0]);        \
        const Expr alpha(args.attrs.number("alpha"));    \
        give(args, 0, gradient);                         \
      })
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b)                        \
  NABI_RULE(name, const Expr a(args.graph, args.inputs[0]); const Expr b(args.graph, args.inputs[1]); \
            if (flows(args, 0)) give(args, 0, gradient_a); if (flows(args, 1)) give(args, 1, gradient_b);)
#include "ops/elementwise.def"
#undef NABI_RULE

void select_gradient(const GradArgs& args) {
  const Expr condition(args.graph, args.inputs[0]), g(args.graph, args.upstream[0]);
  if (flows(args, 1)) give(args, 1, formula::select(condition, g, 0));
  if (flows(args, 2)) give(args, 2, formula::select(condition, 0, g));
}

void cast_gradient(const GradArgs& args) {
  const DType from = args.graph.type(args.inputs[0]).dtype;
  if (!flows(args, 0) || !is_float(from)) return;
  args.grads[0] = args.graph.add1("cast", {args.upstream[0]}, {{"dtype", name_of(from)}});
}

}  // namespace

void register_elementwise(std::vector<OpDef>& table) {
  const auto row = [&](const char* name, int inputs, unsigned traits, std::vector<AttrDef> attrs, auto type,
                       auto gradient) {
    table.push_back({name, "elementwise", inputs, inputs, kElementwise | traits, std::move(attrs), type, gradient});
  };
  const auto none = static_cast<void (*)(const GradArgs&)>(nullptr);
#define NABI_UNARY(name, dtypes, cost, value, gradient) row(#name, 1, 0, {}, same_type<dtypes>, gradient_##name);
#define NABI_STEP(name, dtypes, cost, value) row(#name, 1, 0, {}, same_type<dtypes>, no_gradient);
#define NABI_ALPHA(name, initial, cost, value, gradient) \
  row(#name, 1, 0, {{"alpha", initial}}, same_type<kFloats>, gradient_##name);
#define NABI_TEST(name, value) row(#name, 1, 0, {}, bool_type<kFloats>, none);
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) \
  row(#name, 2, traits, {}, same_type<dtypes>, gradient_##name);
#define NABI_BINARY_STEP(name, dtypes, cost, value) row(#name, 2, 0, {}, same_type<dtypes>, no_gradient);
#define NABI_COMPARE(name, traits, value) row(#name, 2, traits, {}, bool_type<kAny>, none);
#define NABI_LOGICAL(name, value) row(#name, 2, kCommutative, {}, bool_type<kBools>, none);
#include "ops/elementwise.def"
  row("logical_not", 1, 0, {}, bool_type<kBools>, none);
  row("select", 3, 0, {}, select_type, select_gradient);
  row("cast", 1, 0, {{"dtype", std::string("float32"), true}}, cast_type, cast_gradient);
  table.push_back({"pointwise", "elementwise", 0, -1, kOpaque, {{"code", std::string(), true}}, pointwise_type});
}

}  // namespace nabi::ops
