// csrc/passes/passes.h -- what happens to a graph between tracing and running, in this order
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace nabi::passes {

/// d sum(ys * upstream) / d xs, as new values of the same graph; kNone where ys do not depend on an x. `upstream` is
/// empty (ones) or one value per y. Works at any point of a trace, on its own results too.
std::vector<ValueId> gradients(Graph& graph, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs,
                               const std::vector<ValueId>& upstream);

/// Drops what nothing needs and what does nothing (reshape to the same shape, multiplying by one, ...).
Graph simplify(const Graph& graph);

/// Merges bias, ReLU, masks and bias gradients into the ops that make their operand, and the remaining elementwise ops
/// into pointwise nodes.
Graph fuse(const Graph& graph);

/// Adds every type again and compares; throws InternalError where a pass broke the graph.
void verify(const Graph& graph);

/// Where a value lives while a step runs.
struct Place {
  enum Kind : std::uint8_t { kNowhere, kArena, kVariable, kFeed, kConstant } kind = kNowhere;
  std::int64_t at = 0;      // variable slot, input index, or value id of the constant
  std::int64_t offset = 0;  // in the arena: of the value, or of the room a fed value is gathered into
};

/// A variable written after the last node. A value that lives in another variable goes through `temp` first, so that
/// the order of the copies does not matter (swapping two variables).
struct Copy {
  std::int64_t slot = 0;
  ValueId value = kNone;
  std::int64_t temp = -1;  // arena offset, -1: copied directly
};

/// Addresses for everything a program touches.
struct Plan {
  std::vector<Place> values;             // by value id
  std::vector<std::int64_t> workspaces;  // by node: arena offset, -1 where none
  std::vector<Copy> copies;
  int first_write = 0;  // no node before this index writes a variable
  std::size_t arena_bytes = 0;
};

/// Assigns arena offsets from value lifetimes; updates are written in place where no later reader minds.
/// `workspace` gives the scratch bytes a node shares between its phases.
Plan plan_memory(const Graph& graph, const std::vector<std::size_t>& workspace);

/// One line a value that has a place, then the copies: "%3: arena 128", "%5: variable 0", "copy 1 <- %7".
std::string to_string(const Graph& graph, const Plan& plan);

}  // namespace nabi::passes
