// csrc/cpu/lower_update.cpp -- task grids of the optimizer kernels
#include "cpu/lower.h"
#include "cpu/update.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kChunk = 8192;  // a few microseconds
constexpr std::int64_t kLanes = 16;
constexpr double kNanosecondsPerByte = 0.015;

void add(Lowering& low, Kernel f32, Kernel f64, UpdateParams p) {
  const std::size_t taken = low.node.op->in_place.size() + 1;  // operands of a variable: itself, gradient, slots
  std::vector<UpdateSegment> segments;
  double bytes_moved = 0;
  for (std::size_t i = 0; i + 1 < low.node.inputs.size(); i += taken) {
    const Type& variable = low.input(i);
    p.total = (p.total + kLanes - 1) / kLanes * kLanes;
    segments.push_back({p.total, count(variable.shape)});
    p.total += segments.back().size;
    bytes_moved += static_cast<double>(bytes(variable) * (2 * taken - 1));
  }
  p.chunk = kChunk;
  p.l2 = low.node.attrs.number("l2");
  p.segments = static_cast<std::int64_t>(segments.size());
  p.wide_rate = low.input(low.node.inputs.size() - 1).dtype == DType::f64;
  const double cost = 5.0 * static_cast<double>(segments.size()) + kNanosecondsPerByte * bytes_moved;
  low.phase(low.input(0).dtype == DType::f32 ? f32 : f64, p, (p.total + kChunk - 1) / kChunk, 0, cost);
  std::vector<char>& params = low.phases.back().params;
  const char* table = reinterpret_cast<const char*>(segments.data());
  params.insert(params.end(), table, table + segments.size() * sizeof(UpdateSegment));
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
