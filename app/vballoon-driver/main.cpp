// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver - plays a guest's balloon driver and its VMM: does steps and prints the outcomes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "arguments.hpp"
#include "base/output.hpp"
#include "driver/message_socket.hpp"
#include "outcome_text.hpp"

namespace vballoon::app {
namespace {

constexpr int kOk = 0;
constexpr int kViolation = 1;  // the device broke a rule or a canary
constexpr int kError = 2;      // arguments, connection, memory, output

using Connect = std::function<Result<driver::MessageSocket>(driver::Deadline)>;

/// @return the function that connects to a backend, the first one and later ones.
Result<Connect> make_connect(const Arguments& arguments) {
  if (!arguments.listen) {
    return [path = arguments.socket](driver::Deadline deadline) {
      return driver::MessageSocket::connect(path, deadline);
    };
  }
  auto listener = driver::Listener::bind(arguments.socket);
  if (!listener) return tl::unexpected(listener.error());
  const auto shared = std::make_shared<driver::Listener>(*std::move(listener));
  return [shared](driver::Deadline deadline) { return shared->accept(deadline); };
}

/// The outcomes of all steps: as text printed at once, as JSON at the end.
class Log {
 public:
  explicit Log(bool json) : json_(json) {}

  void add(const driver::StepOutcome& outcome) {
    canaries_changed_ += outcome.canaries.changed;
    steps_.push_back(to_json(outcome));
    if (!json_) fmt::print("{}", to_text(outcome));
    std::fflush(stdout);
  }

  int finish(const driver::Violations& violations) const {
    const bool good = violations.total() == 0 && canaries_changed_ == 0;
    if (json_) {
      const nlohmann::json all{
          {"steps", steps_}, {"violations", to_json(violations)}, {"ok", good}};
      fmt::print("{}\n", all.dump(2));
    } else if (violations.total() != 0) {
      fmt::print(stderr, "{}", to_text(violations));
    }
    return good ? kOk : kViolation;
  }

 private:
  nlohmann::json steps_ = nlohmann::json::array();
  std::uint64_t canaries_changed_ = 0;
  bool json_;
};

/// Adds a hint: a backend that has a VMM already ends the next connection without a message.
Status with_hint(Status status, const std::string& socket) {
  if (status.code == Code::kUnavailable) {
    status.message += fmt::format("; is another VMM connected to {}?", socket);
  }
  return status;
}

template <typename Kind, typename Options>
Result<std::unique_ptr<driver::Guest>> start(driver::MessageSocket socket, Options options,
                                             const Connect& reconnect) {
  options.driver.reconnect = reconnect;
  return Kind::start(std::move(socket), std::move(options)).map([](auto guest) {
    return std::unique_ptr<driver::Guest>(std::move(guest));
  });
}

/// @param reconnect  empty: a backend that goes away is the end.
Result<std::unique_ptr<driver::Guest>> start(driver::MessageSocket socket,
                                             const Arguments& arguments, const Connect& reconnect) {
  if (const auto* const stock = std::get_if<driver::GuestOptions>(&arguments.guest)) {
    return start<driver::PretendGuest>(std::move(socket), *stock, reconnect);
  }
  return start<driver::LargeGuest>(std::move(socket),
                                   std::get<driver::LargeGuestOptions>(arguments.guest), reconnect);
}

Result<int> run(const Arguments& arguments) {
  const auto connect = make_connect(arguments);
  if (!connect) return tl::unexpected(connect.error());
  auto socket = (*connect)(driver::Deadline(arguments.patience));
  if (!socket) return tl::unexpected(socket.error());
  const auto guest =
      start(*std::move(socket), arguments, arguments.reconnect ? *connect : Connect{});
  if (!guest) return tl::unexpected(with_hint(guest.error(), arguments.socket));
  Log log(arguments.json);
  for (const driver::Step& step : arguments.steps) {
    const auto outcome = (*guest)->run(step);
    if (!outcome) return tl::unexpected(outcome.error());
    log.add(*outcome);
  }
  return log.finish((*guest)->violations());
}

}  // namespace
}  // namespace vballoon::app

int main(int argc, char** argv) {
  using namespace vballoon;
  return with_output_written("vballoon-driver", app::kError, [&] {
    CLI::App cli("A guest without a guest: a balloon driver for a vhost-user backend.",
                 "vballoon-driver");
    app::RawArguments raw;
    app::declare(cli, raw);
    try {
      cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return cli.exit(error) == 0 ? app::kOk : app::kError;
    }
    const auto code = app::check(raw).and_then(app::run);
    if (code) return *code;
    fmt::print(stderr, "vballoon-driver: {}\n", code.error().message);
    return app::kError;
  });
}
