// A checkpoint directory, a store that records its calls, and attempts that save and restore.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "checkpoint/restorer.h"
#include "checkpoint/saver.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_directory.h"
#include "tests/support/watched_store.h"

namespace sparkles {

class CheckpointFixture : public testing::Test {
 protected:
  static constexpr char kUrl[] = "gs://out/1/sparkles-checkpoint";
  static constexpr char kManifest[] = "gs://out/1/sparkles-checkpoint/manifest.json";

  CheckpointFixture() {
    EXPECT_TRUE(MakeDirectories(local_).ok());
    // Files are older than a tick.
    clock_.Advance(absl::Now() + absl::Hours(1) - clock_.Now());
  }

  static CheckpointIdentity IdentityOf(int attempt) {
    CheckpointIdentity identity;
    identity.attempt = attempt;
    identity.spec_sha256 = std::string(64, '5');
    identity.task_created = absl::FromUnixMillis(1'770'000'000'123);
    return identity;
  }

  std::unique_ptr<CheckpointSaver> SaverOf(int attempt) {
    return std::make_unique<CheckpointSaver>(
        SaverOptions{
            .directory = local_, .url = kUrl, .identity = IdentityOf(attempt), .transfers = 1},
        store_, clock_, confirm_);
  }
  absl::Status Save(CheckpointSaver& saver) {
    const Activity activity;
    return saver.Save({.data = activity, .manifest = activity});
  }
  absl::StatusOr<FoundCheckpoint> RestoreInto(const std::string& directory,
                                              const CheckpointIdentity& identity) {
    EXPECT_TRUE(MakeDirectories(directory).ok());
    return RestoreCheckpoint(
        {.directory = directory, .url = kUrl, .identity = identity, .transfers = 1}, store_, clock_,
        Activity());
  }

  void Write(const std::string& path, absl::string_view content) {
    const std::string whole = absl::StrCat(local_, "/", path);
    ASSERT_TRUE(MakeDirectories(DirectoryOf(whole)).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, content, false).ok());
  }
  void Remove(const std::string& path) {
    ASSERT_EQ(unlink(absl::StrCat(local_, "/", path).c_str()), 0);
  }
  // The files of a directory with their content.
  static std::map<std::string, std::string> FilesIn(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      files[std::filesystem::relative(entry.path(), directory)] =
          ReadFile(entry.path(), 1'000'000).value();
    }
    return files;
  }

  Manifest StoredManifest() { return ParseManifest(memory_.Get(kManifest).value_or("")).value(); }
  // What the manifest says, with the content of its objects.
  std::map<std::string, std::string> Saved() {
    std::map<std::string, std::string> files;
    const Manifest manifest = StoredManifest();
    for (const SavedFile& file : manifest.files) {
      files[file.path] = memory_.Get(absl::StrCat(kUrl, "/", file.object)).value_or("(missing)");
    }
    return files;
  }
  size_t CountObjects() { return memory_.Urls().size(); }
  int CountCalls(absl::string_view start) {
    return static_cast<int>(
        std::count_if(calls_.begin(), calls_.end(),
                      [&](const std::string& call) { return absl::StartsWith(call, start); }));
  }

  TempDirectory directory_;
  const std::string local_ = directory_ / "checkpoint";
  FakeClock clock_;
  MemStore memory_;
  FailingStore failing_{memory_};
  std::vector<std::string> calls_;
  std::function<void(const std::string& call)> after_call_;
  WatchedStore store_{failing_, [this](const std::string& call) {
                        calls_.push_back(call);
                        if (after_call_) after_call_(call);
                      }};
  std::function<absl::Status()> claim_ = [] { return absl::OkStatus(); };
  int confirmed_ = 0;
  const CheckClaim confirm_ = [this](const CancelToken&) {
    ++confirmed_;
    return claim_();
  };
};

}  // namespace sparkles
