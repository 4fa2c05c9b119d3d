/* The mean of the training pictures, as a few threads compute it: each takes the next block of pictures, sums it in
 * doubles, and adds it to the total when the blocks before it have been added, so that the order of additions is always
 * the same. */
#include "augment.h"
#include "core/status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, MEAN_THREADS = 64 };

typedef struct Mean { /* shared by the threads; below the lock but for what is constant */
    const rn_data *data;
    rn_picture_recipe recipe; /* values 0..range and nothing else */
    uint32_t count, blocks;
    size_t floats; /* of a picture */
    pthread_mutex_t lock;
    pthread_cond_t added_one;
    uint32_t taken, added; /* blocks */
    double *total;
    uint64_t pictures; /* in total */
    rn_status status;  /* of the first block that failed */
    char error[RN_ERROR_SIZE];
} Mean;

typedef struct Worker { /* one thread's memory */
    rn_scratch scratch;
    float *input;
    double *sum;
} Worker;

/* Sums a block; *pictures counts those that could be read. */
static rn_status sum_block(const Mean *m, Worker *w, uint32_t block, uint32_t *pictures, char *error) {
    memset(w->sum, 0, m->floats * sizeof *w->sum);
    *pictures = 0;
    const uint32_t end = m->count - block * BLOCK < BLOCK ? m->count : (block + 1) * BLOCK;
    for (uint32_t i = block * BLOCK; i < end; i++) {
        rn_picture picture;
        rn_view view;
        rn_status status = rn_data_picture(m->data, RN_TRAIN, i, &picture, error, RN_ERROR_SIZE);
        if (status && m->recipe.skip_broken && rn_picture_is_broken(status)) continue;
        if (status) return status;
        rn_view_test(&view, &m->recipe, picture.shape, 0, 0);
        status = rn_view_apply(&view, &m->recipe, &picture, &w->scratch, w->input);
        rn_picture_free(&picture);
        if (status) return rn_status_fail(error, RN_ERROR_SIZE, status, "no memory for the pictures' mean");
        for (size_t k = 0; k < m->floats; k++) w->sum[k] += w->input[k];
        ++*pictures;
    }
    return RN_OK;
}

/* Adds a block after those before it. */
static void add_block(Mean *m, const Worker *w, uint32_t block, uint32_t pictures, rn_status status,
                      const char *error) {
    pthread_mutex_lock(&m->lock);
    while (m->added != block) pthread_cond_wait(&m->added_one, &m->lock);
    if (!m->status && status) {
        m->status = status;
        memcpy(m->error, error, sizeof m->error);
    }
    for (size_t k = 0; k < m->floats && !m->status; k++) m->total[k] += w->sum[k];
    m->pictures += pictures;
    m->added++;
    pthread_cond_broadcast(&m->added_one);
    pthread_mutex_unlock(&m->lock);
}

static int take_block(Mean *m, uint32_t *block) {
    pthread_mutex_lock(&m->lock);
    const int there = m->taken < m->blocks && !m->status;
    if (there) *block = m->taken++;
    pthread_mutex_unlock(&m->lock);
    return there;
}

static void *sum_blocks(void *arg) {
    Mean *m = arg;
    Worker w = {.input = malloc(m->floats * sizeof *w.input), .sum = malloc(m->floats * sizeof *w.sum)};
    char error[RN_ERROR_SIZE] = "no memory for the pictures' mean";
    for (uint32_t block; take_block(m, &block);) {
        uint32_t pictures = 0;
        rn_status status = RN_ERROR_MEMORY;
        if (w.input && w.sum) status = sum_block(m, &w, block, &pictures, error);
        add_block(m, &w, block, pictures, status, error);
    }
    free(w.input);
    free(w.sum);
    rn_scratch_free(&w.scratch);
    return NULL;
}

/* The calling thread is one of them; where no other starts it does all, to the same result. */
static void run_threads(Mean *m, int threads) {
    pthread_t others[MEAN_THREADS];
    int started = 0;
    while (started + 1 < threads && started < MEAN_THREADS && !pthread_create(&others[started], NULL, sum_blocks, m))
        started++;
    sum_blocks(m);
    while (started > 0) pthread_join(others[--started], NULL);
}

static void take_mean(const Mean *m, rn_train_subtract subtract, float *mean) {
    if (subtract == RN_TRAIN_SUBTRACT_PIXEL_MEAN) {
        for (size_t k = 0; k < m->floats; k++) mean[k] = (float)(m->total[k] / (double)m->pictures);
        return;
    }
    const size_t plane = (size_t)m->recipe.input.h * (size_t)m->recipe.input.w;
    for (int c = 0; c < m->recipe.input.c; c++) {
        double sum = 0;
        for (size_t k = 0; k < plane; k++) sum += m->total[(size_t)c * plane + k];
        mean[c] = (float)(sum / (double)plane / (double)m->pictures);
    }
}

rn_status rn_data_mean(const rn_data *data, const rn_picture_recipe *recipe, int threads, float *mean, char *error,
                       size_t error_size) {
    rn_status status = rn_picture_recipe_check(recipe, data, error, error_size);
    if (status || recipe->subtract == RN_TRAIN_SUBTRACT_NOTHING) return status;
    Mean *m = calloc(1, sizeof *m);
    const size_t floats = (size_t)recipe->input.c * (size_t)recipe->input.h * (size_t)recipe->input.w;
    if (m) m->total = calloc(floats, sizeof *m->total);
    if (!m || !m->total) {
        free(m);
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "no memory for the pictures' mean");
    }
    m->data = data;
    m->recipe = *recipe;
    m->recipe.subtract = RN_TRAIN_SUBTRACT_NOTHING;
    for (int c = 0; c < 4; c++) {
        m->recipe.preprocess.mean[c] = 0;
        m->recipe.preprocess.std[c] = 1;
    }
    m->floats = floats;
    m->count = rn_data_about(data)->count[RN_TRAIN];
    m->blocks = (m->count + BLOCK - 1) / BLOCK;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->added_one, NULL);
    run_threads(m, threads);
    if (m->status)
        status = rn_status_fail(error, error_size, m->status, "%s", m->error);
    else if (!m->pictures)
        status = rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: no picture for training can be read",
                                rn_data_about(data)->spec);
    else
        take_mean(m, recipe->subtract, mean);
    pthread_cond_destroy(&m->added_one);
    pthread_mutex_destroy(&m->lock);
    free(m->total);
    free(m);
    return status;
}
