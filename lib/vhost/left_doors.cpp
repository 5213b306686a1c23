// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/left_doors.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace vballoon::vhost {
namespace {

using File = std::pair<dev_t, ino_t>;

std::optional<File> file_at(const std::string& path) noexcept {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return std::nullopt;
  return File{file.st_dev, file.st_ino};
}

/// Where the socket was bound; empty where that cannot be told.
std::string path_of(int socket) {
  sockaddr_un address{};
  socklen_t bytes = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return {};
  if (bytes <= offsetof(sockaddr_un, sun_path) || address.sun_family != AF_UNIX) return {};
  return {address.sun_path, ::strnlen(address.sun_path, bytes - offsetof(sockaddr_un, sun_path))};
}

}  // namespace

/// Of two with one file each is a duplicate of the other: the record of a device that was replaced
/// may still be there.
void LeftDoors::add(LeftDoor door) {
  const File file{door.is.file_device, door.is.file_inode};
  doors_.emplace(file, std::move(door));
}

std::optional<LeftDoor> LeftDoors::take(const std::string& path) {
  const auto file = file_at(path);
  if (!file) return std::nullopt;
  auto found = doors_.extract(*file);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

void LeftDoors::close_rest() noexcept {
  for (const auto& [file, door] : doors_) {
    const std::string path = path_of(door.socket.get());
    if (!path.empty() && file_at(path) == file) ::unlink(path.c_str());
  }
  doors_.clear();
}

}  // namespace vballoon::vhost
