/* Which files of a directory to go on from. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "server/checkpoint_parts.h"

static void close_file(dcps_checkpoint_file *file)
{
    dcps_safetensors_reader_close(&file->reader);
    dcps_checkpoint_fini(&file->content);
}

void dcps_checkpoint_set_close(dcps_checkpoint_set *set)
{
    for (uint32_t i = 0; i < set->file_count; i++) {
        close_file(&set->files[i]);
    }
    dcps_free(set->files);
    *set = (dcps_checkpoint_set){0};
}

/* Marks the numbers of servers for which the directory holds at least one file. */
static dcps_status scan_directory(const char *dir, bool counts[DCPS_MAX_SERVERS + 1u])
{
    DIR *listing = opendir(dir);
    if (listing == NULL) {
        dcps_status status = errno == ENOENT ? DCPS_NOT_FOUND : DCPS_IO;
        return dcps_fail(status, "no checkpoint to resume from: cannot open %s: %s", dir, strerror(errno));
    }
    const struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        unsigned index;
        unsigned count;
        int length = 0;
        if (sscanf(entry->d_name, "dcps-%2u-of-%2u.safetensors%n", &index, &count, &length) == 2 && length > 0 &&
            entry->d_name[length] == '\0' && count >= 1 && count <= DCPS_MAX_SERVERS && index < count) {
            counts[count] = true;
        }
    }
    closedir(listing);
    return DCPS_OK;
}

bool dcps_checkpoint_exists(const char *dir, uint32_t server_index, uint32_t server_count)
{
    bool counts[DCPS_MAX_SERVERS + 1u] = {false};
    char own[PATH_MAX];
    if (scan_directory(dir, counts) != DCPS_OK ||
        dcps_checkpoint_path(dir, server_index, server_count, own) != DCPS_OK) {
        return false;
    }
    bool any = access(own, F_OK) == 0;
    for (uint32_t count = 1; count <= DCPS_MAX_SERVERS; count++) {
        any = any || (counts[count] && count != server_count);
    }
    return any;
}

/* What the text inside says must agree with the name of the file. */
static dcps_status check_identity(const dcps_checkpoint_file *file, uint32_t index, uint32_t count)
{
    const dcps_checkpoint *content = &file->content;
    if (content->server_index != index || content->server_count != count) {
        return dcps_fail(DCPS_CORRUPT, "%s says it is of server %u of %u: was it renamed?",
                         dcps_safetensors_reader_path(file->reader), content->server_index, content->server_count);
    }
    return DCPS_OK;
}

static dcps_status read_content(dcps_checkpoint_file *file)
{
    const char *path = dcps_safetensors_reader_path(file->reader);
    const char *format = dcps_safetensors_reader_metadata(file->reader, "format");
    const char *text = dcps_safetensors_reader_metadata(file->reader, "dcps");
    const char *sum = dcps_safetensors_reader_metadata(file->reader, "crc32");
    if (format == NULL || strcmp(format, DCPS_CHECKPOINT_FORMAT) != 0 || text == NULL || sum == NULL) {
        return dcps_fail(DCPS_UNSUPPORTED,
                         "%s is not a checkpoint of format " DCPS_CHECKPOINT_FORMAT " (found \"%.64s\"%s)", path,
                         format == NULL ? "none" : format, sum == NULL ? ", without a \"crc32\"" : "");
    }
    dcps_status status = dcps_checkpoint_sum_check(file->reader, text, sum);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_checkpoint_decode(text, &file->content);
    if (status != DCPS_OK) {
        char reason[512];
        snprintf(reason, sizeof(reason), "%s", dcps_error_message());
        return dcps_fail(status, "%s: %s", path, reason);
    }
    return DCPS_OK;
}

