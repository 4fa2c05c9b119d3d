/* The train section, from rows of words and numbers to struct Train.
 *
 * Each statement is a phrase; its first word says which. A cursor walks the items, and each phrase's function asks it
 * for words and numbers in turn; whatever is left or missing is an error at its place.
 */
#include "elaborate.h"

#include <inttypes.h>
#include <string.h>

typedef struct Cursor { /* through one statement */
    Elab *elab;
    const Env *env;
    bool whole; /* the network has no errors */
    const TrainStmt *stmt;
    const TrainItem *item; /* next, NULL at the end */
    Place last;            /* of the item before, for errors at the end */
    bool ok;
} Cursor;

static void fail(Cursor *cursor, const char *expected) {
    if (!cursor->ok) return;
    cursor->ok = false;
    Place end = cursor->last;
    end.column += end.length;
    end.length = 0;
    if (cursor->item)
        diag_error(cursor->elab->diag, cursor->item->place, "train: %s is expected here", expected);
    else
        diag_error(cursor->elab->diag, end, "train: %s is missing", expected);
}

static void advance(Cursor *cursor) {
    cursor->last = cursor->item->place;
    cursor->item = cursor->item->next;
}

/* The word at the cursor, or NULL. */
static const char *peek_word(const Cursor *cursor) {
    const TrainItem *item = cursor->item;
    bool name = item && item->value && item->value->kind == ARG_EXPR && item->value->items->kind == EXPR_NAME;
    return name ? item->value->items->name : NULL;
}

static bool accept(Cursor *cursor, const char *word) {
    const char *next = peek_word(cursor);
    if (!cursor->ok || !next || strcmp(next, word) != 0) return false;
    advance(cursor);
    return true;
}

static void expect(Cursor *cursor, const char *word) {
    if (!accept(cursor, word)) fail(cursor, arena_printf(cursor->elab->arena, "'%s'", word));
}

static bool accept_mark(Cursor *cursor, char mark) {
    if (!cursor->ok || !cursor->item || cursor->item->punctuation != mark) return false;
    advance(cursor);
    return true;
}

