// csrc/cpu/lower_pointwise.cpp -- turns pointwise code into slots, steps and a grid
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "cpu/lower.h"
#include "cpu/pointwise.h"
#include "error.h"
#include "graph/pointwise.h"

namespace nabi::cpu {
namespace {

struct Row {
  std::string_view name;
  int cost;  // cycles for sixteen floats, roughly
};

constexpr Row kRows[] = {
#define NABI_UNARY(name, dtypes, cost, value, gradient) {#name, cost},
#define NABI_STEP(name, dtypes, cost, value) {#name, cost},
#define NABI_ALPHA(name, initial, cost, value, gradient) {#name, cost},
#define NABI_TEST(name, value) {#name, 2},
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) {#name, cost},
#define NABI_BINARY_STEP(name, dtypes, cost, value) {#name, cost},
#define NABI_COMPARE(name, traits, value) {#name, 2},
#define NABI_LOGICAL(name, value) {#name, 2},
#include "ops/elementwise.def"
    {"logical_not", 2},
    {"select", 3},
};
static_assert(sizeof kRows / sizeof kRows[0] == kPointwiseOps);

int number_of(const OpDef& op) {
  static const std::unordered_map<std::string_view, int> index = [] {
    std::unordered_map<std::string_view, int> out;
    for (int i = 0; i < kPointwiseOps; ++i) out.emplace(kRows[i].name, i);
    return out;
  }();
  const auto at = index.find(op.name);
  check<NotImplemented>(at != index.end(), op.name, ": the CPU backend has no elementwise kernel for this op");
  return at->second;
}

template <class Table>
const Table& table_from(Kernel source) {
  const Table* table = nullptr;
  char* to[] = {reinterpret_cast<char*>(&table)};
  source(Args{to, nullptr, nullptr}, 0, 0, nullptr);
  return *table;
}

constexpr std::int64_t kBlock = 1024;
constexpr std::int64_t kStreamBlock = 4096;        // without scratch, blocks only cost their calls
constexpr std::int64_t kScratchBytes = 24 * 1024;  // what the registers of a block may take of the first cache
constexpr std::int64_t kPeriodLimit = 4096;        // longest operand repeated in scratch, in elements
constexpr double kTaskNs = 25e3;

class Builder {
 public:
  explicit Builder(Lowering& lowering)
      : lowering_(lowering),
        floats_(table_from<PointwiseFloats>(lowering.kernels.pointwise_floats)),
        others_(table_from<PointwiseOthers>(lowering.kernels.pointwise_others)) {
    for (std::size_t i = 0; i < lowering.node.inputs.size(); ++i) dtypes_.push_back(lowering.input(i).dtype);
    code_ = PointwiseCode::parse(lowering.node.attrs.text("code"), dtypes_);
    for (const Instruction& instruction : code_.instructions) dtypes_.push_back(instruction.dtype);
    shape_ = lowering.output().shape;
    count_ = count(shape_);
  }

  void run() {
    find_last_uses();
    for (int i = 0; i < code_.inputs; ++i) place_input(i);
    for (int i = 0; i < static_cast<int>(code_.instructions.size()); ++i) place_instruction(i);
    place_copies();
    finish();
  }

 private:
  /// What is known of a register.
  struct Register {
    int slot = -1;
    bool scalar = false;
    int last = -1;     // the last instruction that reads it
    int output = -1;   // the first output that it is
    int scratch = -1;  // bytes per element into the block scratch, -1 if none
  };

  std::int64_t size(int reg) const { return static_cast<std::int64_t>(size_of(dtypes_[reg])); }

  void find_last_uses() {
    registers_.resize(dtypes_.size());
    for (int i = 0; i < static_cast<int>(code_.instructions.size()); ++i) {
      for (const Operand& arg : code_.instructions[i].args) {
        if (arg.reg >= 0) registers_[arg.reg].last = i;
      }
    }
    for (int o = static_cast<int>(code_.outputs.size()) - 1; o >= 0; --o) registers_[code_.outputs[o]].output = o;
  }

  int add_slot(PointwisePlace place, int at, std::int64_t element, std::int64_t offset = 0, std::int64_t period = 0) {
    slots_.push_back({place, at, static_cast<std::int32_t>(element), 0, offset, period});
    return static_cast<int>(slots_.size()) - 1;
  }

  int output_operand(int o) const { return code_.inputs + o; }

  void place_input(int i) {
    Register& reg = registers_[i];
    const Shape& shape = lowering_.input(i).shape;
    const std::int64_t elements = count(shape);
    bytes_ += static_cast<double>(elements) * size(i) / std::max<std::int64_t>(count_, 1);
    if (elements == count_) {
      reg.slot = add_slot(PointwisePlace::kStream, i, size(i));
    } else if (elements == 1) {
      reg.slot = add_slot(PointwisePlace::kOperand, i, size(i));
      reg.scalar = true;
    } else {
      place_broadcast(i, shape);
    }
  }

