// csrc/cpu/lower_update.cpp -- task grids of the optimizer kernels
#include "cpu/lower.h"
#include "cpu/update.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kChunk = 32768;
constexpr double kNanosecondsPerByte = 0.015;

void add(Lowering& low, Kernel f32, Kernel f64, UpdateParams p) {
  const Type& variable = low.input(0);
  p.total = count(variable.shape);
  p.chunk = kChunk;
  p.wide_rate = low.input(low.node.inputs.size() - 1).dtype == DType::f64;
  const std::size_t streams = low.node.inputs.size() - 1 + static_cast<std::size_t>(low.node.outputs);
  const double cost = kNanosecondsPerByte * static_cast<double>(bytes(variable) * streams);
  low.phase(variable.dtype == DType::f32 ? f32 : f64, p, (p.total + kChunk - 1) / kChunk, 0, cost);
}

void sgd(Lowering& low) { add(low, low.kernels.sgd_update_f32, low.kernels.sgd_update_f64, {}); }

void sgd_momentum(Lowering& low) {
  UpdateParams p{};
  p.a = low.node.attrs.number("momentum");
  p.nesterov = low.node.attrs.flag("nesterov");
  add(low, low.kernels.sgd_momentum_update_f32, low.kernels.sgd_momentum_update_f64, p);
}

void adam(Lowering& low) {
  UpdateParams p{};
  p.a = 1 - low.node.attrs.number("beta_1");
  p.b = 1 - low.node.attrs.number("beta_2");
  p.epsilon = low.node.attrs.number("epsilon");
  add(low, low.kernels.adam_update_f32, low.kernels.adam_update_f64, p);
}

void rmsprop(Lowering& low) {
  UpdateParams p{};
  p.a = low.node.attrs.number("rho");
  p.b = 1 - p.a;
  p.epsilon = low.node.attrs.number("epsilon");
  add(low, low.kernels.rmsprop_update_f32, low.kernels.rmsprop_update_f64, p);
}

}  // namespace

void lower_update(LowerTable& table) {
  table["sgd_update"] = sgd;
  table["sgd_momentum_update"] = sgd_momentum;
  table["adam_update"] = adam;
  table["rmsprop_update"] = rmsprop;
}

}  // namespace nabi::cpu
