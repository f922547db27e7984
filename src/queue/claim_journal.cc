#include "queue/claim_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr absl::string_view kStart = "claims-";
constexpr absl::string_view kEnd = ".journal";
constexpr size_t kDigits = 9;
// A worker has one claim at a time, and a few that it gave up in an outage. A longer file is not
// ours.
constexpr size_t kMaxBytes = 1 << 20;

bool IsJournalName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kStart) && absl::ConsumeSuffix(&name, kEnd) &&
         name.size() == kDigits && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

// The journal if nobody holds it and it is still there.
absl::StatusOr<UniqueFd> TakeJournal(const std::string& path, int extra_flags) {
  // Whatever has the name: no symlink is followed, and a FIFO does not block.
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | extra_flags, 0600));
  struct stat info;
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || fstat(fd.get(), &info) != 0 ||
      info.st_nlink == 0 || !S_ISREG(info.st_mode)) {
    return absl::UnavailableError(absl::StrCat(path, ": in use"));
  }
  return fd;
}

std::string LineOf(absl::string_view event, const JournalEntry& entry) {
  const OrderedJson json = {{"event", std::string(event)},
                            {"project", entry.project},
                            {"cluster", entry.cluster},
                            {"task_id", entry.task_id},
                            {"owner", entry.owner},
                            {"version", entry.version},
                            {"claimed_at_us", absl::ToUnixMicros(entry.claimed_at)}};
  return absl::StrCat(DumpJson(json), "\n");
}

std::optional<std::string> TextIn(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<int64_t> NumberIn(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

// The event and what it is about.
std::optional<std::pair<std::string, JournalEntry>> ParseLine(absl::string_view line) {
  const absl::StatusOr<Json> json = ParseJson(line);
  if (!json.ok() || !json->is_object()) return std::nullopt;
  const auto event = TextIn(*json, "event");
  const auto project = TextIn(*json, "project");
  const auto cluster = TextIn(*json, "cluster");
  const auto task_id = TextIn(*json, "task_id");
  const auto owner = TextIn(*json, "owner");
  const auto version = NumberIn(*json, "version");
  const auto claimed_at = NumberIn(*json, "claimed_at_us");
  if (!event || !project || !cluster || !task_id || !owner || !version || !claimed_at ||
      task_id->empty()) {
    return std::nullopt;
  }
  return std::pair(*event, JournalEntry{*project, *cluster, *task_id, *owner, *version,
                                        absl::FromUnixMicros(*claimed_at)});
}

}  // namespace

std::vector<JournalEntry> ParseJournal(absl::string_view text) {
  std::vector<JournalEntry> open;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const auto parsed = ParseLine(line);
    if (!parsed) continue;
    std::erase(open, parsed->second);
    if (parsed->first == "claim") open.push_back(parsed->second);
  }
  return open;
}

absl::StatusOr<std::unique_ptr<ClaimJournal>> ClaimJournal::Open(std::string folder, bool durable) {
  std::mt19937 random(RandomSeed());
  std::uniform_int_distribution<unsigned> number(100'000'000, 999'999'999);
  // A few tries: a worker that starts just now may take our fresh file for one of the dead before
  // it is locked.
  for (int tries = 0; tries < 10; ++tries) {
    const std::string path = absl::StrCat(folder, "/", kStart, number(random), kEnd);
    absl::StatusOr<UniqueFd> fd = TakeJournal(path, O_CREAT | O_EXCL);
    if (absl::IsAlreadyExists(fd.status()) || absl::IsUnavailable(fd.status())) continue;
    if (!fd.ok()) return MachineFault(Annotate(fd.status(), "journal"));
    if (durable) RETURN_IF_ERROR(SyncFolder(folder));
    return std::unique_ptr<ClaimJournal>(
        new ClaimJournal(std::move(folder), path, *std::move(fd), durable));
  }
  return MachineFault(absl::UnavailableError(absl::StrCat(folder, ": no journal can be made")));
}

ClaimJournal::~ClaimJournal() {
  if (open_.empty()) unlink(path_.c_str());
}

absl::Status ClaimJournal::Begin(const JournalEntry& entry) {
  if (std::find(open_.begin(), open_.end(), entry) != open_.end()) return absl::OkStatus();
  absl::Status status = MakeAgainIfRemoved();
  if (status.ok()) status = WriteAll(fd_.get(), LineOf("claim", entry), path_);
  if (status.ok() && durable_ && fdatasync(fd_.get()) != 0) status = ErrnoError(errno, path_);
  if (status.ok()) {
    open_.push_back(entry);
    return status;
  }
  // A torn line must not swallow the next one.
  (void)WriteAll(fd_.get(), "\n", path_);
  return MachineFault(Annotate(status, "journal"));
}

// A task may have cleared tasksDir, of which it is told.
absl::Status ClaimJournal::MakeAgainIfRemoved() {
  struct stat ours;
  struct stat there;
  if (fstat(fd_.get(), &ours) != 0) return ErrnoError(errno, path_);
  if (lstat(path_.c_str(), &there) == 0 && there.st_dev == ours.st_dev &&
      there.st_ino == ours.st_ino) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(MakeFolders(folder_));
  ASSIGN_OR_RETURN(UniqueFd fd, TakeJournal(path_, O_CREAT | O_EXCL));
  absl::Status status;
  for (const JournalEntry& open : open_) {
    status.Update(WriteAll(fd.get(), LineOf("claim", open), path_));
  }
  if (status.ok() && durable_) status = SyncFolder(folder_);
  if (!status.ok()) {
    unlink(path_.c_str());  // half a journal; the next claim tries again
    return status;
  }
  fd_ = std::move(fd);
  return status;
}

void ClaimJournal::End(const JournalEntry& entry) {
  if (std::erase(open_, entry) == 0) return;
  // Best effort: whoever reads of a claim that is over finds that out.
  if (open_.empty()) {
    (void)!ftruncate(fd_.get(), 0);
  } else {
    (void)WriteAll(fd_.get(), LineOf("end", entry), path_);
  }
}

void ClaimJournal::ForEachAbandoned(
    absl::FunctionRef<bool(const JournalEntry& entry)> settle) const {
  const absl::StatusOr<UniqueFd> folder = OpenFile(folder_, O_RDONLY | O_DIRECTORY);
  if (!folder.ok()) return;
  std::vector<std::string> paths;
  (void)ForEachEntry(folder->get(), folder_, [&](const char* name, unsigned char) {
    const std::string path = absl::StrCat(folder_, "/", name);
    if (IsJournalName(name) && path != path_) paths.push_back(path);
  });
  std::sort(paths.begin(), paths.end());  // the same order wherever it is tried again
  for (const std::string& path : paths) {
    const absl::StatusOr<UniqueFd> fd = TakeJournal(path, 0);
    if (!fd.ok()) continue;
    const absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
    if (!text.ok()) continue;
    bool settled = true;
    for (const JournalEntry& entry : ParseJournal(*text)) settled = settle(entry) && settled;
    if (settled) unlink(path.c_str());
  }
}

}  // namespace sparkles
