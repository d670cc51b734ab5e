// One plain loop, compiled for several generations of x86-64 and picked when the program runs.
// Every version gives the same bits: sources say fma where they mean it, and nothing is contracted.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
/// Defines `name(arguments)` from the always-inline function `name_body(arguments)`; both take one
/// `const Arguments&`. Use in a .cpp, inside the anonymous namespace.
#define SWITCHYARD_ISA_VERSIONS(name, Arguments)                                    \
  [[gnu::target("arch=x86-64-v4")]] void name##_v4(const Arguments& arguments) {    \
    name##_body(arguments);                                                         \
  }                                                                                 \
  [[gnu::target("arch=x86-64-v3")]] void name##_v3(const Arguments& arguments) {    \
    name##_body(arguments);                                                         \
  }                                                                                 \
  void name##_v1(const Arguments& arguments) {                                      \
    name##_body(arguments);                                                         \
  }                                                                                 \
  void name(const Arguments& arguments) {                                           \
    static void (*const kVersion)(const Arguments&) =                               \
        __builtin_cpu_supports("x86-64-v4") != 0                                    \
            ? &name##_v4                                                            \
            : (__builtin_cpu_supports("x86-64-v3") != 0 ? &name##_v3 : &name##_v1); \
    kVersion(arguments);                                                            \
  }
#define SWITCHYARD_ISA_BODY [[gnu::always_inline]] inline
#else
#define SWITCHYARD_ISA_VERSIONS(name, Arguments) \
  void name(const Arguments& arguments) {        \
    name##_body(arguments);                      \
  }
#define SWITCHYARD_ISA_BODY inline
#endif
