// csrc/cpu/matmul.h -- parameters shared by the matrix product's kernels and its lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

inline constexpr int kMatmulBatchDims = 6;

/// C[m, n] (=, or a chunk of k into the workspace) A[m, k] B[k, n] for each product of a batch. Strides are in
/// elements. Tasks: chunk, then product block, then column block, then row block, the last fastest; after them one
/// task per chunk and 256 columns for the column sums of B.
struct MatmulParams {
  int64_t m, n, k;
  int64_t a_row, a_step;   // A(i, p) = a[i * a_row + p * a_step]
  int64_t ldb;             // B(p, j) = b[p * ldb + j], or b[j * ldb + p] when transposed
  int64_t products, dims;  // products = size[0] * .. * size[dims - 1]
  int64_t size[kMatmulBatchDims], a_jump[kMatmulBatchDims], b_jump[kMatmulBatchDims];
  int64_t product_blocks, column_blocks, row_blocks;
  int64_t depth;                 // longest run of k between two visits of C
  int64_t chunks, chunk_stride;  // chunks of k, a power of two; more than one go to the workspace, this far apart
  int32_t transposed;            // B is stored [n, k]
  int32_t packed;                // a task first copies its columns of B: rows of B lie pages apart
  int32_t packed_a;              // so do the rows of A^T: they are copied block by block
  int32_t swapped;               // C^T is computed: cheaper where C is narrow or A is small
  int32_t bias, mask, out, sums, workspace;  // operand numbers, -1 where there is none
  int32_t relu;
};

/// Adds `parts` (a power of two) partial results lying `stride` elements apart in the workspace, as a balanced tree.
struct CombineParams {
  int64_t parts, stride;
  int64_t elements, extra;  // the first `elements` go to operand `out`, the next `extra` to operand `sums`
  int64_t block;            // elements of a task
  int32_t workspace, out, sums;
};

inline constexpr int64_t kMatmulSumColumns = 256;

}  // namespace nabi::cpu
