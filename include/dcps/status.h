/* Status codes and the text of the latest failure. Part of the public interface of dcps. */
#ifndef DCPS_STATUS_H
#define DCPS_STATUS_H

#include "dcps/api.h"

/* code, value, text. 0 is success, failures are negative. Values are part of the wire protocol: append, never renumber. */
#define DCPS_STATUS_MAP(X)                                                                                             \
    X(OK, 0, "success")                                                                                                \
    X(NO_MEMORY, -1, "out of memory")                                                                                  \
    X(INVALID, -2, "invalid argument")                                                                                 \
    X(NOT_FOUND, -3, "not found")                                                                                      \
    X(IO, -4, "input/output error")                                                                                    \
    X(CORRUPT, -5, "file or data damaged")                                                                             \
    X(PROTOCOL, -6, "message violates the protocol")                                                                   \
    X(UNSUPPORTED, -7, "not supported")                                                                                \
    X(SESSION, -8, "unknown or expired session")                                                                       \
    X(NOT_PULLED, -9, "push without a preceding pull")                                                                 \
    X(MISMATCH, -10, "the two sides disagree")                                                                         \
    X(TIMEOUT, -11, "no answer in time")                                                                               \
    X(AGAIN, -12, "try again later")                                                                                   \
    X(CANCELLED, -13, "stopped on request")                                                                            \
    X(LIMIT, -14, "limit exceeded")                                                                                    \
    X(SYSTEM, -15, "operating system or library call failed")

typedef enum dcps_status {
#define DCPS_STATUS_ENUM(name, value, text) DCPS_##name = (value),
    DCPS_STATUS_MAP(DCPS_STATUS_ENUM)
#undef DCPS_STATUS_ENUM
} dcps_status;

#define DCPS_MUST_CHECK __attribute__((warn_unused_result))

/* Short name ("NOT_FOUND") and one-line text of a code; "UNKNOWN" for a value outside the map. Never NULL. */
DCPS_API const char *dcps_status_name(dcps_status status);
DCPS_API const char *dcps_status_text(dcps_status status);

/* The sentence that explains the calling thread's latest failure, "" before the first. Valid until that thread's next failure. */
DCPS_API const char *dcps_error_message(void);

/* Records a failure of the calling thread (printf format, at most 1023 bytes kept) and returns `status`, so that
 * `return dcps_fail(DCPS_INVALID, "...", ...)` states what was expected, what was seen and what to do. */
DCPS_API dcps_status dcps_fail(dcps_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
