// csrc/ops/source.cpp -- where values come from: batch data, variables, constants; and where gradients stop
#include "error.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

void stated_type(const TypeArgs& args) {
  for (std::int64_t d : args.attrs.list("shape")) {
    check(d >= 0, args.op.name, ": requires dimensions of at least 0, got ", to_string(args.attrs.list("shape")));
  }
  args.outputs.push_back({dtype_of(args.attrs.text("dtype")), args.attrs.list("shape")});
}

void scalar_type(const TypeArgs& args) { args.outputs.push_back({dtype_of(args.attrs.text("dtype")), {}}); }

void same_type(const TypeArgs& args) { args.outputs.push_back(args.inputs[0]); }

void no_gradient(const GradArgs&) {}

}  // namespace

void register_source(std::vector<OpDef>& table) {
  const AttrDef dtype{"dtype", std::string("float32"), true};
  const AttrDef shape{"shape", std::vector<std::int64_t>{}, true};
  const auto index = [](const char* name) { return AttrDef{name, std::int64_t{0}, true}; };
  table.push_back({"input", "source", 0, 0, kSource, {dtype, index("index"), shape}, stated_type});
  table.push_back({"variable", "source", 0, 0, kSource, {dtype, shape, index("slot")}, stated_type});
  table.push_back({"constant", "source", 0, 0, kSource, {dtype, {"value", 0.0, true}}, scalar_type});
  // `call` keeps the outputs of calls with gradients of their own (trace/graph.py) apart from each other.
  const AttrDef call{"call", std::int64_t{0}, false};
  table.push_back({"stop_gradient", "source", 1, 1, kAlias, {call}, same_type, no_gradient});
}

}  // namespace nabi::ops