  void place_broadcast(int i, const Shape& shape) {
    // Dimensions of the iteration space that move together through the operand become one.
    PointwiseExpand expand{i, 0, static_cast<std::int32_t>(size(i)), 0, {}, {}};
    std::vector<std::int64_t> dims, strides;  // innermost first
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < shape_.size(); ++d) {
      const std::int64_t extent = shape_[shape_.size() - 1 - d];
      const std::int64_t own = d < shape.size() ? shape[shape.size() - 1 - d] : 1;
      if (extent == 1) continue;
      const std::int64_t step = own == 1 ? 0 : stride;
      stride *= own;
      if (!dims.empty() &&
          (step == 0 ? strides.back() == 0 : strides.back() != 0 && step == strides.back() * dims.back())) {
        dims.back() *= extent;
      } else {
        dims.push_back(extent);
        strides.push_back(step);
      }
    }
    if (dims.size() == 2 && strides[0] == 1 && dims[0] <= kPeriodLimit) {
      registers_[i].slot = add_slot(PointwisePlace::kPeriod, i, size(i), 0, dims[0]);
      return;
    }
    check<NotImplemented>(dims.size() <= kPointwiseRank, lowering_.node.op->name, ": broadcasting ", to_string(shape),
                          " to ", to_string(shape_), " alternates over more than ", kPointwiseRank, " dimensions");
    expand.rank = static_cast<std::int32_t>(dims.size());
    std::copy(dims.rbegin(), dims.rend(), expand.dims);
    std::copy(strides.rbegin(), strides.rend(), expand.strides);
    expand.to = registers_[i].slot = add_scratch(i);
    expands_.push_back(expand);
    ns_ += strides[0] == 1 ? 0.05 : 0.03 + 4.0 / static_cast<double>(dims[0]);
  }

  /// A block of scratch for a register, taken from one that is no longer read where possible.
  int add_scratch(int reg) {
    std::vector<int>& free = free_[size(reg)];
    if (free.empty()) {
      free.push_back(scratch_);
      scratch_ += static_cast<int>(size(reg));
    }
    registers_[reg].scratch = free.back();
    free.pop_back();
    return add_slot(PointwisePlace::kScratch, 0, size(reg), registers_[reg].scratch);
  }

  /// Frees the scratch of registers that instruction i is the last to read.
  void release(int i) {
    for (const Operand& arg : code_.instructions[i].args) {
      if (arg.reg < 0) continue;
      Register& reg = registers_[arg.reg];
      if (reg.last != i || reg.scratch < 0 || reg.output >= 0) continue;
      free_[size(arg.reg)].push_back(reg.scratch);
      reg.scratch = -1;
    }
  }

  /// The slot of a number, kept as an element of the dtype.
  int number_slot(double value, DType dtype) {
    std::vector<char> bits(8);
    switch (dtype) {
      case DType::f32:
        put(bits, static_cast<float>(value));
        break;
      case DType::f64:
        put(bits, value);
        break;
      case DType::i32:
        put(bits, static_cast<std::int32_t>(value));
        break;
      case DType::i64:
        put(bits, static_cast<std::int64_t>(value));
        break;
      case DType::boolean:
        put(bits, static_cast<std::uint8_t>(value != 0));
        break;
      case DType::u8:
        put(bits, static_cast<std::uint8_t>(static_cast<std::int64_t>(value)));
        break;
    }
    const auto offset = static_cast<std::int64_t>(numbers_.size());
    numbers_.insert(numbers_.end(), bits.begin(), bits.end());
    return add_slot(PointwisePlace::kNumber, 0, static_cast<std::int64_t>(size_of(dtype)), offset);
  }

  template <class T>
  static void put(std::vector<char>& bits, T value) {
    std::memcpy(bits.data(), &value, sizeof value);
  }

  /// A block of copies of a scalar, made once a call.
  int filled_slot(int slot, std::int64_t element) {
    const int out = add_slot(PointwisePlace::kScratch, 0, element, scratch_);
    scratch_ += static_cast<int>(element);
    PointwiseStep fill{};
    fill.run = others_.fill[element];
    fill.in[0] = slot;
    fill.out = out;
    fill.n = -1;  // the block, once it is known
    prologue_.push_back(fill);
    return out;
  }

