// NCCL_TOPO_DUMP_FILE and NCCL_TOPO_FILE, and RCCL's dialect of them: the PCIe tree of one server
// with the NVLinks or xGMI links of its GPUs. Many published files hold the tree alone, because the
// library asks the driver for the rest; then a table fills in, and the fabric's source says so.
//
//   cpu0 ---------- cpu1            inter-socket link
//    |                |
//   pci bridge       ...            x16 links of the file's generation and width
//    |     |
//   gpu0  nic0                      several <net> of one card share its PCIe link
//    |
//   nvswitch or another gpu         NVLinks, preferred to PCIe when routes are chosen
#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "core/files/text_reader.hpp"
#include "topologies/building_blocks/server_plan.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kLargestNcclXml = std::size_t{64} << 20U;
constexpr int kDeepestTree = 64;
constexpr std::size_t kMostParts = 10'000;
// A PCIe hop weighs as two, so that an NVSwitch wins against a PCIe switch.
constexpr std::int32_t kPcieCost = 2;
constexpr std::string_view kNvswitchClass = "0x0680";

enum class PciClass { Gpu, Nic, Other };

PciClass class_of(std::string_view code) {
  // Display controllers 03xx; network controllers 02xx (Ethernet, InfiniBand).
  if (code.starts_with("0x03")) {
    return PciClass::Gpu;
  }
  return code.starts_with("0x02") ? PciClass::Nic : PciClass::Other;
}

// Bytes per second of one lane after line coding, by the rate that sysfs prints. Below 8 GT/s each
// byte takes ten bits; from there on 130 bits carry 128.
BytesPerSecond pcie_rate(double giga_transfers, double lanes) {
  const double coding = giga_transfers < 8 ? 0.8 : 128.0 / 130.0;
  return BytesPerSecond{giga_transfers * 1e9 * coding / 8 * lanes};
}

class ServerReader {
 public:
  ServerReader(const std::string& text, const ServerFleet& fleet, std::string file)
      : text_(&text), fleet_(&fleet), file_(std::move(file)) {}

  Fabric read();

 private:
  struct Gpu {
    pugi::xml_node pci;
    pugi::xml_node gpu;  // may be absent
    std::size_t part;
    std::int64_t order;
  };

  [[nodiscard]] Location at(const pugi::xml_node& node) const {
    return Location{file_, ""}.at_offset(
        static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0)));
  }

  std::size_t add_part(std::string name, DeviceKind kind, const pugi::xml_node& node);

  void add_wire(std::size_t one, std::size_t other, const Cable& cable) {
    plan_.wires.push_back({one, other, cable});
  }

  [[nodiscard]] double number(const pugi::xml_node& node,
                              const char* attribute,
                              double absent) const;
  BytesPerSecond pci_bandwidth(const pugi::xml_node& pci);
  const Accelerator& find_model();
  void collect_gpus(const pugi::xml_node& parent, int depth, std::vector<Gpu>& gpus) const;
  void read_children(const pugi::xml_node& parent, std::size_t above, int depth);
  void read_pci(const pugi::xml_node& pci, std::size_t above, int depth);
  void read_nets(const pugi::xml_node& nic, std::size_t above);
  void join_cpus(const std::vector<std::size_t>& cpus, const pugi::xml_node& system);
  void join_gpus();
  void read_links(const Gpu& gpu);
  std::size_t nvswitch();

  const std::string* text_;
  const ServerFleet* fleet_;
  std::string file_;
  ServerPlan plan_;
  const Accelerator* accelerator_ = nullptr;
  std::vector<Gpu> gpus_;
  std::map<std::string, std::size_t> part_by_busid_;
  std::map<std::string, std::size_t> parts_by_name_;
  std::size_t nvswitch_ = 0;
  bool has_nvswitch_ = false;
  bool has_gpu_elements_ = false;  // if so, other display controllers are no GPUs
  std::map<std::pair<std::size_t, std::size_t>, std::int32_t> peer_links_;
};

