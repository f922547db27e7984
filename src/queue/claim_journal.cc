#include "queue/claim_journal.h"

#include <fcntl.h>
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
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr absl::string_view kStart = "claims-";
constexpr absl::string_view kEnd = ".journal";
constexpr size_t kDigits = 9;
// A longer journal is rewritten when a claim ends. A worker has one claim at a time, and a few
// whose end could not be recorded in an outage. An entry has some hundred bytes.
constexpr off_t kLongJournal = 64 << 10;
// Limit for reading a dead worker's journal. The last claims are at the end of the file.
constexpr off_t kMaxBytesRead = 1 << 20;

bool IsJournalName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kStart) && absl::ConsumeSuffix(&name, kEnd) &&
         name.size() == kDigits && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

// Opens the journal and locks it. Unavailable if another worker holds the journal, or it has lost
// its name.
absl::StatusOr<UniqueFd> TakeJournal(const std::string& path, int extra_flags) {
  // Another kind of file may have this name: do not follow a symlink, and do not block on a FIFO.
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | extra_flags, 0600));
  const absl::StatusOr<LockResult> lock = TryLockNamed(fd.get(), path);
  if (!lock.ok()) {
    if ((extra_flags & O_EXCL) != 0) unlink(path.c_str());
    return lock.status();
  }
  struct stat info;
  if (*lock != LockResult::kAcquired || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
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
                            {"claimed_at_us", absl::ToUnixMicros(entry.claimed_at)},
                            {"memory_mark", entry.memory_mark}};
  return absl::StrCat(DumpJson(json), "\n");
}

// The event of a line, and its claim; nullopt if a field is missing or empty.
std::optional<std::pair<std::string, JournalEntry>> ParseLine(absl::string_view line) {
  const absl::StatusOr<Json> json = ParseJson(line);
  if (!json.ok()) return std::nullopt;
  const auto version = JsonInteger(*json, "version");
  const auto claimed_at = JsonInteger(*json, "claimed_at_us");
  if (!version || !claimed_at) return std::nullopt;
  for (const char* name : {"event", "project", "cluster", "task_id", "owner"}) {
    const Json* field = JsonField(*json, name);
    if (field == nullptr || !field->is_string()) return std::nullopt;
  }
  std::string event = JsonText(*json, "event");
  JournalEntry entry{.project = JsonText(*json, "project"),
                     .cluster = JsonText(*json, "cluster"),
                     .task_id = JsonText(*json, "task_id"),
                     .owner = JsonText(*json, "owner"),
                     .version = *version,
                     .claimed_at = absl::FromUnixMicros(*claimed_at),
                     .memory_mark = JsonText(*json, "memory_mark")};
  if (entry.task_id.empty()) return std::nullopt;
  return std::pair(std::move(event), std::move(entry));
}