/* One of several words: its position, or -1 after an error. */
static int choose(Cursor *cursor, const char *const *words, int count) {
    const char *word = peek_word(cursor);
    for (int i = 0; i < count; i++)
        if (accept(cursor, words[i])) return i;
    const char *near = word && cursor->ok ? diag_suggest(word, words, count) : NULL;
    if (near) {
        diag_error(cursor->elab->diag, cursor->item->place, "train: nothing is called '%s' here; did you mean '%s'?",
                   word, near);
        cursor->ok = false;
    }
    if (!cursor->ok) return -1;
    Text list = {0};
    for (int i = 0; i < count; i++) text_printf(&list, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", words[i]);
    fail(cursor, arena_strdup(cursor->elab->arena, list.s));
    text_free(&list);
    return -1;
}

/* The same, of words that may each be said once in the statement; `seen` has their bits. */
static int choose_once(Cursor *cursor, const char *const *words, int count, unsigned *seen) {
    int which = choose(cursor, words, count);
    if (which < 0) return which;
    if (*seen & 1u << which) {
        diag_error(cursor->elab->diag, cursor->last, "train: '%s' is said twice", words[which]);
        cursor->ok = false;
        return -1;
    }
    *seen |= 1u << which;
    return which;
}

static const Expr *take_value(Cursor *cursor) {
    const TrainItem *item = cursor->item;
    if (!cursor->ok) return NULL;
    if (!item || !item->value || item->value->kind != ARG_EXPR) {
        fail(cursor, "a number");
        return NULL;
    }
    advance(cursor);
    return item->value->items;
}

static int64_t take_int(Cursor *cursor, const char *what, int64_t low, int64_t high) {
    int64_t value = low;
    const Expr *expr = take_value(cursor);
    if (expr && !eval_int(expr, cursor->env, what, low, high, &value, cursor->elab->diag)) cursor->ok = false;
    return value;
}

/* From `low` to `high`, both included. */
static double take_real(Cursor *cursor, const char *what, double low, double high) {
    double value = low;
    const Expr *expr = take_value(cursor);
    if (!expr) return value;
    if (!eval_real(expr, cursor->env, what, &value, cursor->elab->diag)) {
        cursor->ok = false;
    } else if (!(value >= low && value <= high)) {
        diag_error(cursor->elab->diag, expr->place, "%s must be from %g to %g, not %g", what, low, high, value);
        cursor->ok = false;
    }
    return value;
}

/* A share of the whole, written in percent. */
static double take_percent(Cursor *cursor, const char *what, double low) {
    double value = take_real(cursor, what, low, 100) / 100;
    if (!accept_mark(cursor, '%')) fail(cursor, "'%'");
    return value;
}

/* ---- phrases ---- */
enum { MOST_STEPS = 1000000000 };

/* loss crossentropy smooth 0.1 */
static void read_loss(Cursor *cursor, Train *train) {
    static const char *const losses[] = {"crossentropy"};
    choose(cursor, losses, 1);
    if (accept(cursor, "smooth")) train->recipe.smooth = take_real(cursor, "the smoothing", 0, 1);
}

static void read_batch(Cursor *cursor, Train *train) {
    train->recipe.batch = (int)take_int(cursor, "the batch", 1, 1 << 20);
}

/* sgd lr 0.1, momentum 0.9, nesterov, decay 1e-4 on weights */
static void read_sgd(Cursor *cursor, Train *train) {
    static const char *const words[] = {"lr", "momentum", "decay", "nesterov"};
    static const char *const decayed[] = {"weights", "all"};
    rn_train_recipe *recipe = &train->recipe;
    unsigned seen = 0;
    do {
        int which = choose_once(cursor, words, 4, &seen);
        if (which == 0) recipe->lr = take_real(cursor, "lr", 1e-12, 1e6);
        if (which == 1) recipe->momentum = take_real(cursor, "momentum", 0, 1);
        if (which == 2) recipe->decay = take_real(cursor, "decay", 0, 1);
        if (which == 2 && accept(cursor, "on")) recipe->decay_all = choose(cursor, decayed, 2) == 1;
        if (which == 3) recipe->nesterov = 1;
        accept_mark(cursor, ',');
    } while (cursor->ok && cursor->item);
}

/* divide lr by 10 at 32k, 48k | at plateau */
static void read_divide(Cursor *cursor, Train *train) {
    rn_train_recipe *recipe = &train->recipe;
    expect(cursor, "lr");
    expect(cursor, "by");
    recipe->divide_by = take_real(cursor, "the divisor", 1, 1e6);
    expect(cursor, "at");
    if (accept(cursor, "plateau")) {
        recipe->divide_at_plateau = 1;
        return;
    }
    recipe->divide_at = train->divide_at;
    do {
        if (recipe->divide_count == TRAIN_MOST_DIVISIONS)
            return fail(cursor,
                        arena_printf(cursor->elab->arena, "an end (%d steps are the most)", TRAIN_MOST_DIVISIONS));
        int64_t step = take_int(cursor, "a step", 1, MOST_STEPS);
        if (cursor->ok && recipe->divide_count && step <= train->divide_at[recipe->divide_count - 1]) {
            diag_error(cursor->elab->diag, cursor->last, "train: the steps must rise");
            cursor->ok = false;
        }
        train->divide_at[recipe->divide_count++] = step;
    } while (accept_mark(cursor, ','));
}

/* cosine to 0 */
static void read_cosine(Cursor *cursor, Train *train) {
    expect(cursor, "to");
    train->recipe.cosine = 1;
    train->recipe.cosine_to = take_real(cursor, "lr", 0, 1e6);
}

static void read_stop(Cursor *cursor, Train *train) {
    expect(cursor, "at");
    train->recipe.stop = take_int(cursor, "a step", 1, MOST_STEPS);
}

/* warmup lr 0.01 until error < 80% | lr 0.01 for 400 | lr 0 rise for 5k */
static void read_warmup(Cursor *cursor, Train *train) {
    static const char *const words[] = {"until", "for", "rise"};
    rn_train_recipe *recipe = &train->recipe;
    recipe->warmup = 1;
    expect(cursor, "lr");
    recipe->warmup_lr = take_real(cursor, "lr", 0, 1e6);
    const Place lr = cursor->last;
    int which = choose(cursor, words, 3);
    if (which == 2) {
        recipe->warmup_rise = 1;
        expect(cursor, "for");
    } else if (cursor->ok && recipe->warmup_lr == 0) {
        diag_error(cursor->elab->diag, lr, "train: nothing is learnt at lr 0; a warm-up from there has to `rise`");
        cursor->ok = false;
    }
    if (which > 0) recipe->warmup_steps = take_int(cursor, "the number of steps", 1, MOST_STEPS);
    if (which != 0) return;
    expect(cursor, "error");
    if (!accept_mark(cursor, '<')) fail(cursor, "'<'");
    recipe->warmup_error = take_percent(cursor, "the error", 0.01);
}

/* init he, zero last */
static void read_init(Cursor *cursor, Train *train) {
    static const char *const words[] = {"he", "xavier"};
    train->recipe.init = choose(cursor, words, 2) == 1 ? RN_TRAIN_XAVIER : RN_TRAIN_HE;
    if (!accept_mark(cursor, ',') && peek_word(cursor) == NULL) return;
    expect(cursor, "zero");
    expect(cursor, "last");
    train->recipe.zero_last = 1;
}

/* crop 32x32 */
static void read_crop(Cursor *cursor, Train *train) {
    const TrainItem *item = cursor->item;
    if (!item || !item->value || item->value->kind != ARG_DIMS || item->value->count != 2)
        return fail(cursor, "a size like 32x32");
    int64_t h = 0, w = 0;
    const Expr *expr = item->value->items;
    cursor->ok = eval_int(expr, cursor->env, "the crop", 1, LIMIT_SIZE, &h, cursor->elab->diag) &&
                 eval_int(expr->next, cursor->env, "the crop", 1, LIMIT_SIZE, &w, cursor->elab->diag);
    train->recipe.crop_h = (int)h;
    train->recipe.crop_w = (int)w;
    advance(cursor);
}

/* resize 256 to 480 */
static void read_resize(Cursor *cursor, rn_train_recipe *recipe) {
    recipe->resize_min = recipe->resize_max = (int)take_int(cursor, "the shorter side", 1, LIMIT_SIZE);
    if (accept(cursor, "to"))
        recipe->resize_max = (int)take_int(cursor, "the shorter side", recipe->resize_min, LIMIT_SIZE);
}

/* area 8% to 100% */
static void read_area(Cursor *cursor, rn_train_recipe *recipe) {
    recipe->area_min = recipe->area_max = take_percent(cursor, "the area", 1);
    if (accept(cursor, "to")) recipe->area_max = take_percent(cursor, "the area", 100 * recipe->area_min);
}

/* augment pad 4, crop 32x32, resize 256 to 480, area 8% to 100%, mirror, colour */
static void read_augment(Cursor *cursor, Train *train) {
    static const char *const words[] = {"pad", "crop", "resize", "area", "mirror", "colour"};
    rn_train_recipe *recipe = &train->recipe;
    unsigned seen = 0;
    do {
        int which = choose_once(cursor, words, 6, &seen);
        if (which == 0) recipe->pad = (int)take_int(cursor, "the padding", 0, LIMIT_SIZE);
        if (which == 1) read_crop(cursor, train);
        if (which == 2) read_resize(cursor, recipe);
        if (which == 3) read_area(cursor, recipe);
        if (which == 4) recipe->mirror = 1;
        if (which == 5) recipe->colour = 1;
        accept_mark(cursor, ',');
    } while (cursor->ok && cursor->item);
}

static void read_mixup(Cursor *cursor, Train *train) {
    train->recipe.mixup = take_real(cursor, "mixup's alpha", 1e-3, 1e3);
}

static void read_subtract(Cursor *cursor, Train *train) {
    static const char *const words[] = {"pixel", "channel"};
    train->recipe.subtract =
        choose(cursor, words, 2) == 1 ? RN_TRAIN_SUBTRACT_CHANNEL_MEAN : RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    expect(cursor, "mean");
}

static int64_t take_every(Cursor *cursor) {
    expect(cursor, "every");
    return take_int(cursor, "the number of steps", 1, MOST_STEPS);
}

static void read_test(Cursor *cursor, Train *train) {
    train->recipe.test_every = take_every(cursor);
}

static void read_save(Cursor *cursor, Train *train) {
    train->recipe.save_every = take_every(cursor);
}

/* ---- freeze ---- */
static bool has_parameters(const Node *node) {
    ParamSpec spec[NODE_MAX_WEIGHTS];
    return op_info(node->op)->params(node, true, spec) > 0;
}

/* Is the layer called `name`, or does it stand below `name.`? */
static bool is_meant(const Node *node, const char *name) {
    const size_t length = strlen(name);
    return strncmp(node->name, name, length) == 0 && (node->name[length] == 0 || node->name[length] == '.');
}

static void unknown_layer(Cursor *cursor, const char *name, Place place) {
    const Graph *graph = cursor->elab->graph;
    Map known = {0};
    const char **names = NULL;
    int count = 0, capacity = 0;
    Arena arena = {0};
    for (int i = 0; i < graph->node_count; i++) {
        if (!has_parameters(graph->nodes[i])) continue;
        const char *layer = graph->nodes[i]->name, *end = layer;
        do { /* the layer itself, and what stands before each of its dots */
            end += strcspn(end, ".");
            const char *part = arena_strndup(&arena, layer, (size_t)(end - layer));
            if (!map_get(&known, part)) {
                map_put(&known, &arena, part, (void *)part);
                ARENA_PUSH(&arena, names, count, capacity, part);
            }
        } while (*end++);
    }
    const char *near = diag_suggest(name, names, count);
    diag_error(cursor->elab->diag, place,
               near ? "train: no layer is called '%s'; did you mean '%s'?" : "train: no layer is called '%s'", name,
               near);
    arena_free(&arena);
}

/* Marks the layers that a name means; an error where there are none, or none that it adds. */
static void freeze(Cursor *cursor, const char *name, Place place, bool *frozen) {
    const Graph *graph = cursor->elab->graph;
    int layers = 0, parameters = 0, fresh = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (!is_meant(node, name)) continue;
        layers++;
        if (!has_parameters(node)) continue;
        parameters++;
        fresh += !frozen[i];
        frozen[i] = true;
    }
    if (!layers)
        unknown_layer(cursor, name, place);
    else if (!parameters)
        diag_error(cursor->elab->diag, place, "train: '%s' has no parameters to freeze", name);
    else if (!fresh)
        diag_error(cursor->elab->diag, place, "train: '%s' is frozen already", name);
}

