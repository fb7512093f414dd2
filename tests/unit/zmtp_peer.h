/* A peer that speaks ZMTP 3.0 (rfc.zeromq.org/spec/23) by hand, so that tests can send what no library would. */
#ifndef DCPS_TESTS_ZMTP_PEER_H
#define DCPS_TESTS_ZMTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZMTP_MORE 1u
#define ZMTP_LONG 2u
#define ZMTP_COMMAND 4u

/* A plain TCP connection to "tcp://127.0.0.1:port". Fails the test if there is none. Reads give up after 5 s. */
int tcp_connect(const char *endpoint);
/* Writes everything; false when the other side has closed. */
bool tcp_write(int fd, const void *bytes, size_t count);
/* Reads exactly `count` bytes; false at the end of the stream or after 5 s. */
bool tcp_read(int fd, void *bytes, size_t count);

/* A connection past greeting and handshake, as a DEALER. */
int zmtp_connect(const char *endpoint);
/* One frame with these flags; ZMTP_LONG is added where the size needs it. */
bool zmtp_write_frame(int fd, unsigned flags, const void *bytes, size_t count);
/* The next frame, cut to `capacity`; false at the end of the stream. */
bool zmtp_read_frame(int fd, void *bytes, size_t capacity, size_t *count, unsigned *flags);

#endif
