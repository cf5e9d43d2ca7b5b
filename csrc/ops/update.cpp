// csrc/ops/update.cpp -- optimizer steps: one pass over a variable, its gradient and its slots
#include <string>

#include "error.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

/// Inputs are the variable, its gradient, the slots, and the rate last; outputs are the variable and the slots.
void update_type(const TypeArgs& args) {
  const Type& variable = args.inputs[0];
  check<TypeError>(is_float(variable.dtype), args.op.name, ": requires a float variable, got ",
                   name_of(variable.dtype));
  for (std::size_t i = 1; i + 1 < args.inputs.size(); ++i) {
    check(args.inputs[i] == variable, args.op.name, ": requires a gradient and slots of the variable's type ",
          to_string(variable), ", got ", to_string(args.inputs[i]));
  }
  const Type& rate = args.inputs.back();
  check(rate.shape.empty(), args.op.name, ": requires a scalar learning rate, got shape ", to_string(rate.shape));
  check<TypeError>(rate.dtype == DType::f32 || rate.dtype == variable.dtype, args.op.name,
                   ": requires a float32 learning rate or one of the variable's dtype, got ", name_of(rate.dtype));
  for (std::size_t i = 0; i < args.op.in_place.size(); ++i) args.outputs.push_back(variable);
}

}  // namespace

void register_update(std::vector<OpDef>& table) {
  const auto number = [](const char* name) { return AttrDef{name, 0.0, true}; };
  const auto row = [&](const char* name, int slots, std::vector<AttrDef> attrs) {
    std::vector<int> in_place{0};
    for (int slot = 0; slot < slots; ++slot) in_place.push_back(2 + slot);
    table.push_back({name, "update", 3 + slots, 3 + slots, kUpdate, std::move(attrs), update_type, nullptr, in_place});
  };
  row("sgd_update", 0, {});
  row("sgd_momentum_update", 1, {number("momentum"), {"nesterov", false}});
  row("adam_update", 2, {number("beta_1"), number("beta_2"), number("epsilon")});
  row("rmsprop_update", 1, {number("rho"), number("epsilon")});
}

}  // namespace nabi::ops
