/* Sockets of the shell: one to the control port of each server and one to each shard. On the I/O thread. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "worker/client_shell.h"

/* Messages taken from one socket before the others get their turn. */
#define TURN_MESSAGES 64u
#define PROBE_NS (3u * DCPS_NS_PER_S / 2u) /* longer than a heartbeat of the usual lease takes */
#define PROBE_SILENT_NS (5u * DCPS_NS_PER_S)
#define UNSENT_NS DCPS_NS_PER_S /* from one look at what has left to the next */

static dcps_status write_endpoint(const dcps_host_port *server, char *endpoint)
{
    if (server->port == 0) {
        return dcps_fail(DCPS_INVALID, "servers: \"%s:0\" has no port", server->host);
    }
    char host[DCPS_MAX_BRACKETED_BYTES];
    return dcps_format(endpoint, DCPS_MAX_ENDPOINT_BYTES, "tcp://%s:%u", dcps_host_bracketed(server->host, host),
                       server->port);
}

dcps_status dcps_shell_open_sockets(dcps_client *client, const dcps_host_port *servers)
{
    uint32_t capacity = client->server_count * (DCPS_MAX_SHARDS + 1u);
    client->sockets = dcps_alloc(capacity, sizeof(*client->sockets));
    client->routes = dcps_alloc(capacity, sizeof(*client->routes));
    if (client->sockets == NULL || client->routes == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the sockets of %u servers", client->server_count);
    }
    for (uint32_t server = 0; server < client->server_count; server++) {
        dcps_shell_link *link = &client->links[server];
        dcps_status status = write_endpoint(&servers[server], link->endpoint);
        if (status == DCPS_OK) {
            status = dcps_socket_connect(client->transport, link->endpoint, &link->control);
        }
        if (status != DCPS_OK) {
            return status;
        }
    }
    dcps_shell_list_sockets(client);
    return DCPS_OK;
}

static void close_shards(dcps_shell_link *link)
{
    for (uint32_t shard = 0; shard < link->shard_count; shard++) {
        dcps_socket_close(&link->shards[shard]);
        dcps_free(link->shard_endpoints[shard]);
        link->shard_endpoints[shard] = NULL;
    }
    link->shard_count = 0;
}

void dcps_shell_close_sockets(dcps_client *client)
{
    for (uint32_t server = 0; server < client->server_count; server++) {
        close_shards(&client->links[server]);
        dcps_socket_close(&client->links[server].control);
    }
    dcps_free(client->sockets);
    dcps_free(client->routes);
    client->sockets = NULL;
    client->routes = NULL;
    client->socket_count = 0;
}

void dcps_shell_list_sockets(dcps_client *client)
{
    uint32_t count = 0;
    for (uint32_t server = 0; server < client->server_count; server++) {
        const dcps_shell_link *link = &client->links[server];
        client->sockets[count] = link->control;
        client->routes[count++] = (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL};
        for (uint32_t shard = 0; shard < link->shard_count; shard++) {
            client->sockets[count] = link->shards[shard];
            client->routes[count++] = (dcps_route){.server = server, .shard = shard};
        }
    }
    client->socket_count = count;
    client->sockets_changed = false;
}

static bool is_connected_to(const dcps_shell_link *link, const dcps_welcome *welcome)
{
    if (link->shard_count != welcome->endpoint_count) {
        return false;
    }
    for (uint32_t shard = 0; shard < link->shard_count; shard++) {
        if (strcmp(link->shard_endpoints[shard], welcome->endpoints[shard]) != 0) {
            return false;
        }
    }
    return true;
}

static dcps_status connect_shard(dcps_client *client, dcps_shell_link *link, const char *endpoint)
{
    uint32_t shard = link->shard_count;
    char *copy = dcps_strdup(endpoint);
    if (copy == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for an endpoint");
    }
    dcps_status status = dcps_socket_connect(client->transport, endpoint, &link->shards[shard]);
    if (status != DCPS_OK) {
        dcps_free(copy);
        return status;
    }
    link->shard_endpoints[shard] = copy;
    link->shard_count++;
    return DCPS_OK;
}