// The last kMaxBytesRead of a file.
absl::StatusOr<std::string> ReadEnd(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, path);
  const off_t start = std::max<off_t>(info.st_size - kMaxBytesRead, 0);
  std::string text(static_cast<size_t>(info.st_size - start), '\0');
  size_t got = 0;
  while (got < text.size()) {
    const ssize_t count = RetryOnEintr([&] {
      return pread(fd, text.data() + got, text.size() - got, start + static_cast<off_t>(got));
    });
    if (count < 0) return ErrnoError(errno, path);
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  text.resize(got);
  return text;
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

absl::StatusOr<std::unique_ptr<ClaimJournal>> ClaimJournal::Open(std::string directory,
                                                                 bool durable) {
  std::unique_ptr<ClaimJournal> journal(new ClaimJournal(std::move(directory), durable));
  if (const absl::Status made = journal->RewriteFile(); !made.ok()) {
    return MachineFault(Annotate(made, "journal"));
  }
  return journal;
}

ClaimJournal::~ClaimJournal() {
  if (open_.empty() && IsInPlace()) unlink(path_.c_str());
}

absl::Status ClaimJournal::RewriteFile() {
  std::mt19937 random(RandomSeed());
  std::uniform_int_distribution<unsigned> number(100'000'000, 999'999'999);
  std::string path;
  absl::StatusOr<UniqueFd> fd = absl::UnavailableError("");
  // Several tries: before the new file is locked, another worker may take it for the journal of a
  // dead worker, and remove it.
  for (int tries = 0; tries < 10 && !fd.ok(); ++tries) {
    path = absl::StrCat(directory_, "/", kStart, number(random), kEnd);
    fd = TakeJournal(path, O_CREAT | O_EXCL);
    const bool taken = absl::IsAlreadyExists(fd.status()) || absl::IsUnavailable(fd.status());
    if (!fd.ok() && !taken) return fd.status();
  }
  RETURN_IF_ERROR(fd.status());
  std::string text;
  for (const JournalEntry& open : open_) text += LineOf("claim", open);
  absl::Status status = WriteAll(fd->get(), text, path);
  if (status.ok() && durable_) status = SyncData(fd->get(), path);
  if (status.ok() && durable_) status = SyncDirectory(directory_);
  if (!status.ok()) {
    unlink(path.c_str());  // the journal is incomplete
    return status;
  }
  if (IsInPlace()) unlink(path_.c_str());
  path_ = path;
  fd_ = *std::move(fd);
  torn_ = false;
  return status;
}

bool ClaimJournal::IsInPlace() const { return fd_.valid() && IsNamed(fd_.get(), path_); }

// A task may have removed the files in --tasksDir, or replaced the journal by another file.
absl::Status ClaimJournal::RecreateIfRemoved() {
  if (IsInPlace()) return absl::OkStatus();
  RETURN_IF_ERROR(MakeDirectories(directory_));
  return RewriteFile();
}

// Starts a new line after an incomplete one, because both would be unreadable on one line.
absl::Status ClaimJournal::Append(const std::string& line) {
  const absl::Status status = WriteAll(fd_.get(), absl::StrCat(torn_ ? "\n" : "", line), path_);
  torn_ = !status.ok();
  return status;
}

absl::Status ClaimJournal::Begin(const JournalEntry& entry) {
  absl::Status status = RecreateIfRemoved();
  if (status.ok()) status = Append(LineOf("claim", entry));
  if (status.ok() && durable_) status = SyncData(fd_.get(), path_);
  if (!status.ok()) return MachineFault(Annotate(status, "journal"));
  std::erase(open_, entry);
  open_.push_back(entry);
  return status;
}

void ClaimJournal::End(const JournalEntry& entry) {
  if (std::erase(open_, entry) == 0) return;
  // Ignore errors: the next worker that reads the entry finds that the claim has ended.
  struct stat info;
  if (open_.empty()) {
    (void)!ftruncate(fd_.get(), 0);
  } else if (fstat(fd_.get(), &info) != 0 || info.st_size < kLongJournal || !RewriteFile().ok()) {
    (void)Append(LineOf("end", entry));
  }
}

void ClaimJournal::ForEachAbandoned(
    absl::FunctionRef<bool(const JournalEntry& entry)> settle) const {
  const absl::StatusOr<UniqueFd> directory = OpenFile(directory_, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return;
  std::vector<std::string> paths;
  (void)ForEachEntry(directory->get(), directory_, [&](const char* name, unsigned char) {
    const std::string path = absl::StrCat(directory_, "/", name);
    if (IsJournalName(name) && path != path_) paths.push_back(path);
    return absl::OkStatus();
  });
  std::sort(paths.begin(), paths.end());  // for the same order at each call
  for (const std::string& path : paths) {
    const absl::StatusOr<UniqueFd> fd = TakeJournal(path, 0);
    if (!fd.ok()) continue;
    const absl::StatusOr<std::string> text = ReadEnd(fd->get(), path);
    if (!text.ok()) continue;
    bool settled = true;
    for (const JournalEntry& entry : ParseJournal(*text)) {
      // The file may be a copy of this worker's own journal: keep the open claims.
      const bool ours = std::find(open_.begin(), open_.end(), entry) != open_.end();
      settled = (ours || settle(entry)) && settled;
    }
    if (settled) unlink(path.c_str());
  }
}

}  // namespace sparkles
