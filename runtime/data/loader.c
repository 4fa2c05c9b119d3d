/* The ring of batches. A batch is made in units of a few pictures, handed out to threads in the order of steps; what a
 * unit holds is a function of the drawing, step and place, so that it does not matter who makes it, or when.
 *
 * Batch number n (from 0, where the loader began) lies in slot n % depth. The three counters only rise:
 *
 *     released <= delivered <= opened <= released + depth
 *
 * Slots from `delivered` on are being made or wait for the caller; the one before is the caller's until its next call.
 */
#include "loader.h"
#include "core/status.h"
#include "view.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 8, MAX_BATCH = 1 << 20, MAX_DEPTH = 1 << 10 }; /* UNIT is even: no pair of mixup lies in two */

typedef struct Slot {
    uint64_t step, epoch;
    int all;            /* pictures of all ranks */
    uint32_t *drawn;    /* all: what was drawn for each place */
    uint32_t *pictures; /* of this rank, from its first place on: what came of it */
    float *images;
    rn_train_label *labels;
    int units, taken, done;
    int failed; /* the first unit that failed, -1: none did */
    rn_status status;
    char error[RN_ERROR_SIZE];
} Slot;

struct rn_loader {
    rn_loader_options o; /* without zeros that mean something else */
    uint32_t count;      /* pictures of the split */
    uint64_t epoch_steps;
    int first, last; /* this rank's places in a batch: first .. last-1 */
    size_t floats;   /* of an image */
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    int stop;
    uint64_t released, delivered, opened;
    Slot *slots;
    uint32_t *order;      /* of the epoch that was opened last */
    uint64_t order_epoch; /* UINT64_MAX: none yet */
    uint8_t *logged;      /* a bit for each picture that was said to be broken */
    pthread_t *threads;
    int started;
    rn_status status; /* of an error that was delivered */
    char error[RN_ERROR_SIZE];
};

/* ---- what a batch holds ---- */

/* Opens the next slot. The caller has the lock. */
static Slot *open_slot(rn_loader *l) {
    Slot *s = &l->slots[l->opened % (uint64_t)l->o.depth];
    uint64_t from;
    s->step = l->o.first_step + l->opened++;
    s->all = l->o.batch;
    if (l->o.split == RN_TRAIN) {
        s->epoch = s->step / l->epoch_steps;
        from = s->step % l->epoch_steps * (uint64_t)l->o.batch;
        if (s->epoch != l->order_epoch) l->o.drawing->order(l->o.drawing, s->epoch, l->count, l->order);
        l->order_epoch = s->epoch;
    } else {
        s->epoch = 0;
        from = s->step * (uint64_t)l->o.batch;
        const uint64_t left = from < l->count ? l->count - from : 0;
        if (left < (uint64_t)s->all) s->all = (int)left;
    }
    for (int i = 0; i < s->all; i++)
        s->drawn[i] = l->order ? l->order[from + (uint64_t)i] : (uint32_t)from + (uint32_t)i;
    const int last = l->last < s->all ? l->last : s->all;
    s->units = last > l->first ? (last + UNIT - 1) / UNIT - l->first / UNIT : 0;
    s->taken = s->done = 0;
    s->failed = -1;
    s->status = RN_OK;
    return s;
}

/* ---- making images ---- */

typedef struct Reading { /* of a picture for training; the view is drawn before it is decoded, where it is a JPEG */
    const rn_loader *loader;
    uint64_t epoch;
    uint32_t index;
    rn_view view;
} Reading;

static int draw_view(void *user, int height, int width) {
    Reading *r = user;
    const rn_loader *l = r->loader;
    l->o.drawing->view(l->o.drawing, &r->view, &l->o.recipe, (rn_shape){3, height, width}, r->epoch, r->index);
    return rn_view_reduction(&r->view);
}

