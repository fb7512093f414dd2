/* Signals that ask a program to stop. A further one means that it should not wait any longer, unless it is the same request once more: timeout(1) signals a program and then its
 * group, a terminal that closes makes the kernel and the shell signal. */
#ifndef DCPS_BASE_STOP_SIGNAL_H
#define DCPS_BASE_STOP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define DCPS_ONE_REQUEST_NS (200 * DCPS_NS_PER_MS)

/* Whether a signal is a request of its own; *counted_ns: when the latest of them came, 0 before the first. */
static inline bool dcps_stop_signal_counts(uint64_t *counted_ns, uint64_t now_ns)
{
    bool counts = *counted_ns == 0 || now_ns - *counted_ns >= DCPS_ONE_REQUEST_NS;
    *counted_ns = counts ? now_ns : *counted_ns;
    return counts;
}

/* Whoever started us with nohup wants us to outlive the terminal: a hangup that was ignored stays so. */
static inline bool dcps_hangup_is_ignored(void)
{
    struct sigaction hangup;
    return sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
}

/* Of SIGINT, SIGTERM and SIGHUP. */
static inline const char *dcps_stop_signal_name(int number)
{
    return number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM";
}

#endif
