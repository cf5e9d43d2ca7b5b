// csrc/cpu/layout.cpp -- kernels that move elements: copies by strides, blocked transposes, gather, scatter, padding
#include "cpu/layout.h"

#include <stdint.h>
#include <string.h>

#include "cpu/kernels.h"

namespace nabi::cpu::NABI_ISA {
namespace {

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// Index i of a tensor of indices.
int64_t index_at(const char* data, IndexKind kind, int64_t i) {
  if (kind == IndexKind::i32) return reinterpret_cast<const int32_t*>(data)[i];
  if (kind == IndexKind::i64) return reinterpret_cast<const int64_t*>(data)[i];
  return reinterpret_cast<const uint8_t*>(data)[i];
}

/// An index counted from the end made to count from the start.
int64_t wrap(int64_t at, int64_t dim) { return at < 0 ? at + dim : at; }

// Adds: one addition per element in the order of the indices, so the bits depend on nothing else. Integers are added
// as unsigned, which wraps.

template <class T>
void scatter_add(const Args& args, int64_t first, int64_t last, char*) {
  const ScatterParams& p = *static_cast<const ScatterParams*>(args.params);
  const char* index = args.ptr[0];
  const int64_t* sorted = p.parts > 1 ? reinterpret_cast<const int64_t*>(args.ptr[3]) : nullptr;
  for (int64_t task = first; task < last; ++task) {
    const int64_t outer = task / p.parts;
    const int64_t part = task % p.parts;
    const int64_t low = part << p.shift;
    const int64_t high = smaller(p.dim, (part + 1) << p.shift);
    const T* from = reinterpret_cast<const T*>(args.ptr[1]) + outer * p.count * p.inner;
    T* to = reinterpret_cast<T*>(args.ptr[2]) + outer * p.dim * p.inner;
    memset(to + low * p.inner, 0, static_cast<size_t>((high - low) * p.inner) * sizeof(T));
    const int64_t begin = sorted != nullptr ? sorted[part] : 0;
    const int64_t end = sorted != nullptr ? sorted[part + 1] : p.count;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t i = sorted != nullptr ? sorted[p.parts + 1 + k] : k;
      const int64_t found = index_at(index, p.index, i);
      const int64_t at = wrap(found, p.dim);
      if (at < 0 || at >= p.dim) {
        report(args.fault, found, p.dim);
        continue;
      }
      const T* __restrict__ add = from + i * p.inner;
      T* __restrict__ sum = to + at * p.inner;
      for (int64_t c = 0; c < p.inner; ++c) sum[c] = sum[c] + add[c];
    }
  }
}

#if NABI_ISA_GENERIC

// Everything else moves bytes and waits for memory: one build serves every instruction set.

/// The outer dimensions of a strided walk: coordinates, and the offset they stand for.
struct Odometer {
  int64_t at[kLayoutRank];
  int64_t from = 0, to = 0;

  void set(int64_t flat, int rank, const int64_t* dims, const int64_t* from_stride, const int64_t* to_stride) {
    from = to = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at[d] = flat % dims[d];
      flat /= dims[d];
      from += at[d] * from_stride[d];
      to += at[d] * to_stride[d];
    }
  }

  void next(int rank, const int64_t* dims, const int64_t* from_stride, const int64_t* to_stride) {
    for (int d = rank - 1; d >= 0; --d) {
      from += from_stride[d];
      to += to_stride[d];
      if (++at[d] < dims[d]) return;
      from -= dims[d] * from_stride[d];
      to -= dims[d] * to_stride[d];
      at[d] = 0;
    }
  }
};

template <class T>
void fill(T* to, T value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = value;
}

template <class T>
void copy_run(T* __restrict__ to, const T* __restrict__ from, int64_t stride, int64_t n) {
  if (stride == 1) {
    if (n * static_cast<int64_t>(sizeof(T)) > 256) {
      memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
    } else {  // a call would cost more than the copy
      for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    }
  } else if (stride == 0) {
    fill(to, *from, n);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
  }
}

template <class T>
void copy(const CopyParams& p, const char* in, char* out, int64_t begin, int64_t end) {
  if (begin >= end) return;
  const T* from = reinterpret_cast<const T*>(in) + p.offset;
  T* to = reinterpret_cast<T*>(out);
  const int outer = p.rank - 1;
  const int64_t run = p.dims[outer];
  const int64_t stride = p.stride[outer];
  Odometer walk;
  walk.set(begin / run, outer, p.dims, p.stride, p.stride);
  int64_t in_run = begin % run;
  while (begin < end) {
    const int64_t n = smaller(run - in_run, end - begin);
    copy_run(to + begin, from + walk.from + in_run * stride, stride, n);
    begin += n;
    in_run = 0;
    walk.next(outer, p.dims, p.stride, p.stride);
  }
}