void dcps_shell_connect_shards(dcps_client *client, uint32_t server, const dcps_welcome *welcome)
{
    dcps_shell_link *link = &client->links[server];
    if (is_connected_to(link, welcome)) {
        return;
    }
    client->sockets_changed = true;
    close_shards(link);
    for (uint32_t shard = 0; shard < welcome->endpoint_count && shard < DCPS_MAX_SHARDS; shard++) {
        dcps_status status = connect_shard(client, link, welcome->endpoints[shard]);
        if (status != DCPS_OK) {
            char text[DCPS_MAX_TEXT_BYTES];
            (void)snprintf(text, sizeof(text), "shard %u of server %u at %.300s: %.500s", shard, server,
                           welcome->endpoints[shard], dcps_error_message());
            dcps_shell_fail(client, status, text);
            return;
        }
    }
}

static dcps_socket *find_socket(const dcps_client *client, dcps_route route)
{
    const dcps_shell_link *link = &client->links[route.server];
    if (route.shard == DCPS_ROUTE_CONTROL) {
        return link->control;
    }
    return route.shard < link->shard_count ? link->shards[route.shard] : NULL;
}

static dcps_status wrap_blocks(dcps_client *client)
{
    const dcps_partition *partition = dcps_client_core_partition(client->core);
    client->buffers = dcps_alloc(partition->block_count, sizeof(*client->buffers));
    if (client->buffers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the payloads of %u blocks", partition->block_count);
    }
    for (uint32_t block = 0; block < partition->block_count; block++) {
        uint64_t offset = dcps_partition_block_offset(partition, block);
        size_t bytes = dcps_partition_block_length(partition, block) * sizeof(float);
        /* Our own reference never goes, so nobody has to release the caller's memory. */
        dcps_buffer_init(&client->buffers[block].gradient, client->gradient + offset, bytes, NULL, NULL);
        dcps_buffer_init(&client->buffers[block].weights, client->weights + offset, bytes, NULL, NULL);
    }
    return DCPS_OK;
}

/* The wrapper of what the core wants sent: a block of the gradient, or of the initial weights. */
static dcps_buffer *payload_of(dcps_client *client, const dcps_message *message)
{
    if (message->type == DCPS_MESSAGE_PUSH_PULL) {
        return &client->buffers[message->body.push_pull.request.block].gradient;
    }
    return &client->buffers[message->body.request.block].weights;
}

void dcps_shell_emit(void *context, dcps_route route, const dcps_message *message, const void *payload,
                     size_t payload_bytes)
{
    dcps_client *client = context;
    dcps_socket *socket = find_socket(client, route);
    if (socket == NULL) {
        return; /* the core repeats what goes unanswered */
    }
    if (payload_bytes > 0 && client->buffers == NULL && wrap_blocks(client) != DCPS_OK) {
        dcps_shell_fail(client, DCPS_NO_MEMORY, dcps_error_message());
        return;
    }
    dcps_buffer *wrapped = payload_bytes > 0 ? payload_of(client, message) : NULL;
    if (wrapped != NULL && wrapped->data != payload) {
        dcps_shell_fail(client, DCPS_INVALID, "a payload that is no block of the caller's vectors");
        return;
    }
    dcps_status status = dcps_socket_send(socket, NULL, message, wrapped);
    if (status != DCPS_OK && status != DCPS_AGAIN && status != DCPS_NOT_FOUND) { /* no repeat would do better */
        char text[DCPS_MAX_TEXT_BYTES];
        (void)snprintf(text, sizeof(text), "%s to %s cannot be sent: %.500s", dcps_message_name(message->type),
                       dcps_socket_endpoint(socket), dcps_error_message());
        dcps_shell_fail(client, status, text);
    }
}

