/* Which parameters of the step are pushed, and which blocks may therefore leave. On the caller's thread. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "worker/client_shell.h"

#define UNIT DCPS_LAYOUT_ALIGN_PARAMS
#define WORD_UNITS 64u

/* Vectors and blocks are whole units long: see dcps/layout.h and proto/partition.h. */
static uint64_t word_count(const dcps_client *client)
{
    return (client->partition.total_params / UNIT + WORD_UNITS - 1) / WORD_UNITS;
}

dcps_status dcps_shell_create_coverage(dcps_client *client)
{
    uint64_t *pushed = dcps_alloc(word_count(client), sizeof(*pushed));
    uint32_t *missing = dcps_alloc(client->partition.block_count, sizeof(*missing));
    if (pushed == NULL || missing == NULL) {
        dcps_free(pushed);
        dcps_free(missing);
        return dcps_fail(DCPS_NO_MEMORY, "no memory to follow the pushes of %" PRIu64 " parameters",
                         client->partition.total_params);
    }
    client->pushed = pushed;
    client->missing = missing;
    dcps_shell_reset_coverage(client);
    return DCPS_OK;
}

void dcps_shell_reset_coverage(dcps_client *client)
{
    memset(client->pushed, 0, word_count(client) * sizeof(*client->pushed));
    for (uint32_t block = 0; block < client->partition.block_count; block++) {
        client->missing[block] = dcps_partition_block_length(&client->partition, block) / UNIT;
    }
    client->step_params = 0;
}

/* The bits of units [first, end) that lie in `word`. */
static uint64_t word_mask(uint64_t word, uint64_t first, uint64_t end)
{
    uint64_t low = word * WORD_UNITS;
    uint64_t from = first > low ? first - low : 0;
    uint64_t to = end < low + WORD_UNITS ? end - low : WORD_UNITS;
    uint64_t below_to = to == WORD_UNITS ? UINT64_MAX : (UINT64_C(1) << to) - 1;
    return below_to & ~((UINT64_C(1) << from) - 1);
}

static bool any_pushed(const dcps_client *client, uint64_t first, uint64_t end)
{
    for (uint64_t word = first / WORD_UNITS; word * WORD_UNITS < end; word++) {
        if ((client->pushed[word] & word_mask(word, first, end)) != 0) {
            return true;
        }
    }
    return false;
}

static void mark_pushed(dcps_client *client, uint64_t first, uint64_t end)
{
    for (uint64_t word = first / WORD_UNITS; word * WORD_UNITS < end; word++) {
        client->pushed[word] |= word_mask(word, first, end);
    }
}

static dcps_status check_range(const dcps_client *client, uint64_t first, uint64_t count)
{
    uint64_t total = client->partition.total_params;
    if (first % UNIT != 0 || count == 0 || first >= total || count > total - first) {
        return dcps_fail(DCPS_INVALID,
                         "push of parameters from %" PRIu64 ", %" PRIu64
                         " of them: expected a start at a multiple of %u and an end within %" PRIu64,
                         first, count, UNIT, total);
    }
    uint64_t end = (first + count + UNIT - 1) / UNIT;
    if (any_pushed(client, first / UNIT, end)) {
        return dcps_fail(DCPS_INVALID,
                         "push of parameters from %" PRIu64 ", %" PRIu64
                         " of them: some were pushed already in this step; call dcps_client_wait between steps",
                         first, count);
    }
    return DCPS_OK;
}

static dcps_status check_step(const dcps_client *client, uint32_t samples, float loss)
{
    if (client->phase != DCPS_CLIENT_PHASE_READY && client->phase != DCPS_CLIENT_PHASE_PUSHING) {
        return dcps_fail(DCPS_INVALID,
                         "push without weights: dcps_client_declare or dcps_client_wait must have succeeded");
    }
    if (client->observer) {
        return dcps_fail(DCPS_INVALID, "an observer pushes nothing");
    }
    if (samples == 0) {
        return dcps_fail(DCPS_INVALID, "push of a gradient over 0 samples: use dcps_client_abstain");
    }
    /* memcmp: a loss that is not a number equals itself here. */
    if (client->phase == DCPS_CLIENT_PHASE_PUSHING &&
        (samples != client->step_samples || memcmp(&loss, &client->step_loss, sizeof(loss)) != 0)) {
        return dcps_fail(DCPS_INVALID, "push of %u samples, loss %g, in a step that began with %u samples, loss %g",
                         samples, (double)loss, client->step_samples, (double)client->step_loss);
    }
    return DCPS_OK;
}

/* Takes units [first, end) off the blocks they lie in and sends those that thereby become complete. Only the first and the last of them can stay
 * incomplete, so the complete ones are neighbours. */
static dcps_status send_complete(dcps_client *client, uint64_t first, uint64_t end)
{
    const uint32_t block_units = client->partition.block_params / UNIT;
    const uint32_t last = (uint32_t)((end - 1) / block_units);
    dcps_command run = {.kind = DCPS_COMMAND_PUSH, .samples = client->step_samples, .loss = client->step_loss};
    for (uint32_t block = (uint32_t)(first / block_units); block <= last; block++) {
        uint64_t block_first = (uint64_t)block * block_units;
        uint64_t from = first > block_first ? first : block_first;
        uint64_t to = end < block_first + block_units ? end : block_first + block_units;
        assert(client->missing[block] >= to - from);
        client->missing[block] -= (uint32_t)(to - from);
        if (client->missing[block] == 0) {
            run.first_block = run.block_count == 0 ? block : run.first_block;
            run.block_count++;
        }
    }
    return run.block_count > 0 ? dcps_queue_push(client->commands, &run) : DCPS_OK;
}

dcps_status dcps_client_push(dcps_client *client, uint64_t first, uint64_t count, uint32_t samples, float loss)
{
    dcps_status status = check_step(client, samples, loss);
    if (status == DCPS_OK) {
        status = check_range(client, first, count);
    }
    if (status != DCPS_OK) {
        return status;
    }
    if (client->phase == DCPS_CLIENT_PHASE_READY) {
        client->step_samples = samples;
        client->step_loss = loss;
        client->phase = DCPS_CLIENT_PHASE_PUSHING;
    }
    uint64_t end = (first + count + UNIT - 1) / UNIT;
    mark_pushed(client, first / UNIT, end);
    client->step_params += end * UNIT - first;
    return send_complete(client, first / UNIT, end);
}