void layout_copy(const Args& args, int64_t first, int64_t last, char*) {
  const CopyParams& p = *static_cast<const CopyParams*>(args.params);
  const int64_t begin = first * p.chunk;
  const int64_t end = smaller(p.total, last * p.chunk);
  if (p.size == 1) copy<uint8_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 4) copy<uint32_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 8) copy<uint64_t>(p, args.ptr[0], args.ptr[1], begin, end);
}

// Transposes: 4 x 4 elements in registers where they are 4 bytes wide, blocks of a cache line's rows around them.

typedef uint32_t Four __attribute__((vector_size(16)));
typedef uint32_t FourLoose __attribute__((vector_size(16), aligned(4), may_alias));

constexpr int64_t kTile = 16;

void transpose4(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride) {
  const Four a = *reinterpret_cast<const FourLoose*>(from);
  const Four b = *reinterpret_cast<const FourLoose*>(from + from_stride);
  const Four c = *reinterpret_cast<const FourLoose*>(from + 2 * from_stride);
  const Four d = *reinterpret_cast<const FourLoose*>(from + 3 * from_stride);
  const Four ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *reinterpret_cast<FourLoose*>(to) = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
  *reinterpret_cast<FourLoose*>(to + to_stride) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
  *reinterpret_cast<FourLoose*>(to + 2 * to_stride) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
  *reinterpret_cast<FourLoose*>(to + 3 * to_stride) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
}

template <class T>
void transpose_plain(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t rows, int64_t cols) {
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < rows; ++r) to[r * to_stride + c] = from[c * from_stride + r];
  }
}

template <class T>
void transpose_block(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t rows, int64_t cols) {
  transpose_plain(from, from_stride, to, to_stride, rows, cols);
}

void transpose_edge(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride, int64_t rows,
                    int64_t cols) {
  const int64_t whole_rows = rows / 4 * 4;
  const int64_t whole_cols = cols / 4 * 4;
  for (int64_t c = 0; c < whole_cols; c += 4) {
    for (int64_t r = 0; r < whole_rows; r += 4) {
      transpose4(from + c * from_stride + r, from_stride, to + r * to_stride + c, to_stride);
    }
    transpose_plain(from + c * from_stride + whole_rows, from_stride, to + whole_rows * to_stride + c, to_stride,
                    rows - whole_rows, 4);
  }
  transpose_plain(from + whole_cols * from_stride, from_stride, to + whole_cols, to_stride, rows, cols - whole_cols);
}

template <>
void transpose_block(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride, int64_t rows,
                     int64_t cols) {
  // Rows a multiple of 2 KB apart fall into a few sets of the cache and push each other out while they are half
  // written; then a tile is put together aside and its rows written whole.
  const bool aside = to_stride % 512 == 0;
  uint32_t tile[kTile * kTile];
  for (int64_t r = 0; r < rows; r += kTile) {
    for (int64_t c = 0; c < cols; c += kTile) {
      const uint32_t* in = from + c * from_stride + r;
      uint32_t* out = to + r * to_stride + c;
      if (rows - r < kTile || cols - c < kTile) {
        transpose_edge(in, from_stride, out, to_stride, smaller(kTile, rows - r), smaller(kTile, cols - c));
        continue;
      }
      uint32_t* target = aside ? tile : out;
      const int64_t target_stride = aside ? kTile : to_stride;
      for (int64_t i = 0; i < kTile; i += 4) {
        for (int64_t j = 0; j < kTile; j += 4) {
          transpose4(in + i * from_stride + j, from_stride, target + j * target_stride + i, target_stride);
        }
      }
      for (int64_t j = 0; aside && j < kTile; ++j) memcpy(out + j * to_stride, tile + j * kTile, sizeof(tile) / kTile);
    }
  }
}

