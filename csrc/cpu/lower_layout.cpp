// csrc/cpu/lower_layout.cpp -- task grids of the layout ops
#include <algorithm>
#include <array>
#include <vector>

#include "cpu/layout.h"
#include "cpu/lower.h"
#include "error.h"

namespace nabi::cpu {
namespace {

using List = std::vector<std::int64_t>;

constexpr std::int64_t kTaskBytes = 64 * 1024;  // about 10 microseconds of copying

std::int64_t chunks(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

int element_size(const Type& type) { return static_cast<int>(size_of(type.dtype)); }

/// Nanoseconds to write so many bytes that were read from somewhere in cache.
double move_cost(double bytes) { return 50 + 0.15 * bytes; }

/// The product of dims [begin, end).
std::int64_t span(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t n = 1;
  for (std::size_t i = begin; i < end; ++i) n *= shape[i];
  return n;
}

List dense_strides(const Shape& shape) {
  List out(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    out[i] = stride;
    stride *= shape[i];
  }
  return out;
}

/// Per-axis list, or `fill` where it was left empty.
List list_or(const Attrs& attrs, const char* name, std::size_t rank, std::int64_t fill) {
  const List& list = attrs.list(name);
  return list.empty() ? List(rank, fill) : list;
}

void check_rank(const Lowering& low, std::size_t rank) {
  check<NotImplemented>(rank <= static_cast<std::size_t>(kLayoutRank), low.node.op->name, ": runs on at most ",
                        kLayoutRank, " dimensions that do not merge, got ", rank);
}

IndexKind index_kind(const Type& type) {
  if (type.dtype == DType::i64) return IndexKind::i64;
  return type.dtype == DType::u8 ? IndexKind::u8 : IndexKind::i32;
}

/// `value` in the output's dtype, its bytes first.
std::uint64_t number_bytes(DType dtype, double value) {
  std::uint64_t out = 0;
  const auto put = [&out](auto number) { std::memcpy(&out, &number, sizeof number); };
  switch (dtype) {
    case DType::f32:
      put(static_cast<float>(value));
      break;
    case DType::f64:
      put(value);
      break;
    case DType::i32:
      put(static_cast<std::int32_t>(value));
      break;
    case DType::i64:
      put(static_cast<std::int64_t>(value));
      break;
    case DType::boolean:
      put(static_cast<std::uint8_t>(value != 0));
      break;
    case DType::u8:
      put(static_cast<std::uint8_t>(value));
      break;
  }
  return out;
}

/// A dense output of `shape` read with these strides of the input.
void lower_copy(Lowering& low, const Shape& shape, const List& stride, std::int64_t offset) {
  const std::int64_t total = count(shape);
  if (total == 0) return;

  Shape dims;
  List from;
  for (std::size_t i = 0; i < shape.size(); ++i) {  // merge neighbours that the input also holds as one
    if (shape[i] == 1) continue;
    if (!dims.empty() && from.back() == stride[i] * shape[i]) {
      dims.back() *= shape[i];
      from.back() = stride[i];
    } else {
      dims.push_back(shape[i]);
      from.push_back(stride[i]);
    }
  }
  if (dims.empty()) {
    dims.push_back(1);
    from.push_back(1);
  }
  check_rank(low, dims.size());
  const int size = element_size(low.output());
  const double bytes = static_cast<double>(total) * size;
  const std::size_t last = dims.size() - 1;

  const auto row_at = std::find(from.begin(), from.end(), 1);
  const auto row = static_cast<std::size_t>(row_at - from.begin());
  if (row_at != from.end() && row != last && from[last] != 0 && dims[row] >= 4 && dims[last] >= 4) {
    const List to = dense_strides(dims);
    TransposeParams p{};
    p.size = size;
    std::int64_t outer = 1;
    for (std::size_t i = 0; i < last; ++i) {
      if (i == row) continue;
      p.dims[p.rank] = dims[i];
      p.from[p.rank] = from[i];
      p.to[p.rank] = to[i];
      outer *= dims[i];
      ++p.rank;
    }
    p.offset = offset;
    p.rows = dims[row];
    p.cols = dims[last];
    p.col_stride = from[last];
    p.row_stride = to[row];
    p.units = outer * chunks(p.rows, kTransposeRows) * chunks(p.cols, kTransposeCols);
    const std::int64_t unit =
        std::min<std::int64_t>(p.rows, kTransposeRows) * std::min<std::int64_t>(p.cols, kTransposeCols) * size;
    p.per_task = std::max<std::int64_t>(1, kTaskBytes / unit);
    low.phase(low.kernels.layout_transpose, p, chunks(p.units, p.per_task), 0, 2 * move_cost(bytes));
    return;
  }

  CopyParams p{};
  p.size = size;
  p.rank = static_cast<std::int32_t>(dims.size());
  std::copy(dims.begin(), dims.end(), p.dims);
  std::copy(from.begin(), from.end(), p.stride);
  p.offset = offset;
  p.total = total;
  p.chunk = kTaskBytes / size;
  const double runs = static_cast<double>(total / dims[last]) * 4;
  const double steps = from[last] == 0 || from[last] == 1 ? 0 : 0.5 * static_cast<double>(total);
  low.phase(low.kernels.layout_copy, p, chunks(total, p.chunk), 0, move_cost(bytes) + runs + steps);
}

void lower_reshape(Lowering& low) { lower_copy(low, {count(low.output().shape)}, {1}, 0); }

void lower_transpose(Lowering& low) {
  const List& perm = low.node.attrs.list("perm");
  const List in = dense_strides(low.input(0).shape);
  List stride;
  for (std::int64_t axis : perm) stride.push_back(in[static_cast<std::size_t>(axis)]);
  lower_copy(low, low.output().shape, stride, 0);
}

void lower_slice(Lowering& low) {
  const Shape& shape = low.input(0).shape;
  const List& begin = low.node.attrs.list("begin");
  const List step = list_or(low.node.attrs, "strides", shape.size(), 1);
  List stride = dense_strides(shape);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    offset += begin[i] * stride[i];
    stride[i] *= step[i];
  }
  lower_copy(low, low.output().shape, stride, offset);
}

void lower_broadcast_to(Lowering& low) {
  const Shape& from = low.input(0).shape;
  const Shape& to = low.output().shape;
  const List in = dense_strides(from);
  List stride(to.size());
  const std::size_t added = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) stride[added + i] = from[i] == 1 ? 0 : in[i];
  lower_copy(low, to, stride, 0);
}

void lower_pad(Lowering& low) {
  const Shape& in = low.input(0).shape;
  const Shape& out = low.output().shape;
  if (count(out) == 0) return;
  const List& before = low.node.attrs.list("low");
  const List between = list_or(low.node.attrs, "interior", in.size(), 0);

  PadParams p{};
  p.size = element_size(low.output());
  p.value = number_bytes(low.output().dtype, low.node.attrs.number("value"));
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int32_t at = p.rank - 1;
    const bool whole = in[i] == out[i];  // no padding: part of the axis before
    if (whole && p.rank > 0 && p.step[at] == 1) {
      p.in[at] *= in[i];
      p.out[at] *= in[i];
      p.low[at] *= in[i];
      continue;
    }
    check_rank(low, static_cast<std::size_t>(p.rank) + 1);
    p.in[p.rank] = in[i];
    p.out[p.rank] = out[i];
    p.low[p.rank] = before[i];
    p.step[p.rank] = whole ? 1 : between[i] + 1;
    ++p.rank;
  }
  if (p.rank == 0) {  // a scalar
    p.rank = 1;
    p.in[0] = p.out[0] = p.step[0] = 1;
  }
  const std::int64_t width = p.out[p.rank - 1];
  p.rows = count(out) / width;
  p.per_task = std::max<std::int64_t>(1, kTaskBytes / (width * p.size));
  const double cost = move_cost(static_cast<double>(bytes(low.output()))) + 5.0 * static_cast<double>(p.rows * p.rank);
  low.phase(low.kernels.layout_pad, p, chunks(p.rows, p.per_task), 0, cost);
}

