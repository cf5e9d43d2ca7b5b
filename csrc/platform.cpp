// csrc/platform.cpp -- Linux first; other systems get the portable body
#include "platform.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include "error.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nabi {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kHuge = std::size_t{2} << 20;  // a huge page; smaller blocks come from the heap

std::string size_text(std::size_t bytes) {
  char text[48];
  if (bytes >= (std::size_t{1} << 30)) {
    std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(bytes) / (1 << 30));
  } else {
    std::snprintf(text, sizeof text, "%.2f MiB", static_cast<double>(bytes) / (1 << 20));
  }
  return text;
}

std::size_t rounded(std::size_t bytes, std::size_t to) { return (std::max<std::size_t>(bytes, 1) + to - 1) / to * to; }

#if defined(__linux__)
/// The CPU quota of a cgroup v2 or v1, in CPUs; 0 when there is none.
double cgroup_quota() {
  std::string group = "/";
  std::ifstream membership("/proc/self/cgroup");
  for (std::string line; std::getline(membership, line);) {
    if (line.rfind("0::", 0) == 0) group = line.substr(3);
  }
  double quota = 0;
  // Every level above may set a limit of its own: the smallest counts.
  for (std::string path = group;; path = path.substr(0, path.find_last_of('/'))) {
    std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
    std::string limit;
    double period = 0;
    if (file >> limit >> period && limit != "max" && period > 0) {
      const double cpus = std::atof(limit.c_str()) / period;
      quota = quota == 0 ? cpus : std::min(quota, cpus);
    }
    if (path.empty() || path == "/") break;
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double limit = 0;
  double period = 0;
  if (v1_quota >> limit && v1_period >> period && limit > 0 && period > 0) {
    quota = quota == 0 ? limit / period : std::min(quota, limit / period);
  }
  return quota;
}
#endif

std::atomic<int> fork_count{0};

#if defined(__unix__) || defined(__APPLE__)
const int registered = pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); });
#endif

}  // namespace

void* allocate(std::size_t bytes, const char* what) {
  void* memory = nullptr;
#if defined(__linux__)
  if (bytes >= kHuge) {
    memory = mmap(nullptr, rounded(bytes, kHuge), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) memory = nullptr;
    if (memory != nullptr) madvise(memory, rounded(bytes, kHuge), MADV_HUGEPAGE);
    check<OutOfMemory>(memory != nullptr, "out of memory: cannot allocate ", size_text(bytes), " for ", what);
    return memory;
  }
#endif
  memory = ::operator new(rounded(bytes, kAlign), std::align_val_t(kAlign), std::nothrow);
  check<OutOfMemory>(memory != nullptr, "out of memory: cannot allocate ", size_text(bytes), " for ", what);
  std::memset(memory, 0, rounded(bytes, kAlign));
  return memory;
}

void release(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
#if defined(__linux__)
  if (bytes >= kHuge) {
    munmap(memory, rounded(bytes, kHuge));
    return;
  }
#endif
  (void)bytes;
  ::operator delete(memory, std::align_val_t(kAlign));
}

int usable_cpus() {
#if defined(__linux__)
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  const double quota = cgroup_quota();
  if (quota > 0) cpus = std::min(cpus, static_cast<int>(quota + 0.5));
  return std::max(cpus, 1);
#else
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
#endif
}

int forks() { return fork_count.load(std::memory_order_relaxed); }

#if defined(__x86_64__)
// MXCSR: bits 15 (FTZ) and 6 (DAZ) set, rounding bits 13-14 clear, exceptions masked.
FloatMode::FloatMode() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80u | 0x8000u | 0x0040u); }
FloatMode::~FloatMode() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
// FPCR: bit 24 (FZ) set, rounding bits 22-23 clear.
FloatMode::FloatMode() : saved_(0) {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  const std::uint64_t mode = (saved_ & ~(std::uint64_t{3} << 22)) | (std::uint64_t{1} << 24);
  asm volatile("msr fpcr, %0" ::"r"(mode));
}
FloatMode::~FloatMode() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
#else
FloatMode::FloatMode() : saved_(0) {}
FloatMode::~FloatMode() = default;
#endif

#if defined(__unix__) || defined(__APPLE__)
namespace {

std::mutex watch_lock;
int watches = 0;
struct sigaction handed_on;
volatile std::sig_atomic_t interrupts = 0;

void note_interrupt(int signal) {
  interrupts = interrupts + 1;
  handed_on.sa_handler(signal);
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == note_interrupt;
}

}  // namespace

InterruptWatch::InterruptWatch(bool on) : on_(on && forks() == 0), before_(interrupts) {
  if (!on_) return;
  std::lock_guard<std::mutex> guard(watch_lock);
  if (watches++ > 0) return;
  struct sigaction now;
  sigaction(SIGINT, nullptr, &now);
  // A handler of another kind, the default action and ignoring are left as they are.
  if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN || is_ours(now))
    return;
  handed_on = now;
  now.sa_handler = note_interrupt;
  sigaction(SIGINT, &now, nullptr);
}

InterruptWatch::~InterruptWatch() {
  if (!on_) return;
  std::lock_guard<std::mutex> guard(watch_lock);
  if (--watches > 0) return;
  struct sigaction now;
  sigaction(SIGINT, nullptr, &now);
  if (is_ours(now)) sigaction(SIGINT, &handed_on, nullptr);  // else somebody has set another meanwhile: it stays
}

bool InterruptWatch::seen() const { return on_ && interrupts != before_; }
#else
InterruptWatch::InterruptWatch(bool) : on_(false) {}
InterruptWatch::~InterruptWatch() = default;
bool InterruptWatch::seen() const { return false; }
#endif

#if defined(__linux__)
void wait_on(const std::uint32_t* word, std::uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void wake_all(const std::uint32_t* word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0); }
#else
void wait_on(const std::uint32_t* word, std::uint32_t expected) {
  if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == expected) std::this_thread::yield();
}
void wake_all(const std::uint32_t*) {}
#endif

}  // namespace nabi
