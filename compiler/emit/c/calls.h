/* What the line of calls and the API are made with. Ahead of it stand what differs from network to network: struct
 * args, the tables layers and results, and where there are groups of images, kept_bytes (of each image, for the last
 * layers) and image_args.
 */

/* Whether a run may begin. */
static rn_status check(rn_context *rn, int batch, const void *in, const void *out) {
    if (!rn) return RN_ERROR_ARGUMENT;
    const rn_model *model = rn->model;
    if (!in || !out) return rn_context_fail(rn, RN_ERROR_ARGUMENT, "%s: no %s", model->name, in ? "output" : "image");
    if (batch < 1 || batch > model->batch)
        return rn_context_fail(rn, RN_ERROR_ARGUMENT, "%s: batch %d is not in 1..%d", model->name, batch, model->batch);
    return RN_OK;
}

/* A layer's result to the layer hook: `images` of them from `base` on, image_bytes apart. */
static void show(const rn_context *rn, int layer, const void *base, int images, size_t image_bytes) {
    if (!rn->layer) return;
    if (!*layers[layer].value) { /* nothing is complete yet */
        rn->layer(rn->layer_user, layer, NULL);
        return;
    }
    const rn_tensor out = {.data = (const char *)base + results[layer].offset,
                           .type = RN_F32,
                           .shape = layers[layer].out,
                           .pixel = results[layer].pixel,
                           .row = results[layer].row,
                           .image = image_bytes,
                           .images = images};
    rn->layer(rn->layer_user, layer, &out);
}

/* Runs a task over the instance's threads, then shows its result. */
static void step(rn_context *rn, int layer, rn_task task, void *args) {
    rn_parallel(rn, task, args);
    show(rn, layer, rn->arena, 1, 0);
}

/* The same of `images` images that are kept from `base` on; or, alone, on this thread, since images run at once. */
static void step_of(rn_context *rn, int alone, int layer, const void *base, int images, rn_task task, void *args) {
    if (alone) {
        task(args, 0, 1);
        return;
    }
    rn_parallel(rn, task, args);
    show(rn, layer, base, images, kept_bytes);
}

struct each {
    rn_task task;
    const struct args *first;
    int images;
    size_t y_image;
};

static void each_part(void *arg, int part, int parts) {
    const struct each *e = arg;
    for (int n = part; n < e->images; n += parts) {
        struct args a = image_args(e->first, n, part, e->y_image);
        e->task(&a, 0, 1);
    }
}

/* One layer of each image, given the arguments for the first; y_image: floats from one result to the next. The images
 * are divided among the threads, or each image's work where they are too few. */
static void each(rn_context *rn, int layer, const void *base, int images, size_t y_image, rn_task task,
                 const struct args *first) {
    if (images >= rn->threads && !rn->layer) {
        rn_parallel(rn, each_part, &(struct each){task, first, images, y_image});
        return;
    }
    for (int n = 0; n < images; n++) {
        struct args a = image_args(first, n, 0, y_image);
        step_of(rn, 0, layer, (const char *)base + (size_t)n * kept_bytes, 1, task, &a);
    }
}
