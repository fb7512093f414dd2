/* How many files and sockets this process may have open at once. */
#ifndef DCPS_BASE_DESCRIPTORS_H
#define DCPS_BASE_DESCRIPTORS_H

#include <stdint.h>

/* Allows as many as the system lets us have without privileges: the usual 1,024 are few for a server, and enough for programs that use select(), which we do not. In main. */
void dcps_allow_descriptors(void);

/* The number allowed now; UINT64_MAX: no limit is known. */
uint64_t dcps_descriptors_allowed(void);

#endif
