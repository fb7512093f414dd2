#include "tensor/cpu/primitive.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

#define BUCKETS 256u
#define MAX_PRIMITIVES 1024u
#define MAX_ARGUMENTS 14

struct dcps_primitive {
    dcps_primitive_key key;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    size_t scratch_bytes;
    int argument_count;
    dnnl_exec_arg_t arguments[MAX_ARGUMENTS + 1]; /* memory objects, made when first needed */
    uint64_t used;                                /* when, by the cache's clock */
    dcps_primitive *next;                         /* in the bucket */
};

typedef struct cache {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr;
    uint32_t count;
    uint64_t clock;
    dcps_primitive *buckets[BUCKETS];
} cache;

/* Held while oneDNN makes and destroys primitives: each thread has its own, but what they are made from is looked up in one place, and making is rare. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local cache *own;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_result;

static dcps_status failed(const dcps_call *call, const char *what, dnnl_status_t result)
{
    return dcps_fail(result == dnnl_out_of_memory ? DCPS_NO_MEMORY : DCPS_SYSTEM,
                     "%s: oneDNN of backend cpu cannot %s (status %d)", dcps_op_name(call->op), what, (int)result);
}

static void primitive_destroy(dcps_primitive *primitive)
{
    for (int i = 0; i < primitive->argument_count; i++) {
        dnnl_memory_destroy(primitive->arguments[i].memory);
    }
    pthread_mutex_lock(&making);
    if (primitive->primitive != NULL) {
        dnnl_primitive_destroy(primitive->primitive);
    }
    if (primitive->desc != NULL) {
        dnnl_primitive_desc_destroy(primitive->desc);
    }
    pthread_mutex_unlock(&making);
    dcps_free(primitive);
}

static void cache_destroy(void *memory)
{
    cache *self = memory;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (self->buckets[i] != NULL) {
            dcps_primitive *first = self->buckets[i];
            self->buckets[i] = first->next;
            primitive_destroy(first);
        }
    }
    if (self->attr != NULL) {
        dnnl_primitive_attr_destroy(self->attr);
    }
    if (self->stream != NULL) {
        dnnl_stream_destroy(self->stream);
    }
    if (self->engine != NULL) {
        dnnl_engine_destroy(self->engine);
    }
    dcps_free(self);
    own = NULL;
}

static void register_end(void)
{
    once_result = pthread_key_create(&at_thread_end, cache_destroy);
}

static dcps_status cache_open(const dcps_call *call)
{
    if (own != NULL) {
        return DCPS_OK;
    }
    pthread_once(&once, register_end);
    if (once_result != 0) {
        return dcps_fail(DCPS_SYSTEM, "%s: no thread-specific memory is left (pthread_key_create: %d)",
                         dcps_op_name(call->op), once_result);
    }
    cache *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for a cache of oneDNN primitives", dcps_op_name(call->op));
    }
    dnnl_status_t result = dnnl_engine_create(&made->engine, dnnl_cpu, 0);
    if (result == dnnl_success) {
        result = dnnl_stream_create(&made->stream, made->engine, dnnl_stream_default_flags);
    }
    if (result == dnnl_success) {
        result = dnnl_primitive_attr_create(&made->attr);
    }
    if (result == dnnl_success) {
        result = dnnl_primitive_attr_set_scratchpad_mode(made->attr, dnnl_scratchpad_mode_user);
    }
    if (result != dnnl_success || pthread_setspecific(at_thread_end, made) != 0) {
        cache_destroy(made);
        return failed(call, "start", result);
    }
    own = made;
    return DCPS_OK;
}

static uint32_t bucket_of(const dcps_primitive_key *key)
{
    uint64_t hash = dcps_hash_step(DCPS_HASH_START, (uint64_t)(uintptr_t)key->make);
    for (uint32_t i = 0; i < DCPS_PRIMITIVE_NUMBERS; i++) {
        hash = dcps_hash_step(hash, (uint64_t)key->numbers[i]);
    }
    return (uint32_t)(hash >> 32) % BUCKETS;
}

static void drop_oldest(cache *self)
{
    dcps_primitive **oldest = NULL;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (dcps_primitive **at = &self->buckets[i]; *at != NULL; at = &(*at)->next) {
            if (oldest == NULL || (*at)->used < (*oldest)->used) {
                oldest = at;
            }
        }
    }
    dcps_primitive *dropped = *oldest;
    *oldest = dropped->next;
    primitive_destroy(dropped);
    self->count--;
}

static dcps_status primitive_create(const dcps_call *call, const dcps_primitive_key *key, dcps_primitive **made)
{
    dcps_primitive *self = dcps_alloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for a oneDNN primitive", dcps_op_name(call->op));
    }
    self->key = *key;
    pthread_mutex_lock(&making);
    dnnl_status_t result = key->make(key, own->engine, own->attr, &self->desc);
    if (result == dnnl_success) {
        result = dnnl_primitive_create(&self->primitive, self->desc);
    }
    pthread_mutex_unlock(&making);
    if (result != dnnl_success) {
        primitive_destroy(self);
        return failed(call, "make a primitive of these shapes", result);
    }
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(self->desc, dnnl_query_scratchpad_md, 0);
    self->scratch_bytes = scratch == NULL ? 0 : dnnl_memory_desc_get_size(scratch);
    *made = self;
    return DCPS_OK;
}

dcps_status dcps_primitive_find(const dcps_call *call, const dcps_primitive_key *key, dcps_primitive **found)
{
    dcps_status status = cache_open(call);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_primitive **bucket = &own->buckets[bucket_of(key)], *self = *bucket;
    while (self != NULL &&
           (self->key.make != key->make || memcmp(self->key.numbers, key->numbers, sizeof(key->numbers)) != 0)) {
        self = self->next;
    }
    if (self == NULL) {
        status = primitive_create(call, key, &self);
        if (status != DCPS_OK) {
            return status;
        }
        if (own->count == MAX_PRIMITIVES) {
            drop_oldest(own);
        }
        self->next = *bucket;
        *bucket = self;
        own->count++;
    }
    self->used = ++own->clock;
    *found = self;
    return DCPS_OK;
}

const dnnl_memory_desc_t *dcps_primitive_layout(const dcps_primitive *primitive, int which)
{
    return dnnl_primitive_desc_query_md(primitive->desc, dnnl_query_exec_arg_md, which);
}

/* Points the memory object of an argument at `values`. */
static dnnl_status_t bind(dcps_primitive *self, int which, const void *values)
{
    int i = 0;
    while (i < self->argument_count && self->arguments[i].arg != which) {
        i++;
    }
    if (i < self->argument_count) {
        return dnnl_memory_set_data_handle_v2(self->arguments[i].memory, (void *)values, own->stream);
    }
    if (i > MAX_ARGUMENTS) {
        return dnnl_invalid_arguments;
    }
    dnnl_memory_t memory;
    dnnl_status_t result = dnnl_memory_create(&memory, dcps_primitive_layout(self, which), own->engine, (void *)values);
    if (result == dnnl_success) {
        self->arguments[self->argument_count++] = (dnnl_exec_arg_t){.arg = which, .memory = memory};
    }
    return result;
}

