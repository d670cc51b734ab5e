// Responses of vLLM or SGLang with `routed_experts`, one JSON object a line. The array may be a
// nested list, base64 of int32 or of a .npy file, or an object of data, type and shape; its shape
// is [tokens, layers, top-k]. The prompt's part may stand beside the choices. The servers number
// the MoE layers from zero and say -1 for a token whose key-value cache they already had: such
// tokens were not routed and are left out.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "core/files/text_reader.hpp"
#include "traces/importer.hpp"
#include "traces/reading/encoded_array.hpp"
#include "traces/reading/first_line.hpp"
#include "traces/reading/repeated_choice.hpp"
#include "traces/reading/row_collector.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostLayers = 1 << 16;

// [layers, top_k] of every token; zero = not known yet.
struct TokenShape {
  std::size_t layers = 0;
  std::size_t top_k = 0;

  bool operator==(const TokenShape&) const = default;
};

const json* find(const json& object, const char* key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Under `key` itself, or in the objects in which SGLang puts its own fields.
const json* find_routed(const json& object, const char* key) {
  for (const char* home : {"", "meta_info", "sgl_ext", "sglext"}) {
    const json* inside = *home == '\0' ? &object : find(object, home);
    const json* found = inside != nullptr ? find(*inside, key) : nullptr;
    if (found != nullptr) {
      return found;
    }
  }
  return nullptr;
}

const json* find_choices(const json& response) {
  const json* choices = find(response, "choices");
  choices = choices != nullptr ? choices : find(response, "outputs");
  return choices != nullptr && choices->is_array() ? choices : nullptr;
}

// Token counts of a response; zero = it does not say.
struct TokenCounts {
  std::size_t prompt = 0;
  std::size_t routed = 0;  // all that went through the model: the last one did not
};

TokenCounts token_counts(const json& response) {
  for (const char* home : {"usage", "meta_info"}) {
    const json* counts = find(response, home);
    const json* prompt = counts != nullptr ? find(*counts, "prompt_tokens") : nullptr;
    const json* completion = counts != nullptr ? find(*counts, "completion_tokens") : nullptr;
    if (prompt != nullptr && completion != nullptr && prompt->is_number_unsigned() &&
        completion->is_number_unsigned()) {
      const auto all = prompt->get<std::size_t>() + completion->get<std::size_t>();
      return {prompt->get<std::size_t>(), all > 0 ? all - 1 : 0};
    }
  }
  return {};
}

void flatten(const json& list, std::size_t depth, IntegerArray& array, const Location& where) {
  if (!list.is_array()) {
    throw InvalidInput("routed_experts is no list [tokens, layers, top_k]", where);
  }
  if (array.shape.size() == depth) {
    array.shape.push_back(list.size());
  }
  if (list.size() != array.shape[depth]) {
    throw InvalidInput("the lists in routed_experts have different lengths", where);
  }
  constexpr std::size_t kInnermost = 2;
  for (const json& item : list) {
    if (depth < kInnermost) {
      flatten(item, depth + 1, array, where);
    } else if (item.is_number_integer() && item.get<std::int64_t>() >= kNoExpert &&
               item.get<std::int64_t>() < kMostExperts) {
      array.values.push_back(item.get<std::int32_t>());
    } else {
      throw InvalidInput("routed_experts holds something that is no expert id", where);
    }
  }
}

IntegerArray read_object(const json& value, const Location& where) {
  const json* data = find(value, "data");
  const json* type = find(value, "dtype");
  const json* shape = find(value, "shape");
  if (data == nullptr || !data->is_string() || type == nullptr || !type->is_string() ||
      shape == nullptr || !shape->is_array()) {
    throw InvalidInput("routed_experts is an object without data, dtype and shape", where);
  }
  IntegerArray array;
  for (const json& extent : *shape) {
    if (!extent.is_number_unsigned()) {
      throw InvalidInput("routed_experts has a shape that is none", where);
    }
    array.shape.push_back(extent.get<std::size_t>());
  }
  array.values = decode_integers(
      decode_base64(data->get_ref<const std::string&>(), where), type->get<std::string>(), where);
  return array;
}

class VllmImporter final : public Importer {
 public:
  explicit VllmImporter(Parameters& parameters)
      : given_{.layers = static_cast<std::size_t>(parameters.get_integer(
                   "layers",
                   0,
                   {0, kMostLayers},
                   "MoE layers, for base64 without a shape; 0 = deduce from the token counts")),
               .top_k = static_cast<std::size_t>(parameters.get_integer(
                   "top_k",
                   0,
                   {0, 1024},
                   "experts per token, for base64 without a shape; 0 = deduce from the ids"))},
        experts_(parameters.get_integer(
            "experts", 0, {0, kMostExperts}, "experts per layer; 0 = highest id seen + 1")),
        step_per_token_(parameters.get_flag(
            "step_per_token",
            false,
            "prompts are step 0 and the j-th generated token of each response step j; else all "
            "tokens are one step")) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    constexpr std::size_t kLongestLine = std::size_t{1} << 26U;
    const std::string line = first_line(path, kLongestLine);
    return line.starts_with('{') && line.find("routed_experts\"") != std::string::npos;
  }

  [[nodiscard]] RoutingData read(const std::filesystem::path& path,
                                 const Progress& /*progress*/) const override {
    TextReader reader(path);
    Gathered all;
    all.shape = given_;
    std::string_view line;
    while (reader.next(line)) {
      if (line.empty()) {
        continue;
      }
      throw_if_interrupted();
      const json document = parse_json(line, {path.string(), ""}, reader.line_number());
      const json* wrapped = find(document, "response");  // a line of a batch file
      wrapped = wrapped != nullptr ? find(*wrapped, "body") : nullptr;
      read_response(wrapped != nullptr ? *wrapped : document, reader.where(), all);
    }
    if (all.rows.empty()) {
      throw InvalidInput("holds no routed tokens", {path.string(), ""});
    }
    return build(all, {path.string(), ""});
  }

 private:
  struct Gathered {
    RowCollector rows;
    TokenShape shape;
    std::int64_t next_sequence = 0;
    std::int64_t cached_tokens = 0;
  };

  void read_response(const json& response, const Location& where, Gathered& all) const {
    const TokenCounts counts = token_counts(response);
    const json* prompt = find_routed(response, "prompt_routed_experts");
    std::vector<const json*> parts;  // one for every choice
    if (const json* whole = find_routed(response, "routed_experts")) {
      parts.push_back(whole);
    }
    if (const json* choices = find_choices(response)) {
      for (const json& choice : *choices) {
        if (const json* part = find_routed(choice, "routed_experts")) {
          parts.push_back(part);
        }
      }
    }
    if (prompt == nullptr && parts.empty()) {
      throw InvalidInput("the response has no routed_experts",
                         where,
                         "was the server started with --enable-return-routed-experts?");
    }
    if (prompt != nullptr) {
      const IntegerArray array = read_array(*prompt, counts.prompt, where, all);
      append(array, {all.next_sequence, array.values.size(), 0}, where, all);
    }
    for (const json* part : parts) {
      // With several choices, the counts of the response do not tell those of each.
      const bool is_alone = parts.size() == 1;
      const std::size_t prompt_apart = prompt != nullptr ? counts.prompt : 0;
      const std::size_t expected =
          is_alone && counts.routed >= prompt_apart ? counts.routed - prompt_apart : 0;
      const IntegerArray array = read_array(*part, expected, where, all);
      const bool has_prompt = prompt == nullptr && is_alone && !array.shape.empty() &&
                              array.shape[0] == counts.routed && counts.routed > 0;
      append(array,
             {all.next_sequence,
              has_prompt ? counts.prompt : 0,
              has_prompt || prompt != nullptr ? 1 : 0},
             where,
             all);
      ++all.next_sequence;
    }
    all.next_sequence += parts.empty() ? 1 : 0;
  }

  static IntegerArray read_array(const json& value,
                                 std::size_t tokens,
                                 const Location& where,
                                 Gathered& all) {
    IntegerArray array;
    if (value.is_array()) {
      flatten(value, 0, array, where);
    } else if (value.is_object()) {
      array = read_object(value, where);
    } else if (value.is_string()) {
      const auto bytes = decode_base64(value.get_ref<const std::string&>(), where);
      if (is_npy(bytes)) {
        array = decode_npy(bytes, where);
      } else {
        array.values = decode_integers(bytes, "int32", where);
        array.shape = shape_of(array.values, tokens, where, all.shape);
      }
    } else {
      throw InvalidInput("routed_experts is neither a list, a text nor an object", where);
    }
    check_shape(array, where, all.shape);
    return array;
  }

  // A router picks distinct experts, so too many ids a token repeat one somewhere: the largest
  // number that never does is it. Zero if there are too few tokens to refute anything larger.
  static std::size_t deduce_top_k(std::span<const std::int32_t> ids, std::size_t per_token) {
    std::size_t top_k = per_token;
    while (top_k > 0 && (per_token % top_k != 0 || first_repeated_choice(ids, top_k))) {
      --top_k;
    }
    return top_k == per_token ? 0 : top_k;
  }

  // The shape of a bare list of numbers, from what is known of other arrays and of the response.
  static std::vector<std::size_t> shape_of(std::span<const std::int32_t> ids,
                                           std::size_t tokens,
                                           const Location& where,
                                           TokenShape known) {
    if (known.layers == 0 && tokens > 0 && ids.size() % tokens == 0) {
      const std::size_t per_token = ids.size() / tokens;
      known.top_k = known.top_k == 0 ? deduce_top_k(ids, per_token) : known.top_k;
      known.layers = known.top_k == 0 ? 0 : per_token / known.top_k;
    }
    const std::size_t width = known.layers * known.top_k;
    if (width == 0 || ids.size() % width != 0) {
      throw InvalidInput(
          fmt::format("cannot tell the shape of {} expert ids", ids.size()),
          where,
          "say what it is: --set layers=<MoE layers> --set top_k=<experts per token>");
    }
    return {ids.size() / width, known.layers, known.top_k};
  }

  static void check_shape(const IntegerArray& array, const Location& where, TokenShape& known) {
    if (array.shape.size() == 1 && array.shape[0] == 0) {
      return;  // an empty list: nothing was routed
    }
    if (array.shape.size() != 3 || array.values.size() != element_count(array.shape, where)) {
      throw InvalidInput("routed_experts is not of shape [tokens, layers, top_k]", where);
    }
    if (array.values.empty()) {
      return;
    }
    const TokenShape shape{array.shape[1], array.shape[2]};
    known.layers = known.layers == 0 ? shape.layers : known.layers;
    known.top_k = known.top_k == 0 ? shape.top_k : known.top_k;
    if (!(known == shape)) {
      throw InvalidInput(fmt::format("{} layers of top-{}; earlier ones have {} of top-{}",
                                     shape.layers,
                                     shape.top_k,
                                     known.layers,
                                     known.top_k),
                         where);
    }
    if (const auto repeat = first_repeated_choice(array.values, shape.top_k)) {
      throw InvalidInput(fmt::format("expert {} twice in one token", array.values[*repeat]),
                         where,
                         "are layers and top_k right?");
    }
  }

  // Which step the tokens of an array belong to, if every token is a step.
  struct Steps {
    std::int64_t sequence = 0;
    std::size_t prompt_tokens = 0;     // at the start of the array: step 0
    std::int64_t first_generated = 0;  // step of the first token after them
  };

  [[nodiscard]] std::int64_t step_of(std::size_t token, const Steps& steps) const {
    if (!step_per_token_ || token < steps.prompt_tokens) {
      return 0;
    }
    return steps.first_generated + static_cast<std::int64_t>(token - steps.prompt_tokens);
  }

  void append(const IntegerArray& array,
              const Steps& steps,
              const Location& where,
              Gathered& all) const {
    const std::size_t width = all.shape.layers * all.shape.top_k;
    for (std::size_t token = 0; width > 0 && token * width < array.values.size(); ++token) {
      const auto ids = std::span(array.values).subspan(token * width, width);
      if (std::all_of(ids.begin(), ids.end(), [](std::int32_t id) { return id == kNoExpert; })) {
        ++all.cached_tokens;
        continue;
      }
      if (std::any_of(ids.begin(), ids.end(), [this](std::int32_t id) {
            return id < kNoExpert || id >= (experts_ > 0 ? experts_ : kMostExperts);
          })) {
        throw InvalidInput(fmt::format("an expert id of token {} is out of range", token), where);
      }
      const std::int64_t step = step_of(token, steps);
      for (std::size_t layer = 0; layer < all.shape.layers; ++layer) {
        TraceColumns& to = all.rows.rows(step, static_cast<std::int64_t>(layer));
        const auto choices = ids.subspan(layer * all.shape.top_k, all.shape.top_k);
        to.expert_ids.insert(to.expert_ids.end(), choices.begin(), choices.end());
        to.sequence_ids.push_back(steps.sequence);
      }
    }
  }

  [[nodiscard]] RoutingTrace build(Gathered& all, const Location& where) const {
    TraceMetadata metadata;
    metadata.model.experts = experts_ > 0 ? experts_ : all.rows.expert_bound();
    metadata.model.top_k = static_cast<std::int64_t>(all.shape.top_k);
    metadata.model.layers = static_cast<std::int64_t>(all.shape.layers);
    metadata.provenance =
        fmt::format("imported from {} vLLM or SGLang sequences; {} cached tokens left out",
                    all.next_sequence,
                    all.cached_tokens);
    return RoutingTrace::from_columns(std::move(metadata), all.rows.take(all.shape.top_k), where);
  }

  TokenShape given_;
  std::int64_t experts_;
  bool step_per_token_;
};

const Register<Importer, VllmImporter> kVllm{
    "vllm", "JSON lines of vLLM or SGLang responses with routed_experts: ids per token"};

}  // namespace
}  // namespace switchyard
