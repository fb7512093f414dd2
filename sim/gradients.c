#include "sim/gradients.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/tape.h"
#include "worker/device.h"
#include "worker/evaluate.h"
#include "worker/loaded_model.h"
#include "worker/shuffle.h"
#include "worker/trainer.h"

#define MAX_THREADS 256u
#define ERROR_BYTES 1024u

/* A model with tapes over vectors of its own. Used by one thread at a time. */
typedef struct gradient_slot {
    dcps_loaded_model loaded;
    float *weights;
    float *gradient;
    dcps_tape *trains;
    dcps_tape *evaluates;
} gradient_slot;

typedef enum job_state { JOB_NONE = 0, JOB_QUEUED, JOB_RUNNING, JOB_DONE } job_state;

/* What one client process wants computed, and what came of it. */
typedef struct gradient_job {
    job_state state;
    bool evaluates;
    dcps_batch_cursor cursor;
    dcps_batch batch;
    uint32_t *samples; /* [batch_size]: of the batch */
    float *values;     /* [total params]: the weights; when done, the gradient */
    float loss;
    dcps_metrics metrics;
    dcps_status status;
    char error[ERROR_BYTES];
} gradient_job;

typedef struct gradient_thread {
    dcps_gradients *owner;
    uint32_t index;
    pthread_t thread;
    bool started;
    dcps_compute compute; /* opened by the thread; closed after all tapes */
} gradient_thread;

struct dcps_gradients {
    dcps_gradients_config config;
    bool apart; /* every process has a slot of its own: the model carries state */
    uint32_t slot_count;
    gradient_slot *slots;
    uint64_t params;
    dcps_shuffle *shuffle;
    uint32_t job_count; /* processes, one that computes gradients again if wanted, and one that evaluates */
    gradient_job *jobs;
    pthread_mutex_t lock; /* of the states of jobs, the queue and `closing`; nothing else is locked while it is held */
    pthread_cond_t queued;
    pthread_cond_t done;
    uint32_t *queue; /* ring of jobs, oldest first */
    uint32_t queue_first;
    uint32_t queue_count;
    bool closing;
    gradient_thread threads[MAX_THREADS];
    uint32_t thread_count;
};

/* ---- what the threads do ---- */

/* Both or none. */
static dcps_status make_tapes(gradient_slot *slot, const dcps_compute *compute)
{
    dcps_tape_config config = {.layout = slot->loaded.layout,
                               .weights = slot->weights,
                               .gradient = slot->gradient,
                               .backend = compute->backend,
                               .device = compute->device,
                               .clip_norm = slot->loaded.info.clip_norm};
    dcps_tape *trains = NULL;
    dcps_status status = dcps_tape_create(&config, &trains);
    if (status != DCPS_OK) {
        return status;
    }
    config.gradient = NULL;
    status = dcps_tape_create(&config, &slot->evaluates);
    if (status != DCPS_OK) {
        dcps_tape_destroy(&trains);
        return status;
    }
    slot->trains = trains;
    return DCPS_OK;
}

static dcps_status evaluate(const dcps_gradients *self, const gradient_slot *slot, gradient_job *job)
{
    job->metrics = (dcps_metrics){.count = 0};
    return dcps_evaluate_model(&slot->loaded, slot->evaluates, self->config.split, &job->metrics);
}

static dcps_status differentiate(const dcps_gradients *self, const gradient_slot *slot, gradient_job *job)
{
    const dcps_loaded_model *loaded = &slot->loaded;
    dcps_status status = dcps_trainer_step(loaded->model, loaded->state, slot->trains, &job->batch, &job->loss);
    if (status == DCPS_OK) {
        memcpy(job->values, slot->gradient, self->params * sizeof(float));
    }
    return status;
}

static void run_job(dcps_gradients *self, gradient_slot *slot, gradient_job *job, const dcps_compute *compute)
{
    dcps_status status = slot->trains == NULL ? make_tapes(slot, compute) : DCPS_OK;
    if (status == DCPS_OK) {
        memcpy(slot->weights, job->values, self->params * sizeof(float));
        status = job->evaluates ? evaluate(self, slot, job) : differentiate(self, slot, job);
    }
    job->status = status;
    if (status != DCPS_OK) {
        (void)snprintf(job->error, sizeof(job->error), "%s", dcps_error_message());
    }
}