dcps_status dcps_primitive_run(const dcps_call *call, dcps_primitive *primitive, int count,
                               const dcps_primitive_argument *arguments)
{
    dnnl_status_t result = dnnl_success;
    for (int i = 0; i < count && result == dnnl_success; i++) {
        result = bind(primitive, arguments[i].which, arguments[i].values);
    }
    if (primitive->scratch_bytes > 0 && result == dnnl_success) {
        void *scratch = dcps_call_scratch(call, 1, primitive->scratch_bytes);
        if (scratch == NULL) {
            return DCPS_NO_MEMORY;
        }
        result = bind(primitive, DNNL_ARG_SCRATCHPAD, scratch);
    }
    if (result == dnnl_success) {
        result =
            dnnl_primitive_execute(primitive->primitive, own->stream, primitive->argument_count, primitive->arguments);
    }
    if (result == dnnl_success) {
        result = dnnl_stream_wait(own->stream);
    }
    return result == dnnl_success ? DCPS_OK : failed(call, "run a primitive", result);
}

dcps_status dcps_primitive_call(const dcps_call *call, const dcps_primitive_key *key, int count,
                                const dcps_primitive_argument *arguments)
{
    dcps_primitive *primitive;
    dcps_status status = dcps_primitive_find(call, key, &primitive);
    return status == DCPS_OK ? dcps_primitive_run(call, primitive, count, arguments) : status;
}
