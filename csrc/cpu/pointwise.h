// csrc/cpu/pointwise.h -- what the pointwise lowering tells its kernel
#pragma once

#include <stdint.h>

#include "dtype.h"

namespace nabi::cpu {

/// Number of each elementwise op, in the order of elementwise.def.
enum class PointwiseOp : int32_t {
#define NABI_UNARY(name, dtypes, cost, value, gradient) op_##name,
#define NABI_STEP(name, dtypes, cost, value) op_##name,
#define NABI_ALPHA(name, initial, cost, value, gradient) op_##name,
#define NABI_TEST(name, value) op_##name,
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) op_##name,
#define NABI_BINARY_STEP(name, dtypes, cost, value) op_##name,
#define NABI_COMPARE(name, traits, value) op_##name,
#define NABI_LOGICAL(name, value) op_##name,
#include "ops/elementwise.def"
  op_logical_not,
  op_select,
  kCount
};

inline constexpr int kPointwiseOps = static_cast<int>(PointwiseOp::kCount);

struct PointwiseStep;

/// out[i] = op(in[0][i * step[0]], ...) for i < n. Operands need no alignment; out may be an input.
using PointwiseBlock = void (*)(char* out, const char* const* in, int64_t n, const PointwiseStep& self);

/// One instruction: slots are indices into the kernel's list of addresses.
struct PointwiseStep {
  PointwiseBlock run;
  double alpha;
  int32_t in[3];
  int32_t step[3];  // 0: the operand is one number, 1: a block of them
  int32_t out;
  int32_t unused;
  int64_t n;  // elements, for the prologue
};

/// Functions of one instruction set by op; the index behind it says which operands are scalars: 0 none, 1 the last,
/// 2 the one before, 3 both. Null where there is none.
struct PointwiseFloats {
  PointwiseBlock run[kPointwiseOps][4];
};

/// Functions for every dtype of the operands, steps read from the instruction; casts by source and target.
struct PointwiseOthers {
  PointwiseBlock run[kPointwiseOps][kDTypes];
  PointwiseBlock cast[kDTypes][kDTypes];
  PointwiseBlock fill[9];  // by bytes of the element: a block of copies of in[0]
};

/// Where the values of a slot are.
enum class PointwisePlace : int32_t {
  kStream,   // operand `at`, a full tensor: moves on with the blocks
  kPeriod,   // scratch, filled once with repetitions of operand `at`; moves on modulo `period`
  kScratch,  // scratch
  kOperand,  // operand `at`, one number
  kNumber    // the parameters, `offset` bytes from their start
};

struct PointwiseSlot {
  PointwisePlace place;
  int32_t at;
  int32_t size;  // bytes of an element
  int32_t unused;
  int64_t offset;  // bytes into scratch or the parameters
  int64_t period;  // elements
};

inline constexpr int kPointwiseRank = 8;

/// Copies a block of a broadcast operand to scratch, outermost dimension first; strides are in elements, the last 0
/// or 1.
struct PointwiseExpand {
  int32_t from;  // operand
  int32_t to;    // slot
  int32_t size;
  int32_t rank;
  int64_t dims[kPointwiseRank];
  int64_t strides[kPointwiseRank];
};

/// Copies a slot to an output that no instruction writes by itself.
struct PointwiseCopy {
  int32_t from;  // slot
  int32_t to;    // operand
  int64_t size;
};

/// Followed by slots, expands, steps of the prologue (once a call), steps, copies and numbers, at byte offsets.
struct PointwiseParams {
  int64_t count;  // elements
  int64_t block;  // elements
  int64_t blocks_per_task;
  int32_t slots, moving;  // the first `moving` slots change from block to block
  int32_t expands, prologue, steps, copies;
  int64_t slots_at, expands_at, steps_at, copies_at;
};

}  // namespace nabi::cpu
