// The text that `nvidia-smi topo -m` prints: for every two devices of one server, how they are
// joined. It names kinds of ways, not speeds; a table supplies those and the fabric's source says
// so.
//
//         GPU0  GPU1  NIC0  CPU Affinity        NV#   # NVLinks
//   GPU0   X    NV18  PIX   0-51                PIX, PXB, PHB, NODE, SYS   PCIe, ever further away
//   GPU1  NV18   X    SYS   0-51
//   NIC0  PIX   SYS    X                        (rows of NICs may be missing)
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "core/files/text_reader.hpp"
#include "topologies/building_blocks/server_plan.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostDevices = 1024;

struct PcieClass {
  std::string_view name;
  std::int32_t cost;  // hops it counts as, so that near NICs win
  bool crosses_sockets;
};

constexpr std::array kPcieClasses{PcieClass{"PIX", 2, false},
                                  PcieClass{"PXB", 4, false},
                                  PcieClass{"PHB", 6, false},
                                  PcieClass{"NODE", 8, false},
                                  PcieClass{"SYS", 10, true}};
constexpr BytesPerSecond kBetweenSockets{22e9};
// More NVLinks than any GPU has: a full mesh cannot be what the matrix means, so it is a switch.
constexpr std::int64_t kMostNvlinks = 18;

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool is_escape = false;  // the tool underlines its header on terminals: ESC [ 4 m
  for (const char letter : line) {
    if (letter == '\x1b') {
      is_escape = true;
    } else if (is_escape) {
      is_escape = letter != 'm';
    } else if (letter == ' ' || letter == '\t') {
      if (!word.empty()) {
        words.push_back(std::exchange(word, {}));
      }
    } else {
      word += letter;
    }
  }
  if (!word.empty()) {
    words.push_back(std::move(word));
  }
  return words;
}

bool is_gpu(const std::string& name) {
  return name.starts_with("GPU") && name.size() > 3 && name[3] >= '0' && name[3] <= '9';
}

bool is_nic(const std::string& name) {
  return (name.starts_with("NIC") && name.size() > 3) || name.starts_with("mlx");
}

struct Matrix {
  std::vector<std::string> names;                 // GPUs first come, NICs after, as in the header
  std::vector<std::vector<std::string>> entries;  // [names][names], empty where no row
  std::vector<std::size_t> lines;                 // [names] of each row; 0 = no row
};

Matrix read_matrix(const std::filesystem::path& path) {
  TextReader reader(path);
  Matrix matrix;
  std::string_view line;
  while (reader.next(line)) {
    const std::vector<std::string> words = words_of(line);
    if (matrix.names.empty()) {
      const auto end = std::find_if_not(words.begin(), words.end(), [](const std::string& word) {
        return is_gpu(word) || is_nic(word);
      });
      matrix.names.assign(words.begin(), end);
      matrix.entries.resize(matrix.names.size());
      matrix.lines.resize(matrix.names.size());
      if (matrix.names.size() > kMostDevices) {
        throw InvalidInput("too many devices for one server", reader.where());
      }
      continue;
    }
    const auto row = words.empty()
                         ? matrix.names.end()
                         : std::find(matrix.names.begin(), matrix.names.end(), words.front());
    if (row == matrix.names.end()) {
      continue;  // the legend below the matrix
    }
    const auto number = static_cast<std::size_t>(row - matrix.names.begin());
    if (!matrix.entries[number].empty() || words.size() <= matrix.names.size()) {
      throw InvalidInput(fmt::format("the row of {} is cut short or occurs twice", *row),
                         reader.where());
    }
    matrix.entries[number].assign(
        words.begin() + 1, words.begin() + 1 + static_cast<std::ptrdiff_t>(matrix.names.size()));
    matrix.lines[number] = reader.line_number();
  }
  if (matrix.names.empty()) {
    throw InvalidInput("no header with GPU0: this is not what `nvidia-smi topo -m` prints",
                       {path.string(), ""});
  }
  return matrix;
}

// 12 of "NV12"; 0 if it is no NVLink entry.
std::int32_t nvlinks_of(const std::string& entry) {
  std::int32_t count = 0;
  const char* const end = entry.data() + entry.size();
  if (!entry.starts_with("NV") || std::from_chars(entry.data() + 2, end, count).ptr != end ||
      count > 64) {
    return 0;
  }
  return std::max(count, 0);
}

class MatrixReader {
 public:
  MatrixReader(const std::filesystem::path& path, const ServerFleet& fleet)
      : matrix_(read_matrix(path)), fleet_(&fleet), where_{path.string(), ""} {}

  Fabric read() {
    std::size_t gpu_count = 0;
    for (std::size_t i = 0; i < matrix_.names.size(); ++i) {
      add_device(i, gpu_count);
    }
    if (gpu_count == 0) {
      throw InvalidInput("the matrix has no GPU", where_);
    }
    accelerator_ = &model(gpu_count);
    const bool has_switch = is_switched(gpu_count);
    if (has_switch) {
      join_by_switch();
    }
    for (std::size_t i = 0; i < matrix_.names.size(); ++i) {
      for (std::size_t j = 0; j < matrix_.entries[i].size(); ++j) {
        // A pair is read once, from the first of its rows that is there.
        if (i != j && is_gpu(matrix_.names[i]) && (i < j || matrix_.entries[j].empty())) {
          join(i, j, has_switch);
        }
      }
    }
    plan_.assumptions.insert("all speeds, by kind of link");
    return fleet_->build(std::move(plan_), *accelerator_, where_);
  }

