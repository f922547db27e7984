#include "cli/run_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "gcp/environment.h"
#include "view/estimate.h"

namespace sparkles {
namespace {

bool IsUtf8Locale() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string name = absl::AsciiStrToLower(ProcessEnvironment(variable));
    if (!name.empty()) return absl::StrContains(name, "utf-8") || absl::StrContains(name, "utf8");
  }
  return false;
}

LiveViewOptions OptionsOfTerminal() {
  const std::string terminal = ProcessEnvironment("TERM");
  return {.style = {.colours = ProcessEnvironment("NO_COLOR").empty(), .utf8 = IsUtf8Locale()},
          .dumb = terminal.empty() || terminal == "dumb"};
}

std::optional<TaskCounter> CounterOf(const ConsumeOptions& options,
                                     const std::vector<FileTask>& tasks, Clock& clock) {
  if (options.tasks_file.empty()) return std::nullopt;
  return std::optional<TaskCounter>(std::in_place, options.tasks_file, tasks, clock);
}

std::vector<SlotMeter> MetersOf(const std::vector<const WorkerMetrics*>& slots) {
  std::vector<SlotMeter> meters;
  for (const WorkerMetrics* const metrics : slots) meters.emplace_back(*metrics);
  return meters;
}

std::optional<absl::Duration> TimeLeft(const TaskCounts& counts, absl::Time now,
                                       absl::Duration elapsed) {
  RunPace pace = {.elapsed = elapsed,
                  .ended = counts.ended,
                  .time_of_ended = counts.time_of_ended,
                  .time_worked = counts.time_worked,
                  .waiting = counts.waiting,
                  .running = {}};
  for (const absl::Time since : counts.running_since) {
    pace.running.push_back(std::max(now - since, absl::ZeroDuration()));
  }
  return EstimateTimeLeft(pace);
}

}  // namespace

bool HasView(const ConsumeOptions& options, const LogSink& sink) {
  return options.view == "auto" && sink.on_terminal();
}

RunView::RunView(const ConsumeOptions& options, const std::vector<FileTask>& tasks,
                 std::vector<const WorkerMetrics*> slots, WorkerStop& stop, Clock& clock,
                 LogSink& sink)
    : slots_(std::move(slots)),
      stop_(stop),
      clock_(clock),
      start_(clock.Now()),
      counter_(CounterOf(options, tasks, clock)),
      meters_(MetersOf(slots_)),
      view_(sink, OptionsOfTerminal(), [this] { return Facts(); }) {}

ViewFacts RunView::Facts() {
  const absl::Time now = clock_.Now();
  ViewFacts facts;
  facts.elapsed = now - start_;
  facts.note = Note();
  for (SlotMeter& meter : meters_) facts.slots.push_back(meter.Read(now));
  if (counter_) {
    CountTasks(now, facts);
  } else {
    CountOwnTasks(facts);
  }
  return facts;
}

void RunView::CountTasks(absl::Time now, ViewFacts& facts) {
  const TaskCounts counts = counter_->Count();
  facts.tasks = counts.tasks;
  facts.waiting = counts.waiting;
  facts.complete = counts.complete;
  facts.nonzero = counts.nonzero;
  facts.failed = counts.failed;
  facts.running = counts.running;
  facts.left = TimeLeft(counts, now, facts.elapsed);
}

void RunView::CountOwnTasks(ViewFacts& facts) const {
  for (const WorkerMetrics* const metrics : slots_) {
    facts.complete += metrics->complete.value();
    facts.failed += metrics->failed.value() + metrics->killed.value();
    facts.running += static_cast<size_t>(metrics->tasks_running);
  }
}

std::string RunView::Note() const {
  if (stop_.token().cancelled()) return "stopping: the running tasks are handed back";
  if (stop_.drain().cancelled()) return "draining: the running tasks finish, no others start";
  return "";
}

}  // namespace sparkles
