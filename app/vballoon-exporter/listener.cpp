// SPDX-License-Identifier: BSD-3-Clause
#include "listener.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace vballoon::exporter {
namespace {

constexpr int kBacklog = 128;
constexpr int kSendBytes = 64 << 10;

struct HostAndPort {
  std::string host;
  std::string port;
};

/// getaddrinfo() takes 99999 for a port, and 34463 for what was meant.
bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, port);
  return error == std::errc{} && end == last;
}

std::optional<HostAndPort> split(std::string_view where) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = where.substr(0, colon);
  const std::string_view port = where.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool one_address = bracketed || host.find(':') == std::string_view::npos;
  if (host.empty() || !one_address || !is_port(port)) return std::nullopt;
  return HostAndPort{std::string(host), std::string(port)};
}

tl::unexpected<Status> no_address(const std::string& where, std::string_view why) {
  return fail(Code::kInvalidArgument,
              fmt::format("--listen {}: {}; it takes HOST:PORT, as 127.0.0.1:10787 or [::1]:10787",
                          where, why));
}

tl::unexpected<Status> failed(const std::string& where, int reason) {
  const bool taken = reason == EADDRINUSE;
  return fail(taken ? Code::kAlreadyExists : Code::kHost,
              fmt::format("--listen {}: {}{}", where, std::strerror(reason),
                          taken ? "; another program has the port: choose another" : ""));
}

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> resolve(const std::string& where) {
  const auto parts = split(where);
  if (!parts) return no_address(where, "that is no address with a port");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int result = ::getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &list);
  if (result != 0) return no_address(where, ::gai_strerror(result));
  return Addresses(list);
}

/// @return the address that the socket has got, as people write it.
std::string own_address(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(fd, any, &bytes) != 0) return "?";
  if (::getnameinfo(any, bytes, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const bool six = address.ss_family == AF_INET6;
  return fmt::format("{}{}{}:{}", six ? "[" : "", host.data(), six ? "]" : "", port.data());
}

}  // namespace

Result<Listener> listen_on(const std::string& where) {
  const auto addresses = resolve(where);
  if (!addresses) return tl::unexpected(addresses.error());
  const addrinfo& to = **addresses;
  UniqueFd fd(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(where, errno);
  // Connections of the exporter before this one may be in TIME_WAIT.
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Connections inherit it. The kernel charges this process for what slow readers leave unread.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBytes, sizeof(kSendBytes));
  if (::bind(fd.get(), to.ai_addr, to.ai_addrlen) != 0) return failed(where, errno);
  if (::listen(fd.get(), kBacklog) != 0) return failed(where, errno);
  std::string address = own_address(fd.get());
  return Listener{std::move(fd), std::move(address)};
}

}  // namespace vballoon::exporter
