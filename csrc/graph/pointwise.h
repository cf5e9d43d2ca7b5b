// csrc/graph/pointwise.h -- the code of a pointwise node: a straight line of elementwise ops over one iteration space
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/op.h"

namespace nabi {

/// What an instruction reads: a register, or a number written into the code.
struct Operand {
  int reg = -1;  // -1: a constant
  double constant = 0;
};

/// One elementwise op. Instruction i of a code with n inputs writes register n + i.
struct Instruction {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<Operand> args;
  DType dtype = DType::f32;  // of the result
};

/// Registers 0 .. inputs-1 are the node's inputs, each a scalar, a full tensor, or one that broadcasts to the space.
struct PointwiseCode {
  int inputs = 0;
  std::vector<Instruction> instructions;
  std::vector<int> outputs;  // registers that become the node's outputs

  /// "greater(r0, #0); select(r2, r1, #0) -> r3": the node's `code` attribute.
  std::string text() const;

  /// Reads text(); dtypes follow from the inputs' and the op table. Throws InternalError on bad text.
  static PointwiseCode parse(std::string_view text, const std::vector<DType>& inputs);
};

}  // namespace nabi
