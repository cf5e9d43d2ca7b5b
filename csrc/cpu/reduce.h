// csrc/cpu/reduce.h -- what the reduction lowerings tell their kernels
#pragma once

#include <stdint.h>

#include "dtype.h"

namespace nabi::cpu {

enum class ReduceOp : int32_t { kSum, kMax, kMin, kProd, kAny, kAll };

inline constexpr int kReduceRank = 8;

/// Dimensions with strides in elements, outermost first.
struct ReduceDims {
  int64_t rank;
  int64_t dims[kReduceRank];
  int64_t strides[kReduceRank];
};

/// A reduction reads, for each output, `lines` lines of `length` elements. Where the innermost dimension is reduced a
/// line is contiguous ("rows", inner = 1); where it is kept, `inner` neighbouring outputs are made side by side
/// ("columns"). The lines, or the one line there is, are cut into chunks of `per_chunk`; with more than one chunk the
/// results of each go to the workspace [chunks, outputs], to be combined pairwise by a second phase.
struct ReduceParams {
  ReduceOp op;
  DType dtype;
  ReduceDims kept;   // without the inner one of columns
  ReduceDims lines;  // reduced, without the line itself
  int64_t line_count;
  int64_t length, stride;
  int64_t inner;
  int64_t outputs;
  int64_t chunks, per_chunk;
  int64_t strips;  // per line of `inner` outputs
  int64_t units, units_per_task;
  double divisor;  // results are divided by it: the number of elements for a mean, else 1
};

/// Columns that one unit of work makes.
inline constexpr int64_t kReduceStrip = 64;

/// Combines workspace [chunks, outputs] by a binary tree over the chunks.
struct ReduceCombineParams {
  ReduceOp op;
  DType dtype;
  int64_t outputs, chunks;
  int64_t outputs_per_task;
  double divisor;
};

/// argmax and argmin over the middle of [outer, length, inner].
struct ArgParams {
  DType dtype;
  bool smallest;
  int64_t outer, length, inner;
  int64_t per_task;  // rows of `inner` outputs
};

}  // namespace nabi::cpu
