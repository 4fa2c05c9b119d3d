/* The train section, from the recipe that it was read as: what has its default is left out. */
#include "graph/train.h"

#include <inttypes.h>
#include <string.h>

#include "graph/ops.h"
#include "inner.h"

static void put_real(const Writer *w, const char *before, double value, const char *after, Text *out) {
    text_printf(out, "%s%s%s", before, number_text(w->arena, value), after);
}

/* The percent that, divided by 100, is this share again. */
static void put_percent(const Writer *w, const char *before, double share, Text *out) {
    put_real(w, before, share * 100, "%", out);
}

static void put_sgd(const Writer *w, const rn_train_recipe *r, Text *out) {
    put_real(w, "sgd lr ", r->lr, "", out);
    put_real(w, ", momentum ", r->momentum, r->nesterov ? ", nesterov" : "", out);
    put_real(w, ", decay ", r->decay, r->decay_all ? " on all\n" : "\n", out);
}

static void put_schedule(const Writer *w, const rn_train_recipe *r, Text *out) {
    if (r->divide_by > 0) {
        put_real(w, "divide lr by ", r->divide_by, r->divide_at_plateau ? " at plateau\n" : " at ", out);
        for (int i = 0; i < r->divide_count; i++)
            text_printf(out, "%" PRId64 "%s", r->divide_at[i], i + 1 < r->divide_count ? ", " : "\n");
    }
    if (r->cosine) put_real(w, "cosine to ", r->cosine_to, "\n", out);
    if (r->stop) text_printf(out, "stop at %" PRId64 "\n", r->stop);
    if (!r->warmup) return;
    put_real(w, "warmup lr ", r->warmup_lr, "", out);
    if (r->warmup_steps)
        text_printf(out, " %s %" PRId64, r->warmup_rise ? "rise for" : "for", r->warmup_steps);
    else
        put_percent(w, " until error < ", r->warmup_error, out);
    text_puts(out, "\n");
}

static void put_augment(const Writer *w, const rn_train_recipe *r, Text *out) {
    Text list = {0}, *whole = out;
    out = &list;
    if (r->pad) text_printf(out, ", pad %d", r->pad);
    if (r->crop_h) text_printf(out, ", crop %dx%d", r->crop_h, r->crop_w);
    if (r->resize_min) text_printf(out, ", resize %d", r->resize_min);
    if (r->resize_max > r->resize_min) text_printf(out, " to %d", r->resize_max);
    if (r->area_max > 0) put_percent(w, ", area ", r->area_min, out);
    if (r->area_max > r->area_min) put_percent(w, " to ", r->area_max, out);
    if (r->mirror) text_puts(out, ", mirror");
    if (r->colour) text_puts(out, ", colour");
    if (list.size) text_printf(whole, "augment %s\n", list.s + 2);
    text_free(&list);
}

/* ---- freeze ---- */
/* By the names of the text, the shortest that mean nothing else: layer1 of layer1.0.conv1 where all of layer1 is
 * frozen. */
static const char *frozen_name(const Graph *text, const bool *frozen, int at, Arena *arena) {
    const char *name = text->nodes[at]->name;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        const size_t length = (size_t)(dot - name) + 1;
        bool all = true;
        for (int i = 0; i < text->node_count; i++)
            if (!strncmp(text->nodes[i]->name, name, length) && node_has_params(text->nodes[i])) all = all && frozen[i];
        if (all) return arena_strndup(arena, name, length - 1);
    }
    return name;
}

static void put_freeze(const Writer *w, const Graph *text, Text *out) {
    const Train *train = w->graph->train;
    bool *frozen = arena_alloc(w->arena, (size_t)text->node_count + 1);
    for (int i = 0; i < w->order_count; i++)
        frozen[i] = w->order[i] && node_has_params(w->order[i]) && train_freezes(train, w->order[i]);
    const char *last = "";
    for (int i = 0; i < text->node_count; i++) {
        if (!frozen[i] || name_below(text->nodes[i]->name, last[0] ? last : "\1")) continue;
        const char *name = frozen_name(text, frozen, i, w->arena);
        text_printf(out, "%s%s", *last ? ", " : "freeze ", name);
        last = name;
    }
    if (*last) text_puts(out, "\n");
}

void print_train(const Writer *w, const Graph *text, Text *out) {
    if (!w->graph->train) return;
    const rn_train_recipe *r = &w->graph->train->recipe;
    const Tensor *mean = w->graph->preprocess.mean_image;
    text_puts(out, "\ntrain {\nloss crossentropy");
    if (r->smooth > 0) put_real(w, " smooth ", r->smooth, "", out);
    text_printf(out, "\nbatch %d\n", r->batch);
    put_sgd(w, r, out);
    put_schedule(w, r, out);
    text_printf(out, "init %s%s\n", r->init == RN_TRAIN_XAVIER ? "xavier" : "he", r->zero_last ? ", zero last" : "");
    put_augment(w, r, out);
    if (r->mixup > 0) put_real(w, "mixup ", r->mixup, "\n", out);
    if (r->subtract != RN_TRAIN_SUBTRACT_NOTHING && mean && mean->integer[0])
        text_printf(out, "subtract %s mean\n", r->subtract == RN_TRAIN_SUBTRACT_PIXEL_MEAN ? "pixel" : "channel");
    if (r->test_every) text_printf(out, "test every %" PRId64 "\n", r->test_every);
    if (r->save_every) text_printf(out, "save every %" PRId64 "\n", r->save_every);
    put_freeze(w, text, out);
    text_puts(out, "}\n");
}

bool same_train(const Train *a, const Train *b) {
    if (!a || !b) return a == b;
    rn_train_recipe x = a->recipe, y = b->recipe;
    if (x.divide_count != y.divide_count ||
        (x.divide_count && memcmp(x.divide_at, y.divide_at, sizeof *x.divide_at * (size_t)x.divide_count) != 0))
        return false;
    return x.smooth == y.smooth && x.batch == y.batch && x.lr == y.lr && x.momentum == y.momentum &&
           x.decay == y.decay && x.nesterov == y.nesterov && x.decay_all == y.decay_all && x.divide_by == y.divide_by &&
           x.divide_at_plateau == y.divide_at_plateau && x.cosine == y.cosine && x.cosine_to == y.cosine_to &&
           x.warmup == y.warmup && x.warmup_lr == y.warmup_lr && x.warmup_error == y.warmup_error &&
           x.warmup_steps == y.warmup_steps && x.warmup_rise == y.warmup_rise && x.stop == y.stop && x.init == y.init &&
           x.zero_last == y.zero_last && x.pad == y.pad && x.crop_h == y.crop_h && x.crop_w == y.crop_w &&
           x.resize_min == y.resize_min && x.resize_max == y.resize_max && x.area_min == y.area_min &&
           x.area_max == y.area_max && x.mirror == y.mirror && x.colour == y.colour && x.mixup == y.mixup &&
           x.subtract == y.subtract && x.test_every == y.test_every && x.save_every == y.save_every &&
           a->frozen_count == b->frozen_count;
}
