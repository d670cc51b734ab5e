// What data sheets say about accelerators, for formats that describe a server without its speeds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/numbers/units.hpp"

namespace switchyard {

/// Rates are per direction.
struct Accelerator {
  std::string_view name;                          // "h100", as parameters write it
  std::string_view link_name;                     // "NVLink 4"
  std::int32_t link_count;                        // NVLink or xGMI links of a device
  BytesPerSecond link_rate;                       // of one of them
  BytesPerSecond pcie;                            // x16
  BytesPerSecond nic;                             // usual port beside it
  std::string_view architecture;                  // NCCL's `sm` or RCCL's `gcn`, as text
  std::span<const std::string_view> pci_devices;  // PCI device ids, "0x2330"
};

/// All known ones, oldest first.
std::span<const Accelerator> accelerators();

/// By name; nothing if unknown.
const Accelerator* find_accelerator(std::string_view name);
/// The first of that architecture ("90", "gfx942", "910"); null if unknown.
const Accelerator* accelerator_of_architecture(std::string_view architecture);
/// By PCI device id ("0x20b0"); null if unknown.
const Accelerator* accelerator_of_pci_device(std::string_view device);

}  // namespace switchyard
