/* A limit on everything that a peer, file or flag can make us hold. Stated in PROTOCOL.md; checked where data enters. One is lacking: the frames of a message that is not whole yet, which ZeroMQ
 * holds and has no limit for (PROTOCOL.md, section 1). */
#ifndef DCPS_PROTO_LIMITS_H
#define DCPS_PROTO_LIMITS_H

#include <stdint.h>

#define DCPS_PROTOCOL_VERSION 1u

#define DCPS_MAX_HEADER_BYTES (64u * 1024u)  /* one protobuf header */
#define DCPS_MAX_BLOCK_PARAMS (256u * 1024u) /* 1 MiB of float32 */
#define DCPS_MAX_PAYLOAD_BYTES (DCPS_MAX_BLOCK_PARAMS * 4u)
#define DCPS_MAX_SERVERS 64u
#define DCPS_MAX_SHARDS 64u /* of one server */
#define DCPS_MAX_WORKERS 1024u
#define DCPS_MAX_TENSORS 1024u
#define DCPS_MAX_DIMS 8u
#define DCPS_MAX_NAME_BYTES 128u /* tensor names, with the final zero byte */
#define DCPS_MAX_ENDPOINT_BYTES 320u
#define DCPS_MAX_TEXT_BYTES 1024u /* error texts and other free text */
#define DCPS_MAX_PARAMS (UINT64_C(1) << 36)
#define DCPS_MAX_BLOCKS (1u << 20)
#define DCPS_SNAPSHOT_EVERY_EPOCH UINT64_MAX /* as a number of samples: one epoch, whatever its length */
#define DCPS_MAX_STEP (UINT64_C(1) << 62)    /* so that sums of steps and bounds do not wrap */
#define DCPS_MAX_STATUS_WORKERS 64u          /* in one answer to STATUS */
#define DCPS_HEARTBEATS_PER_LEASE 4u         /* three may be lost before it runs out */

#endif
