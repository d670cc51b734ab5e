// CUDA C++ words for a host compiler, on top of the SIMT engine. Include it before a kernel's .cuh:
// the same source that nvcc compiles then runs as fibers. A kernel is launched as
//   simt_launch({.grid = {blocks}, .block = {128}}, [&] { some_kernel(arguments); });
// A surprise for the reader: threadIdx and friends are macros here, so include this file after
// library headers.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/emulation/simt/emulated_kernels.hpp"
#include "tests/emulation/simt/simt_engine.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's own names
#define SWITCHYARD_SIMT_EMULATOR 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

#define threadIdx (::switchyard::SimtEngine::current().thread_index())
#define blockIdx (::switchyard::SimtEngine::current().block_index())
#define blockDim (::switchyard::SimtEngine::current().block())
#define gridDim (::switchyard::SimtEngine::current().grid())

/// Shared memory: one object for each instantiation of the enclosing function, as in CUDA.
#define SWITCHYARD_SHARED(Type, name)                                                 \
  static const char name##_key = 0;                                                   \
  Type& name = *static_cast<Type*>(::switchyard::SimtEngine::current().shared_object( \
      &name##_key, #name, sizeof(Type), std::max<std::size_t>(alignof(Type), 16)))

/// A kernel, entered under its name for launches on an EmulatedDevice.
#define SWITCHYARD_KERNEL(name, Arguments, block_threads)                      \
  static void name(const Arguments& arguments);                                \
  static const ::switchyard::EnteredEmulatedKernel name##_entered{             \
      #name,                                                                   \
      {[](const void* bytes) { name(*static_cast<const Arguments*>(bytes)); }, \
       sizeof(Arguments),                                                      \
       (block_threads)}};                                                      \
  static void name(const Arguments& arguments)

#define SWITCHYARD_WIDE_KERNEL(name, Arguments, block_threads) \
  SWITCHYARD_KERNEL(name, Arguments, block_threads)

// The caller's place, for error messages.
#define SWITCHYARD_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct alignas(8) uint2 {
  std::uint32_t x, y;
};

struct alignas(16) uint4 {
  std::uint32_t x, y, z, w;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

namespace switchyard {

template <typename Value>
std::uint64_t word_of(Value value) {
  static_assert(sizeof(Value) <= 8);
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

template <typename Value>
Value value_of_word(std::uint64_t word) {
  Value value{};
  std::memcpy(&value, &word, sizeof value);
  return value;
}

inline std::uint64_t meet(const WarpRequest& request, const char* file, int line) {
  return SimtEngine::current().collective(request, {.file = file, .line = line}).value;
}

template <typename Value>
Value shuffle(WarpRequest request, Value value, const char* file, int line) {
  request.value = word_of(value);
  return value_of_word<Value>(meet(request, file, line));
}

}  // namespace switchyard

inline void __syncthreads(SWITCHYARD_PLACE) {
  switchyard::SimtEngine::current().block_barrier({.file = file, .line = line});
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFFU, SWITCHYARD_PLACE) {
  switchyard::meet({.mask = mask}, file, line);
}

inline void __threadfence() {}

template <typename Value>
Value __shfl_sync(unsigned mask, Value value, int lane, int width = 32, SWITCHYARD_PLACE) {
  return switchyard::shuffle({.operation = switchyard::WarpOperation::ShuffleIndex,
                              .mask = mask,
                              .argument = lane,
                              .width = width},
                             value,
                             file,
                             line);
}

template <typename Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned by, int width = 32, SWITCHYARD_PLACE) {
  return switchyard::shuffle({.operation = switchyard::WarpOperation::ShuffleUp,
                              .mask = mask,
                              .argument = static_cast<int>(by),
                              .width = width},
                             value,
                             file,
                             line);
}

template <typename Value>
Value __shfl_down_sync(unsigned mask, Value value, unsigned by, int width = 32, SWITCHYARD_PLACE) {
  return switchyard::shuffle({.operation = switchyard::WarpOperation::ShuffleDown,
                              .mask = mask,
                              .argument = static_cast<int>(by),
                              .width = width},
                             value,
                             file,
                             line);
}

template <typename Value>
Value __shfl_xor_sync(unsigned mask, Value value, int lanes, int width = 32, SWITCHYARD_PLACE) {
  return switchyard::shuffle({.operation = switchyard::WarpOperation::ShuffleXor,
                              .mask = mask,
                              .argument = lanes,
                              .width = width},
                             value,
                             file,
                             line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SWITCHYARD_PLACE) {
  return static_cast<unsigned>(switchyard::meet({.operation = switchyard::WarpOperation::Ballot,
                                                 .mask = mask,
                                                 .value = predicate != 0 ? 1U : 0U},
                                                file,
                                                line));
}

inline int __any_sync(unsigned mask, int predicate, SWITCHYARD_PLACE) {
  return __ballot_sync(mask, predicate, file, line) != 0 ? 1 : 0;
}

inline int __all_sync(unsigned mask, int predicate, SWITCHYARD_PLACE) {
  return __ballot_sync(mask, predicate, file, line) == mask ? 1 : 0;
}

template <typename Value>
unsigned __match_any_sync(unsigned mask, Value value, SWITCHYARD_PLACE) {
  return static_cast<unsigned>(switchyard::meet({.operation = switchyard::WarpOperation::MatchAny,
                                                 .mask = mask,
                                                 .value = switchyard::word_of(value)},
                                                file,
                                                line));
}

inline unsigned __reduce_max_sync(unsigned mask, unsigned value, SWITCHYARD_PLACE) {
  return static_cast<unsigned>(switchyard::meet(
      {.operation = switchyard::WarpOperation::MaximumUnsigned, .mask = mask, .value = value},
      file,
      line));
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, SWITCHYARD_PLACE) {
  return static_cast<unsigned>(switchyard::meet(
      {.operation = switchyard::WarpOperation::Add, .mask = mask, .value = value}, file, line));
}

inline int __popc(unsigned value) {
  return std::popcount(value);
}

// One fiber runs at a time and only collectives switch, so plain updates are atomic.
template <typename Value>
Value atomicAdd(Value* address, Value value) {
  const Value old = *address;
  *address = static_cast<Value>(old + value);
  return old;
}

template <typename Value>
Value atomicMax(Value* address, Value value) {
  const Value old = *address;
  *address = std::max(old, value);
  return old;
}

template <typename Value>
Value __ldcg(const Value* address) {
  return *address;
}

// NOLINTEND(bugprone-reserved-identifier)
