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
    shares_ = std::vector<Share>(static_cast<std::size_t>(threads));
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
    workers_ = std::min(threads, size_);
    steals_.store(!sharing_forced(), std::memory_order_relaxed);
    advance(0);
    work(0, generation_.count());
  }

 private:
  // The word of a round: its number, its workers (0: all is done), its chunks.
  static constexpr int kNumberShift = 32;
  static constexpr int kWorkerShift = 20;
  static constexpr std::uint64_t kWorkers = (std::uint64_t{1} << (kNumberShift - kWorkerShift)) - 1;
  static constexpr std::uint64_t kChunks = (std::uint64_t{1} << kWorkerShift) - 1;

  static std::uint64_t number_of(std::uint64_t word) { return word >> kNumberShift; }
  static int workers_of(std::uint64_t word) { return static_cast<int>(word >> kWorkerShift & kWorkers); }
  static std::int64_t chunks_of(std::uint64_t word) { return static_cast<std::int64_t>(word & kChunks); }

  /// The chunks that one worker takes first: a run of neighbours, so that from phase to phase it meets the rows that
  /// its own cache holds. The word has the number of the round that was last taken from here, and how many chunks were
  /// taken from the front (by the worker) and from the back (by others). In another round nothing has been taken.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> word{0};
  };
  static constexpr int kTakenBits = 16;
  static constexpr std::uint64_t kTaken = (std::uint64_t{1} << kTakenBits) - 1;
  static_assert(kMostChunks <= static_cast<std::int64_t>(kTaken));

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
    number_ = (number_ + 1) & 0xffffffff;
    if (number_ == 0) {  // what was last taken from a share 2^32 rounds ago must not look like now
      for (Share& share : shares_) share.word.store(0, std::memory_order_relaxed);
      number_ = 1;
    }
    left_.store(chunks, std::memory_order_relaxed);
    const auto workers = static_cast<std::uint64_t>(chunks == 0 ? 0 : workers_);
    // After this nothing of the run may be touched when all is done: the caller may have returned.
    word_.store(number_ << kNumberShift | workers << kWorkerShift | static_cast<std::uint64_t>(chunks),
                std::memory_order_release);
    if (chunks > 0) members_bell_.ring();
    caller_bell_.ring();
  }

  /// A chunk of the share of `owner` in the round of `word`, or -1 when there is none. A claim cannot succeed once the
  /// round has ended: the word still stands after the share was read, so what the share then holds is of this round or
  /// untouched in it, and either way a chunk that it has left keeps the round open until the share changes.
  std::int64_t claim(std::uint64_t word, int owner, bool back) {
    const std::int64_t chunks = chunks_of(word), workers = workers_of(word);
    const std::int64_t begin = chunks * owner / workers, end = chunks * (owner + 1) / workers;
    std::atomic<std::uint64_t>& share = shares_[static_cast<std::size_t>(owner)].word;
    for (;;) {
      std::uint64_t seen = share.load(std::memory_order_acquire);
      if (word_.load(std::memory_order_acquire) != word) return -1;
      const std::uint64_t now = number_of(seen) == number_of(word) ? seen : number_of(word) << kNumberShift;
      const auto front = static_cast<std::int64_t>(now >> kTakenBits & kTaken);
      const auto behind = static_cast<std::int64_t>(now & kTaken);
      if (begin + front + behind >= end) return -1;
      const std::uint64_t taken = now + (back ? 1 : std::uint64_t{1} << kTakenBits);
      if (share.compare_exchange_strong(seen, taken, std::memory_order_acq_rel)) {
        return back ? end - 1 - behind : begin + front;
      }
    }
  }

  /// Runs one chunk of the present round, of the worker's own share if it can be; false when there is none for it.
  bool take(int worker, std::uint64_t word) {
    const int workers = workers_of(word);
    if (chunks_of(word) == 0 || worker >= workers) return false;
    std::int64_t chunk = claim(word, worker, false);
    if (chunk < 0 && steals_.load(std::memory_order_relaxed)) {
      for (int i = 1; i < workers && chunk < 0; ++i) chunk = claim(word, (worker + i) % workers, true);
    }
    if (chunk < 0) return false;
    rounds_->chunk(worker, chunk);
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
      const std::uint64_t empty = word_.load(std::memory_order_acquire);  // once nothing can be taken
      if (take(worker, empty)) continue;
      const auto until = std::chrono::steady_clock::now() + kSpin;
      for (int i = 0;; ++i) {
        const std::uint32_t seen = bell.count();
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        if (worker == 0 ? workers_of(word) == 0 : generation_.count() != generation) return;
        if (word != empty) {
          if (!steals_.load(std::memory_order_relaxed)) std::this_thread::yield();
          break;
        }
        spin_pause();
        if ((i & 63) == 63 && std::chrono::steady_clock::now() > until) bell.sleep(seen);
      }
    }
  }

  alignas(64) std::atomic<std::uint64_t> word_{0};
  Bell members_bell_;                              // rung after every change of the word
  Bell caller_bell_;                               // the same
  alignas(64) std::atomic<std::int64_t> left_{0};  // chunks of the round that are not done
  // Written by advance() and before it, read by who has claimed a chunk.
  alignas(64) Rounds* rounds_ = nullptr;
  std::uint64_t number_ = 0;
  int workers_ = 1;
  std::atomic<bool> steals_{true};
  std::vector<Share> shares_;  // written anew only while there are no members
  Bell generation_;            // rung when the team is dismissed
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
