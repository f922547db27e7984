#include "tests/support/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace sparkles {

Terminal::Terminal(unsigned short columns) : outside_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  char name[128];
  if (!outside_.valid() || grantpt(outside_.get()) != 0 || unlockpt(outside_.get()) != 0 ||
      ptsname_r(outside_.get(), name, sizeof name) != 0) {
    abort();
  }
  inside_ = UniqueFd(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings;
  const winsize size = {24, columns, 0, 0};
  if (tcgetattr(fd(), &settings) != 0 || ioctl(fd(), TIOCSWINSZ, &size) != 0) abort();
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);  // no "\r" from the terminal itself
  if (tcsetattr(fd(), TCSANOW, &settings) != 0) abort();
}

std::string Terminal::TakeOutput() {
  // The kernel delivers output later but in order, so the last byte marks the end.
  const char end = '\0';
  if (write(fd(), &end, 1) != 1) abort();
  std::string output;
  while (output.empty() || output.back() != end) {
    char buffer[4096];
    const ssize_t got = read(outside_.get(), buffer, sizeof buffer);
    if (got <= 0) abort();
    output.append(buffer, static_cast<size_t>(got));
  }
  output.pop_back();
  return output;
}

}  // namespace sparkles
