// The penstock program: everything is in app::run_command_line(). Before it, the three standard
// descriptors are made sure of: one that is closed would go to the next socket that is opened, and
// what is meant for stderr would be sent to a client.
#include <fcntl.h>
#include <unistd.h>

#include "penstock/app/command_line.h"

namespace {

/// False when there is no /dev/null either.
bool fill_standard_descriptors() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR | O_NOCTTY);  // the lowest that is free
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
  return fd >= 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (!fill_standard_descriptors()) return penstock::app::exit_failed;
  return penstock::app::run_command_line(argc, argv);
}
