#include "tests/emulation/routers/device_routers.hpp"

#include <algorithm>
#include <map>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "kernels/device/router_math.cuh"

namespace switchyard {
namespace {

constexpr std::size_t kHidden = 200;  // more than one step of the row-sum kernel

/// Parameters beyond the defaults, each set by itself.
std::vector<nlohmann::json> variants(const std::string& router) {
  static const std::map<std::string, std::vector<nlohmann::json>> all{
      {"top_k", {{{"k", 6}}, {{"k", 4}, {"renormalise", false}, {"scale", 2.5}}}},
      {"noisy_top_k", {{{"k", 8}, {"noise", 0.5}}}},
      {"sigmoid_bias",
       {{{"k", 6}, {"bias_rounds", 3}, {"bias_rate", 0.05}},
        {{"k", 8}, {"renormalise", false}, {"scale", 2.5}}}},
      {"random", {{{"k", 7}, {"skew", 0.3}, {"hot", 5}}}},
      {"top_p", {{{"p", 0.9}, {"renormalise", true}}, {{"p", 0.0}}, {{"p", 1.0}, {"width", 5}}}},
      {"hash", {{{"k", 6}, {"differs_by_layer", false}}}},
      {"expert_choice", {{{"capacity", 0.5}, {"width", 3}}, {{"capacity", 100.0}}}},
      {"moma", {{{"image_experts", 0.2}, {"capacity", 2.0}}, {{"image_experts", 1.0}}}},
      {"sinkhorn", {{{"k", 4}, {"rounds", 3}}, {{"tolerance", 0.5}}}},
      {"adapmoe", {{{"threshold", 2.0}}, {{"threshold", 0.0}}, {{"threshold", 1000.0}}}},
      {"mc_moe", {{{"ratio", 0.9}, {"protected", 0.3}}, {{"protected", 0.0}, {"ratio", 1.0}}}},
      {"mixture_of_depths", {{{"every", 1}, {"capacity", 0.4}}, {{"capacity", 0.0}}}},
      {"read_me", {{{"k", 5}}}},
      {"mor1e", {{{"k", 5}}}},
      {"group_limited_top_k",
       {{{"k", 6}, {"groups", 4}, {"kept_groups", 2}, {"bias_rounds", 2}},
        {{"k", 3},
         {"groups", 4},
         {"kept_groups", 3},
         {"group_score", "best"},
         {"renormalise", false},
         {"scale", 2.5}}}},
  };
  std::vector<nlohmann::json> sets{nlohmann::json::object()};
  if (const auto found = all.find(router); found != all.end()) {
    sets.insert(sets.end(), found->second.begin(), found->second.end());
  }
  return sets;
}

bool serves(const DeviceRouterCase& test) {
  try {
    make_router(test.router, test.parameters)->check_shape(test.experts, kHidden);
  } catch (const InvalidInput&) {
    return false;
  }
  // group_limited_top_k has no kernel for 1000 experts in 8 groups; every other router serves all.
  return test.router != "group_limited_top_k" || test.experts < 1000;
}

}  // namespace

std::string DeviceRouterCase::name() const {
  return fmt::format(
      "{} of {} tokens and {} experts, {}", router, tokens, experts, parameters.dump());
}

std::vector<std::string> device_routers() {
  std::vector<std::string> names;
  for (const std::string& name : Registry<Router>::instance().names()) {
    const auto parameters = Registry<Router>::instance().describe(name, "router");
    if (std::ranges::any_of(parameters, [](const auto& one) { return one.name == "executor"; })) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<DeviceRouterCase> device_router_cases(const std::string& router, bool few) {
  struct Size {
    std::size_t tokens, experts;
  };

  const std::vector<Size> sizes = few ? std::vector<Size>{{33, 64}, {9, 200}, {5, 300}}
                                      : std::vector<Size>{{0, 16},
                                                          {1, 64},
                                                          {31, 16},
                                                          {32, 60},
                                                          {33, 64},
                                                          {150, 64},
                                                          {33, 100},
                                                          {17, 256},
                                                          {9, 300},
                                                          {3, 1000}};
  std::vector<DeviceRouterCase> cases;
  for (const nlohmann::json& parameters : variants(router)) {
    for (const Size& size : sizes) {
      DeviceRouterCase test{router, size.tokens, size.experts, parameters};
      // Large models cost seconds in the emulator: once for each router.
      if ((parameters.empty() || size.experts <= 100) && serves(test)) {
        cases.push_back(std::move(test));
      }
    }
  }
  return cases;
}

std::vector<RoutingDecision> route_case(const DeviceRouterCase& test, const std::string& executor) {
  nlohmann::json parameters = test.parameters;
  parameters["executor"] = executor;
  const auto router = make_router(test.router, parameters);
  const HardTokens tokens(test.tokens, test.experts, kHidden, 5 + test.experts);
  std::vector<RoutingDecision> layers;
  layers.push_back(router->route(tokens.input(0, nullptr)));
  layers.push_back(router->route(tokens.input(1, &layers.front())));
  return layers;
}

RoutingDecision route_ordinary_layer(const DeviceRouterCase& test, const std::string& executor) {
  nlohmann::json parameters = test.parameters;
  parameters["executor"] = executor;
  HardTokens tokens(test.tokens, test.experts, kHidden, 7);
  tokens.logits = normal_matrix(test.tokens, test.experts, 8);
  // What a router hands to itself comes from the CPU, so that only this layer is counted.
  const RoutingDecision before =
      make_router(test.router, test.parameters)->route(tokens.input(0, nullptr));
  return make_router(test.router, parameters)
      ->route(tokens.input(1, before.carried.empty() ? nullptr : &before));
}

void expect_same_bits(const std::vector<RoutingDecision>& expected,
                      const std::vector<RoutingDecision>& got,
                      const std::string& who) {
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t layer = 0; layer < expected.size(); ++layer) {
    ASSERT_EQ(expected[layer].expert_ids, got[layer].expert_ids) << who << ", layer " << layer;
    ASSERT_EQ(expected[layer].alive, got[layer].alive) << who << ", layer " << layer;
    ASSERT_EQ(expected[layer].carried, got[layer].carried) << who << ", layer " << layer;
    const auto weights = expected[layer].weights.values();
    const auto others = got[layer].weights.values();
    ASSERT_EQ(weights.size(), others.size()) << who;
    for (std::size_t at = 0; at < weights.size(); ++at) {
      ASSERT_EQ(bits_of_float(weights[at]), bits_of_float(others[at]))
          << who << ", layer " << layer << ", weight " << at << ": " << weights[at] << " and "
          << others[at];
    }
  }
}

}  // namespace switchyard
