// Reads single fields of a task's spec, for the parser and for the search for problems.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "task/task_spec.h"

namespace sparkles {

// InvalidArgument with the message "field: reason".
absl::Status FieldError(absl::string_view field, absl::string_view reason);

// Reads the fields of one JSON object by name. Each error names the field with its full path.
// A field that is null counts as absent.
class FieldReader {
 public:
  // `name` is the object's own path ("downloads[2]"), empty for the spec itself. Borrows `object`.
  static absl::StatusOr<FieldReader> Of(const Json& object, std::string name);

  std::string NameOf(absl::string_view key) const;
  std::string ElementName(absl::string_view key, size_t index) const;

  // Null if absent.
  const Json* Find(absl::string_view key) const;
  // Empty if absent.
  absl::StatusOr<std::string> Text(absl::string_view key) const;
  absl::StatusOr<std::string> RequiredText(absl::string_view key) const;
  // False if absent.
  absl::StatusOr<bool> Flag(absl::string_view key) const;
  // Null if absent.
  absl::StatusOr<const Json*> List(absl::string_view key) const;
  // The text of `element`, which has the position `index` in the list `key`.
  absl::StatusOr<std::string> ElementText(const Json& element, absl::string_view key,
                                          size_t index) const;

 private:
  FieldReader(const Json& object, std::string name) : object_(object), name_(std::move(name)) {}

  const Json& object_;
  std::string name_;
};

// An error if the command or script `name` is too long for Linux.
absl::Status CheckScriptSize(absl::string_view name, const std::string& script);

// `text` as a clean path below the work directory. An error if an input cannot have it.
absl::StatusOr<std::string> CleanDestination(absl::string_view text, const std::string& field);

absl::StatusOr<Download> ReadDownload(const FieldReader& fields);

// Marks the downloads that repeat an earlier one, and calls `conflict` for each two different
// downloads with one destination.
std::vector<bool> FindRepeats(const std::vector<Download>& downloads,
                              absl::FunctionRef<void(absl::Status)> conflict);

// `written` without leading slashes. An error if it is no pattern. `field` is for the error.
absl::StatusOr<std::string> ReadPattern(const std::string& written, const std::string& field);

// Names of the four scripts.
inline constexpr const char* kScriptNames[] = {"pre-download-script", "post-download-script",
                                               "pre-exec-script", "post-exec-script"};

// An error if the value of uploads.dst_url lost its path, for example through an empty variable.
absl::Status CheckUploadUrl(absl::string_view url);
// An error if there is no place (uploads.dst_url) for the files of the patterns.
absl::Status CheckPatternsHavePlace(absl::string_view url);

absl::StatusOr<std::string> ReadWorkingDir(const FieldReader& fields);
// Null if absent.
absl::StatusOr<Json> ReadParameters(const FieldReader& fields);

}  // namespace sparkles
