/* Who has not answered, and for how long. A server owes an answer to whatever is asked of its control socket. A shard may hold a request back for as long as it likes, but
 * owes an answer to every repeat of it; that the server answers meanwhile says nothing of its shards, which have threads, sockets and ports of their own. */
#include "base/clock.h"
#include "worker/client_state.h"

/* Unanswered repeats that make a shard silent. */
#define SILENT_REPEATS 2u
/* Times of silence from one line about a shard to the next: a server may have many. */
#define SHARD_TOLD_AGAIN 2u

static dcps_shard_watch *watch_of(dcps_client_core *core, dcps_route route)
{
    return &core->watches[route.server * DCPS_MAX_SHARDS + route.shard];
}

static void tell(dcps_client_core *core, dcps_client_notice_kind kind, dcps_route route, uint64_t silent_ns)
{
    dcps_client_notice notice = {
        .kind = kind, .server = route.server, .shard = route.shard, .silent_ms = silent_ns / DCPS_NS_PER_MS};
    core->config.notice(core->config.context, &notice);
}

static void forget(dcps_shard_watch *watch)
{
    *watch = (dcps_shard_watch){.unsent = watch->unsent};
}

static void shard_heard(dcps_client_core *core, dcps_route route, uint64_t now_ns)
{
    dcps_shard_watch *watch = watch_of(core, route);
    if (watch->told_ns != 0) {
        tell(core, DCPS_CLIENT_BACK, route, now_ns - watch->since_ns);
    }
    forget(watch);
}

static void server_heard(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    if (link->silence_told_ns != 0) {
        link->silence_told_ns = 0;
        tell(core, DCPS_CLIENT_BACK, (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL},
             now_ns - link->heard_ns);
    }
    link->heard_ns = now_ns;
}

void dcps_silence_heard(dcps_client_core *core, dcps_route route, uint64_t now_ns)
{
    server_heard(core, route.server, now_ns);
    if (route.shard != DCPS_ROUTE_CONTROL && core->has_partition) {
        shard_heard(core, route, now_ns);
    }
}

/* More of them are no progress, and fewer may be those of a connection that was lost. */
void dcps_client_core_unsent(dcps_client_core *core, dcps_route route, uint32_t count)
{
    if (!core->has_partition) {
        return;
    }
    dcps_shard_watch *watch = watch_of(core, route);
    bool fewer = count < watch->unsent;
    watch->unsent = count;
    if (fewer && watch->told_ns == 0) {
        forget(watch);
    }
}

bool dcps_silence_repeated(dcps_client_core *core, dcps_route route, uint64_t now_ns)
{
    dcps_shard_watch *watch = watch_of(core, route);
    if (watch->repeats > 0 && now_ns - watch->repeated_ns < DCPS_CLIENT_RETRY_MS * DCPS_NS_PER_MS) {
        return false;
    }
    watch->repeats++;
    watch->repeated_ns = now_ns;
    watch->since_ns = watch->repeats == 1 ? now_ns : watch->since_ns;
    watch->doubted_ns = watch->repeats == SILENT_REPEATS ? now_ns : watch->doubted_ns;
    return true;
}

/* True while something we asked this server has no answer. */
static bool is_waiting(const dcps_client_core *core, uint32_t server)
{
    switch (core->links[server].state) {
    case DCPS_LINK_HELLO:
    case DCPS_LINK_LAYOUT:
    case DCPS_LINK_FINISHING:
        return true;
    case DCPS_LINK_READY:
        return core->config.role == DCPS_ROLE_WORKER || dcps_blocks_any_pending(core, server);
    default:
        return false;
    }
}

static void check_server(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    uint64_t silence_ns = core->config.silence_ms * DCPS_NS_PER_MS;
    uint64_t since_ns = link->silence_told_ns != 0 ? link->silence_told_ns : link->heard_ns;
    if (is_waiting(core, server) && now_ns - since_ns >= silence_ns) {
        link->silence_told_ns = now_ns;
        tell(core, DCPS_CLIENT_SILENT, (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL},
             now_ns - link->heard_ns);
    }
}

