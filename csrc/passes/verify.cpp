// csrc/passes/verify.cpp -- re-checks a graph after a pass
#include "error.h"
#include "passes/passes.h"

namespace nabi::passes {

void verify(const Graph& graph) {
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    std::vector<Type> in;
    for (ValueId id : node.inputs) {
      check<InternalError>(id >= 0 && id < node.first, "node ", n, " (", node.op->name, ") reads %", id,
                           " before it is made");
      in.push_back(graph.type(id));
    }
    std::vector<Type> out;
    node.op->type(TypeArgs{*node.op, in, node.attrs, out});
    check<InternalError>(static_cast<int>(out.size()) == node.outputs, node.op->name, " now has ", out.size(),
                         " outputs");
    for (int i = 0; i < node.outputs; ++i) {
      check<InternalError>(out[i] == graph.type(node.first + i), node.op->name, " makes ", to_string(out[i]),
                           ", the graph says ", to_string(graph.type(node.first + i)));
    }
  }
}

}  // namespace nabi::passes
