# CUDA is optional: SWITCHYARD_CUDA AUTO takes nvcc if there is one, ON demands it, OFF ignores it.
# No GPU and no driver are needed to build, and none to start the program: the runtime is linked
# statically, the driver library never.
set(SWITCHYARD_CUDA_ARCHITECTURES "80;90;100;120" CACHE STRING
    "Compute capabilities to compile the kernels for, without the dot")
set(SWITCHYARD_CUDA_CODE "" CACHE STRING
    "What the library holds instead, as in CMAKE_CUDA_ARCHITECTURES; tests look at every capability all the same")
set(SWITCHYARD_HAS_CUDA OFF)
set(SWITCHYARD_CUDA_REASON "switched off (SWITCHYARD_CUDA=OFF)")
if(NOT SWITCHYARD_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(SWITCHYARD_CUDA_CODE)
      set(CMAKE_CUDA_ARCHITECTURES "${SWITCHYARD_CUDA_CODE}")
    else()
      list(TRANSFORM SWITCHYARD_CUDA_ARCHITECTURES APPEND "-real"
           OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
      # The newest one also as PTX, for GPUs that come later.
      list(GET SWITCHYARD_CUDA_ARCHITECTURES -1 newest)
      list(APPEND CMAKE_CUDA_ARCHITECTURES "${newest}-virtual")
    endif()
    if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
      set(CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_CXX_COMPILER_LAUNCHER}")
    endif()
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(CMAKE_CUDA_STANDARD 17)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    # Integer hashes are constexpr functions shared with host code.
    string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr")
    set(SWITCHYARD_HAS_CUDA ON)
    set(SWITCHYARD_CUDA_REASON "nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
  elseif(SWITCHYARD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SWITCHYARD_CUDA=ON needs nvcc: put it on PATH, or set CMAKE_CUDA_COMPILER")
  else()
    set(SWITCHYARD_CUDA_REASON "no nvcc found")
  endif()
endif()
message(STATUS "CUDA kernels: ${SWITCHYARD_HAS_CUDA} (${SWITCHYARD_CUDA_REASON})")
