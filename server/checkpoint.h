/* Checkpoints: one safetensors file a server, from which any number of servers and shards can go on.
 *
 * "DIR/dcps-<index>-of-<count>.safetensors" holds every tensor of the layout under its own name (a part of one that is cut between servers as
 * the flat slice "name[first:end]"), optimizer state as "<state>/<tensor>", that of worker N as "worker_<state>.N/<tensor>", and in its metadata: "format"; "dcps", a JSON text
 * with all else; and
 * "crc32", 8 hexadecimal digits: zlib's crc32 over that JSON text followed by the whole data part of the file. It is checked before a file is used.
 *
 * Blocking file access: on a thread that may wait. */
#ifndef DCPS_SERVER_CHECKPOINT_H
#define DCPS_SERVER_CHECKPOINT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compensate/rule.h"
#include "dcps/status.h"
#include "server/engine/control.h"
#include "server/engine/shard.h"

#define DCPS_CHECKPOINT_FORMAT "dcps-checkpoint/1"
#define DCPS_CHECKPOINT_NAME_BYTES 64u

/* Everything of one server. Arrays belong to the checkpoint. */
typedef struct dcps_checkpoint {
    uint64_t
        generation; /* wall clock when saved, in nanoseconds; never falls from one checkpoint of a run to the next */
    uint32_t server_index;
    uint32_t server_count;
    char algorithm[DCPS_CHECKPOINT_NAME_BYTES];
    char settings
        [DCPS_MAX_TEXT_BYTES]; /* algorithm with its parts, learning rate and schedule, in words; "" in a file of before they were kept */
    uint64_t seed;
    uint32_t batch_size;
    uint32_t epochs;
    uint32_t state_count; /* arrays beside the weights, in the order of dcps_image_block.states */
    char state_names[DCPS_RULE_MAX_STATES][DCPS_CHECKPOINT_NAME_BYTES];
    uint32_t worker_state_count; /* likewise of each worker, in the order of dcps_image_worker_states.values */
    char worker_state_names[DCPS_RULE_MAX_WORKER_STATES][DCPS_CHECKPOINT_NAME_BYTES];
    uint32_t state_worker_count; /* workers that have such states at any block */
    uint32_t *state_workers;     /* ascending */
    dcps_control_image control;
    dcps_shard_image shard; /* all blocks of the server as if it were one shard, ascending */
} dcps_checkpoint;

void dcps_checkpoint_fini(dcps_checkpoint *checkpoint);

/* Names the state arrays after those that `rule` keeps. */
void dcps_checkpoint_set_states(dcps_checkpoint *checkpoint, const dcps_rule *rule);

/* Moves the content of `count` shard images, in the order of the shards, into checkpoint->shard and notes which workers have states; they are empty afterwards, whatever is
 * returned. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_take_shards(dcps_checkpoint *checkpoint, dcps_shard_image *images,
                                                        uint32_t count);

/* Writes the file of this server into `dir`, atomically: the old file stays until the new one is on disk. The blocks must be a run without gaps. Fills
 * `path`. Errors: DCPS_IO, DCPS_UNSUPPORTED (clashing tensor names), DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_write(const dcps_checkpoint *checkpoint, const char *dir,
                                                  char path[PATH_MAX]);

/* Who wants to go on from a checkpoint. */
typedef struct dcps_checkpoint_target {
    uint32_t server_index;
    uint32_t server_count;
    uint32_t shards_per_server;
    const dcps_rule *rule;
} dcps_checkpoint_target;

/* Whether `dir` holds an earlier run: the file of this server, or of any other number of servers, sound or not. Files of its companions do not count: they may
 * have begun before it. */
bool dcps_checkpoint_exists(const char *dir, uint32_t server_index, uint32_t server_count);

/* Takes the file of this server in `dir` for this process: "DIR/.dcps-<index>-of-<count>.lock", which stays behind and names the process. *lock is a file descriptor:
 * the kernel lets go of the lock when it is closed, however the process ends. Where the file system knows no locks, that is only logged. Errors: DCPS_INVALID
 * (another process has it), DCPS_IO, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_lock(const char *dir, uint32_t server_index, uint32_t server_count,
                                                 int *lock);

/* Finds in `dir` the newest set of files that holds every block of the target and loads those blocks. State arrays that the target's rule keeps and the files lack
 * are NULL. Errors name file or directory: DCPS_NOT_FOUND (no set at all), DCPS_CORRUPT (damaged, lying or incomplete), DCPS_MISMATCH (files of one set contradict
 * each other), DCPS_IO, DCPS_UNSUPPORTED, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_load(const char *dir, const dcps_checkpoint_target *target,
                                                 dcps_checkpoint *checkpoint);

#endif
