// SPDX-License-Identifier: BSD-3-Clause
#include "lab.hpp"

#include <gtest/gtest.h>

namespace vballoon::model {
namespace {

constexpr unsigned kDevices = 128;
constexpr unsigned kClients = 48;

std::string server_name(unsigned i) {
  return "vm" + std::to_string(i);
}
std::string client_name(unsigned i) {
  return "client" + std::to_string(i);
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (unsigned i = 0; i < kDevices; ++i) names.push_back(server_name(i));
  for (unsigned i = 0; i < kClients; ++i) names.push_back(client_name(i) + "=client");
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
  provide(used_, kDevices);
  return server_name(used_++);
}

std::string Lab::next_client_device() {
  provide(clients_used_, kClients);
  return client_name(clients_used_++);
}

bool Lab::is_short() const noexcept {
  constexpr unsigned kMostOfATest = 4;
  return used_ + kMostOfATest > kDevices || clients_used_ + kMostOfATest > kClients;
}

void Lab::provide(unsigned used, unsigned most) {
  if (daemon_ != nullptr && (!daemon_->alive() || used == most)) retire();
  if (daemon_ != nullptr) return;
  daemon_ = std::make_unique<Daemon>(device_names());
  used_ = 0;
  clients_used_ = 0;
}

}  // namespace vballoon::model
