#include "server/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "proto/layout_util.h"
#include "server/checkpoint_parts.h"

void dcps_checkpoint_fini(dcps_checkpoint *checkpoint)
{
    dcps_control_image_fini(&checkpoint->control);
    dcps_shard_image_fini(&checkpoint->shard);
    dcps_free(checkpoint->state_workers);
    *checkpoint = (dcps_checkpoint){0};
}

/* Only the shard of block 0 has a book of mini-batches. */
static void take_rest(dcps_shard_image *all, dcps_shard_image *image)
{
    if (image->has_tickets && !all->has_tickets) {
        all->has_tickets = true;
        all->ticket_next = image->ticket_next;
        all->ticket_open_count = image->ticket_open_count;
        all->ticket_open = image->ticket_open;
        image->ticket_open = NULL;
    }
    all->done = all->done && image->done;
    all->training_ns = image->training_ns > all->training_ns ? image->training_ns : all->training_ns;
}

dcps_status dcps_checkpoint_take_shards(dcps_checkpoint *checkpoint, dcps_shard_image *images, uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += images[i].block_count;
    }
    dcps_shard_image *all = &checkpoint->shard;
    all->done = true; /* if all are */
    all->blocks = dcps_alloc(total + 1u, sizeof(*all->blocks));
    for (uint32_t i = 0; i < count && all->blocks != NULL; i++) {
        for (uint32_t k = 0; k < images[i].block_count; k++) {
            all->blocks[all->block_count++] = images[i].blocks[k];
        }
        images[i].block_count = 0;
        take_rest(all, &images[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        dcps_shard_image_fini(&images[i]);
    }
    return all->blocks != NULL ? dcps_checkpoint_note_workers(checkpoint)
                               : dcps_fail(DCPS_NO_MEMORY, "no memory for a checkpoint of %u blocks", total);
}

dcps_status dcps_checkpoint_path(const char *dir, uint32_t index, uint32_t count, char path[PATH_MAX])
{
    return dcps_format(path, PATH_MAX, "%s/dcps-%u-of-%u.safetensors", dir, index, count);
}

dcps_status dcps_checkpoint_server_blocks(const dcps_control_image *control, uint32_t index, uint32_t count,
                                          uint32_t shards, dcps_partition *partition, uint32_t *first, uint32_t *end)
{
    dcps_status status =
        dcps_partition_init(partition, dcps_layout_total_params(control->layout), control->block_params, count, shards);
    if (status == DCPS_OK) {
        *first = dcps_partition_first_block(partition, index * shards);
        *end = dcps_partition_first_block(partition, (index + 1u) * shards);
    }
    return status;
}

/* Takes over from the files of a set what belongs to the whole run. */
static dcps_status merge_control(const dcps_checkpoint_set *set, dcps_checkpoint *checkpoint)
{
    dcps_image_worker *workers = dcps_alloc(DCPS_MAX_WORKERS, sizeof(*workers));
    if (workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the table of workers");
    }
    for (uint32_t i = 0; i < set->file_count; i++) {
        const dcps_control_image *control = &set->files[i].content.control;
        for (uint32_t k = 0; k < control->worker_count; k++) {
            const dcps_image_worker *entry = &control->workers[k];
            if (entry->incarnation > workers[entry->worker].incarnation) {
                workers[entry->worker] = *entry;
            }
        }
    }
    dcps_control_image *control = &checkpoint->control;
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        if (workers[worker].incarnation > 0) {
            workers[control->worker_count++] = workers[worker];
        }
    }
    control->workers = workers;
    control->samples_per_epoch = set->files[0].content.control.samples_per_epoch;
    control->block_params = set->files[0].content.control.block_params;
    control->run = set->files[0].content.control.run;
    for (uint32_t i = 0; i < set->file_count; i++) {
        bool own = set->files[i].content.server_index == checkpoint->server_index;
        control->run = own ? set->files[i].content.control.run : control->run; /* each server has drawn its own */
    }
    return dcps_layout_copy(set->files[0].content.control.layout, &control->layout);
}

/* Moves the records of blocks [first, end) and the book of mini-batches out of the files. */
static dcps_status merge_blocks(dcps_checkpoint_set *set, uint32_t first, uint32_t end, dcps_shard_image *shard)
{
    shard->blocks = dcps_alloc(end - first + 1u, sizeof(*shard->blocks));
    if (shard->blocks == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u blocks of a checkpoint", end - first);
    }
    shard->block_count = end - first;
    shard->done = true; /* if all are */
    for (uint32_t i = 0; i < set->file_count; i++) {
        dcps_shard_image *from = &set->files[i].content.shard;
        for (uint32_t k = 0; k < from->block_count; k++) {
            uint32_t block = from->blocks[k].block;
            if (block >= first && block < end && shard->blocks[block - first].seqs == NULL) {
                shard->blocks[block - first] = from->blocks[k];
                from->blocks[k].seqs = NULL;
            }
        }
        take_rest(shard, from);
    }
    return DCPS_OK;
}

dcps_status dcps_checkpoint_load(const char *dir, const dcps_checkpoint_target *target, dcps_checkpoint *checkpoint)
{
    dcps_checkpoint_set set = {0};
    dcps_status status = dcps_checkpoint_set_open(dir, target, &set);
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_checkpoint *saved = &set.files[0].content;
    dcps_checkpoint made = {.generation = saved->generation,
                            .server_index = target->server_index,
                            .server_count = target->server_count,
                            .seed = saved->seed,
                            .batch_size = saved->batch_size,
                            .epochs = saved->epochs};
    for (uint32_t i = 0; i < set.file_count; i++) {
        made.generation =
            set.files[i].content.generation > made.generation ? set.files[i].content.generation : made.generation;
    }
    memcpy(made.algorithm, saved->algorithm, sizeof(made.algorithm));
    memcpy(made.settings, saved->settings, sizeof(made.settings));
    dcps_checkpoint_set_states(&made, target->rule);
    dcps_partition partition;
    uint32_t first;
    uint32_t end;
    status = dcps_checkpoint_server_blocks(&saved->control, target->server_index, target->server_count,
                                           target->shards_per_server, &partition, &first, &end);
    if (status == DCPS_OK) {
        status = merge_control(&set, &made);
    }
    if (status == DCPS_OK) {
        status = merge_blocks(&set, first, end, &made.shard);
    }
    if (status == DCPS_OK) {
        status = dcps_checkpoint_merge_states(&set, &made);
    }
    if (status == DCPS_OK) {
        status = dcps_checkpoint_fill(&set, &made);
    }
    dcps_checkpoint_set_close(&set);
    if (status != DCPS_OK) {
        dcps_checkpoint_fini(&made);
        return status;
    }
    *checkpoint = made;
    return DCPS_OK;
}
