// csrc/cpu/lower_reduce.cpp -- chooses the shape of a reduction: rows or columns, chunks, tasks
#include <algorithm>
#include <string_view>
#include <vector>

#include "cpu/lower.h"
#include "cpu/reduce.h"
#include "error.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kChunk = 16384;  // elements of one output that are reduced in one go
constexpr std::int64_t kMaxRowChunks = 1024;
constexpr std::int64_t kMaxColumnChunks = 64;  // the workspace holds all outputs that many times
constexpr double kTaskNs = 25e3;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Neighbouring dimensions of the same kind count as one; dimensions of 1 do not count.
struct Group {
  bool reduced;
  std::int64_t size, stride;
};

std::vector<Group> collapse(const Shape& shape, const std::vector<std::int64_t>& axes) {
  std::vector<Group> out;  // innermost first
  std::int64_t stride = 1;
  for (auto d = static_cast<std::int64_t>(shape.size()) - 1; d >= 0; --d) {
    const std::int64_t size = shape[static_cast<std::size_t>(d)];
    if (size == 1) continue;
    const bool reduced = std::binary_search(axes.begin(), axes.end(), d);
    if (!out.empty() && out.back().reduced == reduced) {
      out.back().size *= size;
    } else {
      out.push_back({reduced, size, stride});
    }
    stride *= size;
  }
  return out;
}

void add_dim(ReduceDims& dims, const Group& group) {
  for (std::int64_t i = dims.rank; i > 0; --i) {  // groups come innermost first
    dims.dims[i] = dims.dims[i - 1];
    dims.strides[i] = dims.strides[i - 1];
  }
  dims.dims[0] = group.size;
  dims.strides[0] = group.stride;
  ++dims.rank;
}

/// Geometry of the reduction; chunks and tasks are still to be chosen.
ReduceParams geometry(const Lowering& lowering) {
  ReduceParams p{};
  p.dtype = lowering.input(0).dtype;
  p.length = p.line_count = p.inner = p.stride = p.chunks = p.strips = 1;
  p.divisor = 1;
  p.outputs = count(lowering.output().shape);
  p.units = p.outputs;
  if (count(lowering.input(0).shape) == 0) {  // every output is a line of no elements
    p.length = 0;
    return p;
  }
  const std::vector<Group> groups = collapse(lowering.input(0).shape, lowering.node.attrs.list("axes"));
  check<NotImplemented>(groups.size() <= kReduceRank, lowering.node.op->name,
                        ": reduced and kept axes alternate more than ", kReduceRank, " times");
  std::size_t next = 0;
  if (next < groups.size() && !groups[next].reduced) {
    p.inner = groups[next++].size;
    p.strips = ceil_div(p.inner, kReduceStrip);
  }
  if (next < groups.size()) {
    p.length = groups[next].size;
    p.stride = groups[next++].stride;
  }
  for (; next < groups.size(); ++next) {
    if (groups[next].reduced) p.line_count *= groups[next].size;
    add_dim(groups[next].reduced ? p.lines : p.kept, groups[next]);
  }
  p.units = p.outputs / p.inner * p.strips;
  return p;
}

/// Cuts long reductions into chunks, by shapes only.
void choose_chunks(ReduceParams& p) {
  const std::int64_t parts = p.line_count == 1 ? p.length : p.line_count;
  const std::int64_t part = (p.line_count == 1 ? 1 : p.length) * std::min(p.inner, kReduceStrip);  // elements
  const bool rows = p.inner == 1;
  std::int64_t per_chunk = std::max<std::int64_t>(ceil_div(kChunk, std::max<std::int64_t>(part, 1)), 1);
  if (!rows) per_chunk = std::max<std::int64_t>(per_chunk, p.line_count == 1 ? 256 : 1);
  per_chunk = std::max(per_chunk, ceil_div(parts, rows ? kMaxRowChunks : kMaxColumnChunks));
  if (p.line_count == 1) per_chunk = ceil_div(per_chunk, 64) * 64;  // whole vectors, and rounds of four
  p.per_chunk = per_chunk;
  p.chunks = std::max<std::int64_t>(ceil_div(parts, per_chunk), 1);
}

double unit_ns(const ReduceParams& p, double element_ns) {
  const double elements = static_cast<double>(p.length) * static_cast<double>(p.line_count) *
                          static_cast<double>(std::min(p.inner, kReduceStrip));
  return 8 + elements * element_ns;
}

