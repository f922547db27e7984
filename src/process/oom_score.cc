#include "process/oom_score.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>

namespace sparkles {
namespace {

constexpr char kPath[] = "/proc/self/oom_score_adj";

// The number in the file, or 0 if it cannot be read.
int ReadScore(int fd) {
  char text[16] = {};
  const ssize_t got = read(fd, text, sizeof text);
  int score = 0;
  for (ssize_t i = text[0] == '-' ? 1 : 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i) {
    score = score * 10 + (text[i] - '0');
  }
  return got > 0 && text[0] == '-' ? -score : score;
}

void WriteScore(const char* text, size_t size, int only_if_below, int only_if_above) {
  const int fd = open(kPath, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  const int score = ReadScore(fd);
  if (score < only_if_below && score > only_if_above) (void)!pwrite(fd, text, size, 0);
  close(fd);
}

}  // namespace

void LowerOomScore() { WriteScore("-500", 4, 1001, -500); }

void RaiseOomScore() { WriteScore("500", 3, kCommandOomScore, -1001); }

}  // namespace sparkles
