// csrc/runtime/run.h -- one call of Program::run: many steps, one team of threads, nothing of Python
#pragma once

#include <chrono>
#include <vector>

#include "parallel.h"
#include "platform.h"
#include "runtime/program.h"

namespace nabi {

/// Prepared before the first step, so that no step allocates.
class Run final : private Rounds {
 public:
  /// Takes the arena's lock and checks the request.
  Run(Program& program, const RunRequest& request);

  /// Returns the number of the step it stopped before.
  std::int64_t go();

 private:
  using Clock = std::chrono::steady_clock;

  /// Phases that one worker runs alone, or one phase that all share.
  struct Group {
    std::size_t first = 0;
    std::size_t last = 0;
    bool shared = false;
    bool checks = false;
    bool writes = false;
    std::int64_t grain = 1;   // tasks of a chunk
    std::int64_t chunks = 1;  // claimed one at a time
  };

  /// Copies this step's rows of one feed into the arena.
  struct GatherJob {
    const Gatherer* gather;
    const std::int64_t* index;
    std::int64_t first;  // row, or position in index
    std::int64_t rows;
    std::int64_t task_rows;
  };

  static void gather(const cpu::Args& args, std::int64_t first, std::int64_t last, char* scratch);

  void prepare_feeds();
  void make_groups();
  void begin_step();
  bool faulty() const;
  void end_step();
  char* scratch(int worker) const { return scratch_ + static_cast<std::size_t>(worker) * program_.scratch_; }
  std::int64_t next(int worker) override;
  void chunk(int worker, std::int64_t i) override;

  Program& program_;
  const RunRequest& request_;
  std::unique_lock<std::mutex> lock_;
  int threads_ = 1;
  char* scratch_ = nullptr;
  std::vector<Gatherer> gatherers_;
  std::vector<GatherJob> jobs_;
  std::vector<char*> job_pointers_;
  std::vector<std::size_t> direct_;          // feeds read where they lie
  std::vector<Program::BoundPhase> phases_;  // gathering, then the program's
  std::vector<Group> groups_;
  std::size_t group_ = 0;  // this and what follows is written by next(), which one worker at a time is in
  bool team_ = false;      // shared groups are
  bool open_ = false;      // the present group is being shared
  std::int64_t step_ = 0;
  bool stop_ = false;
  bool fault_ = false;
  bool abandoned_ = false;  // the step in progress was given up after an interrupt
  double step_cost_ = 0;    // nanoseconds on one worker, estimated
  const InterruptWatch* watch_ = nullptr;
  Times* times_ = nullptr;  // null: nothing is timed
  Clock::time_point deadline_;
  Clock::time_point slice_end_;
};

}  // namespace nabi
