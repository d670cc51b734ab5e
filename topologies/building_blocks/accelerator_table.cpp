// Data-sheet figures, halved where the sheet counts both directions. NCCL itself calculates with
// less than this per NVLink (20.6 GB/s for NVLink 4), because payload shares the wire with headers:
// that is what the efficiency of a link is for.
#include "topologies/building_blocks/accelerator_table.hpp"

#include <algorithm>
#include <array>

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 5> kV100Ids{
    "0x1db1", "0x1db4", "0x1db5", "0x1db6", "0x1db8"};
constexpr std::array<std::string_view, 4> kA100Ids{"0x20b0", "0x20b2", "0x20b3", "0x20b5"};
constexpr std::array<std::string_view, 3> kH100Ids{"0x2330", "0x2331", "0x2339"};
constexpr std::array<std::string_view, 1> kH800Ids{"0x2324"};
constexpr std::array<std::string_view, 1> kH200Ids{"0x2335"};
constexpr std::array<std::string_view, 1> kB200Ids{"0x2901"};
constexpr std::array<std::string_view, 1> kMi100Ids{"0x738c"};
constexpr std::array<std::string_view, 2> kMi250xIds{"0x7408", "0x740c"};
constexpr std::array<std::string_view, 1> kMi300xIds{"0x74a1"};

constexpr BytesPerSecond kPcie3{16e9};
constexpr BytesPerSecond kPcie4{32e9};
constexpr BytesPerSecond kPcie5{64e9};
constexpr BytesPerSecond kNic100{12.5e9};
constexpr BytesPerSecond kNic200{25e9};
constexpr BytesPerSecond kNic400{50e9};

constexpr std::array kAccelerators{
    Accelerator{"v100", "NVLink 2", 6, {25e9}, kPcie3, kNic100, "70", kV100Ids},
    Accelerator{"a100", "NVLink 3", 12, {25e9}, kPcie4, kNic200, "80", kA100Ids},
    Accelerator{"h100", "NVLink 4", 18, {25e9}, kPcie5, kNic400, "90", kH100Ids},
    Accelerator{"h800", "NVLink 4", 8, {25e9}, kPcie5, kNic400, "90", kH800Ids},
    Accelerator{"h200", "NVLink 4", 18, {25e9}, kPcie5, kNic400, "90", kH200Ids},
    Accelerator{"b200", "NVLink 5", 18, {50e9}, kPcie5, kNic400, "100", kB200Ids},
    Accelerator{"mi100", "xGMI", 3, {46e9}, kPcie4, kNic200, "908", kMi100Ids},
    Accelerator{"mi250x", "xGMI 3", 8, {50e9}, kPcie4, kNic200, "910", kMi250xIds},
    Accelerator{"mi300x", "xGMI 4", 7, {64e9}, kPcie5, kNic400, "gfx942", kMi300xIds},
};

template <class Fits>
const Accelerator* first(const Fits& fits) {
  const auto found = std::find_if(kAccelerators.begin(), kAccelerators.end(), fits);
  return found == kAccelerators.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Accelerator> accelerators() {
  return kAccelerators;
}

const Accelerator* find_accelerator(std::string_view name) {
  return first([&](const Accelerator& each) { return each.name == name; });
}

const Accelerator* accelerator_of_architecture(std::string_view architecture) {
  return first([&](const Accelerator& each) { return each.architecture == architecture; });
}

const Accelerator* accelerator_of_pci_device(std::string_view device) {
  return first([&](const Accelerator& each) {
    return std::find(each.pci_devices.begin(), each.pci_devices.end(), device) !=
           each.pci_devices.end();
  });
}

}  // namespace switchyard
