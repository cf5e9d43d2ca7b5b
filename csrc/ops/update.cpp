// csrc/ops/update.cpp -- optimizer steps: one pass over a variable, its gradient and its slots
#include <string>

#include "error.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

/// Inputs are the variable, its gradient and the slots, once or for each of several variables, and the rate last;
/// outputs are the variable and the slots of each.
void update_type(const TypeArgs& args) {
  const std::size_t made = args.op.in_place.size(), taken = made + 1;
  check(args.inputs.size() % taken == 1, args.op.name, ": requires ", taken,
        " inputs for each variable and a rate, got ", args.inputs.size(), " inputs");
  for (std::size_t at = 0; at + 1 < args.inputs.size(); at += taken) {
    const Type& variable = args.inputs[at];
    check<TypeError>(is_float(variable.dtype) && variable.dtype == args.inputs[0].dtype, args.op.name, ": requires ",
                     at == 0 ? "a float variable" : "variables of one dtype", ", got ", name_of(variable.dtype));
    for (std::size_t i = at + 1; i < at + taken; ++i) {
      check(args.inputs[i] == variable, args.op.name, ": requires a gradient and slots of the variable's type ",
            to_string(variable), ", got ", to_string(args.inputs[i]));
    }
    args.outputs.insert(args.outputs.end(), made, variable);
  }
  const DType dtype = args.inputs[0].dtype;
  const Type& rate = args.inputs.back();
  check(rate.shape.empty(), args.op.name, ": requires a scalar learning rate, got shape ", to_string(rate.shape));
  check<TypeError>(rate.dtype == DType::f32 || rate.dtype == dtype, args.op.name,
                   ": requires a float32 learning rate or one of the variable's dtype, got ", name_of(rate.dtype));
}

/// No gradient passes a step: what is computed later takes the new weights as they are, as after an assignment.
void update_gradient(const GradArgs&) {}

}  // namespace

void register_update(std::vector<OpDef>& table) {
  const auto number = [](const char* name) { return AttrDef{name, 0.0, true}; };
  const auto row = [&](const char* name, int slots, std::vector<AttrDef> attrs) {
    std::vector<int> in_place{0};
    for (int slot = 0; slot < slots; ++slot) in_place.push_back(2 + slot);
    attrs.push_back({"l2", 0.0});  // this share of the variable joins its gradient
    table.push_back({name, "update", 3 + slots, -1, kUpdate, std::move(attrs), update_type, update_gradient, in_place});
  };
  row("sgd_update", 0, {});
  row("sgd_momentum_update", 1, {number("momentum"), {"nesterov", false}});
  row("adam_update", 2, {number("beta_1"), number("beta_2"), number("epsilon")});
  row("rmsprop_update", 1, {number("rho"), number("epsilon")});
}

}  // namespace nabi::ops