/* Reads picture r->index and draws its view. */
static rn_status read_for_training(Reading *r, rn_picture *picture, char *error) {
    const rn_loader *l = r->loader;
    rn_jpeg_reduction reduction = {.choose = draw_view, .user = r};
    rn_status status =
        rn_data_picture_reduced(l->o.data, RN_TRAIN, r->index, &reduction, picture, error, RN_ERROR_SIZE);
    if (status) return status;
    if (reduction.times > 1)
        rn_view_reduce(&r->view, reduction.times, picture->shape);
    else
        l->o.drawing->view(l->o.drawing, &r->view, &l->o.recipe, picture->shape, r->epoch, r->index);
    return RN_OK;
}

/* The same, or what stands in for it; r->index is what was read. An error is that of the picture that was drawn. */
static rn_status read_or_stand_in(Reading *r, rn_picture *picture, char *error) {
    const rn_loader *l = r->loader;
    const uint32_t drawn = r->index;
    rn_status status = read_for_training(r, picture, error);
    if (!status || !l->o.recipe.skip_broken || !rn_picture_is_broken(status)) return status;
    for (uint32_t i = 1; i < l->count; i++) {
        char other[RN_ERROR_SIZE];
        r->index = (drawn + i) % l->count;
        rn_status next = read_for_training(r, picture, other);
        if (next && rn_picture_is_broken(next)) continue;
        return next ? rn_status_fail(error, RN_ERROR_SIZE, next, "%s", other) : RN_OK;
    }
    return status;
}

/* The image of what was drawn for training, or of what stands in for it, and its class. */
static rn_status make_image(const rn_loader *l, uint64_t epoch, uint32_t *index, rn_scratch *scratch, float *image,
                            int32_t *label, char *error) {
    Reading r = {.loader = l, .epoch = epoch, .index = *index};
    rn_picture picture;
    rn_status status = read_or_stand_in(&r, &picture, error);
    if (status) return status;
    *index = r.index;
    *label = rn_data_label(l->o.data, RN_TRAIN, r.index);
    status = rn_view_apply(&r.view, &l->o.recipe, &picture, scratch, image);
    rn_picture_free(&picture);
    return status ? rn_status_fail(error, RN_ERROR_SIZE, status, "no memory to augment a picture") : RN_OK;
}

/* Images of a picture: of the test set one for each crop of each scale. */
static int views_of(const rn_loader *l) {
    return l->o.crops * (l->o.scale_count ? l->o.scale_count : 1);
}

/* The images of a picture of the test set, and its class; a broken one has zeros and -1. */
static rn_status make_crops(const rn_loader *l, uint32_t index, rn_scratch *scratch, float *images, int32_t *label,
                            char *error) {
    const rn_picture_recipe *r = &l->o.recipe;
    rn_picture picture;
    rn_status status = rn_data_picture(l->o.data, RN_TEST, index, &picture, error, RN_ERROR_SIZE);
    *label = -1;
    memset(images, 0, (size_t)views_of(l) * l->floats * sizeof *images);
    if (status) return r->skip_broken && rn_picture_is_broken(status) ? RN_OK : status;
    *label = rn_data_label(l->o.data, RN_TEST, index);
    for (int i = 0; i < views_of(l) && !status; i++) {
        rn_view view;
        rn_view_test(&view, r, picture.shape, i % l->o.crops, l->o.scale_count ? l->o.scales[i / l->o.crops] : 0);
        status = rn_view_apply(&view, r, &picture, scratch, images + (size_t)i * l->floats);
    }
    rn_picture_free(&picture);
    return status ? rn_status_fail(error, RN_ERROR_SIZE, status, "no memory for a picture's crops") : RN_OK;
}

/* a and b become share * a + (1 - share) * b and share * b + (1 - share) * a. */
static void mix(float *a, float *b, size_t floats, float share) {
    for (size_t i = 0; i < floats; i++) {
        const float x = a[i], y = b[i];
        a[i] = share * x + (1 - share) * y;
        b[i] = share * y + (1 - share) * x;
    }
}