void lower_reduction(Lowering& lowering, ReduceOp op, bool mean) {
  const DType dtype = lowering.input(0).dtype;
  const bool f32 = dtype == DType::f32;
  ReduceParams p = geometry(lowering);
  p.op = op;
  if (mean)
    p.divisor =
        static_cast<double>(count(lowering.input(0).shape)) / static_cast<double>(std::max<std::int64_t>(p.outputs, 1));
  choose_chunks(p);
  const double chunk_unit_ns = unit_ns(p, f32 ? 0.06 : 1) / static_cast<double>(p.chunks);
  p.units_per_task = std::clamp<std::int64_t>(static_cast<std::int64_t>(kTaskNs / chunk_unit_ns), 1,
                                              std::max<std::int64_t>(p.units, 1));
  const std::int64_t tasks = ceil_div(p.units, p.units_per_task) * p.chunks;
  const double cost = 30 + chunk_unit_ns * static_cast<double>(p.units * p.chunks);
  lowering.phase(f32 ? lowering.kernels.reduce_f32 : lowering.kernels.reduce_others, p, tasks, 0, cost);
  if (p.chunks == 1) return;

  lowering.workspace = static_cast<std::size_t>(p.chunks * p.outputs) * size_of(dtype);
  ReduceCombineParams c{op, dtype, p.outputs, p.chunks, 0, p.divisor};
  const double output_ns = 0.2 * static_cast<double>(p.chunks);
  c.outputs_per_task = ceil_div(std::max<std::int64_t>(static_cast<std::int64_t>(kTaskNs / output_ns), 1), 16) * 16;
  lowering.phase(f32 ? lowering.kernels.reduce_combine_f32 : lowering.kernels.reduce_combine_others, c,
                 ceil_div(p.outputs, c.outputs_per_task), static_cast<std::size_t>(p.chunks) * 64,
                 30 + output_ns * static_cast<double>(p.outputs));
}

void lower_logsumexp(Lowering& lowering) {
  ReduceParams p = geometry(lowering);
  const bool f32 = p.dtype == DType::f32;
  const double ns = unit_ns(p, f32 ? 0.4 : 10);
  p.units_per_task =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(kTaskNs / ns), 1, std::max<std::int64_t>(p.units, 1));
  lowering.phase(f32 ? lowering.kernels.logsumexp_f32 : lowering.kernels.logsumexp_f64, p,
                 ceil_div(p.units, p.units_per_task), 0, 30 + ns * static_cast<double>(p.units));
}

template <bool smallest>
void lower_arg(Lowering& lowering) {
  const Shape& shape = lowering.input(0).shape;
  const auto axis = static_cast<std::size_t>(lowering.node.attrs.integer("axis"));
  ArgParams p{lowering.input(0).dtype, smallest, 1, shape[axis], 1, 1};
  for (std::size_t d = 0; d < axis; ++d) p.outer *= shape[d];
  for (std::size_t d = axis + 1; d < shape.size(); ++d) p.inner *= shape[d];
  const bool f32 = p.dtype == DType::f32;
  const double ns = 8 + static_cast<double>(p.length * p.inner) * (f32 ? 0.2 : 1.5);
  p.per_task = std::max<std::int64_t>(static_cast<std::int64_t>(kTaskNs / ns), 1);
  lowering.phase(f32 ? lowering.kernels.arg_f32 : lowering.kernels.arg_others, p, ceil_div(p.outer, p.per_task), 0,
                 30 + ns * static_cast<double>(p.outer));
}

template <ReduceOp op, bool mean = false>
void rule(Lowering& lowering) {
  lower_reduction(lowering, op, mean);
}

}  // namespace

void lower_reduce(LowerTable& table) {
  table.emplace("reduce_sum", rule<ReduceOp::kSum>);
  table.emplace("reduce_mean", rule<ReduceOp::kSum, true>);
  table.emplace("reduce_max", rule<ReduceOp::kMax>);
  table.emplace("reduce_min", rule<ReduceOp::kMin>);
  table.emplace("reduce_prod", rule<ReduceOp::kProd>);
  table.emplace("reduce_any", rule<ReduceOp::kAny>);
  table.emplace("reduce_all", rule<ReduceOp::kAll>);
  table.emplace("logsumexp", lower_logsumexp);
  table.emplace("argmax", lower_arg<false>);
  table.emplace("argmin", lower_arg<true>);
}

}  // namespace nabi::cpu
