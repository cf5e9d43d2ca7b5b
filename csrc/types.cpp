// csrc/types.cpp -- sizes and text of types
#include "types.h"

#include <algorithm>

#include "error.h"

namespace nabi {
namespace {

struct DTypeRow {
  const char* name;
  std::size_t size;
  bool floating;
};

constexpr DTypeRow kRows[kDTypes] = {{"float32", 4, true}, {"float64", 8, true}, {"int32", 4, false},
                                     {"int64", 8, false},  {"bool", 1, false},   {"uint8", 1, false}};

const DTypeRow& row(DType dtype) { return kRows[static_cast<int>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) { return row(dtype).size; }

bool is_float(DType dtype) { return row(dtype).floating; }

std::string name_of(DType dtype) { return row(dtype).name; }

DType dtype_of(std::string_view name) {
  for (int i = 0; i < kDTypes; ++i) {
    if (name == kRows[i].name) return static_cast<DType>(i);
  }
  throw TypeError(concat("dtype '", name, "' is not supported; use float32, float64, int32, int64, bool or uint8"));
}

std::int64_t count(const Shape& shape) {
  std::int64_t n = 1;
  for (std::int64_t d : shape) n *= d;
  return n;
}

std::size_t bytes(const Type& type) { return static_cast<std::size_t>(count(type.shape)) * size_of(type.dtype); }

std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += concat(i ? ", " : "", shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

std::string to_string(const Type& type) {
  std::string out = name_of(type.dtype) + "[";
  for (std::size_t i = 0; i < type.shape.size(); ++i) out += concat(i ? "," : "", type.shape[i]);
  return out + "]";
}

Shape broadcast(const Shape& a, const Shape& b, std::string_view op) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {  // i counts from the last dimension
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    check(da == db || da == 1 || db == 1, op, ": requires shapes that broadcast, got ", to_string(a), " and ",
          to_string(b));
    out[out.size() - 1 - i] = da == 1 ? db : da;
  }
  return out;
}

}  // namespace nabi
