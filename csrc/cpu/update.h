// csrc/cpu/update.h -- parameters of the optimizer kernels
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// A task is a run of elements. What the numbers a, b and epsilon are depends on the kernel:
/// sgd_momentum_update: a = momentum; adam_update: a = 1 - beta_1, b = 1 - beta_2; rmsprop_update: a = rho, b = 1 -
/// rho.
struct UpdateParams {
  int64_t total;
  int64_t chunk;  // elements of a task
  double a, b, epsilon;
  int32_t nesterov;
  int32_t wide_rate;  // the learning rate is float64
};

}  // namespace nabi::cpu
