// Creates, annotates and passes on errors (absl::Status), and translates errno.
// An error of the machine (disk full, no descriptors left) is marked where it occurs, because the
// task must then be handed back and not fail.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// The status for errno value `error`, with the message "object: reason" and `error` as a mark.
// Errors that only another machine (or more space) can cure are machine faults: ENOSPC, EDQUOT,
// EMFILE, ENFILE, ENOMEM, EAGAIN, EIO, EROFS, EUCLEAN, EREMOTEIO; EFBIG if this process has a file
// size limit (ulimit -f); and the errors of a dead mount (IsDeadMount in status.cc), with code
// Internal. All others keep the code of absl::ErrnoToStatus.
absl::Status ErrnoError(int error, absl::string_view object);

// The `error` of ErrnoError; 0 for any other status.
int ErrnoOf(const absl::Status& status);

// Whether the error is ENOSPC or EDQUOT, so that removing files may cure it. The status code does
// not tell: a lack of descriptors has the same one.
bool IsDiskFull(const absl::Status& status);

// The same status with the message "object: message"; code and marks (errno, machine fault,
// transient) are kept.
absl::Status Annotate(const absl::Status& status, absl::string_view object);

// The same status, code and marks, with that message.
absl::Status WithMessage(const absl::Status& status, absl::string_view message);

// The same code and message, without any mark.
absl::Status WithoutMarks(const absl::Status& status);

// The same status, marked as the machine's fault.
absl::Status MachineFault(absl::Status status);
bool IsMachineFault(const absl::Status& status);

}  // namespace sparkles

#define SPARKLES_CONCAT_INNER(a, b) a##b
#define SPARKLES_CONCAT(a, b) SPARKLES_CONCAT_INNER(a, b)

// The variable has the line number in its name, so that the macro works in a lambda inside it.
#define RETURN_IF_ERROR(expression) \
  RETURN_IF_ERROR_INNER(SPARKLES_CONCAT(sparkles_status_, __LINE__), expression)

#define RETURN_IF_ERROR_INNER(status, expression) \
  do {                                            \
    absl::Status status = (expression);           \
    if (!(status).ok()) return status;            \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(SPARKLES_CONCAT(sparkles_result_, __LINE__), declaration, expression)

// Parentheses would break a declaration. NOLINTBEGIN(bugprone-macro-parentheses)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!(result).ok()) return std::move(result).status();        \
  declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)
