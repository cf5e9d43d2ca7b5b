// csrc/types.h -- shapes, types and their text, shared by every floor above
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dtype.h"

namespace nabi {

/// Dimensions of a dense row-major tensor, outermost first; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// What is known of a tensor before it holds data.
struct Type {
  DType dtype = DType::f32;
  Shape shape;

  bool operator==(const Type& other) const { return dtype == other.dtype && shape == other.shape; }
  bool operator!=(const Type& other) const { return !(*this == other); }
};

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// Number of elements; 1 for a scalar.
std::int64_t count(const Shape& shape);

/// Bytes of a dense tensor of this type.
std::size_t bytes(const Type& type);

/// True for f32 and f64.
bool is_float(DType dtype);

/// Keras's spelling: "float32", "bool", ...
std::string name_of(DType dtype);

/// The inverse of name_of; throws TypeError for a dtype the core does not have.
DType dtype_of(std::string_view name);

/// "(32, 784)", as Python prints a tuple.
std::string to_string(const Shape& shape);

/// "float32[32,784]", the form used in graph text.
std::string to_string(const Type& type);

/// Shape of an elementwise result under NumPy broadcasting; throws ValueError naming `op`.
Shape broadcast(const Shape& a, const Shape& b, std::string_view op);

}  // namespace nabi
