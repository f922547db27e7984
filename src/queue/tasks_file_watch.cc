#include "queue/tasks_file_watch.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/path.h"
#include "base/status.h"

namespace sparkles {
namespace {

// The first lines of a half-written file are valid JSON Lines. A program that rewrites the file in
// place takes less time than this.
constexpr absl::Duration kRewriteTime = absl::Seconds(2);
// A program that appends a line writes the line's end within this time.
constexpr absl::Duration kLineTime = absl::Seconds(10);

absl::Status Unusable(const absl::Status& status) {
  return absl::UnavailableError(status.message());
}

}  // namespace

TasksFileWatch::Stamp TasksFileWatch::StampOf(const struct stat& info) {
  const auto nanoseconds = [](const struct timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {IdOf(info), info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

absl::StatusOr<TasksFile> TasksFileWatch::Read() {
  struct stat info;
  if (stat(path_.c_str(), &info) == 0) stamp_ = StampOf(info);
  real_path_ = RealPath(path_).value_or(path_);
  ASSIGN_OR_RETURN(const std::string text, ReadTasksText(path_));
  auto file = parser_.ParseAll(text);
  if (!file.ok()) return Annotate(file.status(), path_);
  Remember(text);
  file->problems = NewProblems(file->problems);
  return file;
}

std::optional<TasksUpdate> TasksFileWatch::Look() {
  struct stat info;
  if (stat(path_.c_str(), &info) != 0) {
    stamp_.reset();
    trouble_ = Unusable(ErrnoError(errno, path_));
    return std::nullopt;
  }
  const Stamp stamp = StampOf(info);
  if (stamp_ == stamp) return GiveUpLastLine();
  trouble_ = CheckRealPath();
  if (!trouble_.ok()) {
    stamp_.reset();
    return std::nullopt;
  }
  const auto text = ReadTasksText(path_);
  if (!text.ok()) {
    trouble_ = Unusable(text.status());
    return std::nullopt;
  }
  stamp_ = stamp;
  return Use(*text);
}

// Workers that meet at two state files would run tasks twice.
absl::Status TasksFileWatch::CheckRealPath() const {
  const auto real_path = RealPath(path_);
  if (!real_path.ok()) return Unusable(real_path.status());
  if (*real_path == real_path_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path_, ": was ", real_path_, " when this worker started, and is ", *real_path,
                   " now, which has a state of its own; start another worker for it"));
}

std::optional<TasksUpdate> TasksFileWatch::GiveUpLastLine() {
  const absl::Status& last_line = parser_.last_line();
  if (trouble_.ok() || last_line.ok() || clock_.Now() - read_ < kLineTime) return std::nullopt;
  trouble_ = absl::OkStatus();
  return TasksUpdate{true, {}, NewProblems({std::string(last_line.message())})};
}

std::optional<TasksUpdate> TasksFileWatch::Use(const std::string& text) {
  if (!ExtendsKnownText(text)) return UseAll(text);
  rewritten_.reset();
  trouble_ = absl::OkStatus();
  problems_.erase(std::string(parser_.last_line().message()));  // the line may be complete now
  if (text.size() == parser_.parsed_bytes()) return std::nullopt;
  TasksFile more = parser_.ParseMore(absl::string_view(text).substr(parser_.parsed_bytes()));
  Remember(text);
  return TasksUpdate{true, std::move(more.tasks), NewProblems(more.problems)};
}

std::optional<TasksUpdate> TasksFileWatch::UseAll(const std::string& text) {
  TasksParser parser;
  auto file = parser.ParseAll(text);
  if (!file.ok()) {
    trouble_ = Unusable(Annotate(file.status(), path_));
    return std::nullopt;
  }
  if (parser.is_lines() && !IsSettled()) {
    stamp_.reset();
    trouble_ = absl::AbortedError(absl::StrCat(path_, ": is being written"));
    return std::nullopt;
  }
  rewritten_.reset();
  parser_ = std::move(parser);
  Remember(text);
  TasksUpdate update{false, std::move(file->tasks), {}};
  const std::set<std::string> known = std::exchange(problems_, {});
  for (std::string& problem : NewProblems(file->problems)) {
    if (!known.contains(problem)) update.problems.push_back(std::move(problem));
  }
  return update;
}

bool TasksFileWatch::ExtendsKnownText(const std::string& text) const {
  const size_t known = parser_.parsed_bytes();
  const bool same = text.size() >= known && (parser_.is_lines() || text.size() == known);
  return same && Crc32c(absl::string_view(text).substr(0, known)) == crc32c_;
}

bool TasksFileWatch::IsSettled() {
  const absl::Time now = clock_.Now();
  if (!rewritten_) rewritten_ = now;
  return now - *rewritten_ >= kRewriteTime;
}

void TasksFileWatch::Remember(const std::string& text) {
  crc32c_ = Crc32c(absl::string_view(text).substr(0, parser_.parsed_bytes()));
  read_ = clock_.Now();
  const absl::Status& last_line = parser_.last_line();
  trouble_ = last_line.ok() ? last_line : Unusable(Annotate(last_line, path_));
}

std::vector<std::string> TasksFileWatch::NewProblems(const std::vector<std::string>& problems) {
  std::vector<std::string> added;
  for (const std::string& problem : problems) {
    if (problems_.insert(problem).second) added.push_back(problem);
  }
  return added;
}

}  // namespace sparkles