  void place_instruction(int i) {
    const Instruction& instruction = code_.instructions[i];
    const int self = code_.inputs + i;
    const bool choice = instruction.op->name == "select";
    PointwiseStep step{};
    bool scalar = count_ != 1;
    DType dtype = instruction.dtype;  // of the operands
    const bool logical = choice || instruction.op->name.rfind("logical", 0) == 0;
    // Numbers alone: what pointwise.cpp says of their dtype.
    if ((dtype == DType::boolean && !logical) || instruction.op->name == "cast") dtype = DType::f64;
    for (std::size_t k = instruction.args.size(); k-- > 0;) {
      const Operand& arg = instruction.args[k];
      if (arg.reg >= 0 && !(choice && k == 0)) dtype = dtypes_[arg.reg];
      scalar = scalar && (arg.reg < 0 || registers_[arg.reg].scalar);
    }
    for (std::size_t k = 0; k < instruction.args.size(); ++k) {
      const Operand& arg = instruction.args[k];
      const DType own = choice && k == 0 ? DType::boolean : dtype;
      step.in[k] = arg.reg >= 0 ? registers_[arg.reg].slot : number_slot(arg.constant, own);
      // One element is a block of one as well as a scalar; that serves every combination of numbers and registers.
      step.step[k] = scalar || count_ == 1 || (arg.reg >= 0 && !registers_[arg.reg].scalar);
      if (choice && k == 0 && step.step[0] == 0) {  // select has no form for a scalar condition
        step.in[0] = filled_slot(step.in[0], 1);
        step.step[0] = 1;
      }
    }
    step.run = function(instruction, dtype, step);
    if (const AttrValue* alpha = instruction.attrs.find("alpha")) step.alpha = std::get<double>(*alpha);
    check<NotImplemented>(step.run != nullptr, instruction.op->name, ": the CPU backend has no kernel for ",
                          name_of(dtype));

    release(i);
    Register& reg = registers_[self];
    if (scalar) {
      reg.scalar = true;
      reg.slot = add_slot(PointwisePlace::kScratch, 0, size(self), -1 - scalars_++);
      step.n = 1;
    } else if (reg.output >= 0) {
      // An output may lie over an input that no later instruction reads: writing it at once is right.
      reg.slot = add_slot(PointwisePlace::kStream, output_operand(reg.output), size(self));
      bytes_ += 2.0 * static_cast<double>(size(self));
    } else {
      reg.slot = add_scratch(self);
      if (reg.last < 0) free_[size(self)].push_back(reg.scratch);
    }
    step.out = reg.slot;
    (scalar ? prologue_ : steps_).push_back(step);
    if (!scalar) ns_ += cost_ * (dtype == DType::f32 ? 1 : 4) / 16 / 3;
  }

  /// The block function; notes its cost.
  PointwiseBlock function(const Instruction& instruction, DType dtype, const PointwiseStep& step) {
    if (instruction.op->name == "cast") {
      cost_ = 4;
      return others_.cast[static_cast<int>(dtype)][static_cast<int>(instruction.dtype)];
    }
    const int op = number_of(*instruction.op);
    cost_ = kRows[op].cost;
    if (dtype != DType::f32) return others_.run[op][static_cast<int>(dtype)];
    const std::size_t n = instruction.args.size();
    int which = 0;
    if (n >= 2) which = (step.step[n - 1] == 0 ? 1 : 0) + (step.step[n - 2] == 0 ? 2 : 0);
    return floats_.run[op][which];
  }

  /// Outputs that are inputs, scalars or the same as another output.
  void place_copies() {
    for (int o = 0; o < static_cast<int>(code_.outputs.size()); ++o) {
      const Register& reg = registers_[code_.outputs[o]];
      const bool written = code_.outputs[o] >= code_.inputs && reg.output == o && !reg.scalar;
      if (written) continue;
      const std::int64_t element = size(code_.outputs[o]);
      const int from = reg.scalar ? filled_slot(reg.slot, element) : reg.slot;
      copies_.push_back({from, output_operand(o), element});
      ns_ += 0.05;
    }
  }

  template <class T>
  static std::int64_t append(std::vector<char>& out, const std::vector<T>& items) {
    const auto at = static_cast<std::int64_t>(out.size());
    const char* bytes = reinterpret_cast<const char*>(items.data());
    out.insert(out.end(), bytes, bytes + items.size() * sizeof(T));
    return at;
  }

