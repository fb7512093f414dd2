/* The process that evaluates: asks for one mark after another, as dcps-worker --evaluate does, and hands the weights to the model. It takes no time. */
#include "sim/world_state.h"

static void ask(dcps_sim_client *client)
{
    if (client->mark == client->mark_count) {
        client->phase = DCPS_SIM_ENDED;
        return;
    }
    dcps_client_core_snapshot(client->core, client->mark, true, client->world->now_ns);
    client->phase = DCPS_SIM_COMPUTING;
}

static void take(dcps_sim_client *client)
{
    const dcps_world_model *model = &client->world->config.model;
    const dcps_snapshot_reply *info = dcps_client_core_snapshot_info(client->core);
    if (info->available) {
        dcps_sim_client_check_weights(client); /* a model's loss may be finite all the same */
    }
    if (info->available && !client->world->outcome.diverged) {
        dcps_status status = model->evaluate(model->context, info, client->weights);
        if (status != DCPS_OK) {
            dcps_world_fail(client->world, status);
        }
    }
    client->mark++;
    ask(client);
}

void dcps_sim_observer_proceed(dcps_sim_client *client)
{
    dcps_ticket ticket;
    if (client->phase == DCPS_SIM_ENDED || client->phase == DCPS_SIM_CONNECTING ||
        !dcps_client_core_ready(client->core, &ticket)) {
        return;
    }
    if (client->phase == DCPS_SIM_WAITING) {
        ask(client);
    } else {
        take(client);
    }
}
