/* What a program settles about its output before anything else. */
#ifndef DCPS_BASE_STREAMS_H
#define DCPS_BASE_STREAMS_H

/* Opens /dev/null as each of stdin, stdout and stderr that the caller closed: a socket or file opened later would get its number, and what is printed would go into
 * it. First thing in main. */
void dcps_open_standard_streams(void);

/* From here on a write to a pipe that nobody reads, or beyond the largest size of files, fails instead of ending the process. */
void dcps_ignore_write_signals(void);

#endif
