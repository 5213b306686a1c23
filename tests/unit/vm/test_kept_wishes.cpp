// SPDX-License-Identifier: BSD-3-Clause
//
// What the operator asked for is in the folder, or is said not to be, whatever the folder takes.
#include "state_fixture.hpp"

namespace vballoon::vm {
namespace {

class Wishes : public KeptState {
 protected:
  /// As on a full disk: no new file.
  void fill_up() const { std::filesystem::create_directories(path() / "state" / ".vm.new" / "x"); }
  void make_room() const { std::filesystem::remove_all(path() / "state" / ".vm.new"); }
  [[nodiscard]] std::optional<TargetWord> next_daemons() {
    return DeviceState(&folder(), "vm").target();
  }
  const test::GuestRam other_{{{Gpa{0}, 4 * kMiB, 0}}};
};

TEST_F(Wishes, GoOnInTheOldFileWhereThereIsNoRoomForAnother) {
  DeviceState state(&folder(), "vm");
  state.set_target({16});
  fill_up();
  EXPECT_TRUE(state.room_for(*memory_).words.empty());
  state.commit(false);
  EXPECT_EQ(state.ring(0), nullptr) << "of the ledger nothing is kept";
  EXPECT_TRUE(state.kept());
  state.set_target({0});
  state.set_inhibited(true);
  EXPECT_TRUE(state.kept());
  make_room();
  EXPECT_EQ(next_daemons(), TargetWord{0});
  EXPECT_TRUE(DeviceState(&folder(), "vm").inhibited());
  // And in a new one when there is.
  EXPECT_FALSE(state.room_for(*memory_).words.empty());
  state.commit(false);
  EXPECT_NE(state.ring(0), nullptr);
  EXPECT_EQ(next_daemons(), TargetWord{0});
}

TEST_F(Wishes, ThatAreNotKeptAreSaidNotToBeUntilTheyAre) {
  fill_up();
  DeviceState state(&folder(), "vm");
  EXPECT_FALSE(state.kept());
  state.set_target({5});
  state.set_automatic({.on = true, .configured = false});
  EXPECT_EQ(state.target(), TargetWord{5}) << "this daemon knows";
  EXPECT_FALSE(state.kept());
  EXPECT_NE(state.why_not().find(folder().path()), std::string::npos) << state.why_not();
  EXPECT_TRUE(state.unfinished());
  make_room();
  state.keep();
  EXPECT_TRUE(state.kept());
  EXPECT_EQ(state.why_not(), "");
  EXPECT_FALSE(state.unfinished());
  EXPECT_EQ(next_daemons(), TargetWord{5});
}

/// One that cannot be read, and cannot be replaced.
TEST_F(Wishes, OfAFileThatIsNotKnownDoNotComeBack) {
  leave_a_guest();
  std::filesystem::permissions(file(), std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  fill_up();
  DeviceState state(&folder(), "vm");
  EXPECT_EQ(state.target(), std::nullopt);
  state.set_inhibited(true);
  EXPECT_FALSE(state.kept());
  EXPECT_FALSE(std::filesystem::exists(file()))
      << "it would speak for a device that it does not know";
}

TEST_F(Wishes, OfAFileWithoutItsNameGoToTheOneThatHasIt) {
  leave_a_guest();
  const auto aside = path() / "state" / "aside.state";
  DeviceState state(&folder(), "vm");
  EXPECT_FALSE(state.room_for(*other_.map()).filled);
  std::filesystem::rename(file(), aside);
  std::filesystem::create_directory(file());
  state.commit(true);
  EXPECT_TRUE(state.unfinished());
  std::filesystem::remove(file());
  std::filesystem::rename(aside, file());
  state.set_target({7});
  EXPECT_FALSE(state.unfinished()) << "the name was to be had again";
  EXPECT_TRUE(state.kept());
  EXPECT_EQ(next_daemons(), TargetWord{7});
  EXPECT_TRUE(DeviceState(&folder(), "vm").room_for(*other_.map()).filled);
}

/// A tool that tidies /run.
TEST_F(Wishes, OfAFileThatSomebodyRemovedGetAnother) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  ASSERT_TRUE(state.room_for(*memory_).filled);
  std::filesystem::remove(file());
  state.set_target({9});
  EXPECT_TRUE(state.kept());
  EXPECT_EQ(next_daemons(), TargetWord{9});
  EXPECT_EQ(DeviceState(&folder(), "vm").left(), std::nullopt) << "the ledger is lost";
}

TEST_F(Wishes, OfADeviceThatWasRemovedAreGoneEvenWhereItsFileIsNot) {
  leave_a_guest();
  const auto aside = path() / "aside";
  {
    DeviceState state(&folder(), "vm");
    state.set_inhibited(true);
    std::filesystem::create_hard_link(file(), aside);
    state.remove();
  }
  std::filesystem::rename(aside, file());
  EXPECT_EQ(next_daemons(), std::nullopt);
  EXPECT_FALSE(DeviceState(&folder(), "vm").inhibited());
  EXPECT_EQ(DeviceState(&folder(), "vm").left(), std::nullopt);
}

}  // namespace
}  // namespace vballoon::vm
