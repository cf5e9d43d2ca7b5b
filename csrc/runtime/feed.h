// csrc/runtime/feed.h -- reads batches of rows out of a user's array, of any dtype and layout
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "types.h"

namespace nabi {

/// What an element of a user's array is; NumPy's numeric types.
enum class Element : unsigned char { f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

/// A view of a user's array: rows along the first axis. Nothing is copied until a batch is gathered.
struct Feed {
  const char* data = nullptr;
  Element element = Element::f32;
  Shape shape;                          // [rows, ...]
  std::vector<std::ptrdiff_t> strides;  // bytes, one per axis

  /// True when row r starts at data + r * row_bytes and is dense, in the wanted dtype.
  bool dense(DType dtype) const;
};

/// How rows of one feed become rows of one input.
class Gatherer {
 public:
  /// Checks that rows of the feed have the input's shape behind the first axis.
  Gatherer(const Feed& feed, const Type& input);

  /// Copies and converts `rows` rows, number index[i] or first + i where index is null, to `out` from row `to` on.
  void operator()(const std::int64_t* index, std::int64_t first, std::int64_t rows, char* out) const;

  std::size_t row_bytes() const { return row_bytes_; }

 private:
  using Run = void (*)(const char* from, std::ptrdiff_t stride, std::int64_t n, char* to);

  const char* data_;
  std::ptrdiff_t row_stride_;
  Shape outer_;  // axes before the innermost run
  std::vector<std::ptrdiff_t> outer_strides_;
  std::int64_t run_ = 1;  // elements of the innermost run
  std::ptrdiff_t run_stride_ = 0;
  std::size_t out_size_;  // bytes of one element of the input
  std::size_t row_bytes_;
  Run copy_;
};

}  // namespace nabi
