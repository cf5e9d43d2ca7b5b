// csrc/graph/pointwise.cpp -- pointwise code as text, written and read
//
//   greater(r0, #0); leaky_relu{alpha=0.2}(r1); select(r2, r3, #0) -> r4
//
// A number has the dtype of the registers beside it; where there are none, the text says which:
// select(r0, #1, #0):float64
#include "graph/pointwise.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "error.h"

namespace nabi {
namespace {

/// The condition of a select is bool whatever the other operands are.
bool is_condition(const OpDef& op, std::size_t i) { return i == 0 && op.name == "select"; }

/// True when nothing but a suffix can tell the numbers' dtype. Comparisons, tests and casts of numbers alone have none:
/// their operands are float64.
bool needs_suffix(const Instruction& instruction) {
  const std::string& name = instruction.op->name;
  if (instruction.dtype == DType::boolean && name != "select" && name.rfind("logical", 0) != 0) return false;
  if (name == "cast") return false;
  for (std::size_t i = 0; i < instruction.args.size(); ++i) {
    if (instruction.args[i].reg >= 0 && !is_condition(*instruction.op, i)) return false;
  }
  return true;
}

std::string number_text(double value) {
  char buffer[40];
  for (int digits = 6; digits <= 17; ++digits) {
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    if (std::strtod(buffer, nullptr) == value) break;
  }
  return buffer;
}

std::string attrs_text(const Attrs& attrs) {
  std::string out;
  for (const auto& [name, value] : attrs.items()) {
    const auto* text = std::get_if<std::string>(&value);
    const auto* number = std::get_if<double>(&value);
    out += (out.empty() ? "" : ", ") + name + "=" + (text ? *text : number ? number_text(*number) : to_string(value));
  }
  return out.empty() ? out : "{" + out + "}";
}

class Parser {
 public:
  Parser(std::string_view text, const std::vector<DType>& inputs) : text_(text), dtypes_(inputs) {
    code_.inputs = static_cast<int>(inputs.size());
  }

  PointwiseCode run() {
    if (!at("->")) {
      do instruction();
      while (accept(";"));
    }
    expect("->");
    do code_.outputs.push_back(reg());
    while (accept(","));
    check<InternalError>(at_ == text_.size(), "pointwise code goes on after its end: ", text_);
    return std::move(code_);
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool at(std::string_view token) {
    skip();
    return text_.substr(at_, token.size()) == token;
  }
  bool accept(std::string_view token) {
    if (!at(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    check<InternalError>(accept(token), "pointwise code lacks '", token, "' at ", at_, ": ", text_);
  }
  std::string word(std::string_view more = "_") {
    skip();
    const std::size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  more.find(text_[at_]) != std::string_view::npos)) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  double number() { return std::strtod(word("+-.").c_str(), nullptr); }

  int reg() {
    expect("r");
    const int out = std::atoi(word().c_str());
    check<InternalError>(out >= 0 && static_cast<std::size_t>(out) < dtypes_.size(), "pointwise code has no register ",
                         out, ": ", text_);
    return out;
  }

  AttrValue attr(const AttrValue& kind) {
    const std::string text = word("_+-.");
    if (std::holds_alternative<double>(kind)) return std::strtod(text.c_str(), nullptr);
    if (std::holds_alternative<bool>(kind)) return text == "true";
    if (std::holds_alternative<std::int64_t>(kind)) return std::int64_t{std::strtoll(text.c_str(), nullptr, 10)};
    return text;
  }

  void instruction() {
    Instruction out;
    out.op = find_op(word());
    check<InternalError>(out.op != nullptr, "pointwise code has an unknown op: ", text_);
    for (const AttrDef& def : out.op->attrs) out.attrs.set(def.name, def.kind);
    if (accept("{")) {
      do {
        const std::string name = word();
        expect("=");
        const AttrValue* kind = out.attrs.find(name);
        check<InternalError>(kind != nullptr, "pointwise code: ", out.op->name, " has no attribute ", name);
        out.attrs.set(name, attr(AttrValue(*kind)));
      } while (accept(","));
      expect("}");
    }
    expect("(");
    do {
      Operand operand;
      if (accept("#")) {
        operand.constant = number();
      } else {
        operand.reg = reg();
      }
      out.args.push_back(operand);
    } while (accept(","));
    expect(")");
    DType dtype = DType::f64;
    for (std::size_t i = out.args.size(); i-- > 0;) {
      if (out.args[i].reg >= 0 && !is_condition(*out.op, i)) dtype = dtypes_[out.args[i].reg];
    }
    if (accept(":")) dtype = dtype_of(word());
    std::vector<Type> in, made;
    for (std::size_t i = 0; i < out.args.size(); ++i) {
      const DType plain = is_condition(*out.op, i) ? DType::boolean : dtype;
      in.push_back({out.args[i].reg >= 0 ? dtypes_[out.args[i].reg] : plain, {}});
    }
    out.op->type(TypeArgs{*out.op, in, out.attrs, made});
    out.dtype = made.at(0).dtype;
    dtypes_.push_back(out.dtype);
    code_.instructions.push_back(std::move(out));
  }

  std::string_view text_;
  std::vector<DType> dtypes_;  // of all registers so far
  PointwiseCode code_;
  std::size_t at_ = 0;
};

}  // namespace

std::string PointwiseCode::text() const {
  std::string out;
  for (const Instruction& instruction : instructions) {
    std::string args;
    for (const Operand& arg : instruction.args) {
      args += (args.empty() ? "" : ", ") + (arg.reg >= 0 ? concat("r", arg.reg) : "#" + number_text(arg.constant));
    }
    out += (out.empty() ? "" : "; ") + instruction.op->name + attrs_text(instruction.attrs) + "(" + args + ")";
    if (needs_suffix(instruction)) out += ":" + name_of(instruction.dtype);
  }
  std::string regs;
  for (int reg : outputs) regs += concat(regs.empty() ? "" : ", ", "r", reg);
  return out + (out.empty() ? "-> " : " -> ") + regs;
}

PointwiseCode PointwiseCode::parse(std::string_view text, const std::vector<DType>& inputs) {
  return Parser(text, inputs).run();
}

}  // namespace nabi
