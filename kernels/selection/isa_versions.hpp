// One plain loop, compiled for several generations of x86-64 and picked when the program runs.
// Every version gives the same bits: sources say fma where they mean it, and nothing is contracted.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
namespace switchyard::detail {

/// The level of this processor (x86-64-v4, v3 or v1), asked for once.
inline int isa_level() {
  static const bool kIsV3 = static_cast<bool>(__builtin_cpu_supports("avx2")) &&
                            static_cast<bool>(__builtin_cpu_supports("fma")) &&
                            static_cast<bool>(__builtin_cpu_supports("bmi2"));
  static const bool kIsV4 = kIsV3 && static_cast<bool>(__builtin_cpu_supports("avx512f")) &&
                            static_cast<bool>(__builtin_cpu_supports("avx512bw")) &&
                            static_cast<bool>(__builtin_cpu_supports("avx512cd")) &&
                            static_cast<bool>(__builtin_cpu_supports("avx512dq")) &&
                            static_cast<bool>(__builtin_cpu_supports("avx512vl"));
  return kIsV4 ? 4 : (kIsV3 ? 3 : 1);
}

}  // namespace switchyard::detail

/// Defines `name(arguments)` from the always-inline function `name_body(arguments)`; both take one
/// `const Arguments&`. Use in a .cpp, inside the anonymous namespace.
#define SWITCHYARD_ISA_VERSIONS(name, Arguments)                                 \
  [[gnu::target("arch=x86-64-v4")]] void name##_v4(const Arguments& arguments) { \
    name##_body(arguments);                                                      \
  }                                                                              \
  [[gnu::target("arch=x86-64-v3")]] void name##_v3(const Arguments& arguments) { \
    name##_body(arguments);                                                      \
  }                                                                              \
  void name##_v1(const Arguments& arguments) {                                   \
    name##_body(arguments);                                                      \
  }                                                                              \
  void name(const Arguments& arguments) {                                        \
    if (::switchyard::detail::isa_level() == 4) {                                \
      name##_v4(arguments);                                                      \
    } else if (::switchyard::detail::isa_level() == 3) {                         \
      name##_v3(arguments);                                                      \
    } else {                                                                     \
      name##_v1(arguments);                                                      \
    }                                                                            \
  }
#define SWITCHYARD_ISA_BODY [[gnu::always_inline]] inline
#else
#define SWITCHYARD_ISA_VERSIONS(name, Arguments) \
  void name(const Arguments& arguments) {        \
    name##_body(arguments);                      \
  }
#define SWITCHYARD_ISA_BODY inline
#endif
