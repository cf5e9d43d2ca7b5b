// csrc/cpu/image.h -- parameters of the image kernels, shared by the kernels and their lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// What lies beyond the edge of an image "abcd", with SciPy's names (scipy.ndimage).
enum class Fill : int32_t {
  kConstant,      // k k | a b c d | k k, and nothing is mixed across the edge
  kGridConstant,  // k k | a b c d | k k
  kNearest,       // a a | a b c d | d d
  kReflect,       // b a | a b c d | d c
  kMirror,        // c b | a b c d | c b
  kWrap,          // c d | a b c d | b c, the first and the last pixel being one
  kGridWrap,      // c d | a b c d | a b
};

struct AffineParams {
  int64_t images, height, width, channels;
  int64_t rows, columns;  // of the output
  int64_t task_rows;      // rows of all images together that make a task
  Fill fill;
  int32_t bilinear;
  int32_t wide;  // matrices are float64
  float value;   // for the constant fills
};

}  // namespace nabi::cpu
