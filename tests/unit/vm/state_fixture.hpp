// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/state_fixture.hpp - a folder, a guest's memory, and a guest that was served.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "driver/temporary_folder.hpp"
#include "support/guest_ram.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::vm {

class KeptState : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kFeatures = 0x130000001;

  KeptState() { open_folder(Folder::this_boot()); }

  void open_folder(std::string boot) {
    folder_.reset();
    auto folder = Folder::open(path_ / "state", std::move(boot));
    ASSERT_TRUE(folder) << folder.error().message;
    folder_.emplace(*std::move(folder));
  }
  [[nodiscard]] const Folder& folder() const { return *folder_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path file() const { return path_ / "state" / "vm.state"; }

  /// A daemon served "vm" and was killed.
  void leave_a_guest() {
    DeviceState state(&folder(), "vm");
    state.set_target({50});
    const auto room = state.room_for(*memory_);
    ASSERT_FALSE(room.filled);
    state.commit(false);
    room.words[3] = 0x55;
    state.set_driver_fields(4, true, 9);
    *state.ring(1) = {.mark = 123, .layout = kPackedRing};
    state.begin(kFeatures);
  }

  const test::GuestRam ram_{{{Gpa{0}, 4 * kMiB, 4 * kMiB}, {Gpa{16 * kMiB}, 2 * kMiB, 0}}};
  const std::shared_ptr<const gmem::GuestMemory> memory_ = ram_.map();

 private:
  driver::TemporaryFolder scratch_;
  const std::filesystem::path path_ = scratch_.path();
  std::optional<Folder> folder_;
};

}  // namespace vballoon::vm
