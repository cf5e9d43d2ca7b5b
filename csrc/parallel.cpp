// csrc/parallel.cpp -- the only file that names OpenMP
//
// NABI_THREADS=std swaps the region for std::thread: libgomp is not instrumented, so the thread sanitizer needs it.
#include "parallel.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
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

std::mutex team_lock;  // never taken in a forked child, which is serial

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

void run_team(const std::function<void(int, int)>& body) {
  const int threads = num_threads();
  if (threads == 1) {
    body(0, 1);
    return;
  }
  std::lock_guard<std::mutex> guard(team_lock);
#if defined(NABI_STD_THREADS)
  std::vector<std::thread> team;
  for (int i = 1; i < threads; ++i) team.emplace_back([&body, i, threads] { body(i, threads); });
  body(0, threads);
  for (std::thread& thread : team) thread.join();
#else
#pragma omp parallel num_threads(threads)
  body(omp_get_thread_num(), omp_get_num_threads());
#endif
}

void Barrier::wait(int workers) {
  const std::uint32_t phase = __atomic_load_n(&phase_, __ATOMIC_ACQUIRE);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == workers - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    __atomic_store_n(&phase_, phase + 1, __ATOMIC_SEQ_CST);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) wake_all(&phase_);
    return;
  }
  const auto until = std::chrono::steady_clock::now() + kSpin;
  for (int i = 0;; ++i) {
    if (__atomic_load_n(&phase_, __ATOMIC_ACQUIRE) != phase) return;
    spin_pause();
    if ((i & 63) == 63 && std::chrono::steady_clock::now() > until) break;
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (__atomic_load_n(&phase_, __ATOMIC_SEQ_CST) == phase) wait_on(&phase_, phase);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace nabi
