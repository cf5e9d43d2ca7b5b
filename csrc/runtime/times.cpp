// csrc/runtime/times.cpp -- the tables of measured times
#include "runtime/times.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "cpu/yardstick.h"
#include "error.h"

namespace nabi {
namespace {

/// Never destroyed: read when the process ends.
struct Listing {
  std::mutex lock;
  std::vector<std::shared_ptr<Times>> all;
};

Listing& listing() {
  static Listing* const found = new Listing;
  return *found;
}

void print_at_exit() { std::fputs(Times::text().c_str(), stderr); }

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char line[512];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

}  // namespace

std::shared_ptr<Times> Times::make(std::vector<TimedPhase> phases, std::size_t inputs) {
  auto out = std::make_shared<Times>();
  out->phases_ = std::move(phases);
  out->rows_.resize(out->phases_.size() + inputs);
  Listing& known = listing();
  const std::lock_guard<std::mutex> guard(known.lock);
  if (known.all.empty()) std::atexit(print_at_exit);
  known.all.push_back(out);
  return out;
}

std::string Times::text() {
  Listing& known = listing();
  const std::lock_guard<std::mutex> guard(known.lock);
  std::vector<Times*> ran;
  double sum = 0;
  for (const std::shared_ptr<Times>& times : known.all) {
    if (times->steps_ == 0) continue;
    ran.push_back(times.get());
    sum += times->total_;
  }
  std::stable_sort(ran.begin(), ran.end(), [](const Times* a, const Times* b) { return a->total_ > b->total_; });
  const double clock = ran.empty() ? 0 : cpu::measure().clock;
  std::string out;
  std::size_t small = 0;
  for (Times* times : ran) {
    if (times->total_ >= 0.01 * sum) {
      out += times->table(clock);
    } else {
      ++small;
    }
    times->forget();
  }
  if (small > 0) out += concat("-- times: ", small, " other programs took less than 1 % each\n");
  return out;
}

double Times::median(const Row& row) {
  std::vector<float> found = row.recent;
  found.resize(std::min(kRecent, static_cast<std::size_t>(row.count)));
  const auto middle = found.begin() + static_cast<std::ptrdiff_t>(found.size() / 2);
  std::nth_element(found.begin(), middle, found.end());
  return *middle;
}

std::string Times::table(double clock) const {
  const double steps = static_cast<double>(steps_);
  const double mean = total_ / steps;
  std::string out = format("-- times: %lld steps, %.2f us each, %d thread(s), %.2f GHz now\n",
                           static_cast<long long>(steps_), mean * 1e6, workers_, clock / 1e9);
  out += " median us    mean us  share  estimate   wait  flop/cycle  threads  tasks  step\n";
  const auto rest = [&](const char* name, double seconds) {
    out += format("%10s %10.2f %5.1f%% %41s  %s\n", "", seconds / steps * 1e6, 100 * seconds / total_, "", name);
  };
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    if (row.count == 0) continue;  // a feed that is read where it lies
    const double each = median(row);
    out += format("%10.2f %10.2f %5.1f%%", each * 1e6, row.sum / static_cast<double>(row.count) * 1e6,
                  100 * row.sum / total_);
    if (i >= phases_.size()) {
      out += format(" %9s %5.0f%% %11s %8d %6s  gather %zu\n", "", 100 * row.waited / row.sum, "", row.workers, "",
                    i - phases_.size());
      continue;
    }
    const TimedPhase& phase = phases_[i];
    const std::string rate =
        phase.flops > 0 && clock > 0 ? format("%.1f", phase.flops / each / clock / row.workers) : "";
    out += format(" %9.2f %5.0f%% %11s %8d %6lld  ", phase.cost / 1e3, 100 * row.waited / row.sum, rate.c_str(),
                  row.workers, static_cast<long long>(phase.tasks));
    out += concat(phase.name, " ", phase.type, phase.layer.empty() ? "" : "  // " + phase.layer, "\n");
  }
  rest("results, copies, next step's rows", end_);
  return out;
}

void Times::forget() {
  std::fill(rows_.begin(), rows_.end(), Row{});
  steps_ = 0;
  total_ = end_ = 0;
}

}  // namespace nabi
