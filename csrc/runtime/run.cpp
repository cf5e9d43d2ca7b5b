// csrc/runtime/run.cpp -- the loop: gather, phases, write back, next step
#include "runtime/run.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "platform.h"

namespace nabi {
namespace {

constexpr double kShareCost = 3000;   // ns below which a phase stays on one worker: sharing costs about 300
constexpr double kTeamCost = 100000;  // ns below which a run stays on one worker: a sleeping team wakes slowly
constexpr double kClaimCost = 5000;   // ns of work a worker claims at a time, where the tasks are smaller
constexpr auto kSlice = std::chrono::milliseconds(100);  // the team is handed to other callers after this
constexpr double kWatchCost = 1e8;  // ns from which a step is watched for interrupts: it may take half a second
constexpr std::int64_t kGatherBytes = 16384;

}  // namespace

Run::Run(Program& program, const RunRequest& request)
    : program_(program), request_(request), lock_(program.arena_->lock()), step_(request.first) {
  check(request.feeds.size() >= program.inputs_.size(), "run: requires ", program.inputs_.size(), " arrays, got ",
        request.feeds.size());
  threads_ = num_threads();
  const std::size_t values = (program.arena_bytes() + 4095) / 4096 * 4096;
  char* base = program.arena_->reserve(values + program.scratch_ * static_cast<std::size_t>(threads_));
  if (base != program.base_) program.bind(base);
  scratch_ = base + values;
  prepare_feeds();
  times_ = program.times_.get();
  if (times_ != nullptr) times_->begin_run(phases_.size());
  phases_.insert(phases_.end(), program.phases_.begin(), program.phases_.end());
  make_groups();
}

void Run::prepare_feeds() {
  const std::size_t n = program_.inputs_.size();
  gatherers_.reserve(n);
  jobs_.reserve(n);
  job_pointers_.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (program_.inputs_[i] == kNone) continue;
    const Type& type = program_.graph_.type(program_.inputs_[i]);
    const Feed& feed = request_.feeds[i];
    gatherers_.emplace_back(feed, type);
    char* staging = program_.base_ + program_.plan_.values[program_.inputs_[i]].offset;
    program_.feeds_[i] = staging;
    for (const auto& [input, operand] : program_.feed_uses_) {
      if (input == i) *operand = staging;
    }
    if (request_.index == nullptr && feed.dense(type.dtype)) {
      direct_.push_back(i);
      continue;
    }
    const std::int64_t rows = type.shape.empty() ? 1 : type.shape[0];
    const std::int64_t row_bytes = static_cast<std::int64_t>(std::max<std::size_t>(gatherers_.back().row_bytes(), 1));
    const std::int64_t task_rows = std::max<std::int64_t>(1, kGatherBytes / row_bytes);
    jobs_.push_back({&gatherers_.back(), request_.index, 0, rows, task_rows});
    job_pointers_.push_back(staging);
    Program::BoundPhase phase;
    phase.kernel = gather;
    phase.args = {&job_pointers_.back(), &jobs_.back(), nullptr};
    phase.tasks = (rows + task_rows - 1) / task_rows;
    phase.cost = static_cast<double>(rows * row_bytes) / 8;  // 8 bytes a nanosecond
    phases_.push_back(phase);
  }
}

void Run::gather(const cpu::Args& args, std::int64_t first, std::int64_t last, char*) {
  const GatherJob& job = *static_cast<const GatherJob*>(args.params);
  const std::int64_t from = first * job.task_rows;
  const std::int64_t rows = std::min(last * job.task_rows, job.rows) - from;
  (*job.gather)(job.index, job.first + from, rows,
                args.ptr[0] + from * static_cast<std::int64_t>(job.gather->row_bytes()));
}

void Run::make_groups() {
  double shared_cost = 0;
  for (std::size_t i = 0; i < phases_.size(); ++i) {
    const Program::BoundPhase& phase = phases_[i];
    const bool shared = threads_ > 1 && phase.tasks >= 2 && (phase.cost >= kShareCost || sharing_forced());
    if (shared) shared_cost += phase.cost;
    step_cost_ += phase.cost;
    const bool boundary = phase.checks || (!groups_.empty() && phase.writes != groups_.back().writes);
    if (shared || groups_.empty() || groups_.back().shared || boundary) {
      Group group{i, i + 1, shared, phase.checks, phase.writes, 1, 1};
      if (shared) {
        const double task = phase.cost / static_cast<double>(phase.tasks) + 1;
        const auto most = std::max<std::int64_t>(1, phase.tasks / (4 * threads_));
        group.grain = std::clamp<std::int64_t>(static_cast<std::int64_t>(kClaimCost / task), 1, most);
        group.grain = std::max(group.grain, phase.tasks / kMostChunks + 1);
        group.chunks = (phase.tasks + group.grain - 1) / group.grain;
      }
      groups_.push_back(group);
    } else {
      groups_.back().last = i + 1;
    }
  }
  const double steps = static_cast<double>(request_.last - request_.first);
  if (shared_cost * steps < kTeamCost && !sharing_forced()) threads_ = 1;
}

