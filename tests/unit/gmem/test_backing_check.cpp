// SPDX-License-Identifier: BSD-3-Clause
//
// What may be guest memory. A FUSE server that does not answer is not played here: what asks nobody
// cannot be held up, and that of a mount in /proc/self/mountinfo is proven on its text.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/unique_fd.hpp"
#include "gmem/backing_check.hpp"

namespace vballoon::gmem {
namespace {

constexpr std::string_view kMounts =
    "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "23 22 0:52 / /home/a\\040b rw - fuse.sshfs server: rw\n"
    "2 22 0:5 / /x rw shared:2 master:1 - tmpfs tmpfs rw\n"
    "24 22 0:6 / /broken rw shared:2\n";

TEST(MountType, StandsBehindTheDash) {
  EXPECT_EQ(mount_type(kMounts, {{}, "253:1"}), "ext4");
  EXPECT_EQ(mount_type(kMounts, {{}, "0:52"}), "fuse.sshfs");
  EXPECT_EQ(mount_type(kMounts, {{}, "0:5"}), "tmpfs");
}

/// As an overlay with layers on two file systems: its files show a device that nobody mounted.
TEST(MountType, IsFoundByTheMountWhereTheDeviceIsNone) {
  EXPECT_EQ(mount_type(kMounts, {"22", "0:99"}), "ext4");
  EXPECT_EQ(mount_type(kMounts, {"2", "0:99"}), "tmpfs");
  EXPECT_EQ(mount_type(kMounts, {"99", "0:99"}), "");
  // The mount is what counts where both are known, whichever comes first.
  EXPECT_EQ(mount_type(kMounts, {"23", "253:1"}), "fuse.sshfs");
  EXPECT_EQ(mount_type(kMounts, {"22", "0:52"}), "ext4");
  EXPECT_EQ(mount_type(kMounts, {"99", "0:52"}), "fuse.sshfs") << "of another namespace";
}

TEST(MountType, NothingWhereThereIsNone) {
  EXPECT_EQ(mount_type(kMounts, {{}, "0:3"}), "");
  EXPECT_EQ(mount_type(kMounts, {{}, "0:6"}), "");
  EXPECT_EQ(mount_type("", {{}, "0:0"}), "");
  EXPECT_EQ(mount_type("\n\n", {{}, "0:7"}), "");
}

TEST(CheckBacking, SharedMemoryAndLocalDisks) {
  const UniqueFd memfd(::memfd_create("guest-ram", MFD_CLOEXEC));
  EXPECT_TRUE(check_backing(memfd.get()));
  const UniqueFd sealed(::memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_TRUE(check_backing(sealed.get()));
  std::array<char, 32> path{"./vballoon-backing-XXXXXX"};
  const UniqueFd file(::mkstemp(path.data()));
  ::unlink(path.data());
  const auto verdict = check_backing(file.get());
  EXPECT_TRUE(verdict) << verdict.error().message;
}

/// In a mount namespace of its own. @return 0: its file may be guest memory; 1: not; 2: no overlay.
int try_an_overlay() {
  const std::string here = "/var/tmp/vballoon-overlay-" + std::to_string(::getpid());
  const std::string upper = here + "/tmpfs";
  const auto folder = [](const std::string& path) { return ::mkdir(path.c_str(), 0700) == 0; };
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0) return 2;
  if (!folder(here) || !folder(here + "/lower") || !folder(upper) || !folder(here + "/all"))
    return 2;
  const bool mounted = ::mount("tmpfs", upper.c_str(), "tmpfs", 0, "") == 0 &&
                       folder(upper + "/upper") && folder(upper + "/work") &&
                       ::mount("overlay", (here + "/all").c_str(), "overlay", 0,
                               ("lowerdir=" + here + "/lower,upperdir=" + upper +
                                "/upper,workdir=" + upper + "/work,xino=off")
                                   .c_str()) == 0;
  int verdict = 2;
  if (mounted) {
    const UniqueFd file(::open((here + "/all/ram").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    verdict = file.valid() && check_backing(file.get()) ? 0 : 1;
  }
  ::umount2((here + "/all").c_str(), MNT_DETACH);
  ::umount2(upper.c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(here, ignored);
  return verdict;
}

TEST(CheckBacking, AnOverlayOverTwoFileSystems) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(try_an_overlay());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no overlay can be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(CheckBacking, AnythingElseIsNamed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_NE(check_backing(reader.get()).error().message.find("neither a file nor a device"),
            std::string::npos);
  const UniqueFd proc(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  EXPECT_NE(check_backing(proc.get()).error().message.find("of type proc"), std::string::npos);
  const UniqueFd folder(::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(check_backing(folder.get()));
  EXPECT_NE(check_backing(-1).error().message.find("not a file"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::gmem
