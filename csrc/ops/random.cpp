// csrc/ops/random.cpp -- random numbers as functions of a state (seed, counter) and of the place in the output
#include <cmath>

#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

void check_state(const TypeArgs& args, std::size_t at) {
  const Type& state = args.inputs[at];
  check<TypeError>(state.dtype == DType::i64, args.op.name, ": requires an int64 state, got ", name_of(state.dtype));
  check(state.shape == Shape{2}, args.op.name, ": requires a state of shape (2,), got ", to_string(state.shape));
}

/// Checks the state and the shape, and appends the stated type.
DType stated_type(const TypeArgs& args) {
  check_state(args, 0);
  const Shape& shape = args.attrs.list("shape");
  for (std::int64_t d : shape) {
    check(d >= 0, args.op.name, ": requires dimensions of at least 0, got ", to_string(shape));
  }
  const DType dtype = dtype_of(args.attrs.text("dtype"));
  args.outputs.push_back({dtype, shape});
  return dtype;
}

void check_float(const TypeArgs& args, DType dtype) {
  check<TypeError>(is_float(dtype), args.op.name, ": requires float32 or float64, got ", name_of(dtype));
}

void uniform_type(const TypeArgs& args) {
  check_float(args, stated_type(args));
  const double low = args.attrs.number("low");
  const double high = args.attrs.number("high");
  const bool ok = low <= high && std::isfinite(static_cast<float>(high) - static_cast<float>(low));
  check(ok, args.op.name, ": requires low to be at most high and both in the range of float32, got ", low, " and ",
        high);
}

void normal_type(const TypeArgs& args) {
  check_float(args, stated_type(args));
  const double stddev = args.attrs.number("stddev");
  check(stddev >= 0, args.op.name, ": requires stddev to be at least 0, got ", stddev);
}

void bernoulli_type(const TypeArgs& args) {
  stated_type(args);
  const double p = args.attrs.number("p");
  check(p >= 0 && p <= 1, args.op.name, ": requires p to be in [0, 1], got ", p);
}

void int_type(const TypeArgs& args) {
  const DType dtype = stated_type(args);
  const bool ok = dtype == DType::i32 || dtype == DType::i64;
  check<TypeError>(ok, args.op.name, ": requires int32 or int64, got ", name_of(dtype));
  const std::int64_t low = args.attrs.integer("low");
  const std::int64_t high = args.attrs.integer("high");
  check(low < high, args.op.name, ": requires low to be less than high, got ", low, " and ", high);
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  check(span <= 0xffffffffu, args.op.name, ": requires high - low to be less than 2**32, got ", low, " and ", high);
  const bool fits = dtype == DType::i64 || (low >= INT32_MIN && high - 1 <= INT32_MAX);
  check(fits, args.op.name, ": requires numbers that fit int32, got ", low, " and ", high);
}

void dropout_type(const TypeArgs& args) {
  check_float(args, args.inputs[0].dtype);
  check_state(args, 1);
  const double rate = args.attrs.number("rate");
  check(rate >= 0 && rate <= 1, args.op.name, ": requires rate to be in [0, 1], got ", rate);
  args.outputs.push_back(args.inputs[0]);
}

void dropout_gradient(const GradArgs& args) {
  if (!args.wanted[0]) return;
  args.grads[0] =  // the same state drops the same elements
      args.graph.add1("dropout", {args.upstream[0], args.inputs[1]}, {{"rate", args.attrs.number("rate")}});
}

}  // namespace

void register_random(std::vector<OpDef>& table) {
  const char* family = "random";
  const AttrDef shape{"shape", std::vector<std::int64_t>{}, true};
  const AttrDef floats{"dtype", std::string("float32"), false}, ints{"dtype", std::string("int32"), false};
  const auto number = [](const char* name, double value) { return AttrDef{name, value, false}; };
  const auto integer = [](const char* name) { return AttrDef{name, std::int64_t{0}, true}; };
  const std::vector<AttrDef> uniform{shape, number("low", 0), number("high", 1), floats};
  const std::vector<AttrDef> normal{shape, number("mean", 0), number("stddev", 1), floats};
  const std::vector<AttrDef> bernoulli{shape, number("p", 0.5), floats};
  const std::vector<AttrDef> span{shape, integer("low"), integer("high"), ints};
  table.push_back({"random_uniform", family, 1, 1, 0, uniform, uniform_type, nullptr, {}});
  table.push_back({"random_normal", family, 1, 1, 0, normal, normal_type, nullptr, {}});
  table.push_back({"truncated_normal", family, 1, 1, 0, normal, normal_type, nullptr, {}});
  table.push_back({"random_bernoulli", family, 1, 1, 0, bernoulli, bernoulli_type, nullptr, {}});
  table.push_back({"random_int", family, 1, 1, 0, span, int_type, nullptr, {}});
  table.push_back({"dropout", family, 2, 2, 0, {{"rate", 0.0, true}}, dropout_type, dropout_gradient, {0}});
}

}  // namespace nabi::ops