std::int64_t Run::go() {
  if (step_ >= request_.last) return step_;
  program_.sharers_.store(0);
  const auto start = Clock::now();
  deadline_ = request_.seconds > 0
                  ? start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(request_.seconds))
                  : Clock::time_point::max();
  const InterruptWatch watch(step_cost_ >= kWatchCost);
  watch_ = &watch;
  const FloatMode mode;
  do {
    stop_ = false;
    slice_end_ = std::min(deadline_, Clock::now() + kSlice);
    group_ = 0;
    begin_step();
    if (times_ != nullptr) times_->begin_step(threads_);
    team_ = threads_ > 1;
    if (!team_ || !run_team(*this, threads_)) {  // alone while the team is somebody else's
      team_ = false;
      next(0);
    }
  } while (!fault_ && !abandoned_ && step_ < request_.last && Clock::now() < deadline_);
  for (const auto& update : program_.graph_.updates()) program_.variables_[update.first]->touch();
  if (fault_) program_.report(step_);
  return step_;
}

/// Points every feed at this step's rows.
void Run::begin_step() {
  const std::int64_t row = step_ * request_.rows;
  for (GatherJob& job : jobs_) job.first = row;
  for (std::size_t i : direct_) {
    const Feed& feed = request_.feeds[i];
    const std::ptrdiff_t stride = feed.strides.empty() ? 0 : feed.strides[0];
    program_.feeds_[i] = const_cast<char*>(feed.data + row * stride);  // kernels only read it
    for (const auto& [input, operand] : program_.feed_uses_) {
      if (input == i) *operand = program_.feeds_[i];
    }
  }
}

bool Run::faulty() const {
  return std::any_of(program_.faults_.begin(), program_.faults_.end(),
                     [](const cpu::Fault& fault) { return __atomic_load_n(&fault.claimed, __ATOMIC_ACQUIRE) != 0; });
}

/// Writes results and updates that were not computed in place, and decides whether to go on. Worker 0 only.
void Run::end_step() {
  if (program_.plan_.first_write > 0 && faulty()) {
    fault_ = stop_ = true;
    return;
  }
  const std::vector<ValueId>& outputs = program_.graph_.outputs();
  for (std::size_t i = 0; i < request_.results.size(); ++i) {
    const Result& result = request_.results[i];
    std::memcpy(result.data + static_cast<std::size_t>(step_ * request_.rows) * result.row_bytes,
                program_.address(outputs[i]), bytes(program_.graph_.type(outputs[i])));
  }
  for (const passes::Copy& copy : program_.plan_.copies) {
    if (copy.temp < 0) continue;
    std::memcpy(program_.base_ + copy.temp, program_.address(copy.value), program_.variables_[copy.slot]->size());
  }
  for (const passes::Copy& copy : program_.plan_.copies) {
    const char* from = copy.temp < 0 ? program_.address(copy.value) : program_.base_ + copy.temp;
    std::memcpy(program_.variables_[copy.slot]->data(), from, program_.variables_[copy.slot]->size());
  }
  ++step_;
  stop_ = step_ >= request_.last || Clock::now() >= slice_end_;
  if (!stop_) begin_step();
}

/// Everything that one worker does alone: serial groups, the ends of steps. Stops at a group that is shared.
std::int64_t Run::next(int worker) {
  for (;; ++group_) {
    if (group_ == groups_.size()) {
      end_step();
      if (times_ != nullptr) times_->end_step();
      if (stop_) return 0;
      group_ = 0;
      if (times_ != nullptr) times_->begin_step(threads_);
    }
    const Group& group = groups_[group_];
    if (open_) {  // all of its chunks are done
      open_ = false;
      if (times_ != nullptr) times_->done(group.first, threads_);
      continue;
    }
    if (group.checks && faulty()) {
      fault_ = true;
      return 0;
    }
    // Nothing of the user's has changed until the first group that writes: the step can be run again.
    if (group_ > 0 && !group.writes && watch_->seen()) {
      abandoned_ = true;
      return 0;
    }
    if (group.shared && team_) {
      open_ = true;
      return group.chunks;
    }
    for (std::size_t i = group.first; i < group.last; ++i) {
      phases_[i].kernel(phases_[i].args, 0, phases_[i].tasks, scratch(worker));
      if (times_ != nullptr) times_->done(i, 1);
    }
  }
}

void Run::chunk(int worker, std::int64_t i) {
  const Group& group = groups_[group_];
  const Program::BoundPhase& phase = phases_[group.first];
  phase.kernel(phase.args, i * group.grain, std::min((i + 1) * group.grain, phase.tasks), scratch(worker));
  if (times_ != nullptr && worker == 0) times_->worked();
  const std::uint64_t bit = std::uint64_t{1} << (worker % 64);
  if ((program_.sharers_.load(std::memory_order_relaxed) & bit) == 0) program_.sharers_.fetch_or(bit);
}

}  // namespace nabi
