// csrc/cpu/lower_random.cpp -- task grids of the random ops
#include <cmath>
#include <limits>

#include "cpu/lower.h"
#include "cpu/random.h"

namespace nabi::cpu {
namespace {

std::int64_t tasks_for(std::int64_t elements, std::int64_t per_draw) {
  const std::int64_t per_task = per_draw * kDrawsPerTask;
  return (elements + per_task - 1) / per_task;
}

RandomParams params_of(const Lowering& low) {
  RandomParams p{};
  p.total = count(low.output().shape);
  p.dtype = static_cast<std::int32_t>(low.output().dtype);
  p.limit = std::numeric_limits<float>::infinity();
  p.edge = 1;
  return p;
}

void add(Lowering& low, Kernel kernel, const RandomParams& p, double nanoseconds) {
  if (p.total == 0) return;
  low.phase(kernel, p, tasks_for(p.total, kDrawWords), 0, 50 + nanoseconds * static_cast<double>(p.total));
}

void lower_uniform(Lowering& low) {
  RandomParams p = params_of(low);
  const float high = static_cast<float>(low.node.attrs.number("high"));
  p.b = static_cast<float>(low.node.attrs.number("low"));
  p.a = high - p.b;
  p.limit = std::nextafter(high, p.b);  // rounding must not reach the excluded end
  add(low, low.kernels.random_uniform, p, 0.8);
}

void lower_normal(Lowering& low) {
  RandomParams p = params_of(low);
  p.b = static_cast<float>(low.node.attrs.number("mean"));
  p.a = static_cast<float>(low.node.attrs.number("stddev"));
  if (low.node.op->name == "truncated_normal") {
    p.limit = 2;
    p.edge = 0.954499736f;  // erf(2 / sqrt(2)): the share within two standard deviations
  }
  add(low, low.kernels.random_normal, p, 2.0);
}

void lower_bernoulli(Lowering& low) {
  RandomParams p = params_of(low);
  p.a = static_cast<float>(low.node.attrs.number("p"));
  add(low, low.kernels.random_bernoulli, p, 1.2);
}

void lower_int(Lowering& low) {
  RandomParams p = params_of(low);
  p.low = low.node.attrs.integer("low");
  p.span = static_cast<std::uint32_t>(low.node.attrs.integer("high") - p.low);
  add(low, low.kernels.random_int, p, 1.2);
}

void lower_dropout(Lowering& low) {
  DropoutParams p{};
  const double rate = low.node.attrs.number("rate");
  p.total = count(low.output().shape);
  if (p.total == 0) return;
  p.threshold = static_cast<std::int32_t>(std::lround(rate * 65536));
  p.scale = rate < 1 ? 1 / (1 - rate) : 0;
  const Kernel kernel = low.output().dtype == DType::f64 ? low.kernels.dropout_f64 : low.kernels.dropout_f32;
  low.phase(kernel, p, tasks_for(p.total, kDropElements), 0, 50 + 0.6 * static_cast<double>(p.total));
}

}  // namespace

void lower_random(LowerTable& table) {
  table["random_uniform"] = lower_uniform;
  table["random_normal"] = lower_normal;
  table["truncated_normal"] = lower_normal;
  table["random_bernoulli"] = lower_bernoulli;
  table["random_int"] = lower_int;
  table["dropout"] = lower_dropout;
}

}  // namespace nabi::cpu
