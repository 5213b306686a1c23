// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/command.hpp - what all commands share: the connection, errors, the exit status.
#pragma once

#include <string>
#include <string_view>

#include "arguments.hpp"
#include "rpc/client.hpp"

namespace vballoon::ctl {

/// A script can tell apart a refusal, a daemon that does not run, and a command that is done in
/// part: a target was set and not reached, or only some of the VMs took it.
enum ExitStatus : int { kDone = 0, kRefused = 1, kUsage = 2, kNoDaemon = 3, kPartly = 4 };

/// One run of one command.
struct Command {
  const Arguments& arguments;
  rpc::Client client;

  [[nodiscard]] rpc::Outcome<rpc::Json> call(std::string_view method, rpc::Json params = {});
};

[[nodiscard]] int run_list(Command& command);
[[nodiscard]] int run_show(Command& command);
[[nodiscard]] int run_set(Command& command);
[[nodiscard]] int run_stats(Command& command);
[[nodiscard]] int run_watch(Command& command);
[[nodiscard]] int run_wait(Command& command);
[[nodiscard]] int run_events(Command& command);
[[nodiscard]] int run_add(Command& command);
[[nodiscard]] int run_set_option(Command& command);
[[nodiscard]] int run_remove(Command& command);
[[nodiscard]] int run_inhibit(Command& command);
[[nodiscard]] int run_prefault(Command& command);
[[nodiscard]] int run_reporting(Command& command);
[[nodiscard]] int run_hint(Command& command);
[[nodiscard]] int run_move(Command& command);
[[nodiscard]] int run_readmit(Command& command);
[[nodiscard]] int run_lcores(Command& command);
[[nodiscard]] int run_restarts(Command& command);
[[nodiscard]] int run_upgrade(Command& command);
[[nodiscard]] int run_metrics(Command& command);
[[nodiscard]] int run_policy_show(Command& command);
[[nodiscard]] int run_policy_explain(Command& command);
[[nodiscard]] int run_policy_auto(Command& command);

/// Connects and runs the command that the arguments name.
[[nodiscard]] int run(const Arguments& arguments);

/// @return the exit status for the error.
[[nodiscard]] int status_of(const rpc::Error& error) noexcept;

/// Prints the error on standard error, or as JSON on standard output.
/// @return the exit status for the error.
int complain(bool json, const rpc::Error& error);
int complain(const Command& command, const rpc::Error& error);

/// Prints a result's warnings on standard error. With --json they are in the result.
void print_warnings(const Command& command, const rpc::Json& result);
/// @param name  the VM's; empty where the result is about no VM.
void print_warnings(const Command& command, const std::string& name, const rpc::Json& result);

/// Prints the raw result, indented.
void print_json(const rpc::Json& result);

}  // namespace vballoon::ctl