/* Mixes the pair of places that begins at `place`, which is even. What another rank has of it is made beside. */
static rn_status mix_pair(const rn_loader *l, Slot *s, int place, rn_scratch *scratch, float *beside, char *error) {
    float *image[2];
    int32_t label[2];
    if (place + 1 >= s->all) return RN_OK; /* the last of an odd number is alone */
    for (int i = 0; i < 2; i++) {
        const int at = place + i - l->first;
        if (at >= 0 && place + i < l->last) {
            image[i] = s->images + (size_t)at * l->floats;
            label[i] = s->labels[at].first;
            continue;
        }
        uint32_t index = s->drawn[place + i];
        image[i] = beside;
        rn_status status = make_image(l, s->epoch, &index, scratch, beside, &label[i], error);
        if (status) return status;
    }
    const float share = l->o.drawing->share(l->o.drawing, s->step, (uint32_t)place / 2);
    mix(image[0], image[1], l->floats, share);
    for (int i = 0; i < 2; i++)
        if (image[i] != beside) s->labels[place + i - l->first] = (rn_train_label){label[i], label[1 - i], share};
    return RN_OK;
}

static rn_status make_unit(const rn_loader *l, Slot *s, int unit, rn_scratch *scratch, float *beside, char *error) {
    const int begin = (l->first / UNIT + unit) * UNIT, end = begin + UNIT;
    const int first = begin > l->first ? begin : l->first, own = s->all < l->last ? s->all : l->last;
    const int last = end < own ? end : own;
    for (int place = first; place < last; place++) {
        const int at = place - l->first;
        int32_t label;
        s->pictures[at] = s->drawn[place];
        float *images = s->images + (size_t)at * (size_t)views_of(l) * l->floats;
        rn_status status = l->o.split == RN_TRAIN
                               ? make_image(l, s->epoch, &s->pictures[at], scratch, images, &label, error)
                               : make_crops(l, s->pictures[at], scratch, images, &label, error);
        if (status) return status;
        s->labels[at] = (rn_train_label){label, label, 1};
    }
    if (l->o.split == RN_TEST || !l->o.drawing->share) return RN_OK;
    for (int place = first / 2 * 2; place < last; place += 2) {
        rn_status status = mix_pair(l, s, place, scratch, beside, error);
        if (status) return status;
    }
    return RN_OK;
}

/* ---- the threads ---- */

/* A slot of which a unit is to be made; NULL: none now. The caller has the lock. */
static Slot *find_work(rn_loader *l) {
    for (uint64_t n = l->delivered; n < l->opened; n++) {
        Slot *s = &l->slots[n % (uint64_t)l->o.depth];
        if (s->taken < s->units) return s;
    }
    while (l->opened < l->released + (uint64_t)l->o.depth) {
        Slot *s = open_slot(l);
        if (s->units > 0) return s;
        pthread_cond_signal(&l->ready); /* an empty share, or the end of the test set, is ready at once */
    }
    return NULL;
}

static void *make_units(void *arg) {
    rn_loader *l = arg;
    rn_scratch scratch = {0};
    float *beside = malloc(l->floats * sizeof *beside);
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        Slot *s = find_work(l);
        if (!s) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        const int unit = s->taken++;
        pthread_mutex_unlock(&l->lock);
        char error[RN_ERROR_SIZE] = "no memory for a batch";
        rn_status status = beside ? make_unit(l, s, unit, &scratch, beside, error) : RN_ERROR_MEMORY;
        pthread_mutex_lock(&l->lock);
        if (status && (s->failed < 0 || unit < s->failed)) {
            s->failed = unit;
            s->status = status;
            memcpy(s->error, error, sizeof error);
        }
        if (++s->done == s->units) pthread_cond_signal(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    free(beside);
    rn_scratch_free(&scratch);
    return NULL;
}

/* Signals stay with the threads of the application. */
static rn_status start_threads(rn_loader *l, char *error, size_t error_size) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (!failed && l->started < l->o.threads) {
        failed = pthread_create(&l->threads[l->started], NULL, make_units, l);
        if (!failed) l->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) return RN_OK;
    return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "cannot start %d threads to load pictures: %s",
                          l->o.threads, strerror(failed));
}

