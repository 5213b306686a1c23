// SPDX-License-Identifier: BSD-3-Clause
//
// State files that cannot be trusted are not.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "state_fixture.hpp"

namespace vballoon::state {
namespace {

class StateFile : public State {
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

}  // namespace
}  // namespace vballoon::state
