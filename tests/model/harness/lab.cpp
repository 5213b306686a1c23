// SPDX-License-Identifier: BSD-3-Clause
#include "lab.hpp"

#include <gtest/gtest.h>

namespace vballoon::model {
namespace {

constexpr unsigned kDevices = 128;

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (unsigned i = 0; i < kDevices; ++i) names.push_back("vm" + std::to_string(i));
  return names;
}

class LastDaemon : public ::testing::Environment {
 public:
  void TearDown() override { Lab::get().retire(); }
};
const auto* const kRegistered = ::testing::AddGlobalTestEnvironment(new LastDaemon);

}  // namespace

Lab& Lab::get() {
  static Lab lab;
  return lab;
}

std::string Lab::next_device() {
  if (daemon_ != nullptr && (!daemon_->alive() || used_ == kDevices)) retire();
  if (daemon_ == nullptr) {
    daemon_ = std::make_unique<Daemon>(device_names());
    used_ = 0;
  }
  return device_names().at(used_++);
}

}  // namespace vballoon::model
