// csrc/cpu/lower_matmul.cpp -- turns matrix products into tasks; every choice here depends on shapes alone
#include <algorithm>

#include "cpu/lower.h"
#include "cpu/lower_combine.h"
#include "cpu/matmul.h"
#include "error.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kDepth = 1024;         // longest run of k between two visits of C: B's panel stays in L2
constexpr std::int64_t kPackedDepth = 512;    // the same when a block of A is copied too
constexpr double kTaskFlops = 1.5e6;          // of a task: 6 to 30 microseconds
constexpr std::int64_t kTaskReads = 1 << 18;  // elements of B that a task reads where those decide
constexpr double kFlopsPerNs = 100;           // of one worker, for the cost model only

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Fills the batch: dimensions of size 1 are dropped, neighbours that both operands walk evenly are merged.
void set_batch(MatmulParams& q, const Shape& out, const Shape& a, const Shape& b) {
  const std::size_t batch = out.size() - 2;
  std::vector<std::int64_t> size, a_jump, b_jump;
  const auto strides = [&](const Shape& s) {
    std::vector<std::int64_t> jump(batch, 0);
    std::int64_t step = s[s.size() - 1] * s[s.size() - 2];
    for (std::size_t d = 0; d + 2 < s.size(); ++d) {
      const std::size_t i = s.size() - 3 - d;
      jump[batch - 1 - d] = s[i] == 1 ? 0 : step;
      step *= s[i];
    }
    return jump;
  };
  const std::vector<std::int64_t> sa = strides(a), sb = strides(b);
  q.products = 1;
  for (std::size_t d = 0; d < batch; ++d) {
    q.products *= out[d];
    if (out[d] == 1) continue;
    if (!size.empty() && a_jump.back() == sa[d] * out[d] && b_jump.back() == sb[d] * out[d]) {
      size.back() *= out[d];
      a_jump.back() = sa[d];
      b_jump.back() = sb[d];
    } else {
      size.push_back(out[d]);
      a_jump.push_back(sa[d]);
      b_jump.push_back(sb[d]);
    }
  }
  check<NotImplemented>(size.size() <= kMatmulBatchDims, "matmul: more than ", kMatmulBatchDims,
                        " batch dimensions that cannot be merged are not supported");
  q.dims = static_cast<std::int64_t>(size.size());
  std::copy(size.begin(), size.end(), q.size);
  std::copy(a_jump.begin(), a_jump.end(), q.a_jump);
  std::copy(b_jump.begin(), b_jump.end(), q.b_jump);
}