/* The oldest job, once there is one; NULL when no more will come. */
static gradient_job *take_job(dcps_gradients *self, uint32_t *index)
{
    gradient_job *job = NULL;
    pthread_mutex_lock(&self->lock);
    while (self->queue_count == 0 && !self->closing) {
        pthread_cond_wait(&self->queued, &self->lock);
    }
    if (!self->closing) {
        *index = self->queue[self->queue_first];
        self->queue_first = (self->queue_first + 1) % self->job_count;
        self->queue_count--;
        job = &self->jobs[*index];
        job->state = JOB_RUNNING;
    }
    pthread_mutex_unlock(&self->lock);
    return job;
}

static void set_done(dcps_gradients *self, gradient_job *job)
{
    pthread_mutex_lock(&self->lock);
    job->state = JOB_DONE;
    pthread_cond_broadcast(&self->done);
    pthread_mutex_unlock(&self->lock);
}

static void fail_job(gradient_job *job, dcps_status status, const char *error)
{
    job->status = status;
    (void)snprintf(job->error, sizeof(job->error), "%s", error);
}

static void *thread_main(void *argument)
{
    gradient_thread *thread = argument;
    dcps_gradients *self = thread->owner;
    char error[ERROR_BYTES] = "";
    uint32_t index = 0;
    uint32_t each = self->config.each_threads == 0 ? 1 : self->config.each_threads;
    dcps_status opened = dcps_compute_open(self->config.device, each, &thread->compute);
    if (opened != DCPS_OK) {
        (void)snprintf(error, sizeof(error), "%s", dcps_error_message());
    }
    for (gradient_job *job = take_job(self, &index); job != NULL; job = take_job(self, &index)) {
        if (opened != DCPS_OK) {
            fail_job(job, opened, error);
        } else {
            run_job(self, &self->slots[self->apart ? index : thread->index], job, &thread->compute);
        }
        set_done(self, job);
    }
    return NULL;
}

/* ---- what the world asks for ---- */

static void queue_job(dcps_gradients *self, uint32_t index)
{
    pthread_mutex_lock(&self->lock);
    self->jobs[index].state = JOB_QUEUED;
    self->queue[(self->queue_first + self->queue_count) % self->job_count] = index;
    self->queue_count++;
    pthread_cond_signal(&self->queued);
    pthread_mutex_unlock(&self->lock);
}

static dcps_status await_job(dcps_gradients *self, gradient_job *job)
{
    pthread_mutex_lock(&self->lock);
    while (job->state != JOB_DONE) {
        pthread_cond_wait(&self->done, &self->lock);
    }
    job->state = JOB_NONE;
    pthread_mutex_unlock(&self->lock);
    return job->status == DCPS_OK ? DCPS_OK : dcps_fail(job->status, "%s", job->error);
}

static dcps_status begin(void *context, const dcps_world_step *step, const float *weights)
{
    dcps_gradients *self = context;
    gradient_job *job = &self->jobs[step->process];
    assert(step->process < self->config.processes && job->state == JOB_NONE);
    job->cursor.workers = self->config.workers;
    job->cursor.worker = step->worker % self->config.workers;
    job->batch = dcps_shuffle_next(self->shuffle, &job->cursor, step->batch);
    /* The order of an epoch may be forgotten before a slow worker has had its turn. */
    memcpy(job->samples, job->batch.samples, job->batch.count * sizeof(*job->samples));
    job->batch.samples = job->samples;
    memcpy(job->values, weights, self->params * sizeof(float));
    queue_job(self, step->process);
    return DCPS_OK;
}

static dcps_status finish(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    dcps_gradients *self = context;
    gradient_job *job = &self->jobs[process];
    dcps_status status = await_job(self, job);
    if (status == DCPS_OK) {
        memcpy(gradient, job->values, self->params * sizeof(float));
        *loss = job->loss;
        *samples = job->batch.count;
    }
    return status;
}

