# The shared library `switchyard`, the SimGrid module beside it, and the program.
configure_file(core/version.hpp.in "${CMAKE_BINARY_DIR}/generated/core/version.hpp" @ONLY)

set(switchyard_components core traces topologies kernels sim profiler report)
set(switchyard_sources "")
foreach(component IN LISTS switchyard_components)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${component}/*.cpp")
  list(APPEND switchyard_sources ${found})
endforeach()
# SimGrid costs 20 ms of start-up and keeps process-wide state, so it lives in a module of its own
# that only the forked child of a `simgrid` run, or of a platform's reader, loads.
file(GLOB simgrid_module_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/sim/network/simgrid/*_module.cpp")
list(REMOVE_ITEM switchyard_sources ${simgrid_module_sources})

# The profiler speaks CUPTI, or has a stand-in that says why not. What goes into foreign programs is
# a library of its own.
set(injection_source "${CMAKE_SOURCE_DIR}/profiler/injection/injection_library.cpp")
set(without_cupti_source "${CMAKE_SOURCE_DIR}/profiler/cupti/without_cupti.cpp")
set(cupti_sources activity_buffers activity_decoder cupti_library cupti_session driver_devices)
set(counter_source "${CMAKE_SOURCE_DIR}/profiler/cupti/hardware_counters.cpp")
list(TRANSFORM cupti_sources PREPEND "${CMAKE_SOURCE_DIR}/profiler/cupti/")
list(TRANSFORM cupti_sources APPEND ".cpp")
list(REMOVE_ITEM switchyard_sources ${injection_source})
if(SWITCHYARD_HAS_CUPTI)
  list(REMOVE_ITEM switchyard_sources ${without_cupti_source})
else()
  list(REMOVE_ITEM switchyard_sources ${cupti_sources} ${counter_source})
endif()

file(GLOB embedded CONFIGURE_DEPENDS
     "${CMAKE_SOURCE_DIR}/*/presets/*.json" "${CMAKE_SOURCE_DIR}/*/*/presets/*.json"
     "${CMAKE_SOURCE_DIR}/*/schema/*.json" "${CMAKE_SOURCE_DIR}/traces/samples/*")
set(embedded_source "${CMAKE_BINARY_DIR}/generated/embedded_files.cpp")
switchyard_embed("${embedded_source}" ${embedded})

add_library(switchyard SHARED ${switchyard_sources} "${embedded_source}")
target_include_directories(switchyard PUBLIC
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/generated>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/switchyard>)
target_link_libraries(switchyard
  PUBLIC nlohmann_json::nlohmann_json
  PRIVATE $<BUILD_INTERFACE:switchyard_warnings> Boost::headers Boost::graph Boost::iostreams
          fmt::fmt SQLite::SQLite3 ZLIB::ZLIB pugixml::pugixml yaml-cpp OneDNN::dnnl OpenMP::OpenMP_CXX
          PkgConfig::XXHASH Threads::Threads valijson ${CMAKE_DL_LIBS})
# Headers that one file needs: no reason for every other file to be compiled anew.
set_source_files_properties("${CMAKE_SOURCE_DIR}/profiler/calibration/fit.cpp" PROPERTIES
  COMPILE_OPTIONS "-isystem;${EIGEN3_INCLUDE_DIRS}")
file(GLOB_RECURSE fluid_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/sim/network/fluid/*.cpp")
# Small functions that call each other millions of times a second: nobody replaces them at load time.
set_source_files_properties(${fluid_sources} PROPERTIES COMPILE_OPTIONS -fno-semantic-interposition)
# For the kernels' sake. No value changes, but a comparison no longer counts as a side effect: loops that
# choose by one, as those over order keys and exponentials do, become vector code below AVX-512 too.
target_compile_options(switchyard PRIVATE
  $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-fno-trapping-math>)
if(SWITCHYARD_HAS_CUDA)
  file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/kernels/*.cu")
  target_sources(switchyard PRIVATE ${cuda_sources})
  target_compile_definitions(switchyard PRIVATE SWITCHYARD_HAS_CUDA=1)
  target_link_libraries(switchyard PRIVATE CUDA::cudart_static)
endif()
if(SWITCHYARD_HAS_CUPTI)
  target_link_libraries(switchyard PRIVATE $<BUILD_INTERFACE:switchyard_cupti_headers>)
endif()
switchyard_unity(switchyard)
set_target_properties(switchyard PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)

if(simgrid_module_sources)
  add_library(switchyard_simgrid MODULE ${simgrid_module_sources})
  target_link_libraries(switchyard_simgrid PRIVATE switchyard switchyard_warnings fmt::fmt PkgConfig::SIMGRID)
  set_target_properties(switchyard_simgrid PROPERTIES INSTALL_RPATH "$ORIGIN")
endif()

# libswitchyard_injection.so is loaded into programs that know nothing of us: it brings no library
# along, not even libstdc++, and shows one symbol.
if(SWITCHYARD_HAS_CUPTI)
  add_library(switchyard_injection MODULE ${injection_source} ${cupti_sources}
    profiler/cupti/cupti_presence.cpp profiler/activities/activity_records.cpp
    profiler/activities/launcher_rank.cpp profiler/activities/spool_writer.cpp core/error.cpp)
  target_include_directories(switchyard_injection PRIVATE "${CMAKE_SOURCE_DIR}"
                             "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(switchyard_injection PRIVATE switchyard_warnings switchyard_cupti_headers
                        ${CMAKE_DL_LIBS} Threads::Threads)
  set_target_properties(switchyard_injection PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  set(exports "${CMAKE_SOURCE_DIR}/profiler/injection/exports.map")
  target_link_options(switchyard_injection PRIVATE "LINKER:--version-script,${exports}")
  set_property(TARGET switchyard_injection APPEND PROPERTY LINK_DEPENDS "${exports}")
  if(NOT SWITCHYARD_SANITIZE)
    target_link_options(switchyard_injection PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endif()

file(GLOB_RECURSE program_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/cli/*.cpp")
if(program_sources)
  add_executable(switchyard_program ${program_sources})
  target_link_libraries(switchyard_program PRIVATE
    switchyard switchyard_warnings fmt::fmt Boost::program_options)
  switchyard_unity(switchyard_program)
  set_target_properties(switchyard_program PROPERTIES
    OUTPUT_NAME switchyard INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  if(TARGET switchyard_simgrid)
    add_dependencies(switchyard_program switchyard_simgrid)
  endif()
  if(TARGET switchyard_injection)
    add_dependencies(switchyard_program switchyard_injection)
  endif()
endif()