/// The task grid, which chunks of k depend on: the same for all instruction sets.
void set_grid(MatmulParams& q, bool may_split, bool may_swap) {
  // Rows of B (and of A^T) that lie pages apart are copied once if they are then read often enough.
  q.packed = !q.transposed && q.n >= 1024 && q.m >= 128 && q.k >= 512;
  q.packed_a = q.a_step >= 1024 && q.n >= 64 && q.k >= 512;
  q.depth = q.packed_a ? kPackedDepth : kDepth;
  q.product_blocks = q.column_blocks = q.row_blocks = q.chunks = 1;
  const double flops = 2.0 * q.products * q.m * q.n * q.k;
  if (flops == 0) {
    q.product_blocks = std::max<std::int64_t>(1, std::min<std::int64_t>(q.products, 64));
    return;
  }
  const std::int64_t tasks =
      even_tasks(std::clamp<std::int64_t>(static_cast<std::int64_t>(flops / kTaskFlops), 1, 256));
  q.product_blocks = std::min(q.products, tasks);
  // Few rows against many columns: the time goes into reading B.
  const auto reads = std::min<std::int64_t>(256, q.products * q.n * q.k / kTaskReads);
  const std::int64_t each = ceil_div(std::max(tasks, reads), q.product_blocks);
  q.column_blocks = std::min(ceil_div(q.n, q.packed_a ? 192 : 64), each);
  // A panel is copied once per task, so those tasks take more rows.
  const bool copies = q.transposed || q.packed || q.packed_a;
  const std::int64_t copied = std::min(ceil_div(q.m, 168), std::max<std::int64_t>(4, ceil_div(q.m, 512)));
  const std::int64_t most = copies ? copied : std::max<std::int64_t>(1, q.m / 14);
  q.row_blocks = std::clamp<std::int64_t>(each / q.column_blocks, 1, most);
  if (may_swap && q.products == 1) {
    const std::int64_t blocks = std::min(q.column_blocks, std::max<std::int64_t>(1, q.n / (4 * q.m)));
    if (q.transposed && q.m <= 64 && q.n * q.k > 2 * (blocks * q.m * q.k + q.m * q.n)) {
      q.swapped = 1;  // transposing A and C costs less than transposing B
      q.row_blocks = 1;
      q.column_blocks = blocks;
    }
    if (q.a_row == 1 && !q.transposed && q.n <= 12 && q.m >= 32 && q.k >= 16 && q.k <= 2048) {
      q.swapped = 1;  // the vectors lie along A's rows and are full
      q.row_blocks = std::clamp<std::int64_t>(each, 1, ceil_div(q.m, 64));
      q.column_blocks = 1;
    }
    if (q.a_step == 1 && !q.transposed && q.n <= 4 && q.m >= 64 && q.k >= 16) {
      q.swapped = 1;  // transposing A, a few rows at a time, costs less than vectors of so few columns
      q.row_blocks = std::clamp<std::int64_t>(each, ceil_div(q.m, 192), ceil_div(q.m, 64));
      q.column_blocks = 1;
    }
    if (q.swapped) q.packed = q.packed_a = 0;
  }
  if (may_split && !q.swapped && q.products == 1) {
    // A small result of a long sum (weight gradients of long batches): cut k.
    const std::int64_t tiles = q.column_blocks * q.row_blocks;
    while (tiles * q.chunks < 32 && q.chunks < 64 && q.k / (2 * q.chunks) >= 512 && tiles * q.chunks * 2 <= tasks &&
           2 * q.chunks * q.m * q.n * 4 <= (std::int64_t{8} << 20)) {
      q.chunks *= 2;
    }
  }
}

/// Tasks that use what they copy more often: of B, and of A where its rows have to be gathered.
void take_larger_blocks(MatmulParams& q) {
  const std::int64_t tasks = q.row_blocks * q.column_blocks;
  q.column_blocks = std::clamp<std::int64_t>(ceil_div(q.n, q.a_row == 1 ? 256 : 64), 1, tasks);
  q.row_blocks = std::clamp<std::int64_t>(ceil_div(q.m, q.a_row == 1 ? 96 : 192), 1, tasks / q.column_blocks);
}

