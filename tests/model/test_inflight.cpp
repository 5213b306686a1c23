// SPDX-License-Identifier: BSD-3-Clause
//
// VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD: what the daemon hands out, and what it does not take back.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::InflightRegion;

class Inflight : public DaemonTest {
 protected:
  static InflightRegion region(std::uint64_t bytes, bool sealed, std::uint64_t said,
                               std::uint64_t offset = 0) {
    UniqueFd fd(::memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
    EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, sealed ? F_SEAL_SHRINK : 0), 0);
    return {{.mmap_size = said, .mmap_offset = offset, .queues = 5, .queue_size = 128},
            std::move(fd)};
  }
  /// The one that the driver hands back, if it is the only one here.
  static int kept_region() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (!gone && target.find("vballoon-inflight") != std::string::npos) {
        return std::stoi(entry.path().filename().string());
      }
    }
    return -1;
  }
  void expect_works() {
    must(driver_->inflate(std::span(pages_).first(100)));
    must(driver_->deflate(std::span(pages_).first(100)));
    expect_no_violations(*driver_);
  }

  std::unique_ptr<BalloonDriver> driver_ = connect();
  std::vector<Pfn> pages_ = fill(*driver_);
};

TEST_F(Inflight, RegionsHandedOutCannotBeMadeShorter) {
  const auto given = must(driver_->front_end().get_inflight(5, 128));
  EXPECT_EQ(given.info.mmap_size, 4096U);
  struct stat file {};
  ASSERT_EQ(::fstat(given.fd.get(), &file), 0);
  EXPECT_EQ(file.st_size, 4096);
  EXPECT_NE(::ftruncate(given.fd.get(), 0), 0);
  must(driver_->front_end().set_inflight(given));
  expect_works();
}

TEST_F(Inflight, RegionsThatWouldEndTheDaemonAreRefused) {
  const std::uint64_t huge = std::uint64_t{1} << 63U;
  driver::FrontEnd& front_end = driver_->front_end();
  EXPECT_FALSE(front_end.set_inflight(region(4096, false, 4096)));
  EXPECT_FALSE(front_end.set_inflight(region(4095, true, 4096)));
  EXPECT_FALSE(front_end.set_inflight(region(4096, true, 4095)));
  EXPECT_FALSE(front_end.set_inflight(region(4096, true, 4096, 4096)));
  EXPECT_FALSE(front_end.set_inflight(region(8192, true, 4096, 100)));
  EXPECT_FALSE(front_end.set_inflight(region(8192, true, 4096, huge)));
  EXPECT_FALSE(front_end.set_inflight(
      {{.mmap_size = 4096, .queues = 5}, UniqueFd(::open("/dev/null", O_RDWR))}));
  const auto writable = region(4096, true, 4096);
  const std::string name = "/proc/self/fd/" + std::to_string(writable.fd.get());
  EXPECT_FALSE(front_end.set_inflight({writable.info, UniqueFd(::open(name.c_str(), O_RDONLY))}));
  expect_works();
}

TEST_F(Inflight, RegionsFullOfAnythingHurtNobody) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 20; ++round) {
    const int fd = kept_region();
    ASSERT_GE(fd, 0);
    auto* const words = static_cast<std::uint64_t*>(
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(words, MAP_FAILED);
    for (unsigned i = 2; i < 512; ++i) {
      words[i] = i % 2 == 0 ? random() : 1 + random() % 2;
      if (round % 2 == 0 && i % 2 == 0) words[i] &= 0x000f'000f'000f'000f;
    }
    ::munmap(words, 4096);
    // A VMM that says so of rings that it starts is served, or its rings stand still.
    must(driver_->reconnect(must(driver::MessageSocket::connect(
        daemon_.socket(device_), driver::Deadline(std::chrono::seconds(5))))));
    driver_.reset();
    driver_ = connect();
    pages_ = fill(*driver_);
    expect_works();
  }
  EXPECT_TRUE(daemon_.alive());
}

}  // namespace
}  // namespace vballoon::model
