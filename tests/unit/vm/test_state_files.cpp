// SPDX-License-Identifier: BSD-3-Clause
//
// State files that cannot be trusted are not.
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <fstream>
#include <random>

#include "gmem/lost_memory.hpp"
#include "state_fixture.hpp"

namespace vballoon::vm {
namespace {

class StateFile : public KeptState {
 protected:
  void SetUp() override { leave_a_guest(); }

  [[nodiscard]] std::string bytes() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
  }
  void flip(std::size_t at) const {
    std::string all = bytes();
    all.at(at) = static_cast<char>(all.at(at) ^ 1);
    write(all);
  }
  void expect_ignored() const {
    DeviceState state(&folder(), "vm");
    EXPECT_EQ(state.target(), std::nullopt);
    EXPECT_FALSE(state.room_for(*memory_).filled);
    state.commit(false);
    EXPECT_EQ(state.left(), std::nullopt);
    // What took its place can be trusted again.
    EXPECT_TRUE(DeviceState(&folder(), "vm").room_for(*memory_).filled);
  }
};

TEST_F(StateFile, OfAnotherBootIsIgnored) {
  open_folder("another");
  expect_ignored();
}

TEST_F(StateFile, OfAnUnknownBootIsIgnored) {
  open_folder("");
  DeviceState state(&folder(), "vm");
  EXPECT_FALSE(state.room_for(*memory_).filled);
}

TEST_F(StateFile, CutShortOrTooLongIsIgnored) {
  const std::string whole = bytes();
  for (const std::size_t length : {std::size_t{0}, std::size_t{100}, std::size_t{4095},
                                   std::size_t{4096}, whole.size() - 8, whole.size() - 1}) {
    write(whole.substr(0, length));
    expect_ignored();
  }
  write(whole + "12345678");
  expect_ignored();
}

TEST_F(StateFile, WhoseFixedPartWasChangedAnywhereIsIgnored) {
  const std::string whole = bytes();
  constexpr std::size_t kFixedAndSum = 16 + 40 + 16 + 8 * 40 + 8;
  for (std::size_t at = 0; at < kFixedAndSum; at += 3) {
    write(whole);
    flip(at);
    expect_ignored();
  }
}

TEST_F(StateFile, ThatIsALinkOrAFolderOrOthersIsIgnored) {
  std::filesystem::rename(file(), path() / "elsewhere");
  std::filesystem::create_symlink(path() / "elsewhere", file());
  expect_ignored();
  std::filesystem::permissions(file(), std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  expect_ignored();
  EXPECT_TRUE(std::filesystem::exists(path() / "elsewhere"));
}

TEST_F(StateFile, OfRandomBytesIsNeverBelievedBlindly) {
  std::mt19937 random{std::random_device{}()};
  const std::string whole = bytes();
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (unsigned n = 0; n < 1 + random() % 20; ++n) {
      damaged[random() % 640] = static_cast<char>(random());
    }
    write(damaged);
    DeviceState state(&folder(), "vm");
    const auto room = state.room_for(*memory_);
    ASSERT_EQ(room.words.size(), memory_->pages() / 64);
    for (const std::uint64_t word : room.words) ASSERT_LE(word, 0x55U);
    static_cast<void>(state.left());
    state.commit(false);
  }
}

/// A guest that claims 16 TiB: what is not used of its ledger takes no room of the folder.
class LargeStateFile : public KeptState {
 protected:
  static constexpr std::uint64_t kClaim = 16 * 1024 * kGiB;
  static constexpr std::uint64_t kMoreThanReserved = 16 * kMiB;

  [[nodiscard]] std::uint64_t allocated() const {
    struct stat now {};
    EXPECT_EQ(::stat(file().c_str(), &now), 0);
    return static_cast<std::uint64_t>(now.st_blocks) * 512;
  }
  test::PhantomMap claimed_{ram_.fd(), std::vector<test::RamPiece>{{Gpa{0}, kClaim, 0}}};
};

TEST_F(LargeStateFile, TakesRoomForWhatIsUsedAndIsFoundAgain) {
  constexpr std::size_t kWord = 40'000'000;
  {
    DeviceState state(&folder(), "vm");
    const auto room = state.room_for(*claimed_.map());
    ASSERT_EQ(room.words.size(), bytes_to_pages(kClaim) / 64);
    state.commit(false);
    room.words[kWord] = 7;
    state.begin(kFeatures);
    EXPECT_LT(allocated(), kMoreThanReserved);
    EXPECT_FALSE(state.lost());
  }
  DeviceState state(&folder(), "vm");
  const auto room = state.room_for(*claimed_.map());
  ASSERT_TRUE(room.filled);
  constexpr std::size_t kChunk = kWord / 512;
  EXPECT_EQ(room.touched[kChunk / 64] >> (kChunk % 64) & 1, 1U);
  std::size_t chunks = 0;
  for (const std::uint64_t mark : room.touched) {
    chunks += static_cast<std::size_t>(std::popcount(mark));
  }
  EXPECT_LT(chunks, kMoreThanReserved / kPageSize);
  EXPECT_EQ(room.words[kWord], 7U);
  EXPECT_LT(allocated(), kMoreThanReserved) << "it was found without being read";
}

TEST_F(LargeStateFile, OfAGuestThatWasNeverServedGoesWithItsVmm) {
  {
    DeviceState state(&folder(), "vm");
    state.set_target(TargetWord{50});
    static_cast<void>(state.room_for(*claimed_.map()));
    state.commit(false);
    state.release();
    EXPECT_LE(allocated(), 2 * kPageSize);
    EXPECT_FALSE(state.room_for(*claimed_.map()).filled);
    state.commit(false);
    state.begin(kFeatures);
    state.release();
  }
  DeviceState state(&folder(), "vm");
  EXPECT_TRUE(state.left()) << "that one was served";
  EXPECT_EQ(state.target(), TargetWord{50});
}

/// No room is left in the folder when a page of the ledger is written first. Stands for that: the
/// file ends there, which is the same fault.
TEST_F(LargeStateFile, WithoutRoomForAPageIsOfNobodyAndTheDaemonGoesOn) {
  gmem::survive_lost_memory();
  {
    DeviceState state(&folder(), "vm");
    const auto room = state.room_for(*claimed_.map());
    state.commit(false);
    state.begin(kFeatures);
    ASSERT_EQ(::truncate(file().c_str(), 64 * kMiB), 0);
    room.words[40'000'000] = 7;
    EXPECT_TRUE(state.lost());
    EXPECT_EQ(room.words[40'000'000], 7U) << "this process has it all the same";
    state.give_up_lost();
    state.begin(kFeatures);
    EXPECT_FALSE(state.left());
    EXPECT_FALSE(state.room_for(*claimed_.map()).filled) << "a new file";
    state.commit(true);
    state.begin(kFeatures);
    EXPECT_TRUE(state.left());
  }
  EXPECT_TRUE(DeviceState(&folder(), "vm").left());
}

}  // namespace
}  // namespace vballoon::vm
