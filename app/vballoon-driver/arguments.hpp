// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver/arguments.hpp - the command line, checked.
// Pure: argv in, values out.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "driver/pretend_guest.hpp"
#include "driver/step.hpp"

namespace CLI {
class App;
}

namespace vballoon::app {

struct Arguments {
  std::string socket;
  bool listen = false;     ///< wait for the backend at the socket instead of connecting to it
  bool reconnect = false;  ///< to the next backend, when one goes away
  bool json = false;
  std::chrono::milliseconds patience{10000};  ///< for the connection
  driver::GuestOptions guest;
  std::vector<driver::Step> steps;
};

/// The words as they were typed.
struct RawArguments {
  std::string socket;
  std::string memory = "1G";
  std::string hole;
  std::string huge_page;
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

/// Declares every option; they fill `raw` when the line is parsed.
void declare(CLI::App& app, RawArguments& raw);

/// @errors kInvalidArgument, naming the option, its value and what would do.
[[nodiscard]] Result<Arguments> check(const RawArguments& raw);

}  // namespace vballoon::app
