// csrc/platform.h -- what differs between systems: memory, CPUs, fork, the floating-point environment
#pragma once

#include <cstddef>
#include <cstdint>

namespace nabi {

/// Zeroed memory on a 64-byte boundary (large blocks on huge pages where the system offers them). Throws OutOfMemory
/// naming `what` and the size.
void* allocate(std::size_t bytes, const char* what);

/// Gives back what allocate() returned.
void release(void* memory, std::size_t bytes) noexcept;

/// CPUs this process may use: the smaller of its affinity mask and its cgroup's quota, at least 1.
int usable_cpus();

/// How many fork() calls lie between the process that loaded this library and this one. Above 0, OpenMP's threads are
/// gone and locks may be held by threads that do not exist.
int forks();

/// Flushes denormals to zero and rounds to nearest while alive, then restores the whole control register.
class FloatMode {
 public:
  FloatMode();
  ~FloatMode();
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  std::uint64_t saved_;
};

/// Notices SIGINT while alive and hands it on to the handler that was there, which is Python's. Nothing happens where
/// there is no handler to hand on to.
class InterruptWatch {
 public:
  explicit InterruptWatch(bool on);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// True when a SIGINT has come since the watch began.
  bool seen() const;

 private:
  bool on_;
  int before_ = 0;
};

/// Sleeps while *word == expected, until wake_all(word) or a spurious wake-up.
void wait_on(const std::uint32_t* word, std::uint32_t expected);

/// Wakes every thread in wait_on(word).
void wake_all(const std::uint32_t* word);

/// Tells the core that this is a spin loop.
inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace nabi
