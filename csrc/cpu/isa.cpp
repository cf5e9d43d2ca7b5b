// csrc/cpu/isa.cpp -- run-time dispatch: a table per instruction set, each starting from the one below
#include "cpu/isa.h"

#include <atomic>
#include <cstdlib>

#include "error.h"

namespace nabi::cpu {
namespace {

struct Isa {
  const char* name;
  bool (*usable)();
  void (*fill)(KernelTable&);
};

#define NABI_FAMILY(family) generic::fill_##family(table);
void fill_generic(KernelTable& table) {
#include "cpu/families.def"
}
#undef NABI_FAMILY

bool always() { return true; }

#if defined(__x86_64__)
#define NABI_FAMILY(family) avx2::fill_##family(table);
void fill_avx2(KernelTable& table) {
#include "cpu/families.def"
}
#undef NABI_FAMILY

#define NABI_FAMILY(family) avx512::fill_##family(table);
void fill_avx512(KernelTable& table) {
#include "cpu/families.def"
}
#undef NABI_FAMILY

// The compiler's probes also ask the operating system whether it saves the registers (XGETBV).
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

constexpr Isa kIsas[] = {
    {"generic", always, fill_generic},
#if defined(__x86_64__)
    {"avx2", has_avx2, fill_avx2},
    {"avx512", has_avx512, fill_avx512},
#endif
};

/// Every usable table, each a copy of the one before with its own rows on top.
const std::vector<KernelTable>& tables() {
  static const std::vector<KernelTable> out = [] {
    std::vector<KernelTable> made;
    KernelTable table{};
    for (const Isa& isa : kIsas) {
      if (!isa.usable()) break;
      isa.fill(table);
      table.isa = isa.name;
      made.push_back(table);
    }
    return made;
  }();
  return out;
}

int find(const std::string& name, const char* where) {
  for (int i = 0; i < static_cast<int>(tables().size()); ++i) {
    if (name == tables()[i].isa) return i;
  }
  std::string known;
  for (const Isa& isa : kIsas) {
    const bool here = static_cast<int>(&isa - kIsas) < static_cast<int>(tables().size());
    if (here) known += (known.empty() ? "" : ", ") + std::string(isa.name);
    check(name != isa.name, where, ": this machine has no ", name, ", only ", known);
  }
  throw ValueError(concat(where, ": unknown instruction set '", name, "'; this machine has ", known));
}

int default_index() {
  if (const char* name = std::getenv("NABI_ISA"); name != nullptr && *name != 0) return find(name, "NABI_ISA");
  return static_cast<int>(tables().size()) - 1;
}

std::atomic<int> chosen{-1};

int current() {
  const int index = chosen.load(std::memory_order_relaxed);
  if (index >= 0) return index;
  static const int automatic = default_index();
  return automatic;
}

}  // namespace

std::vector<std::string> isas() {
  std::vector<std::string> out;
  for (const KernelTable& table : tables()) out.emplace_back(table.isa);
  return out;
}

std::string isa() { return tables()[current()].isa; }

void set_isa(const std::string& name) { chosen.store(name.empty() ? -1 : find(name, "set_isa")); }

const KernelTable& kernels() { return tables()[current()]; }

}  // namespace nabi::cpu
