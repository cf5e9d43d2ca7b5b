// csrc/passes/fuse.h -- the two halves of fusion
#pragma once

#include "graph/graph.h"

namespace nabi::passes {

/// Merges bias, ReLU, the producer's ReLU mask and bias gradients into matmul, convolution and pooling nodes.
Graph fuse_epilogues(const Graph& graph);

/// Merges elementwise nodes over the same iteration space into pointwise nodes.
Graph fuse_pointwise(const Graph& graph);

}  // namespace nabi::passes
