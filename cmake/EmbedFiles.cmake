# switchyard_embed(<output.cpp> <file>...): a source file holding the bytes of each file, found at
# run time by its path from the repository root (core/components/embedded.hpp).
function(switchyard_embed output)
  set(list "${CMAKE_BINARY_DIR}/generated/embedded_files.txt")
  list(SORT ARGN)
  list(JOIN ARGN "\n" lines)
  file(CONFIGURE OUTPUT "${list}" CONTENT "${lines}\n" @ONLY)
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" -DLIST=${list} -DROOT=${CMAKE_SOURCE_DIR} -DOUTPUT=${output}
            -P "${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake"
    DEPENDS ${ARGN} "${list}" "${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake"
    COMMENT "Embedding presets, schemas and samples"
    VERBATIM)
endfunction()
