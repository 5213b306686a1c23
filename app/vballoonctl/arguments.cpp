// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/arguments.cpp - the commands and their options.
#include "arguments.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <sstream>

#include "base/printable.hpp"
#include "base/size_text.hpp"
#include "base/units.hpp"
#include "condition.hpp"
#include "options.hpp"

namespace vballoon::ctl {
namespace {

constexpr const char* kFooter = R"(
SIZE is the size of the balloon, which is what the guest goes without: 512M, 1.5G, or
50% of guest memory. 0 gives everything back.

Examples:
  vballoonctl set vm1 1.5G --wait    take 1.5 GiB from vm1 and watch it happen
  vballoonctl set vm1 0              give it back
  vballoonctl list --json            for programs; errors are JSON, too

Exit status: 0 done, 1 refused, 2 usage, 3 no daemon answers, 4 done in part (a target
that was not reached, or some of the VMs).
See vballoonctl(1).)";

/// A size that is valid for no guest is a usage error, without a question to the daemon.
std::string size_fault(const std::string& text) {
  const auto size = parse_size_or_share(text);
  return size ? std::string() : size.error().message;
}

std::string switch_fault(const std::string& text) {
  return text == "on" || text == "off" ? "" : "'" + text + "' is neither on nor off";
}

std::string hint_fault(const std::string& text) {
  return text == "start" || text == "stop" || text == "done"
             ? ""
             : "'" + text + "' is none of start, stop, done";
}

CLI::App* add_command(CLI::App& app, const char* name, const char* what, Arguments* out) {
  CLI::App* command = app.add_subcommand(name, what);
  // --json and --rpc may stand after the command as well as before it.
  command->fallthrough();
  command->callback([out, name] { out->command = name; });
  return command;
}

CLI::App* add_vm_command(CLI::App& app, const char* name, const char* what, Arguments* out) {
  CLI::App* command = add_command(app, name, what, out);
  command->add_option("VM", out->name, "Its name, as `vballoonctl list` shows it")
      ->required()
      ->type_name("");
  return command;
}

/// `set --all SIZE` has one word where `set VM SIZE` has two.
void settle_set(Arguments* out) {
  if (out->all && out->size.empty()) std::swap(out->name, out->size);
  if (out->all && !out->name.empty()) {
    throw CLI::ValidationError("--all: it means every VM; leave '" + out->name + "' out");
  }
  if (!out->all && out->name.empty()) throw CLI::RequiredError("VM");
  if (out->size.empty()) throw CLI::RequiredError("SIZE");
  if (const std::string fault = size_fault(out->size); !fault.empty()) {
    throw CLI::ValidationError("SIZE: " + fault);
  }
}

void add_set(CLI::App& app, Arguments* out) {
  CLI::App* set =
      add_command(app, "set", "Set the size of a VM's balloon, or of several VMs'", out);
  set->add_option("VM", out->name, "Its name, several with commas between, or a pattern: 'web-*'")
      ->type_name("");
  set->add_option("SIZE", out->size, "512M, 1.5G, 50% of guest memory, 0")->type_name("");
  set->add_flag("-a,--all", out->all, "Of every VM");
  set->callback([out] {
    out->command = "set";
    settle_set(out);
  });
  set->add_flag("-f,--force", out->force, "However little it leaves to the guest");
  CLI::Option* wait =
      set->add_flag("-w,--wait", out->wait,
                    "Wait until it is reached; give up after 10 s without progress, or 5 s without "
                    "its beginning (status 4)");
  set->add_option("--timeout", out->timeout_s, "With --wait: give up after so many seconds at most")
      ->type_name("S")
      ->check(CLI::Range(1u, 86400u))
      ->needs(wait);
}

std::string condition_fault(const std::string& text) {
  const auto condition = parse_condition(text);
  return condition ? std::string() : condition.error().message;
}

void add_wait(CLI::App& app, Arguments* out) {
  CLI::App* wait = add_vm_command(app, "wait", "Wait until something is true of a VM", out);
  wait->add_option("-u,--until", out->until,
                   "As actual=target, actual<=512M, reclaimed>=1G, state=running; may be given "
                   "again, and all have to hold")
      ->required()
      ->type_name("WHAT")
      ->allow_extra_args(false)
      ->check(condition_fault, "");
  wait->add_option("--timeout", out->timeout_s, "Give up after so many seconds (status 4)")
      ->type_name("S")
      ->check(CLI::Range(1u, 86400u));
}

void add_events(CLI::App& app, Arguments* out) {
  CLI::App* events = add_command(app, "events", "What happens to VMs; Ctrl-C ends it", out);
  events->add_flag("--all", out->all, "Begin with those that the daemon still has");
  events->add_option("--count", out->count, "End after so many")->type_name("N");
}

void add_watch(CLI::App& app, Arguments* out) {
  CLI::App* watch = add_command(app, "watch", "All VMs, again and again; Ctrl-C ends it", out);
  watch->add_option("-n,--interval", out->interval_s, "Seconds between two looks, 1 by default")
      ->type_name("S")
      ->check(CLI::Range(0.1, 3600.0));
  watch->add_option("--count", out->count, "End after so many looks")->type_name("N");
}

void add_add(CLI::App& app, Arguments* out) {
  CLI::App* add = add_command(app, "add", "Serve one more VM, until the daemon ends", out);
  add->add_option("NAME", out->name, "Its name from now on")->required()->type_name("");
  add->add_option("SOCKET", out->socket, "Path of its vhost-user socket")
      ->required()
      ->type_name("");
  add->add_flag("--client", out->client, "The VMM listens on the socket, and the daemon connects");
  add->add_option("-k,--key", out->keys,
                  "More of it, as in the configuration: automatic=true, floor_mib=512")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(option_fault, "");
}

void add_set_option(CLI::App& app, Arguments* out) {
  add_vm_command(app, "set-option", "Change settings of a VM while it is served", out)
      ->add_option("KEY=VALUE", out->keys, "As in the configuration: weight=200, automatic=on")
      ->required()
      ->type_name("")
      ->check(option_fault, "");
}

void add_switch(CLI::App& app, const char* name, const char* what, Arguments* out) {
  add_vm_command(app, name, what, out)
      ->add_option_function<std::string>(
          "SWITCH", [out](const std::string& text) { out->on = text == "on"; }, "on or off")
      ->required()
      ->type_name("")
      ->check(switch_fault, "");
}

/// Commands of two words, as `policy show`.
void add_policy(CLI::App& app, Arguments* out) {
  CLI::App* policy = app.add_subcommand("policy", "Automatic ballooning: what it does, and why");
  policy->fallthrough();
  policy->require_subcommand(1);
  const auto named = [out](CLI::App* command, const char* name) {
    command->callback([out, name] { out->command = name; });
  };
  named(add_command(*policy, "show", "The law, the host, and every automatic VM", out),
        "policy show");
  named(add_vm_command(*policy, "explain", "Why a VM's target is what it is", out),
        "policy explain");
  add_switch(*policy, "auto", "Have the policy set a VM's target; or a person", out);
  named(policy->get_subcommand("auto"), "policy auto");
}

void add_commands(CLI::App& app, Arguments* out) {
  add_command(app, "list", "All VMs", out);
  add_vm_command(app, "show", "Everything about one VM", out);
  add_set(app, out);
  add_vm_command(app, "stats", "A fresh sample of a guest's own memory figures", out)
      ->add_option("--timeout", out->timeout_s, "Seconds to wait for the guest, 1 by default")
      ->type_name("S")
      ->check(CLI::Range(1u, 60u));
  add_watch(app, out);
  add_wait(app, out);
  add_events(app, out);
  add_add(app, out);
  add_set_option(app, out);
  add_vm_command(app, "remove",
                 "Disconnect a VM and remove its socket; the guest keeps its balloon", out);
  add_switch(app, "inhibit",
             "Discard nothing of a VM's memory while on: VFIO has it pinned, or it migrates", out);
  add_switch(app, "prefault",
             "Fetch pages before a guest gets them back, so that its first touch does not stall",
             out);
  add_switch(app, "reporting", "Give the host what a guest reports as free; on, unless configured",
             out);
  add_vm_command(app, "hint", "Have a guest name its free pages, which are counted", out)
      ->add_option("ACTION", out->action, "start, stop or done")
      ->required()
      ->type_name("")
      ->check(hint_fault, "");
  add_vm_command(app, "move", "Have another poll lcore serve a VM", out)
      ->add_option("LCORE", out->lcore, "Its number, as `vballoonctl lcores` shows it")
      ->required()
      ->type_name("");
  add_vm_command(app, "readmit",
                 "Serve a VM again that was set aside because the daemon crashed for it", out);
  add_command(app, "lcores", "What each lcore does, and why on that cpu", out);
  add_command(app, "restarts", "Ends of the daemon that VMs did not notice, and how long each was",
              out);
  add_command(app, "upgrade", "Have vballoon-keeper start the vballoond that is there now", out)
      ->add_option("--timeout", out->timeout_s, "Seconds to wait for it, 60 by default")
      ->type_name("S")
      ->check(CLI::Range(1u, 3600u));
  add_command(app, "metrics", "All figures, as Prometheus reads them", out);
  add_policy(app, out);
}

}  // namespace

void describe_arguments(CLI::App& app, Arguments* out) {
  app.set_version_flag("--version", "vballoonctl " VBALLOON_VERSION);
  app.require_subcommand(0, 1);
  app.add_option("--rpc", out->rpc, "Socket of the daemon; or set $VBALLOON_RPC")
      ->type_name("PATH");
  app.add_flag("--json", out->json, "Print the result as the daemon sent it");
  add_commands(app, out);
  app.footer(kFooter);
}

std::optional<int> parse_arguments(int argc, char** argv, Arguments* out) {
  CLI::App app("Look at and set the balloons that vballoond serves.\n", "vballoonctl");
  describe_arguments(app, out);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream said;
    const bool fine = app.exit(error, said, said) == 0;
    (fine ? std::cout : std::cerr) << printable(said.str());
    return fine ? 0 : 2;
  }
  if (out->command.empty()) {
    std::cerr << app.help();
    return 2;
  }
  return std::nullopt;
}

}  // namespace vballoon::ctl
