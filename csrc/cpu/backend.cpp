// csrc/cpu/backend.cpp -- chooses the instruction set and lowers nodes to its kernels
#include "runtime/backend.h"

#include "cpu/isa.h"
#include "error.h"

namespace nabi {
namespace cpu {

LowerRule lower_rule(const OpDef& op) {
  static const LowerTable table = [] {
    LowerTable out;
#define NABI_FAMILY(family) lower_##family(out);
#include "cpu/families.def"
#undef NABI_FAMILY
    return out;
  }();
  const auto at = table.find(op.name);
  check<NotImplemented>(at != table.end(), op.name, ": the CPU backend has no kernel for this op");
  return at->second;
}

}  // namespace cpu

namespace {

class CpuBackend final : public Backend {
 public:
  std::string name() const override { return "cpu"; }

  Lowered lower(const Graph& graph, const Node& node) const override {
    cpu::Lowering lowering(graph, node, cpu::kernels());
    cpu::lower_rule (*node.op)(lowering);
    for (const cpu::Phase& phase : lowering.phases) {
      check<NotImplemented>(phase.kernel != nullptr, node.op->name, ": no kernel for ",
                            to_string(graph.type(node.first)));
    }
    return {std::move(lowering.phases), lowering.workspace};
  }
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace nabi
