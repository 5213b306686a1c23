// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver/arguments.hpp - the command line, checked.
// Pure.
#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "driver/large_guest.hpp"
#include "driver/pretend_guest.hpp"
#include "driver/step.hpp"

namespace CLI {
class App;
}

namespace vballoon::app {

struct Arguments {
  std::string socket;
  bool listen = false;     ///< wait for the backend at the socket instead of connecting to it
  bool reconnect = false;  ///< connect to the next backend when one goes away
  bool json = false;
  std::chrono::milliseconds patience{10000};  ///< how long to wait for the connection
  std::variant<driver::GuestOptions, driver::LargeGuestOptions> guest;  ///< by the kind of balloon
  std::vector<driver::Step> steps;
};

/// The options as the operator typed them.
struct RawArguments {
  std::string socket;
  std::string kind = "stock";
  std::string memory = "1G";
  std::string hole;
  std::string huge_page;
  std::string sizes;
  std::string order = "ascending";
  std::string stats;
  std::string without;
  std::string indirect = "linux";
  std::vector<std::string> steps;
  std::uint64_t seed = 1;
  std::uint32_t poison = 0;
  unsigned queue_size = 128;
  unsigned batch = 256;
  unsigned pipeline = 1;
  unsigned timeout_s = 5;
  bool listen = false;
  bool reconnect = false;
  bool canaries = false;
  bool untouched = false;
  bool spin = false;
  bool spec_numbers = false;
  bool message_queue = false;
  bool json = false;
};

/// Declares every option; parsing the command line then fills `raw`.
void declare(CLI::App& app, RawArguments& raw);

/// @errors kInvalidArgument; the message names the option, its value and what the option takes.
[[nodiscard]] Result<Arguments> check(const RawArguments& raw);

}  // namespace vballoon::app