std::size_t ServerReader::add_part(std::string name, DeviceKind kind, const pugi::xml_node& node) {
  if (plan_.parts.size() >= kMostParts) {
    throw InvalidInput("too many devices for one server", at(node));
  }
  // Device names exclude what would confuse patterns; bus ids of real files hold none of it.
  const bool is_new = parts_by_name_.emplace(name, plan_.parts.size()).second;
  if (!is_new) {
    throw InvalidInput(fmt::format("\"{}\" occurs twice", name), at(node));
  }
  plan_.parts.push_back({std::move(name), kind});
  return plan_.parts.size() - 1;
}

double ServerReader::number(const pugi::xml_node& node,
                            const char* attribute,
                            double absent) const {
  const std::string_view text = node.attribute(attribute).value();
  if (text.empty()) {
    return absent;
  }
  // "16.0 GT/s PCIe": the number in front counts.
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = end == text.data() + text.size() || *end == ' ';
  if (problem != std::errc{} || !is_whole || !(value >= 0) || value > 1e9) {
    throw InvalidInput(fmt::format("{}=\"{}\" is not a possible number", attribute, text),
                       at(node));
  }
  return value;
}

BytesPerSecond ServerReader::pci_bandwidth(const pugi::xml_node& pci) {
  const double speed = number(pci, "link_speed", 0);
  const double width = number(pci, "link_width", 0);
  if (speed <= 0 || width <= 0) {
    plan_.assumptions.insert(
        fmt::format("some PCIe speeds, taken as {}", format_quantity(accelerator_->pcie)));
    return accelerator_->pcie;
  }
  return pcie_rate(speed, width);
}

void ServerReader::collect_gpus(const pugi::xml_node& parent,
                                int depth,
                                std::vector<Gpu>& gpus) const {
  if (depth > kDeepestTree) {
    throw InvalidInput("the PCI tree is too deep", at(parent));
  }
  for (const pugi::xml_node& pci : parent.children("pci")) {
    const bool is_gpu = has_gpu_elements_
                            ? static_cast<bool>(pci.child("gpu"))
                            : class_of(pci.attribute("class").value()) == PciClass::Gpu;
    if (is_gpu) {
      const auto in_file = static_cast<std::int64_t>(gpus.size());
      const auto order =
          static_cast<std::int64_t>(number(pci.child("gpu"), "dev", static_cast<double>(in_file)));
      gpus.push_back({pci, pci.child("gpu"), 0, order});
    }
    collect_gpus(pci, depth + 1, gpus);
  }
}

const Accelerator& ServerReader::find_model() {
  if (fleet_->accelerator() != nullptr) {
    return *fleet_->accelerator();
  }
  const Gpu& first = gpus_.front();
  if (const auto* found = accelerator_of_pci_device(first.pci.attribute("device").value())) {
    return *found;
  }
  for (const char* attribute : {"gcn", "sm"}) {
    if (const auto* found = accelerator_of_architecture(first.gpu.attribute(attribute).value())) {
      return *found;
    }
  }
  // PCIe 3, 4, 5 came with V100, A100, H100.
  const double speed = number(first.pci, "link_speed", 16);
  const Accelerator* guess = switchyard::find_accelerator(speed < 16   ? "v100"
                                                          : speed < 32 ? "a100"
                                                                       : "h100");
  plan_.assumptions.insert(
      fmt::format("the GPU model, taken as {} for its PCIe generation", guess->name));
  return *guess;
}

void ServerReader::read_nets(const pugi::xml_node& nic, std::size_t above) {
  for (const pugi::xml_node& net : nic.children("net")) {
    const std::size_t part =
        add_part(fmt::format("nic{}", plan_.ports.size()), DeviceKind::Nic, net);
    // Several ports of one card share what is above them; this wire is never the bottleneck.
    const BytesPerSecond rate{number(net, "speed", 0) * 1e6 / 8};
    add_wire(above, part, fleet_->pcie_cable(std::max(rate, accelerator_->pcie), 1));
    plan_.ports.push_back({part, rate});
  }
}

