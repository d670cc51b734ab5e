// Lets the compiler build a loop for several instruction sets and pick one at load time.
#pragma once

// Sanitizers and the clones' resolvers do not get along: they run before the sanitizer's start-up.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SWITCHYARD_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SWITCHYARD_VECTOR_CLONES
#endif
