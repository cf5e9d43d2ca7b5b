// csrc/cpu/softmax.h -- parameters of the softmax and cross-entropy kernels
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Rows of logits or probabilities over their classes. A task is a run of rows.
struct SoftmaxParams {
  int64_t rows, c;
  int64_t task_rows;
  int32_t wide_labels;   // int64 instead of int32
  int32_t one_gradient;  // back: one number for all rows
};

}  // namespace nabi::cpu