void ServerReader::read_pci(const pugi::xml_node& pci, std::size_t above, int depth) {
  const std::string busid = pci.attribute("busid").value();
  const auto gpu =
      std::find_if(gpus_.begin(), gpus_.end(), [&](const Gpu& each) { return each.pci == pci; });
  const Cable up = fleet_->pcie_cable(pci_bandwidth(pci), kPcieCost);
  if (gpu != gpus_.end()) {
    part_by_busid_.emplace(busid, gpu->part);
    add_wire(above, gpu->part, up);
    read_children(pci, above, depth + 1);
    return;
  }
  const bool is_bare_nic = !pci.child("nic") && !pci.child("pci") &&
                           class_of(pci.attribute("class").value()) == PciClass::Nic;
  if (is_bare_nic) {
    const std::size_t part =
        add_part(fmt::format("nic{}", plan_.ports.size()), DeviceKind::Nic, pci);
    add_wire(above, part, up);
    plan_.ports.push_back({part, BytesPerSecond{}});
    return;
  }
  if (!pci.child("nic") && !pci.child("pci")) {
    return;  // a disk, a management controller: nothing hangs on it that routes could use
  }
  const std::size_t bridge =
      add_part(fmt::format("pci{}", busid.empty() ? std::to_string(plan_.parts.size()) : busid),
               DeviceKind::Switch,
               pci);
  add_wire(above, bridge, up);
  read_children(pci, bridge, depth + 1);
}

void ServerReader::read_children(const pugi::xml_node& parent, std::size_t above, int depth) {
  for (const pugi::xml_node& child : parent.children()) {
    if (std::strcmp(child.name(), "pci") == 0) {
      read_pci(child, above, depth);
    } else if (std::strcmp(child.name(), "nic") == 0) {
      read_nets(child, above);
    }
  }
}

void ServerReader::join_cpus(const std::vector<std::size_t>& cpus, const pugi::xml_node& system) {
  // What NCCL calculates with between sockets.
  const std::string_view vendor = system.child("cpu").attribute("vendor").value();
  const BytesPerSecond rate{vendor == "AuthenticAMD" ? 24e9 : 22e9};
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    for (std::size_t j = i + 1; j < cpus.size(); ++j) {
      add_wire(cpus[i], cpus[j], fleet_->pcie_cable(rate, kPcieCost));
    }
  }
  if (cpus.size() > 1) {
    plan_.assumptions.insert(
        fmt::format("links between CPU sockets, taken as {}", format_quantity(rate)));
  }
}

std::size_t ServerReader::nvswitch() {
  if (!has_nvswitch_) {
    nvswitch_ = add_part("nvswitch", DeviceKind::Switch, {});
    has_nvswitch_ = true;
  }
  return nvswitch_;
}

// The links of one GPU as the file lists them; a link between peers is listed at both ends.
void ServerReader::read_links(const Gpu& gpu) {
  std::int32_t to_switch = 0;
  for (const char* kind : {"nvlink", "xgmi"}) {
    for (const pugi::xml_node& link : gpu.gpu.children(kind)) {
      const double count = number(link, "count", 1);
      if (count < 1 || count > 64) {
        throw InvalidInput(fmt::format("{} links to one peer", count), at(link));
      }
      const auto links = static_cast<std::int32_t>(count);
      const std::string target = link.attribute("target").value();
      if (std::string_view(link.attribute("tclass").value()).starts_with(kNvswitchClass)) {
        to_switch += links;
        continue;
      }
      const auto peer = part_by_busid_.find(target);
      if (peer == part_by_busid_.end()) {
        throw InvalidInput(fmt::format("a link to \"{}\", where the file shows no GPU", target),
                           at(link));
      }
      std::int32_t& known = peer_links_[std::minmax(gpu.part, peer->second)];
      known = std::max(known, links);
    }
  }
  if (to_switch > 0) {
    add_wire(gpu.part, nvswitch(), fleet_->scale_up_cable(*accelerator_, to_switch));
  }
}

