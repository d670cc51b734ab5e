// Tests of messages: what the user reads is part of the interface.
#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace switchyard::testing {

/// Runs `action`, which must throw `ErrorType`; its message and hint together must hold `words`.
template <class ErrorType, class Action>
void expect_error(const Action& action, const std::string& words) {
  try {
    action();
  } catch (const ErrorType& error) {
    EXPECT_THAT(std::string(error.what()) + "\n" + error.hint(), ::testing::HasSubstr(words));
    return;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another kind of error: " << other.what();
    return;
  }
  ADD_FAILURE() << "no error; wanted one that says: " << words;
}

}  // namespace switchyard::testing
