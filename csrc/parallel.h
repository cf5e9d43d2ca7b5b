// csrc/parallel.h -- the team of threads: its size, one region at a time, and the barrier inside it
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace nabi {

/// The largest team. More threads would only cost memory, and OpenMP ends the process where it cannot make them.
constexpr int kMostThreads = 1024;

/// Threads a run may use: set_num_threads, else OMP_NUM_THREADS, else usable_cpus(); 1 in a forked child.
int num_threads();

/// Fixes the number of threads, even above the number of CPUs; 0 returns to the default.
void set_num_threads(int threads);

/// Tests only: shares every phase with two or more tasks, however small, so that small shapes exercise the team.
void force_sharing(bool on);
bool sharing_forced();

/// Runs body(worker, workers) on every thread of the team, as many as num_threads(). One region runs at a time in the
/// process; other callers wait. The body must not throw.
void run_team(const std::function<void(int worker, int workers)>& body);

/// A sense-reversing barrier: spins for about 50 microseconds, then sleeps.
class Barrier {
 public:
  /// Waits until `workers` threads have arrived.
  void wait(int workers);

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::uint32_t phase_ = 0;  // read and slept on as a futex word
  std::atomic<int> sleepers_{0};
};

}  // namespace nabi