/* ---- create and destroy ---- */

static rn_status check_options(const rn_loader_options *o, char *error, size_t error_size) {
#define REFUSE(...) return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, __VA_ARGS__)
    const rn_data_info *info = rn_data_about(o->data);
    rn_status status = rn_picture_recipe_check(&o->recipe, o->data, error, error_size);
    if (status) return status;
    if (o->recipe.subtract != RN_TRAIN_SUBTRACT_NOTHING && !o->recipe.subtracted) REFUSE("the mean is missing");
    if (o->batch < 1 || o->batch > MAX_BATCH) REFUSE("a batch of %d; it is 1 to %d", o->batch, MAX_BATCH);
    if (o->ranks < 1 || o->rank < 0 || o->rank >= o->ranks) REFUSE("rank %d of %d", o->rank, o->ranks);
    if (o->threads > RN_MAX_THREADS || o->threads < 1) REFUSE("%d threads; 1 to %d", o->threads, RN_MAX_THREADS);
    if (o->depth < 1 || o->depth > MAX_DEPTH) REFUSE("a ring of %d batches; 1 to %d", o->depth, MAX_DEPTH);
    if (o->split == RN_TRAIN && !o->drawing) REFUSE("nothing is said of how pictures are drawn");
    if (o->split == RN_TRAIN && (uint32_t)o->batch > info->count[RN_TRAIN])
        REFUSE("%s: a batch of %d; there are %u pictures for training", info->spec, o->batch,
               (unsigned)info->count[RN_TRAIN]);
    if (o->crops != 1 && (o->crops != 10 || o->split == RN_TRAIN)) REFUSE("%d crops; they are 1 or 10", o->crops);
    if (o->scale_count < 0 || o->scale_count > RN_LOADER_SCALES) REFUSE("%d scales", o->scale_count);
    for (int i = 0; i < o->scale_count; i++)
        if (o->scales[i] < 1 || o->scales[i] > RN_MAX_IMAGE_SIDE) REFUSE("a shorter side of %d", o->scales[i]);
#undef REFUSE
    return RN_OK;
}

/* Every array of the loader; false where there is no memory. */
static int allocate(rn_loader *l) {
    enum { LINE = 64 };
    const int places = l->last - l->first;
    const size_t pictures = (size_t)(places > 0 ? places : 1) * (size_t)views_of(l);
    if (l->floats > SIZE_MAX / sizeof(float) / 2 / pictures) return 0;
    const size_t bytes = (pictures * l->floats * sizeof(float) + LINE - 1) / LINE * LINE;
    l->slots = calloc((size_t)l->o.depth, sizeof *l->slots);
    l->threads = calloc((size_t)l->o.threads, sizeof *l->threads);
    if (!l->slots || !l->threads) return 0;
    if (l->o.split == RN_TRAIN && !(l->order = malloc(l->count * sizeof *l->order))) return 0;
    if (l->o.recipe.skip_broken && !(l->logged = calloc(l->count / 8 + 1, 1))) return 0;
    for (int i = 0; i < l->o.depth; i++) {
        Slot *s = &l->slots[i];
        s->drawn = malloc((size_t)l->o.batch * sizeof *s->drawn);
        s->pictures = malloc(pictures * sizeof *s->pictures);
        s->labels = malloc(pictures * sizeof *s->labels);
        s->images = aligned_alloc(LINE, bytes);
        if (!s->drawn || !s->pictures || !s->labels || !s->images) return 0;
    }
    return 1;
}

