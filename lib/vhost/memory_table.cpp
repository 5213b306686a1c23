// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/memory_table.hpp"

#include <cstdlib>
#include <span>
#include <vector>

#include "vhost/rte_vhost_include.hpp"

namespace vballoon::vhost {
namespace {

gmem::RegionSpec to_spec(const rte_vhost_mem_region& region) {
  gmem::RegionSpec spec;
  spec.first = Gpa{region.guest_phys_addr};
  spec.bytes = region.size;
  spec.host = reinterpret_cast<std::byte*>(region.host_user_addr);
  spec.fd = region.fd;
  // The mapping begins at the start of the file; the region begins mmap_offset bytes into it.
  spec.file_offset = region.host_user_addr - reinterpret_cast<std::uintptr_t>(region.mmap_addr);
  return spec;
}

}  // namespace

Result<std::shared_ptr<const gmem::GuestMemory>> load_memory_table(int vid) {
  rte_vhost_memory* raw = nullptr;
  if (rte_vhost_get_mem_table(vid, &raw) != 0) {
    return fail(Code::kHost, "librte_vhost gives no memory table; is the host out of memory?");
  }
  const std::unique_ptr<rte_vhost_memory, decltype(&std::free)> table(raw, &std::free);
  std::vector<gmem::RegionSpec> specs;
  for (const auto& region : std::span(table->regions, table->nregions)) {
    specs.push_back(to_spec(region));
  }
  return gmem::GuestMemory::create(specs);
}

}  // namespace vballoon::vhost
