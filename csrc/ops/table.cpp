// csrc/ops/table.cpp -- gathers the families into the one op table
#include <unordered_map>

#include "error.h"
#include "graph/op.h"
#include "ops/register.h"

namespace nabi {
namespace {

std::vector<OpDef> build() {
  std::vector<OpDef> table;
  ops::register_source(table);
  ops::register_elementwise(table);
  ops::register_reduce(table);
  ops::register_matmul(table);
  ops::register_conv(table);
  ops::register_pool(table);
  ops::register_normalize(table);
  ops::register_layout(table);
  ops::register_random(table);
  ops::register_image(table);
  ops::register_update(table);
  return table;
}

}  // namespace

const std::vector<OpDef>& op_table() {
  static const std::vector<OpDef> table = build();
  return table;
}

const OpDef* find_op(std::string_view name) {
  static const std::unordered_map<std::string_view, const OpDef*> index = [] {
    std::unordered_map<std::string_view, const OpDef*> out;
    for (const OpDef& op : op_table()) {
      check<InternalError>(out.emplace(op.name, &op).second, "op ", op.name, " is registered twice");
    }
    return out;
  }();
  const auto at = index.find(name);
  return at == index.end() ? nullptr : at->second;
}

const OpDef& op_of(std::string_view name) {
  const OpDef* op = find_op(name);
  check(op != nullptr, "graph: there is no op named '", name, "'");
  return *op;
}

}  // namespace nabi
