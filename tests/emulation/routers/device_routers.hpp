// Every router with a CUDA form, with parameters that reach its kernels' corners: what the
// emulator, the PTX machine and the GPU are held to.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/kernels/hard_tokens.hpp"

namespace switchyard {

struct DeviceRouterCase {
  std::string router;
  std::size_t tokens = 0;
  std::size_t experts = 0;
  nlohmann::json parameters = nlohmann::json::object();

  [[nodiscard]] std::string name() const;

  friend void PrintTo(const DeviceRouterCase& test, std::ostream* out) { *out << test.name(); }
};

/// Names of the registered routers that have a parameter `executor`.
std::vector<std::string> device_routers();

/// Sizes around warps, tiers and chunks; `few`: one for each kernel only.
std::vector<DeviceRouterCase> device_router_cases(const std::string& router, bool few);

/// Two layers one after the other, on the current device (`executor` "cuda") or not ("cpu").
std::vector<RoutingDecision> route_case(const DeviceRouterCase& test, const std::string& executor);

/// One layer of ordinary logits, for counting.
RoutingDecision route_ordinary_layer(const DeviceRouterCase& test, const std::string& executor);

/// Ids, weight bits and which tokens are alive.
void expect_same_bits(const std::vector<RoutingDecision>& expected,
                      const std::vector<RoutingDecision>& got,
                      const std::string& who);

}  // namespace switchyard
