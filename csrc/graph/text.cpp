// csrc/graph/text.cpp -- a graph as text, written and read
//
//   %2 = matmul{transpose_a=false, transpose_b=false}(%0, %1) : float32[32,10]  // dense
//   update 1 = %7
//   return %2, %5
#include <cctype>
#include <cstdlib>

#include "error.h"
#include "graph/graph.h"

namespace nabi {
namespace {

std::string id_list(const std::vector<ValueId>& ids) {
  std::string out;
  for (ValueId id : ids) out += concat(out.empty() ? "" : ", ", "%", id);
  return out;
}

/// A cursor over one line.
class Reader {
 public:
  Reader(std::string_view line, int number) : line_(line), number_(number) {}

  void skip() {
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
  }
  bool done() {
    skip();
    return at_ == line_.size();
  }
  bool accept(std::string_view token) {
    skip();
    if (line_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    check(accept(token), "graph text, line ", number_, ": expected '", token, "'");
  }
  std::string word() {
    skip();
    const std::size_t start = at_;
    while (at_ < line_.size() && (std::isalnum(static_cast<unsigned char>(line_[at_])) != 0 || line_[at_] == '_'))
      ++at_;
    check(at_ > start, "graph text, line ", number_, ": expected a name");
    return std::string(line_.substr(start, at_ - start));
  }
  std::int64_t integer() {
    const AttrValue value = number();
    check(std::holds_alternative<std::int64_t>(value), "graph text, line ", number_, ": expected an integer");
    return std::get<std::int64_t>(value);
  }
  ValueId id() {
    expect("%");
    return static_cast<ValueId>(integer());
  }
  std::vector<ValueId> ids() {
    std::vector<ValueId> out;
    skip();
    while (at_ < line_.size() && line_[at_] == '%') {
      out.push_back(id());
      if (!accept(",")) break;
      skip();
    }
    return out;
  }
  AttrValue value() {
    if (accept("true")) return true;
    if (accept("false")) return false;
    if (accept("\"")) {
      const std::size_t end = line_.find('"', at_);
      check(end != std::string_view::npos, "graph text, line ", number_, ": a string does not end");
      std::string out(line_.substr(at_, end - at_));
      at_ = end + 1;
      return out;
    }
    if (accept("[")) {
      std::vector<std::int64_t> out;
      while (!accept("]")) {
        out.push_back(integer());
        accept(",");
      }
      return out;
    }
    return number();
  }
  std::string_view rest() const { return line_.substr(at_); }

 private:
  AttrValue number() {
    skip();
    const std::size_t start = at_;
    while (at_ < line_.size() && line_[at_] != ',' && line_[at_] != '}' && line_[at_] != ']' && line_[at_] != ')' &&
           line_[at_] != ' ') {
      ++at_;
    }
    const std::string token(line_.substr(start, at_ - start));
    char* end = nullptr;
    if (token.find_first_of(".einf") == std::string::npos) {
      const std::int64_t out = std::strtoll(token.c_str(), &end, 10);
      check(!token.empty() && *end == 0, "graph text, line ", number_, ": expected a number, got '", token, "'");
      return out;
    }
    const double out = std::strtod(token.c_str(), &end);
    check(*end == 0, "graph text, line ", number_, ": expected a number, got '", token, "'");
    return out;
  }

  std::string_view line_;
  int number_;
  std::size_t at_ = 0;
};

}  // namespace

std::string Graph::text() const {
  std::string out;
  for (const Node& node : nodes_) {
    std::vector<ValueId> ids;
    std::string types;
    for (int i = 0; i < node.outputs; ++i) {
      ids.push_back(node.first + i);
      types += (i ? ", " : "") + to_string(values_[node.first + i].type);
    }
    const std::string attrs = to_string(node.attrs);
    out += concat(id_list(ids), " = ", node.op->name, attrs.empty() ? "" : "{" + attrs + "}", "(", id_list(node.inputs),
                  ") : ", types, node.layer.empty() ? "" : "  // " + node.layer, "\n");
  }
  for (const auto& [slot, id] : updates_) out += concat("update ", slot, " = %", id, "\n");
  if (!outputs_.empty()) out += concat("return ", id_list(outputs_), "\n");
  return out;
}

Graph Graph::parse(std::string_view text) {
  Graph graph;
  std::unordered_map<ValueId, ValueId> names;  // ids in the text -> ids here, which differ where nodes were equal
  auto resolve = [&](const std::vector<ValueId>& ids, int number) {
    std::vector<ValueId> out;
    for (ValueId id : ids) {
      auto at = names.find(id);
      check(at != names.end(), "graph text, line ", number, ": value %", id, " is used before it is made");
      out.push_back(at->second);
    }
    return out;
  };
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    std::string layer;
    if (const std::size_t comment = line.find("//"); comment != std::string_view::npos) {
      std::string_view after = line.substr(comment + 2);
      while (!after.empty() && after.front() == ' ') after.remove_prefix(1);
      layer = std::string(after);
      line = line.substr(0, comment);
    }
    Reader in(line, number);
    if (in.done()) continue;
    if (in.accept("update ")) {
      const std::int64_t slot = in.integer();
      in.expect("=");
      graph.set_update(slot, resolve({in.id()}, number)[0]);
    } else if (in.accept("return ")) {
      graph.set_outputs(resolve(in.ids(), number));
    } else {
      const std::vector<ValueId> outs = in.ids();
      in.expect("=");
      const OpDef& op = op_of(in.word());
      Attrs attrs;
      if (in.accept("{")) {
        while (!in.accept("}")) {
          const std::string name = in.word();
          in.expect("=");
          attrs.set(name, in.value());
          in.accept(",");
        }
      }
      in.expect("(");
      const std::vector<ValueId> inputs = resolve(in.ids(), number);
      in.expect(")");
      graph.set_layer(layer);
      const std::vector<ValueId> made = graph.add(op, inputs, attrs);
      check(made.size() == outs.size(), "graph text, line ", number, ": ", op.name, " makes ", made.size(), " values");
      for (std::size_t i = 0; i < made.size(); ++i) names[outs[i]] = made[i];
      if (in.accept(":")) {  // the stated types are a check
        for (std::size_t i = 0; i < made.size(); ++i) {
          const std::string type = to_string(graph.type(made[i]));
          check(in.accept(type), "graph text, line ", number, ": ", op.name, " makes ", type, ", not", in.rest());
          in.accept(",");
        }
      }
    }
    check(in.done(), "graph text, line ", number, ": unexpected '", in.rest(), "'");
  }
  graph.set_layer("");
  return graph;
}

}  // namespace nabi
