/* The standard streams of a program. */
#ifndef DCPS_BASE_STREAMS_H
#define DCPS_BASE_STREAMS_H

/* Opens /dev/null as each of stdin, stdout and stderr that the caller closed: a socket or file opened later would get its number, and what is printed would go into
 * it. First thing in main. */
void dcps_open_standard_streams(void);

#endif
