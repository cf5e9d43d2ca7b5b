// csrc/cpu/update.h -- parameters of the optimizer kernels
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// The elements of all variables lie one behind the other, each variable from a multiple of 16; a task is a run of
/// them. Followed by UpdateSegment[segments], one a variable. What the numbers a, b and epsilon are depends on the
/// kernel: sgd_momentum_update: a = momentum; adam_update: a = 1 - beta_1, b = 1 - beta_2; rmsprop_update: a = rho, b =
/// 1 - rho.
struct UpdateParams {
  int64_t total;  // elements of all variables, with the gaps between them
  int64_t chunk;  // elements of a task
  int64_t segments;
  double a, b, epsilon;
  double l2;  // the gradient is g + l2 * variable
  int32_t nesterov;
  int32_t wide_rate;  // the learning rate is float64
};

/// Where a variable lies among all elements.
struct UpdateSegment {
  int64_t begin, size;
};

}  // namespace nabi::cpu
