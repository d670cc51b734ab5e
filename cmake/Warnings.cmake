# Warnings and sanitizers that every target of ours gets.
add_library(switchyard_warnings INTERFACE)
target_compile_options(switchyard_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wnon-virtual-dtor;-Woverloaded-virtual>)
# Designated initialisers leave out what has a default.
target_compile_options(switchyard_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
# GCC 12 sees overlapping copies in std::string's operator+ at -O3 where there are none (its bug
# 105651).
target_compile_options(switchyard_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:$<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>>)
# Same logits, same bits: no fused multiply-add that the source does not ask for.
target_compile_options(switchyard_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
if(SWITCHYARD_WERROR)
  target_compile_options(switchyard_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(SWITCHYARD_SANITIZE)
  # Left out: what the address sanitizer or a crash shows anyway, and the checks of every access through a
  # pointer (null, alignment), which are a quarter of the time to compile.
  set(left_out null,alignment,object-size,return,returns-nonnull-attribute,vptr)
  target_compile_options(switchyard_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${SWITCHYARD_SANITIZE};-fno-sanitize=${left_out};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(switchyard_warnings INTERFACE -fsanitize=${SWITCHYARD_SANITIZE})
endif()
