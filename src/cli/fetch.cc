// The command `fetch`: downloads one object to one file, completely and checked, or not at all.
#include <unistd.h>

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "storage/local_store.h"
#include "storage/store_router.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// A user waits for the result. With all retries, `fetch` ends in less than 30 s.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(20);

absl::Status CheckMd5(const FetchOptions& options, int fd) {
  if (options.expect_md5.empty()) return absl::OkStatus();
  const std::string expected = absl::AsciiStrToLower(options.expect_md5);
  ASSIGN_OR_RETURN(const std::string actual, HashFile(HashKind::kMd5, fd, options.dst));
  if (actual == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(options.src, ": expected MD5 ", expected, ", but the content has ", actual));
}

absl::Status Fetch(const FetchOptions& options) {
  LocalStore local;
  SystemClock clock;
  LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kWarning);
  const Log log(sink);
  GoogleCloud cloud(ProcessEnvironment, clock, nullptr, &log,
                    {.metadata_timeout = kMetadataTimeout});
  StoreRouter store(local, &cloud.store());
  RETURN_IF_ERROR(CheckReplaceable(options.dst));
  RETURN_IF_ERROR(MakeDirectories(DirectoryOf(options.dst)));
  if (absl::StartsWith(options.src, "gs://")) {
    RETURN_IF_ERROR(cloud.CheckCredentials(CancelToken()));
  }
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(options.dst));
  RETURN_IF_ERROR(store.Download(options.src, file.fd(), {}).status());
  RETURN_IF_ERROR(CheckMd5(options, file.fd()));
  return file.Commit(/*durable=*/true);
}

}  // namespace

int RunFetch(const FetchOptions& options) {
  const absl::Status fetched = Fetch(options);
  if (fetched.ok()) return kExitDone;
  std::cerr << "sparklesworker fetch: " << fetched.message() << "\n";
  return kExitFailed;
}

}  // namespace sparkles