static dcps_status evaluate_mark(void *context, const dcps_snapshot_reply *info, const float *weights)
{
    dcps_gradients *self = context;
    uint32_t index = self->job_count - 1;
    gradient_job *job = &self->jobs[index];
    memcpy(job->values, weights, self->params * sizeof(float));
    queue_job(self, index);
    dcps_status status = await_job(self, job);
    if (status == DCPS_OK) {
        self->config.evaluated(self->config.evaluated_context, info, &job->metrics);
    }
    return status;
}

dcps_status dcps_gradients_again(void *context, uint32_t process, uint32_t first, uint32_t count, const float *weights,
                                 float *gradient)
{
    dcps_gradients *self = context;
    uint32_t index = self->config.processes;
    gradient_job *job = &self->jobs[index];
    const gradient_job *of = &self->jobs[process];
    assert(self->config.again && process < self->config.processes && of->state == JOB_NONE);
    assert(count > 0 && count <= of->batch.count && first <= of->batch.count - count);
    job->batch = of->batch;
    job->batch.samples = of->samples + first;
    job->batch.count = count;
    memcpy(job->values, weights, self->params * sizeof(float));
    queue_job(self, index);
    dcps_status status = await_job(self, job);
    if (status == DCPS_OK) {
        memcpy(gradient, job->values, self->params * sizeof(float));
    }
    return status;
}

dcps_world_model dcps_gradients_model(dcps_gradients *gradients)
{
    bool evaluates = gradients->config.evaluated != NULL;
    return (dcps_world_model){
        .begin = begin, .finish = finish, .evaluate = evaluates ? evaluate_mark : NULL, .context = gradients};
}

const dcps_layout *dcps_gradients_layout(const dcps_gradients *gradients)
{
    return gradients->slots[0].loaded.layout;
}

const dcps_model_info *dcps_gradients_info(const dcps_gradients *gradients)
{
    return &gradients->slots[0].loaded.info;
}

/* ---- making it ---- */

static dcps_status open_slot(dcps_gradients *self, gradient_slot *slot)
{
    const dcps_gradients_config *config = &self->config;
    dcps_status status = dcps_loaded_model_open(config->model, config->assignments, config->assignment_count,
                                                config->data_dir, &slot->loaded);
    if (status != DCPS_OK) {
        return status;
    }
    self->params = dcps_layout_total_params(slot->loaded.layout);
    slot->weights = dcps_alloc_aligned(self->params, sizeof(float));
    slot->gradient = dcps_alloc_aligned(self->params, sizeof(float));
    return slot->weights != NULL && slot->gradient != NULL ? DCPS_OK
                                                           : dcps_fail(DCPS_NO_MEMORY, "no memory for a model");
}

/* One slot a thread; or one for each process and one that evaluates, known when the first is open. */
static dcps_status open_slots(dcps_gradients *self)
{
    self->slots = dcps_alloc(1, sizeof(*self->slots));
    dcps_status status = self->slots == NULL ? dcps_fail(DCPS_NO_MEMORY, "no memory for a model") : DCPS_OK;
    if (status == DCPS_OK) {
        status = open_slot(self, &self->slots[0]);
        self->slot_count = 1;
    }
    if (status != DCPS_OK) {
        return status;
    }
    self->apart = self->slots[0].loaded.info.carries_state;
    if (self->apart && self->config.again) {
        return dcps_fail(DCPS_INVALID,
                         "model %s carries state from batch to batch: its gradients cannot be computed again, so there "
                         "is nothing to probe",
                         self->slots[0].loaded.model->name);
    }
    uint32_t wanted = self->apart ? self->job_count : self->thread_count;
    gradient_slot *slots = dcps_realloc(self->slots, wanted, sizeof(*slots));
    if (slots == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u models", wanted);
    }
    self->slots = slots;
    memset(slots + 1, 0, (wanted - 1) * sizeof(*slots));
    while (status == DCPS_OK && self->slot_count < wanted) {
        status = open_slot(self, &slots[self->slot_count++]);
    }
    return status;
}

