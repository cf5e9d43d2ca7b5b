// csrc/cpu/normalize.h -- parameters of the batch normalisation kernels
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// x is [rows, c]. Workspace, in elements, with `stride` the channels rounded up to whole vectors:
/// two sums for each chunk of rows (first at 2 * chunk * stride, second `stride` later), then `coefficients`
/// per-channel factors of the last pass, each repeated up to `period` elements.
struct BatchNormParams {
  int64_t rows, c;
  int64_t stride;
  int64_t chunk_rows, chunks;  // of the sums; from the shape alone
  int64_t merge_channels;      // a task of the merge
  int64_t apply_rows;          // a task of the last pass; a multiple of 16
  int64_t period;              // the last pass runs over elements regardless of rows; 0: row by row
  int64_t spacing;             // between two coefficients
  double epsilon;
  int32_t relu;  // forward: of the result; back: the gradient counts where that result was positive
  int32_t mask;  // back: the result is kept where x is positive
};

}  // namespace nabi::cpu