static dcps_status open_file(const char *dir, uint32_t index, uint32_t count, dcps_checkpoint_file *file)
{
    char path[PATH_MAX];
    dcps_checkpoint_file made = {0};
    dcps_status status = dcps_checkpoint_path(dir, index, count, path);
    if (status == DCPS_OK) {
        status = dcps_safetensors_reader_open(path, &made.reader);
    }
    if (status != DCPS_OK) {
        return status;
    }
    status = read_content(&made);
    if (status == DCPS_OK) {
        status = check_identity(&made, index, count);
    }
    if (status != DCPS_OK) {
        close_file(&made);
        return status;
    }
    *file = made;
    return DCPS_OK;
}

/* All files of a set must be of one run. */
static dcps_status check_agreement(const dcps_checkpoint_file *first, const dcps_checkpoint_file *other)
{
    const dcps_checkpoint *a = &first->content;
    const dcps_checkpoint *b = &other->content;
    const char *what = NULL;
    if (a->seed != b->seed) {
        what = "seed";
    } else if (a->batch_size != b->batch_size) {
        what = "batch size";
    } else if (a->control.samples_per_epoch != b->control.samples_per_epoch) {
        what = "samples an epoch";
    } else if (a->control.block_params != b->control.block_params) {
        what = "block size";
    } else if (dcps_layout_compare(a->control.layout, b->control.layout) != DCPS_OK) {
        what = "layout";
    }
    if (what != NULL) {
        return dcps_fail(DCPS_MISMATCH, "%s and %s are not of the same run: they differ in %s",
                         dcps_safetensors_reader_path(first->reader), dcps_safetensors_reader_path(other->reader),
                         what);
    }
    return DCPS_OK;
}

static dcps_status open_set(const char *dir, uint32_t count, dcps_checkpoint_set *set)
{
    dcps_checkpoint_set made = {.server_count = count};
    made.files = dcps_alloc(count, sizeof(*made.files));
    dcps_status status =
        made.files != NULL ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for %u checkpoint files", count);
    for (uint32_t index = 0; status == DCPS_OK && index < count; index++) {
        dcps_checkpoint_file *file = &made.files[made.file_count];
        status = open_file(dir, index, count, file);
        if (status == DCPS_NOT_FOUND) {
            status = DCPS_OK;
            continue;
        }
        if (status == DCPS_OK) {
            made.file_count++;
            status = check_agreement(&made.files[0], file);
        }
    }
    if (status == DCPS_OK && made.file_count == 0) {
        status = dcps_fail(DCPS_IO, "the checkpoint files of %u servers vanished from %s", count, dir);
    }
    if (status != DCPS_OK) {
        dcps_checkpoint_set_close(&made);
        return status;
    }
    *set = made;
    return DCPS_OK;
}

static bool holds_any(const dcps_shard_image *shard, uint32_t first, uint32_t end)
{
    for (uint32_t k = 0; k < shard->block_count; k++) {
        if (shard->blocks[k].block >= first && shard->blocks[k].block < end) {
            return true;
        }
    }
    return false;
}

/* How old the set is for a target that owns blocks [first, end): as old as the oldest file that it takes any of them from. What others have not written yet is no concern of its. */
static void judge_age(dcps_checkpoint_set *set, uint32_t first, uint32_t end)
{
    set->generation = UINT64_MAX;
    for (uint32_t i = 0; i < set->file_count; i++) {
        const dcps_checkpoint *content = &set->files[i].content;
        if (first == end || holds_any(&content->shard, first, end)) {
            set->generation = content->generation < set->generation ? content->generation : set->generation;
            if (content->generation > set->newest) {
                set->newest = content->generation;
                set->newest_index = content->server_index;
            }
        }
    }
}

