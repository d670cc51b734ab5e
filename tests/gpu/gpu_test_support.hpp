// Every GPU test starts with SWITCHYARD_NEEDS_GPU(): it skips itself, saying why, without a GPU.
#pragma once

#include <gtest/gtest.h>

#include "kernels/device/cuda_device.hpp"

#define SWITCHYARD_NEEDS_GPU()                                                    \
  if (!::switchyard::cuda_device().is_usable) {                                   \
    GTEST_SKIP() << "no usable GPU: " << ::switchyard::cuda_device().description; \
  }
