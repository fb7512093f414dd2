/* The memory transport: real headers and payloads over links of limited rate, through a network that may lose, delay, reorder and duplicate them. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/wire.h"
#include "sim/instant.h"
#include "sim/world_state.h"

/* One message under way. */
typedef struct dcps_packet {
    dcps_world *world;
    dcps_address from;
    dcps_address to;
    struct dcps_packet *next; /* of those that wait for the same thread */
    bool admitted;            /* the thread has had time for it */
    size_t header_bytes;
    dcps_buffer *payload;
    uint8_t header[];
} dcps_packet;

static void drop(dcps_packet *packet)
{
    dcps_buffer_unref(&packet->payload);
    dcps_free(packet);
}

static void drop_waiting(dcps_sim_thread *thread)
{
    while (thread->first != NULL) {
        dcps_packet *packet = thread->first;
        thread->first = packet->next;
        drop(packet);
    }
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static double payload_bytes_of(const dcps_packet *packet)
{
    double scale = packet->world->config.network.payload_scale;
    return packet->payload == NULL ? 0.0 : (double)packet->payload->bytes * (scale > 0.0 ? scale : 1.0);
}

static double ns_for(double amount, double per_second)
{
    return per_second > 0.0 ? amount / per_second * (double)DCPS_NS_PER_S : 0.0;
}

static dcps_sim_link *link_of(dcps_world *world, const dcps_address *address)
{
    return address->is_client ? &world->clients[address->process].link : &world->servers[address->route.server].link;
}

static bool is_control(const dcps_packet *packet)
{
    const dcps_address *server = packet->to.is_client ? &packet->from : &packet->to;
    return server->route.shard == DCPS_ROUTE_CONTROL;
}

/* When the last byte of a message that is sent now is there: both links take it byte by byte, each in its turn. The control plane has connections of its own, whose few
 * bytes do not wait for those of the data plane. */
static uint64_t arrival_ns(dcps_packet *packet, uint64_t delay_ns)
{
    dcps_world *world = packet->world;
    if (is_control(packet)) {
        return world->now_ns + delay_ns;
    }
    dcps_sim_link *from = link_of(world, &packet->from);
    dcps_sim_link *to = link_of(world, &packet->to);
    double wire_ns =
        ns_for((double)packet->header_bytes + payload_bytes_of(packet), world->config.network.bytes_per_second);
    uint64_t sent_ns = later(world->now_ns, from->out_free_ns);
    uint64_t received_ns = wire_ns < 1.0 ? sent_ns + delay_ns : later(sent_ns + delay_ns, to->in_free_ns);
    from->out_free_ns = dcps_sim_after(sent_ns, wire_ns);
    to->in_free_ns = dcps_sim_after(received_ns, wire_ns);
    return to->in_free_ns;
}

static void deliver(void *context, uint64_t now_ns);

static void served(void *context, uint64_t now_ns);

static void serve(dcps_sim_thread *thread)
{
    double params = payload_bytes_of(thread->first) / sizeof(float);
    uint64_t work_ns = dcps_sim_after(0, ns_for(params, thread->world->config.params_per_second));
    dcps_world_work(thread->world, thread->place, work_ns, served, thread);
}

static void served(void *context, uint64_t now_ns)
{
    dcps_sim_thread *thread = context;
    dcps_packet *packet = thread->first;
    thread->first = packet->next;
    packet->admitted = true;
    deliver(packet, now_ns);
    if (thread->first != NULL) {
        serve(thread);
    }
}

/* A shard's thread does one thing after another, and updates take it time. Whether the packet has to wait: it then comes again. */
static bool waits_for_shard(dcps_packet *packet)
{
    dcps_world *world = packet->world;
    if (packet->to.is_client || packet->to.route.shard == DCPS_ROUTE_CONTROL || packet->admitted ||
        world->config.params_per_second <= 0.0) {
        return false;
    }
    dcps_sim_thread *thread = &world->servers[packet->to.route.server].threads[packet->to.route.shard];
    bool idle = thread->first == NULL;
    if (idle) {
        thread->first = packet;
    } else {
        thread->last->next = packet;
    }
    thread->last = packet;
    if (idle) {
        serve(thread);
    }
    return true;
}

static void deliver_to_server(dcps_packet *packet, const dcps_message *message)
{
    dcps_sim_server *server = &packet->world->servers[packet->to.route.server];
    if (server->up) {
        dcps_sim_server_receive(server, packet->to.route.shard, packet->from.process, message, packet->payload);
    }
}

static void deliver_to_client(dcps_packet *packet, const dcps_message *message)
{
    const void *bytes = packet->payload == NULL ? NULL : packet->payload->data;
    size_t count = packet->payload == NULL ? 0 : packet->payload->bytes;
    dcps_sim_client_receive(&packet->world->clients[packet->to.process], packet->from.route, message, bytes, count);
}

static void deliver(void *context, uint64_t now_ns)
{
    dcps_packet *packet = context;
    dcps_world *world = packet->world;
    /* A process that stands still reads its mail when it goes on. */
    if (packet->to.is_client && world->clients[packet->to.process].stalled_until_ns > now_ns) {
        dcps_world_at(world, world->clients[packet->to.process].stalled_until_ns, deliver, packet);
        return;
    }
    if (waits_for_shard(packet)) {
        return;
    }
    dcps_message message;
    size_t payload_bytes = packet->payload == NULL ? 0 : packet->payload->bytes;
    dcps_arena_reset(&world->arena);
    dcps_status status = dcps_wire_decode(packet->header, packet->header_bytes, payload_bytes, &world->arena, &message);
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    } else if (packet->to.is_client) {
        deliver_to_client(packet, &message);
    } else {
        deliver_to_server(packet, &message);
    }
    drop(packet);
}

