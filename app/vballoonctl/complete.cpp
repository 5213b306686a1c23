// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/complete.cpp - walks along a command line by the commands, options and settings.
#include "complete.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "arguments.hpp"
#include "base/printable.hpp"
#include "rpc/client.hpp"
#include "rpc/socket_path.hpp"
#include "vm/settings.hpp"

namespace vballoon::ctl {
namespace {

using Words = std::vector<std::string>;

/// A position on the command line: the command so far, and what may follow.
class Walk {
 public:
  explicit Walk(const CLI::App& app) : app_(&app) {}

  void step(const std::string& word) {
    if (option_ != nullptr) {
      if (option_->check_lname("rpc")) rpc_ = word;
      option_ = nullptr;
    } else if (word.starts_with('-')) {
      option_ = option_with_value(word);
    } else if (const CLI::App* command = command_named(word)) {
      app_ = command;
    } else {
      ++positionals_;
    }
  }

  [[nodiscard]] Words next(const std::string& begun, const VmNames& vm_names) const {
    if (option_ != nullptr) return values_of(*option_, begun, vm_names);
    if (begun.starts_with('-')) return option_names();
    if (const CLI::Option* option = positional()) return values_of(*option, begun, vm_names);
    Words words;
    for (const CLI::App* command : app_->get_subcommands({})) words.push_back(command->get_name());
    return words;
  }

 private:
  [[nodiscard]] const CLI::App* command_named(const std::string& word) const {
    for (const CLI::App* command : app_->get_subcommands({})) {
      if (command->get_name() == word) return command;
    }
    return nullptr;
  }

  /// The options of the command, then those of the commands around it.
  [[nodiscard]] std::vector<const CLI::Option*> options() const {
    std::vector<const CLI::Option*> all;
    for (const CLI::App* app = app_; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* option : app->get_options()) all.push_back(option);
    }
    return all;
  }

  [[nodiscard]] const CLI::Option* option_with_value(const std::string& word) const {
    for (const CLI::Option* option : options()) {
      if (option->check_name(word) && option->get_items_expected_max() > 0) return option;
    }
    return nullptr;
  }

  [[nodiscard]] Words option_names() const {
    Words words;
    for (const CLI::Option* option : options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
      for (const std::string& name : option->get_snames()) words.push_back("-" + name);
    }
    return words;
  }

  /// The positional that stands next. The last one of a command may stand more than once.
  [[nodiscard]] const CLI::Option* positional() const {
    std::size_t at = 0;
    for (const CLI::Option* option : app_->get_options()) {
      if (!option->get_positional()) continue;
      if (at++ == positionals_ || option->get_items_expected_max() > 1) return option;
    }
    return nullptr;
  }

  [[nodiscard]] Words values_of(const CLI::Option& option, const std::string& begun,
                                const VmNames& vm_names) const {
    const std::string name = option.get_name(option.get_positional());
    if (name == "VM") return vm_names(rpc_);
    if (name == "SWITCH") return {"on", "off"};
    if (name == "ACTION") return {"start", "stop", "done"};
    if (name == "KEY=VALUE") return settings(begun, true);
    return option.check_lname("key") ? settings(begun, false) : Words();
  }

  /// Keys up to their '=', then the values of a switch or the words.
  static Words settings(const std::string& begun, bool live_only) {
    Words words;
    for (const vm::Setting& setting : vm::kSettings) {
      if (live_only && setting.effect != vm::Effect::kLive) continue;
      if (setting.source == vm::Source::kConfiguration) continue;
      const std::string key = std::string(setting.key) + "=";
      if (!begun.starts_with(key)) {
        words.push_back(key);
      } else if (std::holds_alternative<vm::Flag>(setting.kind)) {
        return {key + "true", key + "false"};
      } else if (const auto* word = std::get_if<vm::Word>(&setting.kind)) {
        Words values;
        for (const std::string_view one : word->words) values.push_back(key + std::string(one));
        return values;
      }
    }
    return words;
  }

  const CLI::App* app_;
  const CLI::Option* option_ = nullptr;  // the option whose value comes next
  std::size_t positionals_ = 0;
  std::string rpc_;
};

std::vector<std::string> ask_vm_names(const std::string& rpc_socket) {
  auto client = rpc::Client::connect(rpc_socket.empty() ? rpc::default_client_path() : rpc_socket);
  if (!client) return {};
  const auto listed = client->call("device.list", {}, std::chrono::seconds(1));
  std::vector<std::string> names;
  if (!listed) return names;
  for (const rpc::Json& device : listed->value("devices", rpc::Json::array())) {
    names.push_back(printable(device.value("name", "")));
  }
  return names;
}

}  // namespace

std::vector<std::string> complete(const std::vector<std::string>& words, const VmNames& vm_names) {
  if (words.empty()) return {};
  Arguments ignored;
  CLI::App app;
  describe_arguments(app, &ignored);
  Walk walk(app);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) walk.step(words[i]);
  Words found = walk.next(words.back(), vm_names);
  std::erase_if(found, [&](const std::string& word) { return !word.starts_with(words.back()); });
  return found;
}

int run_complete(const std::vector<std::string>& words) {
  for (const std::string& word : complete(words, ask_vm_names)) fmt::print("{}\n", word);
  return 0;
}

}  // namespace vballoon::ctl
