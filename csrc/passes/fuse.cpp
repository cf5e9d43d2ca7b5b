// csrc/passes/fuse.cpp -- epilogues first, then updates, then pointwise clusters from what is left
#include "passes/fuse.h"

#include "passes/passes.h"

namespace nabi::passes {

Graph fuse(const Graph& graph) { return fuse_pointwise(join_updates(fuse_epilogues(graph))); }

}  // namespace nabi::passes
