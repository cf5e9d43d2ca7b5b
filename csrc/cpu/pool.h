// csrc/cpu/pool.h -- parameters of the pooling kernels
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Geometry of a pooling: x is [n, h, w, c], y is [n, oh, ow, c]. A task is a run of image rows: of y going forward, of
/// x going back.
struct PoolParams {
  int64_t n, h, w, c, oh, ow;
  int64_t kh, kw, sh, sw;
  int64_t top, left;
  int64_t rows;  // image rows of a task
  float share;   // 1 / cells of a window
  int32_t wide;  // the index is int32 instead of a byte
  int32_t mask;  // the gradient is kept only where the last input is positive: the maxima, or for a mean the image
};

}  // namespace nabi::cpu
