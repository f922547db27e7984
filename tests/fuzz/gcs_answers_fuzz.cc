// Fuzzes a download, two uploads, an append and a list with any answers of Cloud Storage. The calls
// must end, success must mean equal checksums, no download may be longer than its declared size,
// and no listed name may lead to another directory.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/file.h"
#include "gcp/api_client.h"
#include "gcp/gcs_client.h"
#include "storage/gcs_store.h"
#include "tests/fuzz/fuzz_server.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

constexpr absl::string_view kContent = "uploaded content";
constexpr RetryPolicy kPolicy = {absl::Seconds(1), absl::Seconds(5), absl::Seconds(20)};

class Fuzzed {
 public:
  explicit Fuzzed(absl::string_view input) : server_(input) {}

  void Download() {
    const UniqueFd file(memfd_create("download", MFD_CLOEXEC));
    const auto info = store_.Download("gs://b/o", file.get(), {});
    if (!info.ok()) return;
    struct stat now;
    Require(fstat(file.get(), &now) == 0, "the file is there");
    Require(static_cast<uint64_t>(now.st_size) == info->size, "it has the size");
    std::string content(info->size, '\0');
    Require(pread(file.get(), content.data(), content.size(), 0) == now.st_size, "it can be read");
    Require(Crc32c(content) == info->crc32c, "it has the checksum");
  }

  void List() {
    const auto listed = store_.List("gs://b/dir", 5, {});
    if (!listed.ok()) return;
    Require(listed->size() <= 5, "the list ends at its limit");
    for (const ListedObject& object : *listed) {
      Require(object.name.find('/') == std::string::npos, "it is in the directory");
      Require(object.generation > 0, "every object has a generation");
    }
  }

  void Upload() {
    const UniqueFd file(memfd_create("upload", MFD_CLOEXEC));
    Require(WriteAll(file.get(), kContent, "upload").ok(), "the file is writable");
    CheckUploaded(store_.Upload(file.get(), "gs://b/o", {}, {}));
    CheckUploaded(store_.UploadBytes(kContent, "gs://b/o", {}, {}));
  }

  void Append() {
    const UniqueFd file(memfd_create("log", MFD_CLOEXEC));
    Require(WriteAll(file.get(), kContent, "log").ok(), "the file is writable");
    const ObjectInfo object = {3, Crc32c(kContent.substr(0, 3)), 1};
    CheckUploaded(store_.Append(file.get(), kContent.size(), "gs://b/o", object, {}, {}));
  }

 private:
  static void CheckUploaded(const absl::StatusOr<ObjectInfo>& info) {
    if (!info.ok()) return;
    Require(info->size == kContent.size() && info->crc32c == Crc32c(kContent),
            "the server has acknowledged what was sent");
    Require(info->generation > 0, "every object has a generation");
  }

  FuzzServer server_;
  FuzzClock clock_;
  ApiClient api_{{"http://gcs", nullptr}, server_, clock_};
  GcsClient client_{api_, clock_, kPolicy};
  GcsStore store_{client_, {.upload_at_once_bytes = 8}};
};

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  sparkles::Fuzzed(input).Download();
  sparkles::Fuzzed(input).Upload();
  sparkles::Fuzzed(input).Append();
  sparkles::Fuzzed(input).List();
  return 0;
}
