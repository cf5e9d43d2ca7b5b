// csrc/parallel.cpp -- the only file that names OpenMP
//
// The team is one OpenMP region that lasts: opening a region for every run would make the caller wait, at its end, for
// threads that the system has not even woken yet. NABI_STD_THREADS makes the threads with std::thread instead: libgomp
// is not instrumented, so the thread sanitizer needs it.
#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "platform.h"

#if !defined(NABI_STD_THREADS)
#include <omp.h>
#endif

namespace nabi {
namespace {

constexpr auto kSpin = std::chrono::microseconds(50);

std::atomic<int> requested{0};
std::atomic<bool> forced{false};

int default_threads() {
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int threads = std::atoi(text);  // the first of a nested list such as "4,2"
    if (threads > 0) return std::min(threads, kMostThreads);
  }
  return usable_cpus();
}

/// A number that threads sleep on until it grows.
class Bell {
 public:
  std::uint32_t count() const { return __atomic_load_n(&count_, __ATOMIC_SEQ_CST); }

  void ring() {
    __atomic_fetch_add(&count_, 1, __ATOMIC_SEQ_CST);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) wake_all(&count_);
  }

  /// Sleeps until the count is no longer `seen`; may return early.
  void sleep(std::uint32_t seen) {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (count() == seen) wait_on(&count_, seen);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::uint32_t count_ = 0;  // a futex word
  std::atomic<int> sleepers_{0};
};

class Team {
 public:
  /// Makes the team at least this large; false where the system gives no threads. With the team's lock held.
  bool hire(int threads) {
    if (threads <= size_) return size_ > 1;
    dismiss();
    std::atomic<int> found{0};
    const std::uint32_t generation = generation_.count();
    try {
#if defined(NABI_STD_THREADS)
      for (int i = 1; i < threads; ++i) members_.emplace_back([this, i, generation] { member(i, generation); });
      found = threads;
#else
      // Thread 0 of the region stands for the callers, wherever OMP_PROC_BIND puts it, and sleeps.
      members_.emplace_back([this, threads, generation, &found] {
#pragma omp parallel num_threads(threads)
        if (omp_get_thread_num() == 0) {
          found = omp_get_num_threads();
          while (generation_.count() == generation) generation_.sleep(generation);
        } else {
          member(omp_get_thread_num(), generation);
        }
      });
#endif
    } catch (const std::system_error&) {
      dismiss();
      return false;
    }
    while (found == 0) std::this_thread::yield();
    size_ = found;
    return size_ > 1;
  }

  void run(Rounds& rounds, int threads) {
    rounds_ = &rounds;
    workers_ = static_cast<std::uint64_t>(std::min(threads, size_));
    in_turn_.store(sharing_forced(), std::memory_order_relaxed);
    advance(0);
    work(0, generation_.count());
  }

 private:
  // The word that is claimed from: number of the round, workers (0: all is done), chunks that nobody has claimed. A
  // claim of a round that has ended fails because the number differs.
  static constexpr int kChunkBits = 20;
  static constexpr int kWorkerBits = 12;
  static constexpr std::uint64_t kChunks = (std::uint64_t{1} << kChunkBits) - 1;
  static constexpr std::uint64_t kWorkers = (std::uint64_t{1} << kWorkerBits) - 1;

  static std::uint64_t chunks_of(std::uint64_t word) { return word & kChunks; }
  static std::uint64_t workers_of(std::uint64_t word) { return word >> kChunkBits & kWorkers; }

  void dismiss() {
    generation_.ring();
    members_bell_.ring();
    for (std::thread& thread : members_) thread.join();
    members_.clear();
    size_ = 1;
  }

  /// By the caller, or by the one worker that ended a round.
  void advance(int worker) {
    const std::int64_t chunks = rounds_->next(worker);
    round_ += std::uint64_t{1} << (kChunkBits + kWorkerBits);
    chunks_ = chunks;
    left_.store(chunks, std::memory_order_relaxed);
    const std::uint64_t workers = chunks == 0 ? 0 : workers_;
    // After this nothing of the run may be touched when all is done: the caller may have returned.
    word_.store(round_ | workers << kChunkBits | static_cast<std::uint64_t>(chunks), std::memory_order_release);
    if (chunks > 0) members_bell_.ring();
    caller_bell_.ring();
  }

  /// One chunk of the present round; false when there is none for this worker.
  bool take(int worker) {
    std::uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      const std::uint64_t left = chunks_of(word);
      const std::uint64_t workers = workers_of(word);
      if (left == 0 || static_cast<std::uint64_t>(worker) >= workers) return false;
      if (in_turn_.load(std::memory_order_relaxed) && left <= workers &&
          left % workers != static_cast<std::uint64_t>(worker))
        return false;
      if (word_.compare_exchange_weak(word, word - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        rounds_->chunk(worker, chunks_ - static_cast<std::int64_t>(left));
        break;
      }
    }
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) advance(worker);
    return true;
  }

  void member(int worker, std::uint32_t generation) {
    const FloatMode mode;
    work(worker, generation);
  }

  /// Takes chunks until all is done (the caller) or the team is dismissed (the others).
  void work(int worker, std::uint32_t generation) {
    Bell& bell = worker == 0 ? caller_bell_ : members_bell_;
    for (;;) {
      if (take(worker)) continue;
      const auto until = std::chrono::steady_clock::now() + kSpin;
      for (int i = 0;; ++i) {
        const std::uint32_t seen = bell.count();
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        if (worker == 0 ? workers_of(word) == 0 : generation_.count() != generation) return;
        const bool open = chunks_of(word) > 0 && static_cast<std::uint64_t>(worker) < workers_of(word);
        if (open) {
          if (in_turn_.load(std::memory_order_relaxed)) std::this_thread::yield();
          break;
        }
        spin_pause();
        if ((i & 63) == 63 && std::chrono::steady_clock::now() > until) bell.sleep(seen);
      }
    }
  }

  alignas(64) std::atomic<std::uint64_t> word_{0};
  Bell members_bell_;                              // rung after every change of the word that is not a claim
  Bell caller_bell_;                               // the same, and when all is done
  alignas(64) std::atomic<std::int64_t> left_{0};  // chunks of the round that are not done
  // Written by advance() and before it, read by who has claimed a chunk.
  alignas(64) Rounds* rounds_ = nullptr;
  std::int64_t chunks_ = 0;
  std::uint64_t round_ = 0;
  std::uint64_t workers_ = 0;
  std::atomic<bool> in_turn_{false};
  Bell generation_;  // rung when the team is dismissed
  std::vector<std::thread> members_;
  int size_ = 1;  // with the caller
};

std::mutex team_lock;  // never taken in a forked child, which is serial

Team& team() {
  static Team* const found = new Team;  // never destroyed: its threads sleep in it when the process ends
  return *found;
}

}  // namespace

int num_threads() {
  if (forks() > 0) return 1;
  const int threads = requested.load(std::memory_order_relaxed);
  if (threads > 0) return threads;
  static const int automatic = default_threads();
  return automatic;
}

void set_num_threads(int threads) { requested.store(threads); }

void force_sharing(bool on) { forced.store(on); }
bool sharing_forced() { return forced.load(std::memory_order_relaxed); }

bool run_team(Rounds& rounds, int threads) {
  const std::unique_lock<std::mutex> guard(team_lock, std::try_to_lock);
  if (!guard.owns_lock() || !team().hire(threads)) return false;
  team().run(rounds, threads);
  return true;
}

}  // namespace nabi
