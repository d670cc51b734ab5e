// How tests steer the stand-in for CUPTI: records go in raw, and come out through the callbacks
// that a session has registered, as with the real one.
#pragma once

#include <cstddef>

extern "C" {
/// Puts a record into the calling thread's buffer; a full buffer is handed over on this thread.
/// Without a buffer, or without a session, the record is dropped and counted.
void fake_cupti_write(const void* record, std::size_t bytes);
/// What cuptiActivityEnable answers from now on, a CUptiResult.
void fake_cupti_set_enable_result(int result);
/// Kinds that are enabled now.
int fake_cupti_enabled_kinds();
}