template <class T>
void transpose(const TransposeParams& p, const char* in, char* out, int64_t begin, int64_t end) {
  const int64_t row_blocks = (p.rows + kTransposeRows - 1) / kTransposeRows;
  const int64_t col_blocks = (p.cols + kTransposeCols - 1) / kTransposeCols;
  Odometer walk;
  int64_t outer = -1;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t col = unit % col_blocks * kTransposeCols;
    const int64_t row = unit / col_blocks % row_blocks * kTransposeRows;
    const int64_t now = unit / (col_blocks * row_blocks);
    if (now != outer) walk.set(now, p.rank, p.dims, p.from, p.to);
    outer = now;
    const T* from = reinterpret_cast<const T*>(in) + p.offset + walk.from + col * p.col_stride + row;
    T* to = reinterpret_cast<T*>(out) + walk.to + row * p.row_stride + col;
    transpose_block(from, p.col_stride, to, p.row_stride, smaller(kTransposeRows, p.rows - row),
                    smaller(kTransposeCols, p.cols - col));
  }
}

void layout_transpose(const Args& args, int64_t first, int64_t last, char*) {
  const TransposeParams& p = *static_cast<const TransposeParams*>(args.params);
  const int64_t begin = first * p.per_task;
  const int64_t end = smaller(p.units, last * p.per_task);
  if (p.size == 1) transpose<uint8_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 4) transpose<uint32_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 8) transpose<uint64_t>(p, args.ptr[0], args.ptr[1], begin, end);
}

template <class T>
void pad(const PadParams& p, const char* in, char* out, int64_t begin, int64_t end) {
  const int inner = p.rank - 1;
  T value;
  memcpy(&value, &p.value, sizeof value);
  const int64_t n = p.in[inner];
  const int64_t step = p.step[inner];
  const int64_t low = p.low[inner];
  const int64_t used = n == 0 ? 0 : (n - 1) * step + 1;
  for (int64_t row = begin; row < end; ++row) {
    T* to = reinterpret_cast<T*>(out) + row * p.out[inner];
    int64_t rest = row;
    int64_t from = 0;
    int64_t scale = 1;
    bool inside = true;
    for (int d = inner - 1; d >= 0; --d) {
      const int64_t at = rest % p.out[d] - p.low[d];
      rest /= p.out[d];
      inside = inside && at >= 0 && at % p.step[d] == 0 && at / p.step[d] < p.in[d];
      from += at / p.step[d] * scale;
      scale *= p.in[d];
    }
    if (!inside || n == 0) {
      fill(to, value, p.out[inner]);
      continue;
    }
    const T* line = reinterpret_cast<const T*>(in) + from * n;
    fill(to, value, low);
    if (step == 1) {
      copy_run(to + low, line, 1, n);
    } else {
      fill(to + low, value, used);
      for (int64_t i = 0; i < n; ++i) to[low + i * step] = line[i];
    }
    fill(to + low + used, value, p.out[inner] - low - used);
  }
}

void layout_pad(const Args& args, int64_t first, int64_t last, char*) {
  const PadParams& p = *static_cast<const PadParams*>(args.params);
  const int64_t begin = first * p.per_task;
  const int64_t end = smaller(p.rows, last * p.per_task);
  if (p.size == 1) pad<uint8_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 4) pad<uint32_t>(p, args.ptr[0], args.ptr[1], begin, end);
  if (p.size == 8) pad<uint64_t>(p, args.ptr[0], args.ptr[1], begin, end);
}

void layout_concat(const Args& args, int64_t first, int64_t last, char*) {
  const ConcatParams& p = *static_cast<const ConcatParams*>(args.params);
  char* out = args.ptr[p.target];
  int64_t begin = first * p.chunk;
  const int64_t end = smaller(p.total, last * p.chunk);
  if (begin >= end) return;
  int64_t row = begin / p.group;
  int64_t skip = begin % p.group;
  for (; begin < end; ++row) {
    char* to = out + row * p.row + p.offset;
    for (int i = 0; i < p.pieces && begin < end; ++i) {
      const int64_t width = p.width[i];
      if (skip >= width) {
        skip -= width;
        to += width;
        continue;
      }
      const int64_t n = smaller(width - skip, end - begin);
      memcpy(to + skip, args.ptr[p.first + i] + row * width + skip, static_cast<size_t>(n));
      begin += n;
      to += width;
      skip = 0;
    }
  }
}

void layout_gather(const Args& args, int64_t first, int64_t last, char*) {
  const GatherParams& p = *static_cast<const GatherParams*>(args.params);
  const char* from = args.ptr[0];
  const char* index = args.ptr[1];
  char* out = args.ptr[2];
  const int64_t end = smaller(p.rows, last * p.per_task);
  for (int64_t row = first * p.per_task; row < end; ++row) {
    const int64_t found = index_at(index, p.index, row % p.count);
    const int64_t at = wrap(found, p.dim);
    char* to = out + row * p.inner;
    if (at < 0 || at >= p.dim) {
      report(args.fault, found, p.dim);
      memset(to, 0, static_cast<size_t>(p.inner));
      continue;
    }
    const char* line = from + (row / p.count * p.dim + at) * p.inner;
    if (p.inner == 4) {  // a scalar per index; a call would cost more than the copy
      memcpy(to, line, 4);
    } else {
      memcpy(to, line, static_cast<size_t>(p.inner));
    }
  }
}

