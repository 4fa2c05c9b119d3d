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

/* ---- phrases ---- */
enum { MOST_STEPS = 1000000000 };

static void read_loss(Cursor *cursor, Train *train) {
    static const char *const losses[] = {"crossentropy"};
    choose(cursor, losses, 1);
    train->loss = LOSS_CROSSENTROPY;
}

static void read_batch(Cursor *cursor, Train *train) {
    train->batch = (int)take_int(cursor, "the batch", 1, 1 << 20);
}

static void read_sgd(Cursor *cursor, Train *train) {
    static const char *const words[] = {"lr", "momentum", "decay"};
    do {
        int which = choose(cursor, words, 3);
        if (which == 0) train->lr = take_real(cursor, "lr", 1e-12, 1e6);
        if (which == 1) train->momentum = take_real(cursor, "momentum", 0, 1);
        if (which == 2) train->decay = take_real(cursor, "decay", 0, 1);
        accept_mark(cursor, ',');
    } while (cursor->ok && cursor->item);
}

/* divide lr by 10 at 32k, 48k | at plateau */
static void read_divide(Cursor *cursor, Train *train) {
    expect(cursor, "lr");
    expect(cursor, "by");
    train->divide_by = take_real(cursor, "the divisor", 1, 1e6);
    expect(cursor, "at");
    if (accept(cursor, "plateau")) {
        train->divide_at_plateau = true;
        return;
    }
    enum { MOST = sizeof train->divide_at / sizeof *train->divide_at };
    do {
        if (train->ndivide == MOST) return fail(cursor, "an end (16 steps are the most)");
        int64_t step = take_int(cursor, "a step", 1, MOST_STEPS);
        if (cursor->ok && train->ndivide && step <= train->divide_at[train->ndivide - 1]) {
            diag_error(cursor->elab->diag, cursor->last, "train: the steps must rise");
            cursor->ok = false;
        }
        train->divide_at[train->ndivide++] = step;
    } while (accept_mark(cursor, ','));
}

static void read_stop(Cursor *cursor, Train *train) {
    expect(cursor, "at");
    train->stop = take_int(cursor, "a step", 1, MOST_STEPS);
}

/* warmup lr 0.01 until error < 80% | for 400 */
static void read_warmup(Cursor *cursor, Train *train) {
    static const char *const words[] = {"until", "for"};
    expect(cursor, "lr");
    train->warmup_lr = take_real(cursor, "lr", 1e-12, 1e6);
    int which = choose(cursor, words, 2);
    if (which == 1) train->warmup_steps = take_int(cursor, "the number of steps", 1, MOST_STEPS);
    if (which != 0) return;
    expect(cursor, "error");
    if (!accept_mark(cursor, '<')) fail(cursor, "'<'");
    train->warmup_error = take_real(cursor, "the error", 0, 100) / 100;
    if (!accept_mark(cursor, '%')) fail(cursor, "'%'");
}

static void read_init(Cursor *cursor, Train *train) {
    static const char *const words[] = {"he", "xavier"};
    train->init = choose(cursor, words, 2) == 1 ? INIT_XAVIER : INIT_HE;
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
    train->crop_h = (int)h;
    train->crop_w = (int)w;
    advance(cursor);
}

/* augment pad 4, crop 32x32, resize 256 to 480, mirror, colour */
static void read_augment(Cursor *cursor, Train *train) {
    static const char *const words[] = {"pad", "crop", "resize", "mirror", "colour"};
    do {
        switch (choose(cursor, words, 5)) {
        case 0:
            train->pad = (int)take_int(cursor, "the padding", 0, LIMIT_SIZE);
            break;
        case 1:
            read_crop(cursor, train);
            break;
        case 2:
            train->resize_min = (int)take_int(cursor, "the shorter side", 1, LIMIT_SIZE);
            train->resize_max = train->resize_min;
            if (accept(cursor, "to"))
                train->resize_max = (int)take_int(cursor, "the shorter side", train->resize_min, LIMIT_SIZE);
            break;
        case 3:
            train->mirror = true;
            break;
        case 4:
            train->colour = true;
            break;
        }
        accept_mark(cursor, ',');
    } while (cursor->ok && cursor->item);
}

static void read_subtract(Cursor *cursor, Train *train) {
    static const char *const words[] = {"pixel", "channel"};
    train->subtract = choose(cursor, words, 2) == 1 ? SUBTRACT_CHANNEL_MEAN : SUBTRACT_PIXEL_MEAN;
    expect(cursor, "mean");
}

static const struct {
    const char *word;
    void (*read)(Cursor *cursor, Train *train);
} phrases[] = {
    {"loss", read_loss},     {"batch", read_batch},     {"sgd", read_sgd},
    {"divide", read_divide}, {"stop", read_stop},       {"warmup", read_warmup},
    {"init", read_init},     {"augment", read_augment}, {"subtract", read_subtract},
};
enum { PHRASES = sizeof phrases / sizeof *phrases };

/* What no phrase alone can see. */
static void check_train(Elab *elab, const Train *train) {
    const Value *input = elab->graph->input;
    Place place = train->place;
    if (train->stop && train->ndivide && train->divide_at[train->ndivide - 1] >= train->stop)
        diag_error(elab->diag, place,
                   "train: the last division of lr, at step %" PRId64 ", comes after the stop at %" PRId64,
                   train->divide_at[train->ndivide - 1], train->stop);
    if (input && train->crop_h && (train->crop_h != input->shape.h || train->crop_w != input->shape.w))
        diag_error(elab->diag, place, "train: a crop of %dx%d is not the input's %dx%d", train->crop_h, train->crop_w,
                   input->shape.h, input->shape.w);
    if (train->resize_min && (train->resize_min < train->crop_h || train->resize_min < train->crop_w))
        diag_error(elab->diag, place, "train: pictures are resized to less than the crop");
}

Train *elab_train(Elab *elab, const Env *env) {
    const char *words[PHRASES];
    const TrainStmt *seen[PHRASES] = {0};
    int before = elab->diag->errors;
    for (int i = 0; i < PHRASES; i++) words[i] = phrases[i].word;
    Train *train = arena_alloc(elab->arena, sizeof *train);
    *train = (Train){.batch = 128, .lr = 0.1, .momentum = 0.9, .decay = 1e-4, .place = elab->ast->train_place};
    for (const TrainStmt *stmt = elab->ast->train; stmt; stmt = stmt->next) {
        Cursor cursor = {elab, env, stmt, stmt->items, stmt->place, true};
        int which = choose(&cursor, words, PHRASES);
        if (which < 0) continue;
        if (seen[which]) {
            diag_error(elab->diag, stmt->place, "train: '%s' is said twice", words[which]);
            diag_note(elab->diag, seen[which]->place, "the first is here");
            continue;
        }
        seen[which] = stmt;
        phrases[which].read(&cursor, train);
        if (cursor.ok && cursor.item) fail(&cursor, "the end of the statement");
    }
    if (elab->diag->errors == before) check_train(elab, train);
    return train;
}
