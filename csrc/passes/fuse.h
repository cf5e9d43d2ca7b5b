// csrc/passes/fuse.h -- the parts of fusion
#pragma once

#include "graph/graph.h"

namespace nabi::passes {

/// Merges bias, ReLU, the producer's ReLU mask and bias gradients into matmul, convolution and pooling nodes.
Graph fuse_epilogues(const Graph& graph);

/// Merges the updates of many variables by one rule into one node, which cuts them into equal tasks.
Graph join_updates(const Graph& graph);

/// Merges elementwise nodes over the same iteration space into pointwise nodes, and those of one number each.
Graph fuse_pointwise(const Graph& graph);

}  // namespace nabi::passes
