#include "sim/cores.h"

#include "base/alloc.h"
#include "sim/instant.h"

typedef struct core_place {
    bool busy;
    double left_ns; /* of its work, as of `updated_ns` */
} core_place;

struct dcps_cores {
    uint32_t workers;
    uint32_t cores;
    uint32_t busy;
    uint64_t updated_ns;
    core_place *places;
};

dcps_status dcps_cores_create(uint32_t workers, uint32_t cores, dcps_cores **cores_made)
{
    dcps_cores *made = dcps_alloc(1, sizeof(*made));
    core_place *places = dcps_alloc(workers, sizeof(*places));
    if (made == NULL || places == NULL) {
        dcps_free(made);
        dcps_free(places);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the cores of %u workers", workers);
    }
    *made = (dcps_cores){.workers = workers, .cores = cores, .places = places};
    *cores_made = made;
    return DCPS_OK;
}

void dcps_cores_destroy(dcps_cores **cores)
{
    if (*cores != NULL) {
        dcps_free((*cores)->places);
        dcps_free(*cores);
        *cores = NULL;
    }
}

/* Of a core that each who computes has. */
static double share(const dcps_cores *cores)
{
    return cores->busy <= cores->cores ? 1.0 : (double)cores->cores / cores->busy;
}

/* Takes off what has been done since. */
static void update(dcps_cores *cores, uint64_t now_ns)
{
    double done_ns = (double)(now_ns - cores->updated_ns) * share(cores);
    for (uint32_t i = 0; i < cores->workers; i++) {
        if (cores->places[i].busy) {
            double left_ns = cores->places[i].left_ns - done_ns;
            cores->places[i].left_ns = left_ns > 0.0 ? left_ns : 0.0;
        }
    }
    cores->updated_ns = now_ns;
}

void dcps_cores_begin(dcps_cores *cores, uint32_t place, uint64_t work_ns, uint64_t now_ns)
{
    update(cores, now_ns);
    cores->places[place] = (core_place){.busy = true, .left_ns = (double)work_ns};
    cores->busy++;
}

bool dcps_cores_next(const dcps_cores *cores, uint32_t *place, uint64_t *done_ns)
{
    const core_place *first = NULL;
    for (uint32_t i = 0; i < cores->workers; i++) {
        const core_place *candidate = &cores->places[i];
        if (candidate->busy && (first == NULL || candidate->left_ns < first->left_ns)) {
            first = candidate;
            *place = i;
        }
    }
    if (first == NULL) {
        return false;
    }
    *done_ns = dcps_sim_after(cores->updated_ns, first->left_ns / share(cores) + 0.5);
    return true;
}

void dcps_cores_end(dcps_cores *cores, uint32_t place, uint64_t now_ns)
{
    update(cores, now_ns);
    if (cores->places[place].busy) {
        cores->places[place].busy = false;
        cores->busy--;
    }
}