/* freeze conv1, bn1, layer1 */
static void read_freeze(Cursor *cursor, Train *train) {
    Elab *elab = cursor->elab;
    const Graph *graph = elab->graph;
    const Frame frame = {.env = cursor->env, .scope = scope_new(elab, "")};
    bool *frozen = arena_alloc(elab->arena, (size_t)graph->node_count + 1);
    do {
        if (!cursor->item || !cursor->item->name) return fail(cursor, "a layer's name");
        const char *name = name_given(elab, &frame, cursor->item->name);
        if (name && cursor->whole) freeze(cursor, name, cursor->item->place, frozen);
        advance(cursor);
    } while (accept_mark(cursor, ','));
    const char **names = arena_alloc(elab->arena, sizeof *names * ((size_t)graph->node_count + 1));
    for (int i = 0; i < graph->node_count; i++)
        if (frozen[i]) names[train->frozen_count++] = graph->nodes[i]->name;
    train->frozen = names;
}

enum { LOSS, BATCH, SGD, DIVIDE, COSINE, STOP, WARMUP, INIT, AUGMENT, MIXUP, SUBTRACT, TEST, SAVE, FREEZE, PHRASES };

static const struct {
    const char *word;
    void (*read)(Cursor *cursor, Train *train);
} phrases[PHRASES] = {
    [LOSS] = {"loss", read_loss},
    [BATCH] = {"batch", read_batch},
    [SGD] = {"sgd", read_sgd},
    [DIVIDE] = {"divide", read_divide},
    [COSINE] = {"cosine", read_cosine},
    [STOP] = {"stop", read_stop},
    [WARMUP] = {"warmup", read_warmup},
    [INIT] = {"init", read_init},
    [AUGMENT] = {"augment", read_augment},
    [MIXUP] = {"mixup", read_mixup},
    [SUBTRACT] = {"subtract", read_subtract},
    [TEST] = {"test", read_test},
    [SAVE] = {"save", read_save},
    [FREEZE] = {"freeze", read_freeze},
};

