// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-exporter/main.cpp - arguments, run.
// Exit:   0 after SIGTERM or SIGINT, 1 when the port cannot be had or the server fails, 2 for a
//         wrong argument.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <optional>

#include "base/output.hpp"
#include "http_server.hpp"
#include "rpc/socket_path.hpp"

namespace {

using namespace vballoon;

std::atomic<bool> stop{false};

struct Arguments {
  std::string listen = "127.0.0.1:10787";
  std::string rpc = rpc::default_client_path();
};

constexpr const char* kFooter = R"(
Example:
  vballoon-exporter
      http://127.0.0.1:10787/metrics has the figures; in prometheus.yml:
        scrape_configs:
          - job_name: vballoon
            static_configs: [{targets: ["127.0.0.1:10787"]}]

It must be allowed to ask the daemon: rpc_observers in vballoond.toml(5).
See vballoon-exporter(8).)";

/// @return an exit status when there is nothing left to do: 0 after --help, 2 for a usage error.
std::optional<int> parse(int argc, char** argv, Arguments* out) {
  CLI::App app("Tells Prometheus the figures of vballoond and its VMs.\n", "vballoon-exporter");
  app.set_version_flag("--version", "vballoon-exporter " VBALLOON_VERSION);
  app.add_option("--listen", out->listen,
                 "Where; 127.0.0.1:10787 by default. Port 0: any that is free")
      ->type_name("HOST:PORT");
  app.add_option("--rpc", out->rpc, "Socket of the daemon")->type_name("PATH");
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

void end_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = true; };
  for (const int signal : {SIGTERM, SIGINT}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // of a daemon that goes away while it is asked
}

Result<void> run(const Arguments& arguments) {
  auto listener = exporter::listen_on(arguments.listen);
  if (!listener) return tl::unexpected(listener.error());
  exporter::Figures figures(arguments.rpc, stop);
  const std::string address = listener->address;
  auto server = exporter::HttpServer::start(std::move(*listener), figures);
  if (!server) return tl::unexpected(server.error());
  end_on_signals();
  say_line(fmt::format("vballoon-exporter: http://{}/metrics", address));
  return (*server)->serve(stop);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  std::optional<int> done;
  const int printed = with_output_written("vballoon-exporter", 1, [&] {
    done = parse(argc, argv, &arguments);
    return done.value_or(0);
  });
  if (done) return printed;
  const auto ended = run(arguments);
  if (ended) return 0;
  fmt::print(stderr, "vballoon-exporter: {}\n", ended.error().message);
  return ended.error().code == Code::kInvalidArgument ? 2 : 1;
}
