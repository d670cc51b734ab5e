// One element of a Kineto trace's "traceEvents", as the JSON says it: texts, nothing interpreted.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard {

/// Every key that matters, of an event and of its "args". The order is that of kKinetoKeys.
enum class KinetoField : std::uint8_t {
  Phase,
  Category,
  Name,
  Process,
  Thread,
  Start,
  Duration,
  // args
  Device,
  Stream,
  Correlation,
  CorrelationId,
  Bytes,
  ToDevice,
  WaitOnStream,
  CollectiveName,
  DataType,
  InElements,
  OutElements,
  GroupSize,
  InSplits,
  OutSplits,
  GroupName,
  GroupRanks,
  Sequence,
  SourceRank,
  DestinationRank,
  CommunicatorId,
};

inline constexpr std::size_t kKinetoFields = 27;
inline constexpr std::size_t kFirstArgument = static_cast<std::size_t>(KinetoField::Device);

inline constexpr std::array<std::string_view, kKinetoFields> kKinetoKeys{"ph",
                                                                         "cat",
                                                                         "name",
                                                                         "pid",
                                                                         "tid",
                                                                         "ts",
                                                                         "dur",
                                                                         "device",
                                                                         "stream",
                                                                         "correlation",
                                                                         "correlationId",
                                                                         "bytes",
                                                                         "toDevice",
                                                                         "wait_on_stream",
                                                                         "Collective name",
                                                                         "dtype",
                                                                         "In msg nelems",
                                                                         "Out msg nelems",
                                                                         "Group size",
                                                                         "In split size",
                                                                         "Out split size",
                                                                         "Process Group Name",
                                                                         "Process Group Ranks",
                                                                         "Seq",
                                                                         "Src Rank",
                                                                         "Dst Rank",
                                                                         "Comms Id"};

/// The fields of one event. A field that is not there is an empty text.
class KinetoEvent {
 public:
  [[nodiscard]] bool has(KinetoField field) const { return is_set_[index(field)]; }

  [[nodiscard]] std::string_view text(KinetoField field) const {
    return has(field) ? std::string_view(texts_[index(field)]) : std::string_view();
  }

  void set(KinetoField field, std::string_view text) {
    texts_[index(field)].assign(text);
    is_set_.set(index(field));
  }

  void clear() { is_set_.reset(); }

  std::size_t offset = 0;  // of its opening brace in the file

 private:
  static std::size_t index(KinetoField field) { return static_cast<std::size_t>(field); }

  // Kept from event to event, so that their memory is allocated once.
  std::array<std::string, kKinetoFields> texts_;
  std::bitset<kKinetoFields> is_set_;
};

}  // namespace switchyard
