// csrc/cpu/lower_measure.cpp -- runs the yardstick kernel; the family has no ops
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "cpu/isa.h"
#include "cpu/lower.h"
#include "cpu/measure.h"
#include "cpu/yardstick.h"
#include "parallel.h"
#include "platform.h"

namespace nabi::cpu {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void lower_measure(LowerTable&) {}

/// One addition a cycle on every core we know.
double measure_clock() {
#if defined(__x86_64__) || defined(__aarch64__)
  constexpr std::int64_t kRounds = 20000;
  std::uint64_t x = 1;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < kRounds; ++i) {
    for (int j = 0; j < 4; ++j) {
#if defined(__x86_64__)
      asm volatile("add %0, %0\n add %0, %0\n add %0, %0\n add %0, %0" : "+r"(x));
#else
      asm volatile("add %0, %0, %0\n add %0, %0, %0\n add %0, %0, %0\n add %0, %0, %0" : "+r"(x));
#endif
    }
  }
  return static_cast<double>(kRounds * 16) / seconds_since(start);
#else
  return 0;
#endif
}

Yardstick measure() {
  alignas(64) float sums[kMeasureChains * 16];
  char* const pointers[1] = {reinterpret_cast<char*>(sums)};
  const MeasureParams params{2000};
  Yardstick best;
  for (int repeat = 0; repeat < 5; ++repeat) {
    best.clock = std::max(best.clock, measure_clock());
    const auto start = std::chrono::steady_clock::now();
    kernels().measure_fma(Args{pointers, &params, nullptr}, 0, 1, nullptr);
    best.flops = std::max(best.flops, static_cast<double>(params.rounds * kMeasureFlops) / seconds_since(start));
  }
  return best;
}

namespace {

constexpr int kSamples = 20;

/// A piece of work done by all threads at once, a chunk each, again and again; the best time counts.
template <class F>
class Sampled final : public Rounds {
 public:
  Sampled(int threads, const F& work) : threads_(threads), work_(work) {}

  double best() {
    if (threads_ == 1 || !run_team(*this, threads_)) {
      threads_ = 1;
      while (next(0) > 0) chunk(0, 0);
    }
    return best_;
  }

  int threads() const { return threads_; }

 private:
  std::int64_t next(int) override {
    const auto now = std::chrono::steady_clock::now();
    const double taken = std::chrono::duration<double>(now - start_).count();
    if (sample_ > 0) best_ = sample_ == 1 ? taken : std::min(best_, taken);
    start_ = now;
    return sample_++ < kSamples ? threads_ : 0;
  }

  void chunk(int, std::int64_t i) override { work_(static_cast<int>(i), threads_); }

  int threads_;
  const F& work_;
  int sample_ = 0;
  double best_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

double measure_copy(std::size_t size) {
  const std::size_t half = std::max<std::size_t>(size / 2 / 64, 1) * 64;
  const auto give_back = [half](char* memory) { release(memory, 2 * half); };
  const std::unique_ptr<char, decltype(give_back)> memory(static_cast<char*>(allocate(2 * half, "a measurement")),
                                                          give_back);
  char* const to = memory.get();
  char* const from = to + half;
  std::memset(from, 1, half);  // its own pages
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 22) / half);
  const auto copy = [&](int part, int parts) {
    const std::size_t share = half / static_cast<std::size_t>(parts) / 64 * 64;
    const std::size_t first = share * static_cast<std::size_t>(part);
    const std::size_t bytes = part + 1 == parts ? half - first : share;
    for (std::size_t i = 0; i < repeats; ++i) {
      std::memcpy(to + first, from + first, bytes);
      asm volatile("" ::: "memory");  // every copy is made
    }
  };
  return 2.0 * static_cast<double>(half * repeats) / Sampled(num_threads(), copy).best();
}

double measure_hop() {
  constexpr int kHops = 2000;
  if (num_threads() < 2) return 0;
  struct alignas(128) Line {
    std::atomic<int> turn{0};
  } line;
  // Each of the two chunks ends only when the other has begun, so two workers have them.
  const auto hops = [&line](int side, int sides) {
    if (sides < 2) return;
    if (side == 0) line.turn.store(0, std::memory_order_release);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kHops; ++i) {
      const int mine = i * 2 + side;
      const auto until = start + std::chrono::milliseconds(100);
      for (int spins = 1; line.turn.load(std::memory_order_acquire) != mine; ++spins) {
        spin_pause();
        if (spins % 4096 == 0 && std::chrono::steady_clock::now() > until) std::this_thread::yield();
      }
      line.turn.store(mine + 1, std::memory_order_release);
    }
  };
  Sampled sampled(2, hops);
  const double best = sampled.best();
  return sampled.threads() < 2 ? 0 : best / (2 * kHops);
}

}  // namespace nabi::cpu
