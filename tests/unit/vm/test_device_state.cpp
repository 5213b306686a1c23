// SPDX-License-Identifier: BSD-3-Clause
//
// What of a device is there for the next daemon, and what is not.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "state_fixture.hpp"

namespace vballoon::vm {
namespace {

TEST_F(KeptState, WishesOutliveTheirDaemon) {
  {
    DeviceState state(&folder(), "vm");
    EXPECT_EQ(state.target(), std::nullopt);
    EXPECT_FALSE(state.inhibited());
    state.set_target({.pages = 77, .share = 500'000, .forced = true});
    state.set_inhibited(true);
    EXPECT_EQ(state.automatic(), std::nullopt);
    state.set_automatic({.on = false, .configured = true});
  }
  DeviceState state(&folder(), "vm");
  EXPECT_EQ(state.target(), (TargetWord{.pages = 77, .share = 500'000, .forced = true}));
  EXPECT_TRUE(state.inhibited());
  EXPECT_EQ(state.automatic(), (AutomaticWord{.on = false, .configured = true}));
  state.set_automatic({.on = true, .configured = false});
  EXPECT_EQ(state.automatic(), (AutomaticWord{.on = true, .configured = false}));
  EXPECT_EQ(DeviceState(&folder(), "other").target(), std::nullopt);
}

TEST_F(KeptState, OfTheSameMemoryIsAsItWasLeft) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  const auto room = state.room_for(*memory_);
  ASSERT_TRUE(room.filled);
  ASSERT_EQ(room.words.size(), memory_->pages() / 64);
  EXPECT_EQ(room.words[3], 0x55U);
  const auto left = state.left();
  ASSERT_TRUE(left);
  EXPECT_EQ(left->features, kFeatures);
  EXPECT_EQ(left->actual_pages, 4U);
  EXPECT_EQ(left->poison, 9U);
  EXPECT_FALSE(left->complete);
  EXPECT_EQ(left->rings[1].mark, 123U);
  EXPECT_EQ(left->rings[1].layout, kPackedRing);
  EXPECT_EQ(state.target(), TargetWord{50});
}

TEST_F(KeptState, OfAnotherMemoryIsEmptyAndKeepsTheWishes) {
  leave_a_guest();
  const test::GuestRam other({{Gpa{0}, 4 * kMiB, 0}});
  DeviceState state(&folder(), "vm");
  const auto room = state.room_for(*other.map());
  EXPECT_FALSE(room.filled);
  for (const std::uint64_t word : room.words) ASSERT_EQ(word, 0U);
  state.set_automatic({.on = true, .configured = false});
  state.commit(false);
  EXPECT_EQ(state.left(), std::nullopt);
  EXPECT_EQ(state.target(), TargetWord{50});
  EXPECT_EQ(state.automatic(), (AutomaticWord{.on = true, .configured = false}));
}

class ElderState : public KeptState {
 protected:
  /// The guest has other memory now. @return the file before.
  std::uint64_t change_memory(DeviceState* state) {
    state->keep_elder();
    static_cast<void>(state->room_for(*memory_));
    const std::uint64_t before = state->inode();
    static_cast<void>(state->room_for(*other_.map()));
    state->commit(true);
    return before;
  }
  const test::GuestRam other_{{{Gpa{0}, 4 * kMiB, 0}}};
};

TEST_F(ElderState, IsChosenWhereTheRecordNamesIt) {
  leave_a_guest();
  std::uint64_t before = 0;
  {
    DeviceState state(&folder(), "vm");
    before = change_memory(&state);
    EXPECT_NE(state.inode(), before);
  }
  EXPECT_TRUE(DeviceState::choose_file(folder(), "vm", before));
  DeviceState state(&folder(), "vm");
  EXPECT_EQ(state.inode(), before);
  EXPECT_TRUE(state.room_for(*memory_).filled);
  EXPECT_FALSE(std::filesystem::exists(path() / "state" / ".vm.old"));
}

TEST_F(ElderState, IsNotChosenWhereTheRecordNamesTheNewOne) {
  leave_a_guest();
  std::uint64_t after = 0;
  {
    DeviceState state(&folder(), "vm");
    static_cast<void>(change_memory(&state));
    after = state.inode();
  }
  EXPECT_TRUE(DeviceState::choose_file(folder(), "vm", after));
  EXPECT_EQ(DeviceState(&folder(), "vm").inode(), after);
  EXPECT_FALSE(std::filesystem::exists(path() / "state" / ".vm.old"));
}

TEST_F(ElderState, GoesWhenTheRecordIsWritten) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  const std::uint64_t before = change_memory(&state);
  EXPECT_TRUE(std::filesystem::exists(path() / "state" / ".vm.old"));
  state.drop_elder();
  EXPECT_FALSE(std::filesystem::exists(path() / "state" / ".vm.old"));
  EXPECT_FALSE(DeviceState::choose_file(folder(), "vm", before)) << "nobody has it any more";
}

TEST_F(ElderState, IsNotMadeWhereNobodyAskedForIt) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  static_cast<void>(state.room_for(*other_.map()));
  state.commit(true);
  EXPECT_FALSE(std::filesystem::exists(path() / "state" / ".vm.old"));
}

TEST_F(KeptState, ThatIsHeldIsNotReplacedWhenItsVmmIsGone) {
  DeviceState state(&folder(), "vm");
  static_cast<void>(state.room_for(*memory_));
  state.commit(false);
  const std::uint64_t before = state.inode();
  state.hold();
  state.release();
  EXPECT_EQ(state.inode(), before);
}

TEST_F(KeptState, OfAMemoryThatGrowsGoesAlong) {
  leave_a_guest();
  const auto more = ram_.specs();
  const auto part = gmem::GuestMemory::create(std::span(more).first(1)).value();
  DeviceState state(&folder(), "vm");
  EXPECT_FALSE(state.room_for(*part).filled);
  state.commit(true);
  ASSERT_TRUE(state.left());
  EXPECT_EQ(state.left()->rings[1].mark, 123U);
  EXPECT_TRUE(DeviceState(&folder(), "vm").room_for(*part).filled);
}

TEST_F(KeptState, WithoutANewNameTheOldOneStands) {
  leave_a_guest();
  {
    const test::GuestRam other({{Gpa{0}, 4 * kMiB, 0}});
    DeviceState state(&folder(), "vm");
    EXPECT_FALSE(state.room_for(*other.map()).filled);
    // Killed here.
  }
  DeviceState state(&folder(), "vm");
  EXPECT_TRUE(state.room_for(*memory_).filled);
  EXPECT_TRUE(state.left());
}

/// The new file cannot take the name: what stands there is then older than what happened since.
TEST_F(KeptState, ThatCannotBeReplacedIsOfNobody) {
  leave_a_guest();
  const auto aside = path() / "state" / "aside.state";
  {
    const test::GuestRam other({{Gpa{0}, 4 * kMiB, 0}});
    DeviceState state(&folder(), "vm");
    EXPECT_FALSE(state.room_for(*other.map()).filled);
    std::filesystem::rename(file(), aside);
    std::filesystem::create_directory(file());
    state.commit(true);
    EXPECT_EQ(state.target(), TargetWord{50}) << "this daemon goes on";
  }
  std::filesystem::remove(file());
  std::filesystem::rename(aside, file());
  EXPECT_EQ(DeviceState(&folder(), "vm").left(), std::nullopt);
}

/// New memory comes as often as a VMM likes.
TEST_F(KeptState, ThatCannotBeReplacedIsToldOfOnce) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  testing::internal::CaptureStdout();
  for (unsigned times = 0; times < 3; ++times) {
    const test::GuestRam other({{Gpa{0}, 4 * kMiB, 0}});
    EXPECT_FALSE(state.room_for(*other.map()).filled);
    state.commit(true);
  }
  const std::string said = testing::internal::GetCapturedStdout();
  const std::string complaint = "its balloon will not outlive the daemon";
  EXPECT_NE(said.find(complaint), std::string::npos) << said;
  EXPECT_EQ(said.find(complaint), said.rfind(complaint)) << said;
}

TEST_F(KeptState, ThatIsForgottenIsOfNobody) {
  leave_a_guest();
  {
    DeviceState state(&folder(), "vm");
    state.forget();
  }
  DeviceState state(&folder(), "vm");
  EXPECT_EQ(state.left(), std::nullopt);
}

TEST_F(KeptState, IsCompleteUntilAnybodyIsServed) {
  leave_a_guest();
  DeviceState state(&folder(), "vm");
  state.set_complete();
  EXPECT_TRUE(DeviceState(&folder(), "vm").left()->complete);
  state.begin(kFeatures);
  EXPECT_FALSE(DeviceState(&folder(), "vm").left()->complete);
}

TEST_F(KeptState, ThatIsRemovedIsGone) {
  leave_a_guest();
  DeviceState(&folder(), "vm").remove();
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_EQ(DeviceState(&folder(), "vm").target(), std::nullopt);
}

TEST(NoState, IsKeptWithoutAFolder) {
  const test::GuestRam ram({{Gpa{0}, 4 * kMiB, 0}});
  DeviceState state(nullptr, "vm");
  state.set_target({3});
  state.begin(1);
  EXPECT_EQ(state.target(), TargetWord{3}) << "as long as this daemon lives";
  EXPECT_FALSE(state.kept());
  EXPECT_EQ(state.why_not(), "") << "nothing went wrong";
  EXPECT_TRUE(state.room_for(*ram.map()).words.empty());
  EXPECT_EQ(state.ring(0), nullptr);
  EXPECT_EQ(state.left(), std::nullopt);
}

TEST_F(KeptState, IsNobodyElsesToRead) {
  leave_a_guest();
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(folder().path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(KeptState, FoldersHaveOneDaemon) {
  const auto second = Folder::open(folder().path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
}

TEST_F(KeptState, FoldersThatOthersWriteAreRefused) {
  const auto open_to_all = path() / "open";
  std::filesystem::create_directory(open_to_all);
  std::filesystem::permissions(open_to_all, std::filesystem::perms::all);
  const auto refused = Folder::open(open_to_all);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace vballoon::vm
