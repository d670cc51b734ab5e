# Files of one folder are compiled together, up to ten at a time: most of the time of a build is spent
# on headers and templates that they share (four to five times less work for the whole project). Names
# in unnamed namespaces must therefore differ within a folder. Files with compile options of their own
# stay alone. -DSWITCHYARD_UNITY=OFF compiles file by file, as the preset dev does.
option(SWITCHYARD_UNITY "Compile the files of a folder together" ON)

# switchyard_unity(<target>): call it when the target has all its sources, in the folder that made it.
function(switchyard_unity target)
  if(NOT SWITCHYARD_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    if(NOT source MATCHES "\\.cpp$")
      continue()
    endif()
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY "${CMAKE_SOURCE_DIR}")
    cmake_path(GET folder PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "${folder}" group)
    math(EXPR count_${group} "${count_${group}} + 1")
    math(EXPR part "(${count_${group}} - 1) / 10")
    set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${group}_${part}")
  endforeach()
  # A warning for headers, which takes every file of a group for one.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