void lower(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  const Shape &a = low.input(0).shape, &b = low.input(1).shape, &out = low.output().shape;
  const DType dtype = low.input(0).dtype;
  const bool ta = attrs.flag("transpose_a"), tb = attrs.flag("transpose_b");
  MatmulParams q = {};
  q.m = out[out.size() - 2];
  q.n = out[out.size() - 1];
  q.k = a[ta ? a.size() - 2 : a.size() - 1];
  q.a_row = ta ? 1 : q.k;
  q.a_step = ta ? q.m : 1;
  q.ldb = tb ? q.k : q.n;
  q.transposed = tb;
  if (b.size() == 2 && !ta) {
    // One weight matrix for the whole batch: its products lie below each other.
    q.m = count(Shape(out.begin(), out.end() - 1));
    q.products = 1;
  } else {
    set_batch(q, out, a, b);
  }
  const int inputs = static_cast<int>(low.node.inputs.size());
  q.bias = attrs.flag("bias") ? 2 : -1;
  q.mask = attrs.flag("mask") ? inputs - 1 : -1;
  q.relu = attrs.flag("relu");
  q.out = inputs;
  const bool sums = attrs.flag("bias_grad");
  q.sums = sums ? inputs + 1 : -1;
  q.workspace = inputs + low.node.outputs;
  const bool plain = dtype == DType::f32 && q.bias < 0 && !q.relu;
  set_grid(q, plain && q.mask < 0, dtype == DType::f32);
  if (dtype == DType::f32 && low.kernels.packs_panels && !q.transposed && !q.swapped) take_larger_blocks(q);

  Kernel kernel = nullptr;
  switch (dtype) {
    case DType::f32:
      kernel = low.kernels.matmul_f32;
      break;
    case DType::f64:
      kernel = low.kernels.matmul_f64;
      break;
    case DType::i32:
      kernel = low.kernels.matmul_i32;
      break;
    case DType::i64:
      kernel = low.kernels.matmul_i64;
      break;
    default:
      throw InternalError("matmul of this dtype");
  }
  std::int64_t tasks = q.chunks * q.product_blocks * q.column_blocks * q.row_blocks;
  if (sums) tasks += q.chunks * ceil_div(q.n, kMatmulSumColumns);
  const std::int64_t results = q.m * q.n;
  if (q.products * results == 0 && !sums) tasks = 0;
  std::size_t scratch = 0;
  if (dtype == DType::f32) {
    const std::int64_t columns = ceil_div(ceil_div(q.n, 16), q.column_blocks) * 16;
    const std::int64_t rows = ceil_div(ceil_div(q.m, q.row_blocks), 16) * 16;
    const std::int64_t depth = std::min(ceil_div(q.k, q.chunks), q.depth);
    std::int64_t floats = 0;
    if (q.swapped) {
      floats = rows * ((q.a_step == 1 ? std::min(q.k, q.depth) : 0) + columns);
    } else {
      floats = (q.transposed || q.packed ? columns : 16) * depth;
      if (q.a_row == 1) floats += ceil_div(ceil_div(q.m, q.row_blocks), 6) * 8 * depth;  // the taller of two layouts
    }
    scratch = static_cast<std::size_t>(floats) * sizeof(float);
  }
  const double flops = 2.0 * q.products * q.m * q.n * q.k;
  const double bytes = 4.0 * (count(a) + count(b) + count(out));
  const double speed = dtype == DType::f32 ? kFlopsPerNs : 2;
  if (q.chunks > 1) {
    const std::int64_t all = results + (sums ? q.n : 0);
    q.chunk_stride = ceil_div(all, 16) * 16;
    low.workspace = static_cast<std::size_t>(q.chunks * q.chunk_stride) * sizeof(float);
  }
  low.phase(kernel, q, tasks, scratch, 100 + flops / speed + bytes / 50);
  if (q.chunks > 1) add_combine(low, q.chunks, q.chunk_stride, results, sums ? q.n : 0, q.workspace, q.out, q.sums);
}

}  // namespace

void add_combine(Lowering& low, std::int64_t parts, std::int64_t stride, std::int64_t elements, std::int64_t extra,
                 int workspace, int out, int sums) {
  CombineParams q = {};
  q.parts = parts;
  q.stride = stride;
  q.elements = elements;
  q.extra = extra;
  q.workspace = workspace;
  q.out = out;
  q.sums = sums;
  const std::int64_t all = elements + extra;
  // Tasks of at least 32 KB of partial results.
  q.block = std::max<std::int64_t>(ceil_div(ceil_div(all, 32), 16) * 16, ceil_div(8192 / parts, 16) * 16);
  low.phase(low.kernels.combine_f32, q, ceil_div(all, q.block), 0, 100 + static_cast<double>(all * parts) * 4 / 30);
}

void lower_matmul(LowerTable& table) { table.insert({"matmul", lower}); }

}  // namespace nabi::cpu
