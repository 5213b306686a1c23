// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "service/config/config_check.hpp"

namespace vballoon::daemon {
namespace {

constexpr const char* kSystemConfig = VBALLOON_CONFIG_DIR "/vballoond.toml";

constexpr const char* kFooter = R"(
Examples:
  vballoond --dev --device vm1=./vm1.sock
      Try it: no huge pages, no cpu of its own, no root. Point your VMM at
      ./vm1.sock, then: vballoonctl set vm1 50% --wait
  vballoond --config )" VBALLOON_CONFIG_DIR R"(/vballoond.toml
      Production; this file is also what is read by default.
  vballoond --dev --device vm1=client:/run/vmm/vm1.sock
      The VMM listens, the daemon connects, and connects again.

SIGTERM ends it: guests keep running. SIGHUP rereads the configuration file.
See vballoond(8), vballoond.toml(5), vballoonctl(1).)";

std::string log_level_fault(const std::string& level) {
  if (service::is_log_level(level)) return "";
  return fmt::format("'{}' is none of trace, debug, info, warning (or warn), error", level);
}

Result<service::Config> read_config(const Arguments& arguments) {
  const auto profile = arguments.dev ? lcore::Profile::kDevelopment : lcore::Profile::kProduction;
  const std::string file = config_file(arguments);
  return file.empty() ? service::default_config(profile) : service::load_config(file, profile);
}

}  // namespace

std::string config_file(const Arguments& arguments) {
  if (!arguments.config.empty()) return arguments.config;
  return !arguments.dev && ::access(kSystemConfig, F_OK) == 0 ? kSystemConfig : "";
}

std::optional<int> parse_arguments(int argc, char** argv, Arguments* out) {
  CLI::App app("The vhost-user backend of the virtio balloons of all VMs of a host.\n",
               "vballoond");
  app.set_version_flag("--version", "vballoond " VBALLOON_VERSION);
  app.add_option("-c,--config", out->config,
                 fmt::format("Configuration; without it {}, if there is one", kSystemConfig))
      ->type_name("FILE");
  app.add_flag("--dev", out->dev, "Development: no huge pages, no cpu of its own, no root");
  app.add_option("-d,--device", out->devices,
                 "A VM and its socket; may be given again. NAME=client:SOCKET connects to a VMM "
                 "that listens")
      ->type_name("NAME=SOCKET")
      ->allow_extra_args(false);
  app.add_option("--rpc", out->rpc, "Socket for vballoonctl")->type_name("PATH");
  app.add_option("--state", out->state,
                 "Folder of its own, to keep balloons and targets for the next daemon in")
      ->type_name("FOLDER");
  app.add_option("--log-level", out->log_level, "trace, debug, info, warning or error")
      ->type_name("LEVEL")
      ->check(log_level_fault, "");
  app.add_flag("--check-config", out->check_config,
               "Say what is wrong in the configuration, and do no more");
  app.add_flag("--print-config", out->print_config,
               "Print the effective configuration and where each value comes from, and do no more");
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

Result<service::Config> make_config(const Arguments& arguments) {
  auto config = read_config(arguments);
  if (!config) return config;
  for (const std::string& text : arguments.devices) {
    auto device = service::parse_device_option(text);
    if (!device) return fail(device.error().code, "--device: " + device.error().message);
    config->devices.push_back(std::move(*device));
    if (auto unique = service::check_devices(config->devices); !unique) {
      return fail(unique.error().code, "--device: " + unique.error().message);
    }
    config->places.add_device(config->devices.back().name, "", std::string(service::kDeviceOption));
  }
  const auto obey = [&config](const std::string& value, const char* option, const char* key,
                              std::string* field) {
    if (value.empty()) return;
    *field = value;
    config->places.add(key, std::string(option) + ": ");
  };
  obey(arguments.rpc, "--rpc", "daemon.rpc_socket", &config->rpc_socket);
  obey(arguments.state, "--state", "daemon.state_dir", &config->state_dir);
  obey(service::log_level_named(arguments.log_level), "--log-level", "daemon.log_level",
       &config->log_level);
  if (auto ok = service::check_config(*config); !ok) return tl::unexpected(ok.error());
  return config;
}

}  // namespace vballoon::daemon