static dcps_status make_packet(dcps_world *world, dcps_address from, dcps_address to, const uint8_t *header,
                               size_t header_bytes, const void *payload, size_t payload_bytes, dcps_packet **packet)
{
    dcps_packet *made = dcps_alloc(1, sizeof(*made) + header_bytes);
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a message");
    }
    if (payload_bytes > 0) {
        dcps_status status = dcps_buffer_copy(payload, payload_bytes, &made->payload);
        if (status != DCPS_OK) {
            dcps_free(made);
            return status;
        }
    }
    made->world = world;
    made->from = from;
    made->to = to;
    made->header_bytes = header_bytes;
    memcpy(made->header, header, header_bytes);
    *packet = made;
    return DCPS_OK;
}

void dcps_network_send(dcps_world *world, dcps_address from, dcps_address to, const dcps_message *message,
                       const void *payload, size_t payload_bytes)
{
    static _Thread_local uint8_t header[DCPS_MAX_HEADER_BYTES];
    const dcps_network_config *network = &world->config.network;
    size_t header_bytes;
    dcps_status status = dcps_wire_encode(message, header, sizeof(header), &header_bytes);
    int copies = dcps_rng_uniform(&world->network_rng) < network->duplication ? 2 : 1;
    for (int i = 0; status == DCPS_OK && i < copies; i++) {
        bool lost = dcps_rng_uniform(&world->network_rng) < network->loss;
        uint64_t delay_ns = network->latency_ns + dcps_world_between(&world->network_rng, 0, network->jitter_ns);
        if (lost) {
            continue;
        }
        dcps_packet *packet = NULL;
        status = make_packet(world, from, to, header, header_bytes, payload, payload_bytes, &packet);
        if (status == DCPS_OK) {
            world->outcome.messages++;
            dcps_world_at(world, arrival_ns(packet, delay_ns), deliver, packet);
        }
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

void dcps_network_drain(dcps_world *world)
{
    dcps_event event;
    while (dcps_events_next(&world->events, &event)) {
        if (event.run == deliver) {
            drop(event.context);
        }
    }
    for (uint32_t i = 0; world->servers != NULL && i < world->config.servers; i++) {
        for (uint32_t shard = 0; shard < world->config.shards_per_server; shard++) {
            drop_waiting(&world->servers[i].threads[shard]);
        }
    }
}
