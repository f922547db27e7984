// A Cloud Storage in memory behind the HTTP interface, with the methods that the worker uses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "http/transport.h"

namespace sparkles {

// Thread-safe. Every bucket exists. Ignores tokens and has no faults; use ScriptedTransport for
// faults.
class FakeGcs : public HttpTransport {
 public:
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

  // Called, with a lock held, for each object that a request has stored (with its new generation)
  // or removed (with 0). Set it before the first request.
  using OnStore = std::function<void(const std::string& key, int64_t generation)>;
  void SetOnStore(OnStore on_store) { on_store_ = std::move(on_store); }

  // Keys are "bucket/object", encoded as in URLs.
  std::optional<std::string> Get(const std::string& key) const;
  // The generation; 0 if the object does not exist.
  int64_t GenerationOf(const std::string& key) const;
  // All keys with this prefix, sorted.
  std::vector<std::string> KeysBelow(const std::string& prefix) const;
  // Stores an object without HTTP.
  void Put(const std::string& key, absl::string_view content);
  // "GET", "POST multipart", "POST resumable", "PUT", ... oldest first.
  std::vector<std::string> requests() const;
  // Bytes of all request bodies.
  uint64_t received() const;

 private:
  struct Object {
    std::string content;
    int64_t generation = 0;
  };
  struct Session {
    std::string key;
    int64_t expected = 0;
    std::string content;
    std::optional<HttpResponse> end;  // the answer to its last byte
  };

  HttpResponse Handle(const HttpRequest& request, absl::string_view body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Read(const HttpRequest& request, const std::string& key, absl::string_view query)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse List(const std::string& bucket, absl::string_view query)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Media(const HttpRequest& request, const Object& object)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Insert(const HttpRequest& request, absl::string_view body, const std::string& bucket,
                      absl::string_view query) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Continue(const HttpRequest& request, absl::string_view body, Session& session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Compose(const std::string& bucket, const std::string& name, absl::string_view body,
                       absl::string_view query) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Store(const std::string& key, int64_t expected, absl::string_view content)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OnStore on_store_;
  mutable Mutex mutex_;
  std::map<std::string, Object> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Session> sessions_ ABSL_GUARDED_BY(mutex_);  // by URL
  int64_t last_generation_ ABSL_GUARDED_BY(mutex_) = 1'000;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  uint64_t received_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