rn_status rn_loader_create(rn_loader **result, const rn_loader_options *options, char *error, size_t error_size) {
    *result = NULL;
    rn_loader_options o = *options;
    o.ranks = o.ranks ? o.ranks : 1;
    o.threads = o.threads ? o.threads : 1;
    o.depth = o.depth ? o.depth : RN_LOADER_DEPTH;
    o.crops = o.crops ? o.crops : 1;
    rn_status status = check_options(&o, error, error_size);
    if (status) return status;

    rn_loader *l = calloc(1, sizeof *l);
    if (!l) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "no memory to load pictures");
    l->o = o;
    l->count = rn_data_about(o.data)->count[o.split];
    l->epoch_steps = l->count / (uint32_t)o.batch;
    l->order_epoch = UINT64_MAX;
    l->first = (int)((int64_t)o.batch * o.rank / o.ranks);
    l->last = (int)((int64_t)o.batch * (o.rank + 1) / o.ranks);
    if (o.split == RN_TEST) l->o.first_step = 0;
    l->floats = (size_t)o.recipe.input.c * (size_t)o.recipe.input.h * (size_t)o.recipe.input.w;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    if (!allocate(l))
        status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "no memory for %d batches of %d pictures", o.depth,
                                o.batch);
    if (!status) status = start_threads(l, error, error_size);
    if (status) {
        rn_loader_destroy(l);
        return status;
    }
    *result = l;
    return RN_OK;
}

void rn_loader_destroy(rn_loader *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    while (l->started > 0) pthread_join(l->threads[--l->started], NULL);
    for (int i = 0; l->slots && i < l->o.depth; i++) {
        free(l->slots[i].drawn);
        free(l->slots[i].pictures);
        free(l->slots[i].labels);
        free(l->slots[i].images);
    }
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->slots);
    free(l->threads);
    free(l->order);
    free(l->logged);
    free(l);
}

/* ---- delivery ---- */

/* Says that picture `index` was left out, the first time. It is read again for its error. */
static void log_broken(rn_loader *l, uint32_t index) {
    char error[RN_ERROR_SIZE];
    rn_picture picture;
    if (l->logged[index / 8] >> index % 8 & 1) return;
    l->logged[index / 8] |= (uint8_t)(1 << index % 8);
    if (!rn_data_picture(l->o.data, l->o.split, index, &picture, error, sizeof error)) {
        rn_picture_free(&picture); /* it was repaired meanwhile */
        return;
    }
    if (l->o.log) l->o.log(l->o.log_user, error);
}

static void log_slot(rn_loader *l, const Slot *s, int count) {
    for (int at = 0; at < count; at++) {
        if (s->labels[at].first < 0) log_broken(l, s->pictures[at]);
        for (uint32_t i = s->drawn[l->first + at]; i != s->pictures[at]; i = (i + 1) % l->count) log_broken(l, i);
    }
}

rn_status rn_loader_next(rn_loader *l, rn_batch *batch, char *error, size_t error_size) {
    memset(batch, 0, sizeof *batch);
    if (l->status) return rn_status_fail(error, error_size, l->status, "%s", l->error);
    pthread_mutex_lock(&l->lock);
    if (l->released < l->delivered) {
        l->released = l->delivered;
        pthread_cond_broadcast(&l->work);
    }
    Slot *s = &l->slots[l->delivered % (uint64_t)l->o.depth];
    while (l->opened == l->delivered || s->done < s->units) pthread_cond_wait(&l->ready, &l->lock);
    l->delivered++;
    pthread_mutex_unlock(&l->lock);

    if (s->status) {
        l->status = s->status;
        memcpy(l->error, s->error, sizeof l->error);
        return rn_status_fail(error, error_size, l->status, "%s", l->error);
    }
    const int last = l->last < s->all ? l->last : s->all;
    *batch = (rn_batch){.step = s->step,
                        .epoch = s->epoch,
                        .count = last > l->first ? last - l->first : 0,
                        .views = views_of(l),
                        .images = s->images,
                        .labels = s->labels,
                        .pictures = s->pictures};
    if (l->logged) log_slot(l, s, batch->count);
    return RN_OK;
}
