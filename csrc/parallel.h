// csrc/parallel.h -- the team of threads: its size, and the rounds of chunks it shares
#pragma once

#include <cstdint>

namespace nabi {

/// The largest team. More threads would only cost memory, and OpenMP ends the process where it cannot make them.
constexpr int kMostThreads = 1024;

/// The most chunks of a round.
constexpr std::int64_t kMostChunks = (std::int64_t{1} << 16) - 1;

/// Threads a run may use: set_num_threads, else OMP_NUM_THREADS, else usable_cpus(); 1 in a forked child.
int num_threads();

/// Fixes the number of threads, even above the number of CPUs; 0 returns to the default.
void set_num_threads(int threads);

/// Tests only: shares every phase with two or more tasks, however small, and keeps every worker to its own share, so
/// that small shapes exercise every thread of the team.
void force_sharing(bool on);
bool sharing_forced();

/// Work in rounds. The chunks of a round run in any order on any worker: each begins with its share of them, a run of
/// neighbours, and then takes from the shares of others. The worker that ends the last of them goes on
/// alone with next(): nobody waits for a worker that the system has put aside unless it holds a chunk. Neither function
/// may throw.
class Rounds {
 public:
  /// What lies between two rounds; then how many chunks the next one has, at most kMostChunks, 0 when all is done.
  virtual std::int64_t next(int worker) = 0;

  virtual void chunk(int worker, std::int64_t i) = 0;

 protected:
  ~Rounds() = default;
};

/// Runs the rounds on the calling thread (worker 0) and `threads` - 1 of the team. Returns false, having done nothing,
/// while the team works for somebody else.
bool run_team(Rounds& rounds, int threads);

}  // namespace nabi
