#include "gcp/environment.h"

#include <cstdlib>

namespace sparkles {

std::string ProcessEnvironment(const char* name) {
  const char* value = getenv(name);  // NOLINT(concurrency-mt-unsafe): see the header
  return value == nullptr ? "" : value;
}

}  // namespace sparkles