static dcps_status make_jobs(dcps_gradients *self)
{
    self->queue = dcps_alloc(self->job_count, sizeof(*self->queue));
    self->jobs = dcps_alloc(self->job_count, sizeof(*self->jobs));
    bool complete = self->queue != NULL && self->jobs != NULL;
    for (uint32_t i = 0; complete && i < self->job_count; i++) {
        self->jobs[i].values = dcps_alloc_aligned(self->params, sizeof(float));
        self->jobs[i].samples = dcps_alloc(self->config.batch_size, sizeof(*self->jobs[i].samples));
        complete = self->jobs[i].values != NULL && self->jobs[i].samples != NULL;
    }
    if (!complete) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the gradients of %u workers", self->config.workers);
    }
    self->jobs[self->job_count - 1].evaluates = true;
    return DCPS_OK;
}

static dcps_status start_threads(dcps_gradients *self)
{
    for (uint32_t i = 0; i < self->thread_count; i++) {
        self->threads[i].owner = self;
        self->threads[i].index = i;
        int error = pthread_create(&self->threads[i].thread, NULL, thread_main, &self->threads[i]);
        if (error != 0) {
            return dcps_fail(DCPS_SYSTEM, "cannot start a thread for gradients: %s", strerror(error));
        }
        self->threads[i].started = true;
    }
    return DCPS_OK;
}

static uint32_t threads_for(const dcps_gradients_config *config)
{
    bool shared = strcmp(config->device, "cpu") != 0;
    uint32_t most = config->threads < MAX_THREADS ? config->threads : MAX_THREADS;
    return shared || most == 0 ? 1 : most;
}

dcps_status dcps_gradients_create(const dcps_gradients_config *config, dcps_gradients **gradients)
{
    dcps_gradients *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for gradients");
    }
    made->config = *config;
    made->thread_count = threads_for(config);
    made->job_count = config->processes + (config->again ? 2 : 1);
    pthread_mutex_init(&made->lock, NULL); /* none of these fails with default attributes */
    pthread_cond_init(&made->queued, NULL);
    pthread_cond_init(&made->done, NULL);
    dcps_status status = dcps_device_check(config->device);
    if (status == DCPS_OK) {
        status = open_slots(made);
    }
    if (status == DCPS_OK) {
        status = make_jobs(made);
    }
    if (status == DCPS_OK) {
        status = dcps_shuffle_create(dcps_gradients_info(made)->train_samples, config->batch_size, config->seed,
                                     &made->shuffle);
    }
    if (status == DCPS_OK) {
        status = start_threads(made);
    }
    if (status != DCPS_OK) {
        dcps_gradients_destroy(&made);
        return status;
    }
    *gradients = made;
    return DCPS_OK;
}

static void end_threads(dcps_gradients *self)
{
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    pthread_cond_broadcast(&self->queued);
    pthread_mutex_unlock(&self->lock);
    for (uint32_t i = 0; i < self->thread_count; i++) {
        if (self->threads[i].started) {
            pthread_join(self->threads[i].thread, NULL);
        }
    }
}

void dcps_gradients_destroy(dcps_gradients **gradients)
{
    dcps_gradients *old = *gradients;
    if (old == NULL) {
        return;
    }
    end_threads(old);
    for (uint32_t i = 0; old->jobs != NULL && i < old->job_count; i++) {
        dcps_free(old->jobs[i].values);
        dcps_free(old->jobs[i].samples);
    }
    for (uint32_t i = 0; old->slots != NULL && i < old->slot_count; i++) {
        dcps_tape_destroy(&old->slots[i].trains);
        dcps_tape_destroy(&old->slots[i].evaluates);
        dcps_loaded_model_close(&old->slots[i].loaded);
        dcps_free(old->slots[i].weights);
        dcps_free(old->slots[i].gradient);
    }
    for (uint32_t i = 0; i < old->thread_count; i++) {
        dcps_compute_close(&old->threads[i].compute);
    }
    dcps_shuffle_destroy(&old->shuffle);
    pthread_cond_destroy(&old->done);
    pthread_cond_destroy(&old->queued);
    pthread_mutex_destroy(&old->lock);
    dcps_free(old->jobs);
    dcps_free(old->queue);
    dcps_free(old->slots);
    dcps_free(old);
    *gradients = NULL;
}
