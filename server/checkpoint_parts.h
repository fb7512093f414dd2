/* Between the files that make up checkpoints: server/checkpoint_*.c. */
#ifndef DCPS_SERVER_CHECKPOINT_PARTS_H
#define DCPS_SERVER_CHECKPOINT_PARTS_H

#include "server/checkpoint.h"
#include "server/safetensors.h"

#define DCPS_CHECKPOINT_PREFIX_BYTES (DCPS_CHECKPOINT_NAME_BYTES + 24u)

/* ---- checkpoint_text.c: all but the arrays, as JSON ---- */

/* The text belongs to the caller (dcps_free). Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_encode(const dcps_checkpoint *checkpoint, char **text);

/* ---- checkpoint_parse.c ---- */

/* Blocks get no buffers. Every number is checked against its limit and the layout. DCPS_CORRUPT naming the field, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_decode(const char *text, dcps_checkpoint *checkpoint);

/* ---- checkpoint_sum.c ---- */

#define DCPS_CHECKPOINT_SUM_BYTES 9u /* 8 hexadecimal digits and the final zero byte */

/* CRC-32 as zlib computes it; begins at 0, goes on from what it returned. */
uint32_t dcps_checkpoint_sum(uint32_t sum, const void *data, size_t bytes);
void dcps_checkpoint_sum_print(uint32_t sum, char text[DCPS_CHECKPOINT_SUM_BYTES]);
/* Whether `text` and the whole data part, which is read, have the sum `stated`: if not, DCPS_CORRUPT. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_sum_check(const dcps_safetensors_reader *reader, const char *text,
                                                      const char *stated);

/* ---- checkpoint_set.c: the files of a directory ---- */

typedef struct dcps_checkpoint_file {
    dcps_safetensors_reader *reader;
    dcps_checkpoint content; /* blocks without buffers */
} dcps_checkpoint_file;

/* The files of one number of servers that are there. */
typedef struct dcps_checkpoint_set {
    uint32_t server_count;
    uint32_t file_count;
    dcps_checkpoint_file *files;
    uint64_t generation; /* of the oldest file that the target needs */
    uint64_t newest;     /* … and of the newest of them, */
    uint32_t newest_index;
} dcps_checkpoint_set;

void dcps_checkpoint_set_close(dcps_checkpoint_set *set);
/* The newest usable set for the target. Errors as dcps_checkpoint_load. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_set_open(const char *dir, const dcps_checkpoint_target *target,
                                                     dcps_checkpoint_set *set);

/* ---- checkpoint_read.c: the arrays ---- */

/* Fills the buffers of all blocks of checkpoint->shard from the files of the set. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_fill(const dcps_checkpoint_set *set, dcps_checkpoint *checkpoint);

/* ---- checkpoint_states.c ---- */

/* Collects which workers have states at any block of checkpoint->shard. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_note_workers(dcps_checkpoint *checkpoint);
/* Takes over from the files of a set which workers have states, where the target keeps any, and how many updates each state has seen. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_merge_states(const dcps_checkpoint_set *set, dcps_checkpoint *checkpoint);

/* ---- checkpoint.c ---- */

DCPS_MUST_CHECK dcps_status dcps_checkpoint_path(const char *dir, uint32_t index, uint32_t count, char path[PATH_MAX]);
/* Blocks [*first, *end) are those of server `index` of `count`, `shards` a server, under the layout and block size of an image. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_server_blocks(const dcps_control_image *control, uint32_t index,
                                                          uint32_t count, uint32_t shards, dcps_partition *partition,
                                                          uint32_t *first, uint32_t *end);
/* Arrays of each block: the weights, then the states of the block, then those of each of state_workers. */
uint32_t dcps_checkpoint_array_count(const dcps_checkpoint *checkpoint);
/* Where array `array` of a block is; NULL where the worker whose it is has nothing at the block: zeros. */
dcps_buffer **dcps_checkpoint_array(const dcps_checkpoint *checkpoint, const dcps_image_block *block, uint32_t array);
/* What an array is called before the name of its tensor: "" for the weights, "<state>/", "worker_<state>.N/". */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_array_prefix(const dcps_checkpoint *checkpoint, uint32_t array,
                                                         char out[DCPS_CHECKPOINT_PREFIX_BYTES]);
/* Name of array `array` of a tensor; elements [first, end) of it where that is not the whole. */
DCPS_MUST_CHECK dcps_status dcps_checkpoint_array_name(const dcps_checkpoint *checkpoint, uint32_t array,
                                                       const dcps_layout_tensor *tensor, uint64_t first, uint64_t end,
                                                       char *out, size_t capacity);

#endif