 private:
  void add_device(std::size_t number, std::size_t& gpu_count) {
    const std::string& name = matrix_.names[number];
    if (std::count(matrix_.names.begin(), matrix_.names.end(), name) > 1) {
      throw InvalidInput(fmt::format("{} occurs twice in the header", name), where_);
    }
    if (!is_gpu(name)) {
      plan_.parts.push_back({fmt::format("nic{}", plan_.ports.size()), DeviceKind::Nic});
      plan_.ports.push_back({number, BytesPerSecond{}});
      return;
    }
    if (matrix_.entries[number].empty()) {
      throw InvalidInput(fmt::format("the row of {} is missing", name), where_);
    }
    plan_.parts.push_back({fmt::format("gpu{}", gpu_count++), DeviceKind::Gpu});
  }

  // NVLinks between the first GPU and each other one.
  [[nodiscard]] std::vector<std::int32_t> first_links() const {
    std::vector<std::int32_t> counts;
    const auto first = std::find_if(matrix_.names.begin(), matrix_.names.end(), is_gpu);
    const auto row = static_cast<std::size_t>(first - matrix_.names.begin());
    for (std::size_t j = 0; j < matrix_.names.size(); ++j) {
      if (j != row && is_gpu(matrix_.names[j])) {
        counts.push_back(nvlinks_of(matrix_.entries[row][j]));
      }
    }
    return counts;
  }

  // A switch shows the same NV# everywhere, and more links in sum than a GPU has.
  [[nodiscard]] bool is_switched(std::size_t gpu_count) const {
    const std::vector<std::int32_t> counts = first_links();
    return !counts.empty() && counts.front() > 0 &&
           std::all_of(counts.begin(), counts.end(), [&](auto n) { return n == counts.front(); }) &&
           counts.front() * static_cast<std::int64_t>(gpu_count - 1) > kMostNvlinks;
  }

  const Accelerator& model(std::size_t gpu_count) {
    if (fleet_->accelerator() != nullptr) {
      return *fleet_->accelerator();
    }
    const std::vector<std::int32_t> counts = first_links();
    std::int32_t links = 0;
    for (const std::int32_t count : counts) {
      links = is_switched(gpu_count) ? count : links + count;
    }
    const Accelerator* fits = find_accelerator("h100");
    for (const Accelerator& each : accelerators()) {
      if (each.link_name.starts_with("NVLink") && each.link_count == links) {
        fits = &each;
        break;
      }
    }
    plan_.assumptions.insert(
        fmt::format("the GPU model, taken as {} for {} NVLinks a GPU", fits->name, links));
    return *fits;
  }

  void join_by_switch() {
    const std::size_t hub = plan_.parts.size();
    const std::int32_t links = first_links().front();
    for (std::size_t i = 0; i < matrix_.names.size(); ++i) {
      if (is_gpu(matrix_.names[i])) {
        plan_.wires.push_back({i, hub, fleet_->scale_up_cable(*accelerator_, links)});
      }
    }
    plan_.parts.push_back({"nvswitch", DeviceKind::Switch});
    plan_.assumptions.insert("NVSwitches, taken as one switch");
  }

  void join(std::size_t one, std::size_t other, bool has_switch) {
    const std::string& entry = matrix_.entries[one][other];
    if (const std::int32_t links = nvlinks_of(entry); links > 0) {
      if (!has_switch) {
        plan_.wires.push_back({one, other, fleet_->scale_up_cable(*accelerator_, links)});
      }
      return;
    }
    const auto* const found = std::find_if(
        kPcieClasses.begin(), kPcieClasses.end(), [&](auto& each) { return each.name == entry; });
    if (found == kPcieClasses.end()) {
      throw InvalidInput(fmt::format("\"{}\" between {} and {} is no kind of link",
                                     entry,
                                     matrix_.names[one],
                                     matrix_.names[other]),
                         where_.at_line(matrix_.lines[one]),
                         "known: NV#, PIX, PXB, PHB, NODE, SYS");
    }
    const BytesPerSecond rate =
        found->crosses_sockets ? std::min(kBetweenSockets, accelerator_->pcie) : accelerator_->pcie;
    plan_.wires.push_back({one, other, fleet_->pcie_cable(rate, found->cost)});
  }

  Matrix matrix_;
  const ServerFleet* fleet_;
  Location where_;
  ServerPlan plan_;
  const Accelerator* accelerator_ = nullptr;
};

class NvidiaSmiMatrix final : public TopologyFormat {
 public:
  explicit NvidiaSmiMatrix(Parameters& parameters) : fleet_(parameters) {}

  [[nodiscard]] bool can_read() const override { return true; }

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string text = beginning_of(path);
    const std::vector<std::string> words = words_of(text.substr(0, text.find('\n')));
    return !words.empty() && is_gpu(words.front());
  }

  [[nodiscard]] Fabric read(const std::filesystem::path& path) const override {
    return MatrixReader(path, fleet_).read();
  }

 private:
  ServerFleet fleet_;
};

const Register<TopologyFormat, NvidiaSmiMatrix> kNvidiaSmiMatrix{
    "nvidia_smi_matrix", "what `nvidia-smi topo -m` prints (read)"};

}  // namespace
}  // namespace switchyard
