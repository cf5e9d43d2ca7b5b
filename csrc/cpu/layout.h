// csrc/cpu/layout.h -- parameters of the layout kernels, shared by the kernels and their lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Dimensions left after neighbours that move together are merged.
inline constexpr int kLayoutRank = 12;

/// Inputs of a concat that one phase copies.
inline constexpr int kConcatPieces = 16;

/// Edges of the block that one unit of a transpose moves.
inline constexpr int kTransposeRows = 64;
inline constexpr int kTransposeCols = 64;

/// Most parts that the destinations of a scatter_add are cut into.
inline constexpr int kScatterParts = 64;

/// How indices are stored.
enum class IndexKind : int32_t { i32, i64, u8 };

/// A dense output read from a strided input: transpose, slice, broadcast_to.
struct CopyParams {
  int32_t size;  // bytes of an element: 1, 4 or 8
  int32_t rank;
  int64_t dims[kLayoutRank];    // of the output, outermost first
  int64_t stride[kLayoutRank];  // of the input in elements; 0 repeats, negative walks back
  int64_t offset;               // of the input's first element
  int64_t total;                // elements of the output
  int64_t chunk;                // elements a task makes
};

/// out[outer..., r, c] = in[outer..., c, r]: the two walk in different directions.
struct TransposeParams {
  int32_t size;
  int32_t rank;  // of the outer dimensions
  int64_t dims[kLayoutRank];
  int64_t from[kLayoutRank];  // strides of the input, elements
  int64_t to[kLayoutRank];    // strides of the output, elements
  int64_t offset;
  int64_t rows, cols;
  int64_t col_stride;  // of the input; its row stride is 1
  int64_t row_stride;  // of the output; its column stride is 1
  int64_t units, per_task;
};

/// Padding around and between elements.
struct PadParams {
  int32_t size;
  int32_t rank;  // at least 1
  int64_t in[kLayoutRank];
  int64_t out[kLayoutRank];
  int64_t low[kLayoutRank];
  int64_t step[kLayoutRank];  // 1 + interior
  uint64_t value;             // its bytes first
  int64_t rows, per_task;     // rows: product of out but the last
};

/// Rows of several inputs side by side.
struct ConcatParams {
  int32_t pieces;
  int32_t first;                 // operand number of piece 0
  int32_t target;                // operand number of the output
  int64_t width[kConcatPieces];  // bytes of a piece in one row
  int64_t group;                 // their sum
  int64_t row;                   // bytes of an output row
  int64_t offset;                // of the group in an output row
  int64_t total, chunk;          // bytes: rows * group, and what a task copies
};

/// out[o, i, :] = x[o, index[i], :].
struct GatherParams {
  IndexKind index;
  int64_t count, dim, inner;  // indices, size of the axis, bytes after it
  int64_t rows, per_task;     // rows: outer * count
};

/// out[o, index[i], :] += updates[o, i, :] over zeros; a task owns a range of destinations, a part, of one o. With more
/// than one part the workspace holds parts + 1 offsets and then the numbers i sorted by part, in order within a part.
struct ScatterParams {
  IndexKind index;
  int32_t shift;                     // a part is 2^shift destinations
  int64_t outer, count, dim, inner;  // inner in elements
  int64_t parts;
};

/// Rows of zeros with one 1 each.
struct OneHotParams {
  IndexKind index;
  int32_t size;
  int64_t count, depth, per_task;
  uint64_t one;  // 1 in the output's dtype, its bytes first
};

/// The place along one axis.
struct IotaParams {
  int32_t dtype;  // DType
  int64_t dim, inner;
  int64_t total, chunk;
};

}  // namespace nabi::cpu