void lower_concat(Lowering& low) {
  const Shape& out = low.output().shape;
  const auto axis = static_cast<std::size_t>(low.node.attrs.integer("axis"));
  const std::int64_t rows = span(out, 0, axis);
  const std::size_t inputs = low.node.inputs.size();
  const std::int64_t unit = span(out, axis + 1, out.size()) * element_size(low.output());
  std::int64_t offset = 0;
  for (std::size_t first = 0; first < inputs; first += kConcatPieces) {
    ConcatParams p{};
    p.first = static_cast<std::int32_t>(first);
    p.target = static_cast<std::int32_t>(inputs);
    for (std::size_t i = first; i < std::min(inputs, first + kConcatPieces); ++i) {
      p.width[p.pieces] = low.input(i).shape[axis] * unit;
      p.group += p.width[p.pieces];
      ++p.pieces;
    }
    p.row = out[axis] * unit;
    p.offset = offset;
    p.total = rows * p.group;
    p.chunk = kTaskBytes;
    offset += p.group;
    if (p.total == 0) continue;
    const double cost = move_cost(static_cast<double>(p.total)) + 4.0 * static_cast<double>(rows * p.pieces);
    low.phase(low.kernels.layout_concat, p, chunks(p.total, p.chunk), 0, cost);
  }
}