void ServerReader::join_gpus() {
  const bool has_links = std::any_of(gpus_.begin(), gpus_.end(), [](const Gpu& gpu) {
    return !gpu.gpu.child("nvlink").empty() || !gpu.gpu.child("xgmi").empty();
  });
  if (has_links) {
    for (const Gpu& gpu : gpus_) {
      read_links(gpu);
    }
    for (const auto& [ends, links] : peer_links_) {
      add_wire(ends.first, ends.second, fleet_->scale_up_cable(*accelerator_, links));
    }
    plan_.assumptions.insert(fmt::format("the rate of one {} link ({}, {})",
                                         accelerator_->link_name,
                                         accelerator_->name,
                                         format_quantity(accelerator_->link_rate)));
    return;
  }
  if (gpus_.size() < 2) {
    return;
  }
  for (const Gpu& gpu : gpus_) {
    add_wire(gpu.part, nvswitch(), fleet_->scale_up_cable(*accelerator_, accelerator_->link_count));
  }
  plan_.assumptions.insert(fmt::format("all {} links, taken as {} of {} from each GPU to a switch",
                                       accelerator_->link_name,
                                       accelerator_->link_count,
                                       format_quantity(accelerator_->link_rate)));
}

Fabric ServerReader::read() {
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text_->data(), text_->size());
  if (!result) {
    throw InvalidInput(fmt::format("not an XML file: {}", result.description()),
                       Location{file_, ""}.at_offset(static_cast<std::size_t>(result.offset)));
  }
  const pugi::xml_node system = document.child("system");
  if (!system) {
    throw InvalidInput("no <system>: this is not an NCCL or RCCL topology", {file_, ""});
  }
  has_gpu_elements_ = text_->find("<gpu") != std::string::npos;
  for (const pugi::xml_node& cpu : system.children("cpu")) {
    collect_gpus(cpu, 0, gpus_);
  }
  if (gpus_.empty()) {
    throw InvalidInput("the file shows no GPU", {file_, ""});
  }
  std::stable_sort(
      gpus_.begin(), gpus_.end(), [](const Gpu& a, const Gpu& b) { return a.order < b.order; });
  accelerator_ = &find_model();
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    gpus_[i].part = add_part(fmt::format("gpu{}", i), DeviceKind::Gpu, gpus_[i].pci);
  }
  std::vector<std::size_t> cpus;
  for (const pugi::xml_node& cpu : system.children("cpu")) {
    cpus.push_back(add_part(fmt::format("cpu{}", cpus.size()), DeviceKind::Switch, cpu));
    read_children(cpu, cpus.back(), 0);
  }
  join_cpus(cpus, system);
  join_gpus();
  return fleet_->build(std::move(plan_), *accelerator_, {file_, ""});
}

class NcclTopologyXml final : public TopologyFormat {
 public:
  explicit NcclTopologyXml(Parameters& parameters) : fleet_(parameters) {}

  [[nodiscard]] bool can_read() const override { return true; }

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    return path.extension() == ".xml" && beginning_of(path).find("<system") != std::string::npos;
  }

  [[nodiscard]] Fabric read(const std::filesystem::path& path) const override {
    const std::string text = read_text_file(path, kLargestNcclXml);
    return ServerReader(text, fleet_, path.string()).read();
  }

 private:
  ServerFleet fleet_;
};

const Register<TopologyFormat, NcclTopologyXml> kNcclTopologyXml{
    "nccl_topology_xml", "NCCL or RCCL topology file of one server (read)"};

}  // namespace
}  // namespace switchyard
