// SPDX-License-Identifier: BSD-3-Clause
//
// tests/guest/kexec.cpp - runs in a guest: starts another kernel in the place of the running one.
//
//   kexec KERNEL INITRD COMMAND_LINE
//
// No firmware, no reset of the machine and no word of the balloon's driver comes between the two.
// Statically linked: the guest has no libraries, and no kexec-tools.
#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("usage: kexec KERNEL INITRD COMMAND_LINE\n", stderr);
    return 2;
  }
  const int kernel = ::open(words[1], O_RDONLY | O_CLOEXEC);
  const int initrd = ::open(words[2], O_RDONLY | O_CLOEXEC);
  if (kernel < 0 || initrd < 0) {
    std::perror("kexec: kernel or initrd");
    return 1;
  }
  if (::syscall(SYS_kexec_file_load, kernel, initrd, std::strlen(words[3]) + 1, words[3], 0UL)) {
    std::perror("kexec: kexec_file_load");
    return 1;
  }
  ::sync();
  ::syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, nullptr);
  std::perror("kexec: reboot");
  return 1;
}
