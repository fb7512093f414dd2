/* Which family of addresses the names of hosts have. Inside proto/ only. */
#ifndef DCPS_PROTO_HOST_FAMILIES_H
#define DCPS_PROTO_HOST_FAMILIES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define DCPS_HOST_FAMILIES 64u /* as many as servers; beyond that the oldest makes room */

/* The name service may take many seconds, and the sockets to all shards of a server ask for the same name: each is asked for once. Thread-safe. */
typedef struct dcps_host_families {
    pthread_mutex_t lock; /* of all below; nothing else is locked while it is held */
    uint32_t count;
    uint32_t turn;
    struct {
        char host[DCPS_MAX_HOST_BYTES];
        bool ipv6;
    } known[DCPS_HOST_FAMILIES];
} dcps_host_families;

void dcps_host_families_init(dcps_host_families *families);
void dcps_host_families_fini(dcps_host_families *families);
/* False if nothing is known of this host. */
bool dcps_host_families_find(dcps_host_families *families, const char *host, bool *ipv6);
void dcps_host_families_note(dcps_host_families *families, const char *host, bool ipv6);

#endif