/* ---- what no phrase alone can see ---- */
typedef struct Check {
    Elab *elab;
    const Train *train;
    const TrainStmt *const *said; /* by phrase; NULL: it was not */
} Check;

static void wrong(const Check *check, int phrase, const char *format, ...) PRINTF_LIKE(3, 4);
static void wrong(const Check *check, int phrase, const char *format, ...) {
    Text text = {0};
    va_list list;
    va_start(list, format);
    text_vprintf(&text, format, list);
    va_end(list);
    diag_error(check->elab->diag, check->said[phrase]->place, "train: %s", text.s);
    text_free(&text);
}

static void check_schedule(const Check *check) {
    const rn_train_recipe *recipe = &check->train->recipe;
    const int64_t stop = recipe->stop, warm = recipe->warmup_steps;
    const int64_t first = recipe->divide_count ? recipe->divide_at[0] : 0;
    const int64_t last = recipe->divide_count ? recipe->divide_at[recipe->divide_count - 1] : 0;
    if (stop && last >= stop)
        wrong(check, DIVIDE, "the last division of lr, at step %" PRId64 ", comes after the stop at %" PRId64, last,
              stop);
    if (recipe->cosine && recipe->divide_by > 0) {
        wrong(check, COSINE, "lr goes down by `divide` or by `cosine`, not by both");
        diag_note(check->elab->diag, check->said[DIVIDE]->place, "it is divided here");
    }
    if (recipe->cosine && !stop) wrong(check, COSINE, "it ends where training does: `stop at STEP` is missing");
    if (recipe->cosine && recipe->cosine_to > recipe->lr)
        wrong(check, COSINE, "it ends at lr %g, above the %g where it begins", recipe->cosine_to, recipe->lr);
    if (stop && warm >= stop)
        wrong(check, WARMUP, "it lasts for %" PRId64 " steps, but training stops at %" PRId64, warm, stop);
    if (first && warm >= first)
        wrong(check, WARMUP, "it lasts for %" PRId64 " steps, but lr is divided at %" PRId64, warm, first);
    if (recipe->nesterov && !(recipe->momentum > 0)) wrong(check, SGD, "nesterov needs a momentum above 0");
}

