/* What a person watches: one live line that is redrawn in place on a terminal, or a plain line now and then elsewhere, and lines that pass by above it.
 * Single-threaded. */
#ifndef DCPS_CLI_SCREEN_H
#define DCPS_CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DCPS_SCREEN_LIVE_BYTES 256u

typedef struct dcps_screen {
    FILE *out;
    bool terminal;
    bool drawn; /* the live line stands on the terminal now */
    char live[DCPS_SCREEN_LIVE_BYTES];
    uint64_t plain_interval_ns;
    uint64_t plain_last_ns;
} dcps_screen;

/* `out` is borrowed. Off a terminal the live line is printed at most every 5 s. */
void dcps_screen_init(dcps_screen *screen, FILE *out, bool terminal);

/* Shows ASCII `text` as the live line, cut to the width of the terminal. */
void dcps_screen_live(dcps_screen *screen, const char *text, uint64_t now_ns);
/* Prints a line above the live line. */
void dcps_screen_print(dcps_screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the live line away; the next one off a terminal is printed at once. */
void dcps_screen_clear(dcps_screen *screen);

#endif