  void finish() {
    std::int64_t block = kStreamBlock;
    if (scratch_ > 0) {
      block = kBlock;
      while (block > 256 && block * scratch_ > kScratchBytes) block /= 2;
    }
    block = std::max<std::int64_t>(std::min(block, (count_ + 63) / 64 * 64), 64);

    // Scratch: addresses, scalars, blocks, repeated operands.
    const auto round = [](std::int64_t bytes) { return (bytes + 63) / 64 * 64; };
    const std::int64_t scalars_at = round(static_cast<std::int64_t>(slots_.size()) * 8);
    const std::int64_t blocks_at = scalars_at + round(scalars_ * 8);
    std::int64_t end = blocks_at + scratch_ * block;
    const std::int64_t head = sizeof(PointwiseParams);
    for (PointwiseSlot& slot : slots_) {
      if (slot.place == PointwisePlace::kScratch) {
        slot.offset = slot.offset < 0 ? scalars_at + (-1 - slot.offset) * 8 : blocks_at + slot.offset * block;
      } else if (slot.place == PointwisePlace::kPeriod) {
        slot.offset = end;
        end += round((slot.period + block) * slot.size);
      }
    }

    // Slots that move come first.
    std::vector<int> order(slots_.size()), place(slots_.size());
    for (std::size_t s = 0; s < order.size(); ++s) order[s] = static_cast<int>(s);
    const auto moves = [&](int s) {
      return slots_[s].place == PointwisePlace::kStream || slots_[s].place == PointwisePlace::kPeriod;
    };
    const auto middle = std::stable_partition(order.begin(), order.end(), moves);
    std::vector<PointwiseSlot> slots;
    for (std::size_t s = 0; s < order.size(); ++s) {
      place[order[s]] = static_cast<int>(s);
      slots.push_back(slots_[order[s]]);
    }
    for (std::vector<PointwiseStep>* list : {&prologue_, &steps_}) {
      for (PointwiseStep& step : *list) {
        for (int k = 0; k < 3; ++k) step.in[k] = place[step.in[k]];
        step.out = place[step.out];
        if (step.n < 0) step.n = block;
      }
    }
    for (PointwiseExpand& expand : expands_) expand.to = place[expand.to];
    for (PointwiseCopy& copy : copies_) copy.from = place[copy.from];

    PointwiseParams params{};
    std::vector<char> tail;
    const auto numbers = head + append(tail, numbers_);
    for (PointwiseSlot& slot : slots) {
      if (slot.place == PointwisePlace::kNumber) slot.offset += numbers;
    }
    params.slots_at = head + append(tail, slots);
    params.expands_at = head + append(tail, expands_);
    params.steps_at = head + append(tail, prologue_);
    append(tail, steps_);
    params.copies_at = head + append(tail, copies_);
    params.count = count_;
    params.block = block;
    params.slots = static_cast<std::int32_t>(slots.size());
    params.moving = static_cast<std::int32_t>(middle - order.begin());
    params.expands = static_cast<std::int32_t>(expands_.size());
    params.prologue = static_cast<std::int32_t>(prologue_.size());
    params.steps = static_cast<std::int32_t>(steps_.size());
    params.copies = static_cast<std::int32_t>(copies_.size());

    const double element_ns = std::max(ns_, bytes_ / 60);
    const std::int64_t blocks = (count_ + block - 1) / block;
    const double block_ns = element_ns * static_cast<double>(block) + 10 * static_cast<double>(steps_.size());
    params.blocks_per_task =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(kTaskNs / block_ns), 1, std::max<std::int64_t>(blocks, 1));
    const std::int64_t tasks = (blocks + params.blocks_per_task - 1) / params.blocks_per_task;
    const double cost =
        30 + element_ns * static_cast<double>(count_) + 10.0 * static_cast<double>(steps_.size() * blocks);
    lowering_.phase(lowering_.kernels.pointwise, params, tasks, static_cast<std::size_t>(end), cost);
    std::vector<char>& bytes = lowering_.phases.back().params;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }

  Lowering& lowering_;
  const PointwiseFloats& floats_;
  const PointwiseOthers& others_;
  PointwiseCode code_;
  Shape shape_;
  std::int64_t count_ = 0;
  std::vector<DType> dtypes_;  // of the registers
  std::vector<Register> registers_;
  std::vector<PointwiseSlot> slots_;
  std::vector<PointwiseExpand> expands_;
  std::vector<PointwiseStep> prologue_, steps_;
  std::vector<PointwiseCopy> copies_;
  std::vector<char> numbers_;
  std::map<std::int64_t, std::vector<int>> free_;  // by element size: scratch that may be used again
  int scratch_ = 0;                                // bytes of scratch per element of a block
  std::int64_t scalars_ = 0;
  int cost_ = 0;
  double ns_ = 0;     // arithmetic, per element
  double bytes_ = 0;  // memory, per element
};

void lower(Lowering& lowering) { Builder(lowering).run(); }

}  // namespace

void lower_pointwise(LowerTable& table) { table.emplace("pointwise", lower); }

}  // namespace nabi::cpu