static void check_images(const Check *check) {
    const rn_train_recipe *recipe = &check->train->recipe;
    const Value *input = check->elab->graph->input;
    const int h = recipe->crop_h, w = recipe->crop_w;
    if (!input) return;
    if (h && (h != input->shape.h || w != input->shape.w))
        wrong(check, AUGMENT, "a crop of %dx%d is not the input's %dx%d", h, w, input->shape.h, input->shape.w);
    else if (recipe->resize_min && (recipe->resize_min < h || recipe->resize_min < w))
        wrong(check, AUGMENT, "pictures are resized to less than the crop");
    if (recipe->area_min > 0 && (h || recipe->pad || recipe->resize_min))
        wrong(check, AUGMENT, "`area` crops and resizes: it goes with no pad, crop or resize");
    else if (!h && (recipe->pad || recipe->resize_min))
        wrong(check, AUGMENT, "`crop %dx%d` is missing: what `%s` makes is not the input's size", input->shape.h,
              input->shape.w, recipe->pad ? "pad" : "resize");
    if (recipe->colour && input->shape.c != 3)
        wrong(check, AUGMENT, "`colour` is of 3 channels, not of %d", input->shape.c);
}

/* What training subtracts belongs to the network's preprocessing, and the other way round. */
static void add_mean_image(const Check *check, Train *train) {
    Elab *elab = check->elab;
    const rn_train_subtract subtract = train->recipe.subtract;
    const Tensor *given = elab->graph->preprocess.mean_image;
    const int ndim = subtract == RN_TRAIN_SUBTRACT_PIXEL_MEAN ? 3 : 1;
    if (given && subtract == RN_TRAIN_SUBTRACT_NOTHING)
        train->recipe.subtract = given->ndim == 3 ? RN_TRAIN_SUBTRACT_PIXEL_MEAN : RN_TRAIN_SUBTRACT_CHANNEL_MEAN;
    if (subtract == RN_TRAIN_SUBTRACT_NOTHING || (given && given->ndim == ndim)) return;
    if (!elab->mean_given)
        return elab_mean_image(elab, ndim == 3 ? MEAN_OF_PIXELS : MEAN_OF_CHANNELS, true, check->said[SUBTRACT]->place);
    wrong(check, SUBTRACT, "the input has another mean already");
    diag_note(elab->diag, elab->mean_given->place, "it is here");
}