void lower_gather(Lowering& low) {
  const Shape& in = low.input(0).shape;
  const auto axis = static_cast<std::size_t>(low.node.attrs.integer("axis"));
  GatherParams p{};
  p.index = index_kind(low.input(1));
  p.count = count(low.input(1).shape);
  p.dim = in[axis];
  p.inner = span(in, axis + 1, in.size()) * element_size(low.output());
  p.rows = span(in, 0, axis) * p.count;
  if (p.rows == 0) return;  // with inner == 0 the indices are still looked at
  p.per_task = std::max<std::int64_t>(1, kTaskBytes / (p.inner + 16));
  const double cost = move_cost(static_cast<double>(bytes(low.output()))) + 5.0 * static_cast<double>(p.rows);
  low.phase(low.kernels.layout_gather, p, chunks(p.rows, p.per_task), 0, cost);
}

constexpr std::int64_t kScatterRowBytes = 64;

Kernel scatter_kernel(const KernelTable& kernels, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return kernels.layout_scatter_add_f32;
    case DType::f64:
      return kernels.layout_scatter_add_f64;
    case DType::i32:
      return kernels.layout_scatter_add_i32;
    default:
      return kernels.layout_scatter_add_i64;
  }
}

void lower_scatter_add(Lowering& low) {
  const Shape& out = low.output().shape;
  const auto axis = static_cast<std::size_t>(low.node.attrs.integer("axis"));
  ScatterParams p{};
  p.index = index_kind(low.input(0));
  p.outer = span(out, 0, axis);
  p.count = count(low.input(0).shape);
  p.dim = out[axis];
  p.inner = span(out, axis + 1, out.size());
  if (p.outer * p.dim == 0) return;
  const double size = element_size(low.output());
  const double moved = size * static_cast<double>(p.inner) * static_cast<double>(p.dim + 2 * p.count);
  // Rows of a few bytes are added as fast as their indices are sorted, so sharing them gains nothing.
  const bool narrow = p.inner * element_size(low.output()) < kScatterRowBytes;
  const auto wanted = narrow ? 1 : std::min<std::int64_t>(kScatterParts, static_cast<std::int64_t>(moved / kTaskBytes));
  while (chunks(p.dim, std::int64_t{1} << p.shift) > std::max<std::int64_t>(1, wanted)) ++p.shift;
  p.parts = chunks(p.dim, std::int64_t{1} << p.shift);
  if (p.parts > 1) {
    low.workspace = static_cast<std::size_t>(p.parts + 1 + p.count) * sizeof(std::int64_t);
    low.phase(low.kernels.layout_sort, p, 1, 0, 50 + 3.0 * static_cast<double>(p.count));
  }
  const double cost = move_cost(moved * static_cast<double>(p.outer)) + 3.0 * static_cast<double>(p.outer * p.count);
  low.phase(scatter_kernel(low.kernels, low.output().dtype), p, p.outer * p.parts, 0, cost);
}

void lower_one_hot(Lowering& low) {
  OneHotParams p{};
  p.index = index_kind(low.input(0));
  p.size = element_size(low.output());
  p.count = count(low.input(0).shape);
  p.depth = low.node.attrs.integer("depth");
  p.one = number_bytes(low.output().dtype, 1);
  if (p.count * p.depth == 0) return;
  p.per_task = std::max<std::int64_t>(1, kTaskBytes / (p.depth * p.size));
  const double cost = move_cost(static_cast<double>(bytes(low.output()))) + 3.0 * static_cast<double>(p.count);
  low.phase(low.kernels.layout_one_hot, p, chunks(p.count, p.per_task), 0, cost);
}

void lower_iota(Lowering& low) {
  const Shape& shape = low.output().shape;
  const auto axis = static_cast<std::size_t>(low.node.attrs.integer("axis"));
  IotaParams p{};
  p.dtype = static_cast<std::int32_t>(low.output().dtype);
  p.total = count(shape);
  if (p.total == 0) return;
  p.dim = shape[axis];
  p.inner = span(shape, axis + 1, shape.size());
  p.chunk = kTaskBytes / element_size(low.output());
  low.phase(low.kernels.layout_iota, p, chunks(p.total, p.chunk), 0,
            move_cost(static_cast<double>(bytes(low.output()))));
}

}  // namespace

void lower_layout(LowerTable& table) {
  table["reshape"] = lower_reshape;  // where the bytes cannot be shared
  table["stop_gradient"] = lower_reshape;
  table["transpose"] = lower_transpose;
  table["slice"] = lower_slice;
  table["pad"] = lower_pad;
  table["concat"] = lower_concat;
  table["broadcast_to"] = lower_broadcast_to;
  table["gather"] = lower_gather;
  table["scatter_add"] = lower_scatter_add;
  table["one_hot"] = lower_one_hot;
  table["iota"] = lower_iota;
}

}  // namespace nabi::cpu
