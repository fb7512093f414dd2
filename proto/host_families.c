#include "proto/host_families.h"

#include <stdio.h>
#include <string.h>

void dcps_host_families_init(dcps_host_families *families)
{
    memset(families, 0, sizeof(*families));
    pthread_mutex_init(&families->lock, NULL); /* cannot fail with default attributes */
}

void dcps_host_families_fini(dcps_host_families *families)
{
    pthread_mutex_destroy(&families->lock);
}

bool dcps_host_families_find(dcps_host_families *families, const char *host, bool *ipv6)
{
    bool found = false;
    pthread_mutex_lock(&families->lock);
    for (uint32_t i = 0; i < families->count && !found; i++) {
        found = strcmp(families->known[i].host, host) == 0;
        *ipv6 = found ? families->known[i].ipv6 : *ipv6;
    }
    pthread_mutex_unlock(&families->lock);
    return found;
}

void dcps_host_families_note(dcps_host_families *families, const char *host, bool ipv6)
{
    pthread_mutex_lock(&families->lock);
    uint32_t place = families->turn;
    families->turn = (place + 1u) % DCPS_HOST_FAMILIES;
    families->count += families->count < DCPS_HOST_FAMILIES ? 1 : 0;
    (void)snprintf(families->known[place].host, sizeof(families->known[place].host), "%s", host);
    families->known[place].ipv6 = ipv6;
    pthread_mutex_unlock(&families->lock);
}