static void check_shard(dcps_client_core *core, dcps_route route, uint64_t now_ns)
{
    dcps_shard_watch *watch = watch_of(core, route);
    uint64_t silence_ns = core->config.silence_ms * DCPS_NS_PER_MS;
    bool due = watch->told_ns == 0 ? now_ns - watch->doubted_ns >= silence_ns
                                   : now_ns - watch->told_ns >= SHARD_TOLD_AGAIN * silence_ns;
    if (watch->repeats >= SILENT_REPEATS && due) {
        watch->told_ns = now_ns;
        tell(core, DCPS_CLIENT_SILENT, route, now_ns - watch->since_ns);
    }
}

void dcps_silence_forget_shards(dcps_client_core *core, uint32_t server)
{
    for (uint32_t shard = 0; shard < DCPS_MAX_SHARDS; shard++) {
        forget(watch_of(core, (dcps_route){.server = server, .shard = shard}));
    }
}

void dcps_silence_tick(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    const dcps_link *link = &core->links[server];
    check_server(core, server, now_ns);
    if (!core->has_partition) {
        return;
    }
    if (link->silence_told_ns != 0 || link->state != DCPS_LINK_READY) {
        dcps_silence_forget_shards(core, server); /* it is the server that we wait for */
        return;
    }
    for (uint32_t shard = 0; shard < core->partition.shards_per_server; shard++) {
        check_shard(core, (dcps_route){.server = server, .shard = shard}, now_ns);
    }
}

/* What was noted while the pause began must not come to lie in the future. */
static void move_on(uint64_t *time_ns, uint64_t gap_ns, uint64_t now_ns)
{
    if (*time_ns != 0) {
        *time_ns = *time_ns + gap_ns < now_ns ? *time_ns + gap_ns : now_ns;
    }
}

void dcps_client_core_paused(dcps_client_core *core, uint64_t gap_ns, uint64_t now_ns)
{
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        dcps_link *link = &core->links[server];
        move_on(&link->heard_ns, gap_ns, now_ns);
        move_on(&link->silence_told_ns, gap_ns, now_ns);
        for (uint32_t shard = 0; core->has_partition && shard < core->partition.shards_per_server; shard++) {
            dcps_shard_watch *watch = watch_of(core, (dcps_route){.server = server, .shard = shard});
            move_on(&watch->since_ns, gap_ns, now_ns);
            move_on(&watch->repeated_ns, gap_ns, now_ns);
            move_on(&watch->doubted_ns, gap_ns, now_ns);
            move_on(&watch->told_ns, gap_ns, now_ns);
        }
    }
}

bool dcps_client_core_in_doubt(const dcps_client_core *core)
{
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        bool doubt = core->links[server].silence_told_ns != 0;
        for (uint32_t shard = 0; core->has_partition && shard < core->partition.shards_per_server; shard++) {
            doubt = doubt || core->watches[server * DCPS_MAX_SHARDS + shard].repeats >= SILENT_REPEATS;
        }
        if (doubt) {
            return true;
        }
    }
    return false;
}

static void keep_longer(uint64_t silent_ns, dcps_route route, uint64_t *longest_ns, dcps_route *whose)
{
    if (silent_ns > *longest_ns) {
        *longest_ns = silent_ns;
        *whose = route;
    }
}

uint64_t dcps_client_core_silence_ms(const dcps_client_core *core, uint64_t now_ns, dcps_route *whose)
{
    uint64_t longest_ns = 0;
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        const dcps_link *link = &core->links[server];
        if (link->silence_told_ns != 0) {
            dcps_route route = {.server = server, .shard = DCPS_ROUTE_CONTROL};
            keep_longer(now_ns - link->heard_ns, route, &longest_ns, whose);
        }
        for (uint32_t shard = 0; core->has_partition && shard < core->partition.shards_per_server; shard++) {
            const dcps_shard_watch *watch = &core->watches[server * DCPS_MAX_SHARDS + shard];
            if (watch->told_ns != 0) {
                dcps_route route = {.server = server, .shard = shard};
                keep_longer(now_ns - watch->since_ns, route, &longest_ns, whose);
            }
        }
    }
    return longest_ns / DCPS_NS_PER_MS;
}