/// Sorts the numbers of the indices by the part they go to, by counting.
void layout_sort(const Args& args, int64_t first, int64_t last, char*) {
  if (first >= last) return;
  const ScatterParams& p = *static_cast<const ScatterParams*>(args.params);
  const char* index = args.ptr[0];
  int64_t* offset = reinterpret_cast<int64_t*>(args.ptr[3]);
  int64_t* order = offset + p.parts + 1;
  memset(offset, 0, static_cast<size_t>(p.parts + 1) * sizeof(int64_t));
  for (int64_t i = 0; i < p.count; ++i) {
    const int64_t found = index_at(index, p.index, i);
    const int64_t at = wrap(found, p.dim);
    if (at < 0 || at >= p.dim) {
      report(args.fault, found, p.dim);
    } else {
      ++offset[(at >> p.shift) + 1];
    }
  }
  for (int64_t part = 0; part < p.parts; ++part) offset[part + 1] += offset[part];
  int64_t next[kScatterParts];
  memcpy(next, offset, static_cast<size_t>(p.parts) * sizeof(int64_t));
  for (int64_t i = 0; i < p.count; ++i) {
    const int64_t at = wrap(index_at(index, p.index, i), p.dim);
    if (at >= 0 && at < p.dim) order[next[at >> p.shift]++] = i;
  }
}

void layout_one_hot(const Args& args, int64_t first, int64_t last, char*) {
  const OneHotParams& p = *static_cast<const OneHotParams*>(args.params);
  const int64_t begin = first * p.per_task;
  const int64_t end = smaller(p.count, last * p.per_task);
  if (begin >= end) return;
  const int64_t row = p.depth * p.size;
  memset(args.ptr[1] + begin * row, 0, static_cast<size_t>((end - begin) * row));
  for (int64_t i = begin; i < end; ++i) {
    const int64_t at = index_at(args.ptr[0], p.index, i);
    if (at >= 0 && at < p.depth) memcpy(args.ptr[1] + i * row + at * p.size, &p.one, static_cast<size_t>(p.size));
  }
}

template <class T>
void iota(const IotaParams& p, char* out, int64_t begin, int64_t end) {
  T* to = reinterpret_cast<T*>(out);
  while (begin < end) {
    const int64_t at = begin / p.inner;
    if (p.inner == 1) {
      const int64_t start = at % p.dim;
      const int64_t n = smaller(p.dim - start, end - begin);
      for (int64_t i = 0; i < n; ++i) to[begin + i] = static_cast<T>(start + i);
      begin += n;
    } else {
      const int64_t n = smaller((at + 1) * p.inner, end) - begin;
      fill(to + begin, static_cast<T>(at % p.dim), n);
      begin += n;
    }
  }
}

void layout_iota(const Args& args, int64_t first, int64_t last, char*) {
  const IotaParams& p = *static_cast<const IotaParams*>(args.params);
  const int64_t begin = first * p.chunk;
  const int64_t end = smaller(p.total, last * p.chunk);
  const DType dtype = static_cast<DType>(p.dtype);
  if (dtype == DType::f32) iota<float>(p, args.ptr[0], begin, end);
  if (dtype == DType::f64) iota<double>(p, args.ptr[0], begin, end);
  if (dtype == DType::i32) iota<int32_t>(p, args.ptr[0], begin, end);
  if (dtype == DType::i64) iota<int64_t>(p, args.ptr[0], begin, end);
}

#endif  // NABI_ISA_GENERIC

}  // namespace

void fill_layout(KernelTable& table) {
  table.layout_scatter_add_f32 = scatter_add<float>;
#if NABI_ISA_GENERIC
  table.layout_copy = layout_copy;
  table.layout_transpose = layout_transpose;
  table.layout_pad = layout_pad;
  table.layout_concat = layout_concat;
  table.layout_gather = layout_gather;
  table.layout_scatter_add_f64 = scatter_add<double>;
  table.layout_scatter_add_i32 = scatter_add<uint32_t>;
  table.layout_scatter_add_i64 = scatter_add<uint64_t>;
  table.layout_sort = layout_sort;
  table.layout_one_hot = layout_one_hot;
  table.layout_iota = layout_iota;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
