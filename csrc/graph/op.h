// csrc/graph/op.h -- what an op is: its attributes, type rule, gradient rule and traits
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/attrs.h"
#include "types.h"

namespace nabi {

class Graph;
struct OpDef;

/// Index of a value in its graph.
using ValueId = std::int32_t;

/// No value: an output without incoming gradient, an input that gets none.
inline constexpr ValueId kNone = -1;

/// One attribute an op takes. A required attribute has no default.
struct AttrDef {
  std::string name;
  AttrValue kind;  // its alternative gives the kind, its value the default
  bool required = false;
};

/// What a type rule sees. It checks and appends the output types.
struct TypeArgs {
  const OpDef& op;
  const std::vector<Type>& inputs;
  const Attrs& attrs;
  std::vector<Type>& outputs;
};

/// What a gradient rule sees. It adds nodes to the graph and fills grads (kNone: no gradient).
struct GradArgs {
  Graph& graph;
  const Attrs& attrs;
  const std::vector<ValueId>& inputs;
  const std::vector<ValueId>& outputs;
  const std::vector<ValueId>& upstream;  // one per output, kNone where nothing flows back
  const std::vector<bool>& wanted;       // one per input
  std::vector<ValueId>& grads;           // one per input, kNone on entry
};

/// Facts about an op that passes ask for instead of its name.
enum Trait : unsigned {
  kElementwise = 1u << 0,  // one output element from the same (broadcast) element of each input
  kAlias = 1u << 1,        // the output is the first input's bytes under another shape
  kSource = 1u << 2,       // no computation: input, variable, constant
  kFaults = 1u << 3,       // finds bad data while running (a label out of range)
  kCommutative = 1u << 4,  // inputs are put in order before equal nodes are looked for
  kUpdate = 1u << 5,       // an optimizer's rule: what it writes is meant for variables
  kOpaque = 1u << 6,       // made by a pass only; the front end may not add it
};

/// A row of the op table.
struct OpDef {
  std::string name;
  std::string family;
  int min_inputs = 0;
  int max_inputs = 0;  // -1: any number
  unsigned traits = 0;
  std::vector<AttrDef> attrs;
  void (*type)(const TypeArgs&) = nullptr;
  void (*gradient)(const GradArgs&) = nullptr;  // null: none is known; autodiff says so where a float depends on one
  std::vector<int> in_place = {};               // output i may overwrite input in_place[i]; empty: none may
  const char* checked = "indices";              // what a kFaults op finds fault with, for its message
  double (*flops)(const TypeArgs&) = nullptr;   // multiplications and additions of a product, for measurements

  bool has(Trait trait) const { return (traits & trait) != 0; }

  /// The operand that output `o` may overwrite, or -1. An update of several variables repeats its row for each.
  int overwritten(int o) const {
    const int size = static_cast<int>(in_place.size());
    if (has(kUpdate)) return in_place[o % size] + o / size * (size + 1);
    return o < size ? in_place[o] : -1;
  }
};

/// The op of this name, or null.
const OpDef* find_op(std::string_view name);

/// The op of this name; throws ValueError when there is none.
const OpDef& op_of(std::string_view name);

/// The whole table, in registration order.
const std::vector<OpDef>& op_table();

}  // namespace nabi