/* Whoever sends holds a reference beside ours. */
static bool is_on_its_way(dcps_buffer *buffer)
{
    return atomic_load_explicit(&buffer->refs, memory_order_relaxed) > 1; /* a count that is a moment old will do */
}

static void count_unsent(const dcps_client *client, const dcps_partition *partition, uint32_t *unsent)
{
    for (uint32_t block = 0; block < partition->block_count; block++) {
        dcps_block_buffers *buffers = &client->buffers[block];
        if (is_on_its_way(&buffers->gradient) || is_on_its_way(&buffers->weights)) {
            unsent[dcps_partition_shard_of(partition, block)]++;
        }
    }
}

void dcps_shell_watch_sending(dcps_client *client, uint64_t now_ns)
{
    uint32_t unsent[DCPS_MAX_SERVERS * DCPS_MAX_SHARDS] = {0};
    if (client->buffers == NULL || now_ns - client->unsent_counted_ns < UNSENT_NS) {
        return;
    }
    const dcps_partition *partition = dcps_client_core_partition(client->core);
    client->unsent_counted_ns = now_ns;
    count_unsent(client, partition, unsent);
    for (uint32_t i = 0; i < partition->server_count * partition->shards_per_server; i++) {
        dcps_route route = {.server = i / partition->shards_per_server, .shard = i % partition->shards_per_server};
        dcps_client_core_unsent(client->core, route, unsent[i]);
    }
}

static void deliver(dcps_client *client, dcps_route route, dcps_delivery *delivery)
{
    uint64_t now_ns = dcps_clock_ns();
    const dcps_message *message = &delivery->message;
    dcps_shell_link *link = &client->links[route.server];
    link->heard_ns = now_ns;
    bool probed = client->observer && route.shard == DCPS_ROUTE_CONTROL && message->type == DCPS_MESSAGE_WELCOME &&
                  message->body.welcome.nonce == client->nonce && link->connected;
    if (probed) {
        dcps_shell_connect_shards(client, route.server, &message->body.welcome);
    }
    dcps_client_core_receive(client->core, route, message, delivery->payload == NULL ? NULL : delivery->payload->data,
                             delivery->payload == NULL ? 0 : delivery->payload->bytes, now_ns);
    dcps_buffer_unref(&delivery->payload);
}

void dcps_shell_receive(dcps_client *client)
{
    for (uint32_t i = 0; i < client->socket_count && !client->sockets_changed; i++) {
        dcps_delivery delivery;
        for (uint32_t n = 0; n < TURN_MESSAGES && !client->sockets_changed; n++) {
            if (dcps_socket_receive(client->sockets[i], &delivery) != DCPS_OK) {
                break;
            }
            deliver(client, client->routes[i], &delivery);
        }
    }
    if (client->sockets_changed) {
        dcps_shell_list_sockets(client);
    }
}

/* An observer repeats its HELLO: the answer shows life, and names the shards' endpoints, which change when a server is started again. A worker, whom its session tells of
 * that, asks for the status. */
static void probe(dcps_client *client, uint32_t server)
{
    dcps_message message = {.type = DCPS_MESSAGE_STATUS};
    if (client->observer) {
        message.type = DCPS_MESSAGE_HELLO;
        message.body.hello = (dcps_hello){.role = DCPS_ROLE_OBSERVER,
                                          .nonce = client->nonce,
                                          .server_index = server,
                                          .server_count = client->server_count,
                                          .name = client->name};
    }
    dcps_shell_emit(client, (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL}, &message, NULL, 0);
}

void dcps_shell_probe(dcps_client *client, uint64_t now_ns)
{
    for (uint32_t server = 0; server < client->server_count; server++) {
        dcps_shell_link *link = &client->links[server];
        uint64_t interval_ns = link->silent ? PROBE_SILENT_NS : PROBE_NS;
        if (link->connected && now_ns - link->heard_ns >= interval_ns && now_ns - link->probed_ns >= interval_ns) {
            link->probed_ns = now_ns;
            probe(client, server);
        }
    }
}
