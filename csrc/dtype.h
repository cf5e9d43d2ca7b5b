// csrc/dtype.h -- element types; free of the standard library, so kernel files may include it
#pragma once

namespace nabi {

/// Element type of a tensor. The order is part of the kernel tables' layout.
enum class DType : unsigned char { f32, f64, i32, i64, boolean, u8 };

inline constexpr int kDTypes = 6;

}  // namespace nabi
