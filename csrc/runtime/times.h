// csrc/runtime/times.h -- how long each phase of a program really took (NABI_DEBUG=times)
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nabi {

/// What a row of the table says of a phase before it has run.
struct TimedPhase {
  std::string name;
  std::string type;  // of the step's first output
  std::string layer;
  std::int64_t tasks = 0;
  double cost = 0;   // nanoseconds on one worker, estimated
  double flops = 0;  // multiplications and additions; 0: not counted
};

/// The times of one program. One worker at a time writes, while the program's arena is locked; the tables of all
/// programs are printed to standard error when the process ends, or by Times::text().
class Times {
 public:
  /// Makes one that the listing knows.
  static std::shared_ptr<Times> make(std::vector<TimedPhase> phases, std::size_t inputs);

  /// The tables of the programs that have run, largest first, and forgets the times.
  static std::string text();

  /// The next phases are `gathers` feeds and then the program's own.
  void begin_run(std::size_t gathers) { gathers_ = gathers; }

  void begin_step(int workers) {
    last_ = Clock::now();
    step_ = last_;
    workers_ = std::max(workers_, workers);
  }

  /// Worker 0 has done some of a shared phase; what follows until done() is waiting, unless it does more.
  void worked() { worked_ = Clock::now(); }

  /// Phase i has ended, run by so many workers.
  void done(std::size_t i, int workers) {
    const Clock::time_point now = Clock::now();
    Row& found = row(i);
    const double taken = since(now, last_);
    found.sum += taken;
    if (workers > 1) found.waited += since(now, std::max(last_, worked_));
    found.recent[static_cast<std::size_t>(found.count++) % kRecent] = static_cast<float>(taken);
    found.workers = workers;
    last_ = now;
  }

  /// What came after the last phase: writing back.
  void end_step() {
    const Clock::time_point now = Clock::now();
    end_ += since(now, last_);
    total_ += since(now, step_);
    last_ = now;
    ++steps_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t kRecent = 255;

  struct Row {
    double sum = 0;
    std::vector<float> recent = std::vector<float>(kRecent);  // a ring, for the median
    double waited = 0;                                        // by worker 0, for the others
    std::int64_t count = 0;
    int workers = 1;
  };

  static double since(Clock::time_point now, Clock::time_point then) {
    return std::chrono::duration<double>(now - then).count();
  }

  /// Rows: the program's phases, then the feeds.
  Row& row(std::size_t i) { return rows_[i < gathers_ ? phases_.size() + i : i - gathers_]; }

  static double median(const Row& row);
  std::string table(double clock) const;
  void forget();

  std::vector<TimedPhase> phases_;
  std::vector<Row> rows_;
  std::size_t gathers_ = 0;
  int workers_ = 1;
  std::int64_t steps_ = 0;
  double total_ = 0;  // seconds
  double end_ = 0;
  Clock::time_point last_;
  Clock::time_point step_;
  Clock::time_point worked_;
};

}  // namespace nabi
