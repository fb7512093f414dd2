/* Log lines on stderr, as text or JSON. Thread-safe, one write per line. */
#ifndef DCPS_BASE_LOG_H
#define DCPS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dcps_log_level { DCPS_LOG_DEBUG, DCPS_LOG_INFO, DCPS_LOG_WARN, DCPS_LOG_ERROR } dcps_log_level;

/* Their names, as options have them. */
#define DCPS_LOG_LEVEL_NAMES "debug|info|warn|error"

/* The level of a name, which is one of them (asserted). */
dcps_log_level dcps_log_level_named(const char *name);

/* `program` is shown on each line ("dcps-server 0"); copied. Level: lines below it are dropped. Call before threads start. */
void dcps_log_setup(const char *program, dcps_log_level level, bool json);

void dcps_log(dcps_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define dcps_debug(...) dcps_log(DCPS_LOG_DEBUG, __VA_ARGS__)
#define dcps_info(...) dcps_log(DCPS_LOG_INFO, __VA_ARGS__)
#define dcps_warn(...) dcps_log(DCPS_LOG_WARN, __VA_ARGS__)
#define dcps_error(...) dcps_log(DCPS_LOG_ERROR, __VA_ARGS__)

/* Lets through at most `burst` events per `interval_ns`; the first event let through after a silence learns how many were dropped. */
typedef struct dcps_rate_limit {
    uint64_t interval_ns;
    uint32_t burst;
    uint64_t window_start_ns;
    uint32_t used;
    uint64_t suppressed;
} dcps_rate_limit;

/* True if an event at `now_ns` may be reported; *suppressed then holds the number dropped since the last one reported. */
bool dcps_rate_limit_pass(dcps_rate_limit *limit, uint64_t now_ns, uint64_t *suppressed);

#endif