static void check_parameters(const Check *check) {
    const Graph *graph = check->elab->graph;
    int ends = 0, layers = 0;
    for (int i = 0; i < graph->node_count; i++) {
        ends += train_branch_end(graph->nodes[i]) != NULL;
        layers += has_parameters(graph->nodes[i]);
    }
    if (check->train->recipe.zero_last && !ends)
        wrong(check, INIT, "`zero last`, but no residual branch ends with a batch norm");
    if (check->train->frozen_count && check->train->frozen_count == layers)
        wrong(check, FREEZE, "every layer is frozen: nothing is left to train");
}

Train *elab_train(Elab *elab, const Env *env, bool whole) {
    const char *words[PHRASES];
    const TrainStmt *said[PHRASES] = {0};
    int before = elab->diag->errors;
    for (int i = 0; i < PHRASES; i++) words[i] = phrases[i].word;
    Train *train = arena_alloc(elab->arena, sizeof *train);
    train->place = elab->ast->train_place;
    train->recipe = (rn_train_recipe){.batch = 128, .lr = 0.1, .momentum = 0.9, .decay = 1e-4, .init = RN_TRAIN_HE};
    for (const TrainStmt *stmt = elab->ast->train; stmt; stmt = stmt->next) {
        Cursor cursor = {elab, env, whole, stmt, stmt->items, stmt->place, true};
        int which = choose(&cursor, words, PHRASES);
        if (which < 0) continue;
        if (said[which]) {
            diag_error(elab->diag, stmt->place, "train: '%s' is said twice", words[which]);
            diag_note(elab->diag, said[which]->place, "the first is here");
            continue;
        }
        said[which] = stmt;
        phrases[which].read(&cursor, train);
        if (cursor.ok && cursor.item) fail(&cursor, "the end of the statement");
    }
    if (elab->diag->errors > before) return train;
    const Check check = {elab, train, said};
    check_schedule(&check);
    check_images(&check);
    if (!whole) return train;
    check_parameters(&check);
    add_mean_image(&check, train);
    return train;
}
