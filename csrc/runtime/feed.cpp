// csrc/runtime/feed.cpp -- strided, converting row copies
#include "runtime/feed.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "error.h"

namespace nabi {
namespace {

/// IEEE half precision, converted by its bit pattern.
struct Half {
  std::uint16_t bits;

  explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 31u;
    const std::uint32_t fraction = bits & 1023u;
    std::uint32_t out;
    if (exponent == 31) {
      out = sign | 0x7f800000u | (fraction << 13);  // infinity or NaN
    } else if (exponent != 0) {
      out = sign | ((exponent + 112) << 23) | (fraction << 13);
    } else {  // zero or subnormal: fraction * 2^-24
      const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8f;
      return sign != 0 ? -magnitude : magnitude;
    }
    float value;
    std::memcpy(&value, &out, sizeof value);
    return value;
  }
};

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half>) {
    return static_cast<To>(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
void copy_run(const char* from, std::ptrdiff_t stride, std::int64_t n, char* to) {
  if (std::is_same_v<From, To> && stride == static_cast<std::ptrdiff_t>(sizeof(From))) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(From));
    return;
  }
  To* out = reinterpret_cast<To*>(to);
  if (stride == static_cast<std::ptrdiff_t>(sizeof(From))) {  // a loop the compiler vectorises
    for (std::int64_t i = 0; i < n; ++i) {
      From value;
      std::memcpy(&value, from + i * static_cast<std::ptrdiff_t>(sizeof(From)), sizeof value);
      out[i] = convert<To>(value);
    }
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    From value;
    std::memcpy(&value, from + i * stride, sizeof value);
    out[i] = convert<To>(value);
  }
}

template <class From>
void copy_bool(const char* from, std::ptrdiff_t stride, std::int64_t n, char* to) {
  for (std::int64_t i = 0; i < n; ++i) {
    From value;
    std::memcpy(&value, from + i * stride, sizeof value);
    if constexpr (std::is_same_v<From, Half>) {
      to[i] = (value.bits & 0x7fffu) != 0;
    } else {
      to[i] = value != 0;
    }
  }
}

using Run = void (*)(const char*, std::ptrdiff_t, std::int64_t, char*);

template <class From>
Run pick(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return copy_run<From, float>;
    case DType::f64:
      return copy_run<From, double>;
    case DType::i32:
      return copy_run<From, std::int32_t>;
    case DType::i64:
      return copy_run<From, std::int64_t>;
    case DType::boolean:
      return copy_bool<From>;
    case DType::u8:
      return copy_run<From, std::uint8_t>;
  }
  return nullptr;
}

Run pick(Element element, DType dtype) {
  switch (element) {
    case Element::f16:
      return pick<Half>(dtype);
    case Element::f32:
      return pick<float>(dtype);
    case Element::f64:
      return pick<double>(dtype);
    case Element::i8:
      return pick<std::int8_t>(dtype);
    case Element::i16:
      return pick<std::int16_t>(dtype);
    case Element::i32:
      return pick<std::int32_t>(dtype);
    case Element::i64:
      return pick<std::int64_t>(dtype);
    case Element::u8:
    case Element::boolean:
      return pick<std::uint8_t>(dtype);
    case Element::u16:
      return pick<std::uint16_t>(dtype);
    case Element::u32:
      return pick<std::uint32_t>(dtype);
    case Element::u64:
      return pick<std::uint64_t>(dtype);
  }
  return nullptr;
}

std::ptrdiff_t element_size(Element element) {
  switch (element) {
    case Element::f64:
    case Element::i64:
    case Element::u64:
      return 8;
    case Element::f32:
    case Element::i32:
    case Element::u32:
      return 4;
    case Element::f16:
    case Element::i16:
    case Element::u16:
      return 2;
    default:
      return 1;
  }
}

bool same(Element element, DType dtype) {
  static constexpr Element kSame[kDTypes] = {Element::f32, Element::f64,     Element::i32,
                                             Element::i64, Element::boolean, Element::u8};
  return kSame[static_cast<int>(dtype)] == element;
}

}  // namespace

bool Feed::dense(DType dtype) const {
  std::ptrdiff_t expected = element_size(element);
  if (!same(element, dtype) || reinterpret_cast<std::uintptr_t>(data) % static_cast<std::size_t>(expected) != 0)
    return false;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] > 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Gatherer::Gatherer(const Feed& feed, const Type& input)
    : data_(feed.data),
      row_stride_(feed.strides.empty() ? 0 : feed.strides[0]),
      out_size_(nabi::size_of(input.dtype)),
      copy_(pick(feed.element, input.dtype)) {
  const bool fits = feed.shape.size() == input.shape.size() &&
                    std::equal(feed.shape.begin() + (feed.shape.empty() ? 0 : 1), feed.shape.end(),
                               input.shape.begin() + (input.shape.empty() ? 0 : 1));
  if (!fits) {  // the message takes longer to word than a small step
    throw ValueError(concat("run: requires rows of shape ", to_string(input.shape),
                            " behind the first axis, got an array of shape ", to_string(feed.shape)));
  }
  // The longest run of equally spaced elements from the last axis inwards; the axes before it are walked.
  std::size_t axis = feed.shape.size();
  run_stride_ = element_size(feed.element);
  bool started = false;
  while (axis > 1) {
    const std::int64_t d = feed.shape[axis - 1];
    if (!started) {
      run_stride_ = d > 1 ? feed.strides[axis - 1] : run_stride_;
      started = d > 1;
    } else if (d > 1 && feed.strides[axis - 1] != run_stride_ * run_) {
      break;
    }
    run_ *= d;
    --axis;
  }
  for (std::size_t i = 1; i < axis; ++i) {
    outer_.push_back(feed.shape[i]);
    outer_strides_.push_back(feed.strides[i]);
  }
  row_bytes_ = static_cast<std::size_t>(run_ * count(outer_)) * out_size_;
}

void Gatherer::operator()(const std::int64_t* index, std::int64_t first, std::int64_t rows, char* out) const {
  if (row_bytes_ == 0) return;
  const std::size_t run_bytes = static_cast<std::size_t>(run_) * out_size_;
  std::int64_t at[32];
  for (std::int64_t r = 0; r < rows; ++r) {
    const char* row = data_ + (index != nullptr ? index[first + r] : first + r) * row_stride_;
    for (std::size_t i = 0; i < outer_.size(); ++i) at[i] = 0;
    for (bool more = true; more;) {
      copy_(row, run_stride_, run_, out);
      out += run_bytes;
      more = false;
      for (std::size_t i = outer_.size(); i-- > 0 && !more;) {  // an odometer over the outer axes
        row += outer_strides_[i];
        more = ++at[i] < outer_[i];
        if (!more) {
          row -= outer_strides_[i] * outer_[i];
          at[i] = 0;
        }
      }
    }
  }
}

}  // namespace nabi
