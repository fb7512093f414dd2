/* Work of workers and shards: each has a processor of its own, or all share those of one machine. */
#include "base/alloc.h"
#include "sim/world_state.h"

dcps_status dcps_world_work_init(dcps_world *world, uint32_t places)
{
    if (world->config.cores == 0) {
        return DCPS_OK;
    }
    world->cores_due_ns = UINT64_MAX;
    world->works = dcps_alloc(places, sizeof(*world->works));
    if (world->works == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the work of a simulated world");
    }
    return dcps_cores_create(places, world->config.cores, &world->cores);
}

void dcps_world_work_fini(dcps_world *world)
{
    dcps_cores_destroy(&world->cores);
    dcps_free(world->works);
}

static void cores_due(void *context, uint64_t now_ns);

/* Whoever is done first is looked for at cores_due_ns. Later, if others begin in the meantime: then nothing is found, and it is planned again. Earlier, if others end: then the event of before
 * is overtaken and does nothing. */
static void plan_cores(dcps_world *world)
{
    uint32_t place;
    uint64_t done_ns;
    if (dcps_cores_next(world->cores, &place, &done_ns) && done_ns < world->cores_due_ns) {
        world->cores_due_ns = done_ns;
        dcps_world_at(world, done_ns, cores_due, world);
    }
}

static void cores_due(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    uint32_t place;
    uint64_t done_ns;
    if (now_ns != world->cores_due_ns) {
        return;
    }
    world->cores_due_ns = UINT64_MAX;
    while (dcps_cores_next(world->cores, &place, &done_ns) && done_ns <= now_ns) {
        dcps_cores_end(world->cores, place, now_ns);
        world->works[place].done(world->works[place].context, now_ns);
    }
    plan_cores(world);
}

void dcps_world_work(dcps_world *world, uint32_t place, uint64_t work_ns, dcps_event_fn done, void *context)
{
    if (world->cores == NULL) {
        dcps_world_at(world, world->now_ns + work_ns, done, context);
        return;
    }
    world->works[place] = (dcps_sim_work){.done = done, .context = context};
    dcps_cores_begin(world->cores, place, work_ns, world->now_ns);
    plan_cores(world);
}

void dcps_world_work_end(dcps_world *world, uint32_t place)
{
    if (world->cores != NULL) {
        dcps_cores_end(world->cores, place, world->now_ns);
        plan_cores(world);
    }
}