/* Judges the age of the set for the target. DCPS_CORRUPT unless the files hold every block that it will own, exactly once. */
static dcps_status check_cover(const char *dir, dcps_checkpoint_set *set, const dcps_checkpoint_target *target)
{
    dcps_partition partition;
    uint32_t first;
    uint32_t end;
    dcps_status status =
        dcps_checkpoint_server_blocks(&set->files[0].content.control, target->server_index, target->server_count,
                                      target->shards_per_server, &partition, &first, &end);
    if (status != DCPS_OK) {
        return status;
    }
    judge_age(set, first, end);
    bool tickets = first > 0 || end == 0;
    uint32_t next = first;
    for (uint32_t i = 0; i < set->file_count; i++) {
        const dcps_shard_image *shard = &set->files[i].content.shard;
        for (uint32_t k = 0; k < shard->block_count; k++) {
            next += shard->blocks[k].block == next && next < end ? 1u : 0u;
        }
        tickets = tickets || shard->has_tickets;
    }
    if (next < end) {
        return dcps_fail(DCPS_CORRUPT,
                         "the checkpoint of %u servers in %s is incomplete: block %u of %u is in none of its %u files",
                         set->server_count, dir, next, partition.block_count, set->file_count);
    }
    if (!tickets) {
        return dcps_fail(DCPS_CORRUPT,
                         "the checkpoint of %u servers in %s is incomplete: no file has the book of mini-batches",
                         set->server_count, dir);
    }
    return DCPS_OK;
}

/* A damaged file may be the newest, so going back to an older set is for a person to decide. */
static dcps_status tell_way_out(dcps_status status, const bool counts[DCPS_MAX_SERVERS + 1u])
{
    uint32_t sets = 0;
    for (uint32_t count = 1; count <= DCPS_MAX_SERVERS; count++) {
        sets += counts[count] ? 1u : 0u;
    }
    if (sets < 2 || status == DCPS_NO_MEMORY) {
        return status;
    }
    char reason[512];
    snprintf(reason, sizeof(reason), "%s", dcps_error_message());
    return dcps_fail(status, "%s; to go on from the checkpoint of another number of servers, move this file away",
                     reason);
}

/* What a person may want to know before it is overwritten. `newer` is closed: only its numbers count. */
static void warn_of_newer(const char *dir, const dcps_checkpoint_set *taken, const dcps_checkpoint_set *newer)
{
    char path[PATH_MAX];
    if (newer->newest > taken->newest &&
        dcps_checkpoint_path(dir, newer->newest_index, newer->server_count, path) == DCPS_OK) {
        dcps_warn("%s holds newer blocks of this server than the checkpoint of %u servers that it goes on from, but "
                  "not all of "
                  "them: start %u servers to keep those",
                  path, taken->server_count, newer->server_count);
    }
}

dcps_status dcps_checkpoint_set_open(const char *dir, const dcps_checkpoint_target *target, dcps_checkpoint_set *set)
{
    bool counts[DCPS_MAX_SERVERS + 1u] = {false};
    dcps_checkpoint_set best = {0};
    dcps_checkpoint_set newest = {0}; /* its numbers: files are closed */
    dcps_status status = scan_directory(dir, counts);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_status incomplete = DCPS_OK; /* why an otherwise sound set could not be used */
    for (uint32_t count = 1; count <= DCPS_MAX_SERVERS; count++) {
        dcps_checkpoint_set found = {0};
        if (!counts[count]) {
            continue;
        }
        status = open_set(dir, count, &found);
        if (status != DCPS_OK) {
            dcps_checkpoint_set_close(&best);
            return tell_way_out(status, counts);
        }
        status = check_cover(dir, &found, target);
        incomplete = status != DCPS_OK ? status : incomplete;
        newest = found.newest > newest.newest ? found : newest;
        if (status == DCPS_OK && (best.files == NULL || found.generation > best.generation)) {
            dcps_checkpoint_set_close(&best);
            best = found;
        } else {
            dcps_checkpoint_set_close(&found);
        }
    }
    if (best.files == NULL) {
        return incomplete != DCPS_OK
                   ? incomplete
                   : dcps_fail(DCPS_NOT_FOUND, "no checkpoint to resume from: %s holds no dcps-…-of-….safetensors",
                               dir);
    }
    warn_of_newer(dir, &best, &newest);
    *set = best;
    return DCPS_OK;
}
