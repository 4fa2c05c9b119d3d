/* A layer statement or the input statement becomes a node: its arguments and attributes evaluated, its defaults filled
 * in, its shape inferred, its parameters declared.
 *
 * Which attributes a layer takes is in ops.def and how each is written in attrs.def; the lexer lets no other through.
 * What is checked here is what they say: their kind, their range, that none is said twice.
 */
#include "elaborate.h"

#include <string.h>

void elab_explain(Elab *elab, const Frame *frame) {
    if (elab->diag->errors == elab->explained) return;
    elab->explained = elab->diag->errors;
    for (const Use *use = frame->use; use; use = use->outer)
        diag_note(elab->diag, use->place, "in this use of block '%s'", use->block->name);
}

/* ---- layers and their names ---- */
LayerEntry *elab_claim(Elab *elab, Op op, const char *name, Place place) {
    if (elab->graph->node_count >= LIMIT_NODES) {
        if (!elab->gave_up) diag_error(elab->diag, place, "the network expands to more than %d layers", LIMIT_NODES);
        elab->gave_up = true;
        return NULL;
    }
    const LayerEntry *first = map_get(&elab->layers, name);
    if (first || strcmp(name, "input") == 0) {
        diag_error(elab->diag, place, "a second layer called '%s'", name);
        if (first) diag_note(elab->diag, first->place, "the first is here; `as NAME` names a layer otherwise");
        return NULL;
    }
    LayerEntry *entry = arena_alloc(elab->arena, sizeof *entry);
    *entry = (LayerEntry){name, op, place, NULL};
    map_put(&elab->layers, elab->arena, name, entry);
    return entry;
}

Value *elab_build(Elab *elab, const Frame *frame, LayerEntry *entry, Value *const *in, int nin, const Layer *layer) {
    Builder builder = {.graph = elab->graph, .diag = elab->diag, .place = entry->place, .group = frame->group};
    if (frame->use) builder.via = frame->use->place;
    return elab->now = entry->value = build_layer(&builder, entry->op, entry->name, in, nin, layer);
}

/* ---- arguments and attributes ---- */
typedef struct Reader { /* of one statement */
    Elab *elab;
    const Env *env;
    const Stmt *stmt;
    const char *word;  /* for messages */
    const char *attrs; /* that it may have */
    bool ok;           /* false: an error was reported */
} Reader;

static void fail(Reader *reader, Place place, const char *what) {
    diag_error(reader->elab->diag, place, "%s: %s", reader->word, what);
    reader->ok = false;
}

static const AttrUse *find_attr(const Reader *reader, const char *word) {
    for (const AttrUse *attr = reader->stmt->attrs; attr; attr = attr->next)
        if (strcmp(attr->word, word) == 0) return attr;
    return NULL;
}

static void check_repeated_attrs(Reader *reader) {
    for (const AttrUse *attr = reader->stmt->attrs; attr; attr = attr->next)
        for (const AttrUse *before = reader->stmt->attrs; before != attr; before = before->next)
            if (strcmp(before->word, attr->word) == 0) {
                diag_error(reader->elab->diag, attr->place, "%s: '%s' is said twice", reader->word, attr->word);
                reader->ok = false;
                return;
            }
}

static int read_int(Reader *reader, const Expr *expr, const char *what, int low, int high) {
    int64_t value = low;
    if (!eval_int(expr, reader->env, what, low, high, &value, reader->elab->diag)) reader->ok = false;
    return (int)value;
}

/* One to `most` integers: a number for all, r x s, or a [list]. Returns how many were written. */
static int read_ints(Reader *reader, const Arg *arg, const char *what, int low, int high, int *values, int most) {
    if (arg->count > most) {
        diag_error(reader->elab->diag, arg->place, "%s: at most %d numbers, not %d", what, most, arg->count);
        reader->ok = false;
        return 0;
    }
    int n = 0;
    for (const Expr *item = arg->items; item; item = item->next) values[n++] = read_int(reader, item, what, low, high);
    return n;
}

static bool attr_flag(Reader *reader, const char *word, bool otherwise) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return otherwise;
    bool value = true;
    if (attr->value && !eval_bool(attr->value->items, reader->env, word, &value, reader->elab->diag))
        reader->ok = false;
    return value != attr->negated;
}

static int attr_int(Reader *reader, const char *word, int low, int otherwise) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return otherwise;
    int value = otherwise;
    if (attr->value->kind != ARG_EXPR)
        fail(reader, attr->value->place, "one number is needed here");
    else
        value = read_int(reader, attr->value->items, word, low, attr_info(word)->limit);
    return value;
}

static double read_real(Reader *reader, const Arg *arg, const char *word, double otherwise) {
    double value = otherwise;
    if (arg->kind != ARG_EXPR)
        fail(reader, arg->place, "one number is needed here");
    else if (!eval_real(arg->items, reader->env, word, &value, reader->elab->diag))
        reader->ok = false;
    return value;
}

/* height and width: a number for both, or r x s */
static void attr_pair(Reader *reader, const char *word, int low, int *h, int *w) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return;
    int values[2];
    int n = attr->value->kind == ARG_LIST
                ? 0
                : read_ints(reader, attr->value, word, low, attr_info(word)->limit, values, 2);
    if (n == 0) return fail(reader, attr->value->place, "a number or a size like 2x1 is needed here");
    *h = values[0];
    *w = values[n - 1];
}

static bool check_positive(Reader *reader, Place place, const char *word, double value) {
    if (value > 0) return true;
    diag_error(reader->elab->diag, place, "%s: %s must be more than 0", reader->word, word);
    return reader->ok = false;
}

/* ---- windows ---- */
static void read_stride(Reader *reader, Window *window) {
    window->stride_h = window->stride_w = 1;
    const Arg *stride = reader->stmt->stride;
    if (!stride) return;
    int values[2] = {1, 1};
    int n = read_ints(reader, stride, "a stride", 1, LIMIT_STRIDE, values, 2);
    window->stride_h = values[0];
    window->stride_w = values[n > 1];
}

/* TensorFlow's: as many zeros as make ceil(size / stride) outputs, the larger half at the end. */
static void pad_same(int size, int kernel, int stride, int *before, int *after) {
    int out = (size - 1) / stride + 1, missing = (out - 1) * stride + kernel - size;
    *before = missing > 0 ? missing / 2 : 0;
    *after = missing > 0 ? missing - *before : 0;
}

/* `pad same`, `pad valid`; false where it is neither. */
static bool read_padding_word(Reader *reader, const Arg *value, Window *window) {
    const Expr *word = value->items;
    bool name = value->kind == ARG_EXPR && word->kind == EXPR_NAME && !env_find(reader->env, word->name);
    bool same = name && strcmp(word->name, "same") == 0;
    if (!same && !(name && strcmp(word->name, "valid") == 0)) return false;
    window->top = window->left = window->bottom = window->right = 0;
    const Value *now = reader->elab->now;
    if (!same || !now) return true;
    pad_same(now->shape.h, window->dilate_h * (window->r - 1) + 1, window->stride_h, &window->top, &window->bottom);
    pad_same(now->shape.w, window->dilate_w * (window->s - 1) + 1, window->stride_w, &window->left, &window->right);
    return true;
}

static void read_padding(Reader *reader, Window *window) {
    const AttrUse *attr = find_attr(reader, "pad");
    if (!attr || read_padding_word(reader, attr->value, window)) return;
    int v[4];
    int n = read_ints(reader, attr->value, "pad", 0, attr_info("pad")->limit, v, attr->value->kind == ARG_LIST ? 4 : 2);
    if (!reader->ok) return;
    if (attr->value->kind == ARG_LIST && n != 4)
        return fail(reader, attr->value->place, "a padding list is [top, left, bottom, right]");
    window->top = v[0];
    window->left = n == 1 ? v[0] : v[1];
    window->bottom = n == 4 ? v[2] : v[0];
    window->right = n == 4 ? v[3] : n == 1 ? v[0] : v[1];
}

/* An argument that is none; a word, as in `upsample 2, bilinear`, was meant as an attribute. */
static void fail_argument(Reader *reader, const Arg *arg, const char *what) {
    const Expr *word = arg->items;
    bool name = arg->kind == ARG_EXPR && word->kind == EXPR_NAME && !env_find(reader->env, word->name);
    if (!name) return fail(reader, arg->place, what);
    Text message = {0};
    unknown_attr(word->name, reader->word, reader->attrs, &message);
    diag_error(reader->elab->diag, arg->place, "%s", message.s);
    text_free(&message);
    reader->ok = false;
}

static void read_kernel(Reader *reader, const Arg *arg, Window *window) {
    int values[2];
    if (arg->kind != ARG_DIMS) return fail_argument(reader, arg, "a kernel size like 3x3 is needed here");
    read_ints(reader, arg, "a kernel size", 1, LIMIT_KERNEL, values, 2);
    if (!reader->ok) return;
    window->r = values[0];
    window->s = values[1];
}

/* ---- one function per family of layers ---- */
/* The positional arguments, at most two; NULL where absent. */
static void read_args(Reader *reader, int most, const Arg *args[2]) {
    args[0] = args[1] = NULL;
    int n = 0;
    for (const Arg *arg = reader->stmt->args; arg; arg = arg->next, n++) {
        if (n >= most) return fail_argument(reader, arg, most ? "one argument too many" : "it takes no such argument");
        args[n] = arg;
    }
}

static int read_features(Reader *reader, const Arg *arg, const char *what) {
    if (!arg || arg->kind != ARG_EXPR) {
        diag_error(reader->elab->diag, arg ? arg->place : reader->stmt->place, "%s: the number of %s is missing",
                   reader->word, what);
        reader->ok = false;
        return 1;
    }
    return read_int(reader, arg->items, what, 1, LIMIT_CHANNELS);
}

/* `depthwise 3x3` or `depthwise K, 3x3`: a group for each channel. Returns the kernel's argument. */
static const Arg *read_depthwise(Reader *reader, const Arg *args[2], Layer *layer) {
    const Value *now = reader->elab->now;
    bool said = args[0] && args[0]->kind == ARG_EXPR;
    if (!said && args[1]) fail_argument(reader, args[1], "one argument too many");
    layer->groups = layer->features = now ? now->shape.c : 1;
    if (said) layer->features = read_features(reader, args[0], "output channels");
    return said ? args[1] : args[0];
}

static void read_conv(Reader *reader, Layer *layer) {
    const Arg *args[2];
    Window *window = &layer->window;
    read_args(reader, 2, args);
    bool depthwise = reader->stmt->word;
    const bool transposed = reader->stmt->op == OP_CONVTRANSPOSE;
    const Arg *kernel = depthwise ? read_depthwise(reader, args, layer) : args[1];
    if (!depthwise) layer->features = read_features(reader, args[0], "output channels");
    if (kernel)
        read_kernel(reader, kernel, window);
    else if (reader->ok)
        fail(reader, reader->stmt->place,
             depthwise    ? "its kernel size is missing, as in `depthwise 3x3`"
             : transposed ? "its kernel size is missing, as in `convtranspose 64, 2x2 /2`"
                          : "its kernel size is missing, as in `conv 64, 3x3`");
    read_stride(reader, window);
    attr_pair(reader, "dilate", 1, &window->dilate_h, &window->dilate_w);
    if (!transposed) {
        window->top = window->bottom = window->dilate_h * (window->r - 1) / 2;
        window->left = window->right = window->dilate_w * (window->s - 1) / 2;
    }
    read_padding(reader, window);
    attr_pair(reader, "output_pad", 0, &layer->attr.extra_rows, &layer->attr.extra_columns);
    layer->groups = attr_int(reader, "groups", 1, layer->groups);
    layer->bias = attr_flag(reader, "bias", layer->bias);
}

static void read_fc(Reader *reader, Layer *layer) {
    const Arg *args[2];
    read_args(reader, 1, args);
    layer->features = read_features(reader, args[0], "outputs");
    layer->bias = attr_flag(reader, "bias", layer->bias);
}

/* `avgpool to 7x7`: windows side by side, so many of each image's rows and columns. */
static void read_pool_to(Reader *reader, const AttrUse *to, Attr *attr) {
    const Stmt *stmt = reader->stmt;
    const Value *now = reader->elab->now;
    int h = 1, w = 1;
    if (attr->global || stmt->args || stmt->stride || stmt->attrs->next)
        return fail(reader, to->place, "a size to pool to stands alone, as in `avgpool to 7x7`");
    attr_pair(reader, "to", 1, &h, &w);
    if (!now || !reader->ok) return;
    if (now->shape.h % h || now->shape.w % w) {
        diag_error(reader->elab->diag, to->place,
                   "%s: %dx%d does not divide the image's %dx%d pixels: its windows would differ in size", reader->word,
                   h, w, now->shape.h, now->shape.w);
        reader->ok = false;
        return;
    }
    attr->window.r = attr->window.stride_h = now->shape.h / h;
    attr->window.s = attr->window.stride_w = now->shape.w / w;
}

static void read_pool(Reader *reader, Attr *attr) {
    const Arg *args[2];
    Window *window = &attr->window;
    const AttrUse *to = find_attr(reader, "to");
    if (to) return read_pool_to(reader, to, attr);
    read_args(reader, 1, args);
    if (args[0] && attr->global) return fail(reader, args[0]->place, "either a kernel size or `global`, not both");
    if (!args[0] && !attr->global)
        return fail(reader, reader->stmt->place, "a kernel size like 3x3, or `global`, is missing");
    if (args[0]) read_kernel(reader, args[0], window);
    read_stride(reader, window);
    read_padding(reader, window);
    window->ceil = attr_flag(reader, "ceil", false);
    bool slides = reader->stmt->stride || find_attr(reader, "pad") || find_attr(reader, "ceil");
    if (attr->global && slides) fail(reader, reader->stmt->place, "`global` has no stride, pad or ceil");
}

/* One number stands for all sides. */
static void read_pad(Reader *reader, Attr *attr) {
    const Arg *args[2];
    Window *window = &attr->window;
    read_args(reader, 1, args);
    if (args[0] && args[0]->kind != ARG_EXPR)
        return fail(reader, args[0]->place, "one number for all sides, or top, left, bottom, right each with its own");
    if (!args[0]) return;
    int all = read_int(reader, args[0]->items, "pad", 0, attr_info("pad")->limit);
    if (!find_attr(reader, "top")) window->top = all;
    if (!find_attr(reader, "left")) window->left = all;
    if (!find_attr(reader, "bottom")) window->bottom = all;
    if (!find_attr(reader, "right")) window->right = all;
}

/* ---- attributes by the table ---- */
/* A value that an attribute needs and a statement does not give. */
static void fail_missing(Reader *reader, Place place, const AttrInfo *info) {
    const bool list = info->kind == ATTR_INTS;
    const char *example = list ? "[4, 2, 1]" : info->kind == ATTR_INT || info->kind == ATTR_NAT ? "2" : "0.1";
    diag_error(reader->elab->diag, place, "%s: its %s %s missing, as in `%s %s`", reader->word, info->word,
               list ? "are" : "is", reader->word, example);
    reader->ok = false;
}

static void read_value(Reader *reader, const AttrInfo *info, const Arg *arg, Place place, Attr *attr) {
    if (info->kind == ATTR_INTS) {
        IntList *list = attr_ints_of(info, attr);
        if (arg->kind != ARG_LIST) return fail_missing(reader, arg->place, info);
        list->count = read_ints(reader, arg, info->word, 1, info->limit, list->item, INT_LIST_MOST);
    } else if (info->kind == ATTR_INT || info->kind == ATTR_NAT) {
        if (arg->kind != ARG_EXPR) return fail(reader, arg->place, "one number is needed here");
        *attr_int_of(info, attr) = read_int(reader, arg->items, info->word, info->kind == ATTR_INT, info->limit);
    } else {
        double *value = attr_real_of(info, attr);
        *value = read_real(reader, arg, info->word, *value);
        if (info->kind == ATTR_POSITIVE && reader->ok) check_positive(reader, place, info->word, *value);
        if (info->kind == ATTR_FRACTION && reader->ok && !(*value >= 0 && *value < 1)) {
            diag_error(reader->elab->diag, place, "%s: a %s must be from 0 to below 1", reader->word, info->word);
            reader->ok = false;
        }
    }
}

/* What the op's row names and Attr keeps; arguments, NULL where there are none, are the values of the first ones. */
static void read_attributes(Reader *reader, Op op, const Arg *const args[2], Attr *attr) {
    const char *at = op_info(op)->attrs;
    OpAttr next;
    for (int i = 0; attr_next(&at, &next); i++) {
        const AttrInfo *info = next.info;
        if (!attr_is_kept(op, info) || !info->keyed) continue;
        const AttrUse *use = find_attr(reader, info->word);
        const Arg *argument = i < 2 ? args[i] : NULL, *value = argument ? argument : use ? use->value : NULL;
        if (argument && use) fail(reader, use->place, "this value is said twice");
        if (info->kind == ATTR_FLAG)
            *attr_flag_of(info, attr) = attr_flag(reader, info->word, *attr_flag_of(info, attr));
        else if (value)
            read_value(reader, info, value, use ? use->place : argument->place, attr);
        else if (next.needed)
            fail_missing(reader, reader->stmt->place, info);
    }
}

/* One dimension of an image that is resized by a factor: a whole number, or its coordinates would not be that of the
 * image's size. */
static int read_resized(Reader *reader, const Arg *arg, double factor, int size) {
    const double exact = factor * size;
    if (exact >= 1 && exact <= LIMIT_SIZE && exact == (int)exact) return (int)exact;
    if (reader->ok)
        diag_error(reader->elab->diag, arg->place,
                   "resize: %g times %d is not a whole number from 1 to %d; a size, as `resize 64x64`, is one", factor,
                   size, LIMIT_SIZE);
    reader->ok = false;
    return 1;
}

/* `resize 64x48`, `resize 2`, `resize 0.5` */
static void read_resize(Reader *reader, Attr *attr) {
    const Arg *args[2];
    read_args(reader, 1, args);
    attr->height = attr->width = 1;
    if (!args[0]) {
        fail(reader, reader->stmt->place, "its size or factor is missing, as in `resize 64x64` or `resize 2`");
    } else if (args[0]->kind == ARG_DIMS) {
        int values[2] = {1, 1};
        const int n = read_ints(reader, args[0], "a size", 1, LIMIT_SIZE, values, 2);
        attr->height = values[0];
        attr->width = values[n > 1];
    } else if (args[0]->kind == ARG_EXPR && reader->elab->now) {
        const double factor = read_real(reader, args[0], "a factor", 1);
        attr->height = read_resized(reader, args[0], factor, reader->elab->now->shape.h);
        attr->width = read_resized(reader, args[0], factor, reader->elab->now->shape.w);
    } else if (args[0]->kind != ARG_EXPR) {
        fail(reader, args[0]->place, "a size like 64x64, or a factor");
    }
}

/* `slice channels 16`, `slice 12x12 top 1 left 1 channel 8`: what is not said goes to the end. */
static void read_slice(Reader *reader, Attr *attr) {
    const Arg *args[2];
    const Value *now = reader->elab->now;
    const Shape in = now ? now->shape : (Shape){1, 1, 1};
    int size[2] = {in.h - attr->window.top, in.w - attr->window.left};
    read_args(reader, 1, args);
    if (args[0] && args[0]->kind != ARG_DIMS)
        return fail_argument(reader, args[0], "rows and columns, as in `slice 8x8`");
    if (args[0]) read_ints(reader, args[0], "a size", 1, LIMIT_SIZE, size, 2);
    if (!find_attr(reader, "channels")) attr->channels = in.c - attr->first;
    attr->height = size[0], attr->width = size[1];
}

static void read_reshape(Reader *reader, Attr *attr) {
    const Arg *args[2];
    int size[3] = {1, 1, 1};
    read_args(reader, 1, args);
    if (find_attr(reader, "channels") || !args[0] || args[0]->kind != ARG_DIMS || args[0]->count != 3)
        return fail(reader, reader->stmt->place, "channels, rows and columns are needed, as in `reshape 8x4x4`");
    read_ints(reader, args[0], "a size", 1, LIMIT_CHANNELS, size, 3);
    attr->channels = size[0], attr->height = size[1], attr->width = size[2];
}

/* `depthtospace 2`, `spacetodepth 2`, whose channels lie together, and PyTorch's `pixelshuffle 2`, `pixelunshuffle 2`,
 * whose phases do. */
static void read_phases(Reader *reader, Op op, Attr *attr) {
    const Arg *args[2];
    const Value *now = reader->elab->now;
    read_args(reader, 1, args);
    if (!args[0] || args[0]->kind != ARG_EXPR) {
        diag_error(reader->elab->diag, args[0] ? args[0]->place : reader->stmt->place,
                   "%s: its factor is missing, as in `%s 2`", reader->word, reader->word);
        reader->ok = false;
        return;
    }
    const int n = read_int(reader, args[0]->items, "factor", 1, attr_info("factor")->limit), phases = n * n;
    const bool one = strncmp(reader->word, "pixel", 5) == 0;
    if (!now || !reader->ok) return;
    const Shape in = now->shape;
    attr->window.stride_h = attr->window.stride_w = n;
    const bool fits = op == OP_PHASES ? in.h % n == 0 && in.w % n == 0 : in.c % phases == 0;
    if (!fits && op == OP_PHASES)
        diag_error(reader->elab->diag, args[0]->place, "%s: %d does not divide %dx%d pixels", reader->word, n, in.h,
                   in.w);
    if (!fits && op == OP_INTERLEAVE)
        diag_error(reader->elab->diag, args[0]->place, "%s: %d channels are no multiple of %dx%d", reader->word, in.c,
                   n, n);
    if (!fits) reader->ok = false;
    attr->channels = one ? 1 : op == OP_PHASES ? in.c : in.c / phases;
    if (op == OP_INTERLEAVE) attr->height = in.h * n, attr->width = in.w * n;
}

/* `clip -1, 1`, `clip low 0`: which bound a single number is would have to be guessed. */
static void check_bounds(Reader *reader, const Arg *args[2]) {
    if ((args[0] && args[1]) || (!args[0] && reader->stmt->attrs)) return;
    fail(reader, args[0] ? args[0]->place : reader->stmt->place,
         "both of its bounds are needed, as in `clip -1, 1`, or one by its word, as in `clip low 0`");
}

static void read_layer(Reader *reader, Op op, Layer *layer) {
    const Arg *args[2] = {NULL, NULL};
    const unsigned flags = op_info(op)->flags;
    const bool phases = op == OP_INTERLEAVE || op == OP_PHASES;
    const bool sized = op == OP_RESIZE || op == OP_SLICE || op == OP_RESHAPE;
    const bool own = (flags & (OPF_TERMS | OPF_WINDOW)) || op == OP_PAD || sized || phases;
    if (!own) read_args(reader, flags & OPF_ARGUMENTS ? 2 : flags & OPF_ARGUMENT ? 1 : 0, args);
    if (!phases) read_attributes(reader, op, args, &layer->attr);
    if (op == OP_CLIP) check_bounds(reader, args);
    if (op == OP_CONV || op == OP_CONVTRANSPOSE) read_conv(reader, layer);
    if (op == OP_FC) read_fc(reader, layer);
    if (flags & OPF_WINDOW) read_pool(reader, &layer->attr);
    if (op == OP_SCALE) layer->bias = attr_flag(reader, "bias", layer->bias);
    if (op == OP_SLICE) read_slice(reader, &layer->attr);
    if (op == OP_RESHAPE) read_reshape(reader, &layer->attr);
    if (phases) read_phases(reader, op, &layer->attr);
    if (op == OP_RESIZE) read_resize(reader, &layer->attr);
    if (op == OP_PAD) read_pad(reader, &layer->attr);
    if (op == OP_ADD) layer->attr.fill = reader->stmt->fill;
}

void elab_layer(Elab *elab, const Frame *frame, const Stmt *stmt) {
    LayerWord word;
    if (!layer_by_word(stmt->word ? stmt->word : layer_word(stmt->op), &word)) bug("a layer without a word");
    Reader reader = {elab, frame->env, stmt, word.standard, word.attrs, true};
    Value *in[2] = {elab->now, NULL};
    int nin = 1;
    if (!elab->has_input) {
        diag_error(elab->diag, stmt->place, "a layer before the input; a network starts with `input C x H x W`");
        elab->has_input = true; /* once */
        elab->env->now = &elab->now;
    }
    check_repeated_attrs(&reader);
    if (stmt->stride && !strstr(word.attrs, "stride")) fail(&reader, stmt->stride->place, "it has no stride");
    const char *name = stmt->name ? name_given(elab, frame, stmt->name) : NULL;
    if (stmt->name && frame->sequence) frame->sequence->next++; /* it has a position all the same */
    if (!stmt->name) name = name_default(elab, frame, layer_name_word(stmt->op, stmt->word));
    if (stmt->target) {
        in[nin++] = name_find(elab, frame, stmt->target);
        if (!in[1]) reader.ok = false;
    }
    LayerEntry *entry = NULL;
    if (elab->now && name && reader.ok) {
        entry = elab_claim(elab, stmt->op, name, stmt->place);
        if (!entry) reader.ok = false;
    }
    Layer layer = layer_default(stmt->op); /* read after an error too, which tells what else is wrong */
    read_layer(&reader, stmt->op, &layer);
    if (!entry || !reader.ok || !elab_build(elab, frame, entry, in, nin, &layer)) elab->now = NULL;
    if (elab->now) return;
    poison_name(elab, name);
    if (stmt->name && !name) poison_given(elab, frame->scope->prefix, stmt->name);
}

/* ---- input ---- */
static void read_per_channel(Reader *reader, const char *word, int channels, double *values) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return;
    const Arg *arg = attr->value;
    if (channels > 4) return fail(reader, attr->place, "a mean and a std are for 1 to 4 channels");
    if (arg->kind == ARG_DIMS || (arg->kind == ARG_LIST && arg->count != channels)) {
        diag_error(reader->elab->diag, arg->place,
                   "%s: one number, or a [list] of one per channel, of which there are %d", word, channels);
        reader->ok = false;
        return;
    }
    const Expr *item = arg->items;
    for (int c = 0; c < channels; c++, item = item->next) {
        if (!eval_real(item, reader->env, word, &values[c], reader->elab->diag)) reader->ok = false;
        if (item->next) continue;
        for (const double one = values[c++]; c < channels; c++) values[c] = one; /* one number for all */
        return;
    }
}

/* `mean pixel`, `mean channel`: a tensor of the weights file; MEAN_OF_NUMBERS where it is neither. */
static MeanKind read_mean_word(const Reader *reader) {
    const AttrUse *attr = find_attr(reader, "mean");
    const Expr *word = attr ? attr->value->items : NULL;
    if (!word || attr->value->kind != ARG_EXPR || word->kind != EXPR_NAME || env_find(reader->env, word->name))
        return MEAN_OF_NUMBERS;
    return strcmp(word->name, "pixel") == 0     ? MEAN_OF_PIXELS
           : strcmp(word->name, "channel") == 0 ? MEAN_OF_CHANNELS
                                                : MEAN_OF_NUMBERS;
}

void elab_mean_image(Elab *elab, MeanKind kind, bool may_be_missing, Place place) {
    const Shape s = elab->graph->input->shape;
    const int dim[3] = {s.c, s.h, s.w};
    Tensor *mean = graph_add_param(elab->graph, "input.mean", kind == MEAN_OF_PIXELS ? 3 : 1, dim, place);
    mean->integer[0] = may_be_missing;
    elab->graph->preprocess.mean_image = mean;
}

static void read_preprocess(Reader *reader, Shape shape, Preprocess *p) {
    const char *const orders[] = {"rgb", "bgr", "gray"};
    int said = 0;
    for (const AttrUse *attr = reader->stmt->attrs; attr; attr = attr->next)
        p->given |= strcmp(attr->word, "nhwc") != 0;
    p->order = shape.c == 1 ? ORDER_GRAY : ORDER_RGB;
    for (int i = 0; i < 3; i++) {
        const AttrUse *attr = find_attr(reader, orders[i]);
        if (!attr || !attr_flag(reader, orders[i], false)) continue;
        p->order = i == 0 ? ORDER_RGB : i == 1 ? ORDER_BGR : ORDER_GRAY;
        if (said++)
            fail(reader, attr->place, "one of rgb, bgr and gray");
        else if ((i == 2 ? 1 : 3) != shape.c)
            fail(reader, attr->place, i == 2 ? "gray has 1 channel" : "a colour picture has 3 channels");
    }
    if (read_mean_word(reader) == MEAN_OF_NUMBERS) read_per_channel(reader, "mean", shape.c, p->mean);
    read_per_channel(reader, "std", shape.c, p->std);
    const AttrUse *std = find_attr(reader, "std"), *range = find_attr(reader, "range");
    for (int c = 0; std && c < 4; c++)
        if (!check_positive(reader, std->place, "std", p->std[c])) break;
    p->range = 1;
    if (range) {
        p->range = read_real(reader, range->value, "range", 1);
        check_positive(reader, range->place, "range", p->range);
    }
    p->resize = attr_int(reader, "resize", 1, 0);
    attr_pair(reader, "crop", 1, &p->crop_h, &p->crop_w);
    if (!p->crop_h || !reader->ok) return;
    if (p->crop_h != shape.h || p->crop_w != shape.w) {
        diag_error(reader->elab->diag, find_attr(reader, "crop")->place, "a crop of %dx%d is not the input's %dx%d",
                   p->crop_h, p->crop_w, shape.h, shape.w);
        reader->ok = false;
    }
    if (p->resize && (p->resize < p->crop_h || p->resize < p->crop_w))
        fail(reader, find_attr(reader, "resize")->place, "pictures are resized to less than the crop");
}

void elab_input(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Reader reader = {elab, frame->env, stmt, "input", input_attrs, true};
    if (frame->use) return fail(&reader, stmt->place, "it belongs to the network, not to a block");
    if (elab->graph->input) return fail(&reader, stmt->place, "a second input");
    elab->has_input = true;
    check_repeated_attrs(&reader);
    const Expr *c = stmt->args->items, *h = c->next, *w = h->next;
    Shape shape = {read_int(&reader, c, "channels", 1, LIMIT_CHANNELS), read_int(&reader, h, "height", 1, LIMIT_SIZE),
                   read_int(&reader, w, "width", 1, LIMIT_SIZE)};
    if (reader.ok && shape_size(shape) > INT32_MAX) fail(&reader, stmt->place, "the input has more than 2^31 numbers");
    elab->graph->preprocess = (Preprocess){.range = 1, .std = {1, 1, 1, 1}};
    read_preprocess(&reader, shape, &elab->graph->preprocess);
    elab->graph->input = graph_add_value(elab->graph, "input", shape);
    elab->graph->input->channels_last = attr_flag(&reader, "nhwc", false);
    elab->mean_given = find_attr(&reader, "mean");
    const MeanKind mean = read_mean_word(&reader);
    if (reader.ok && mean != MEAN_OF_NUMBERS) elab_mean_image(elab, mean, false, elab->mean_given->place);
    elab->env->now = &elab->now;
    elab->input_failed = !reader.ok;
    if (reader.ok) elab->now = elab->graph->input;
}

bool elab_output_layout(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Reader reader = {elab, frame->env, stmt, "output", output_attrs, true};
    check_repeated_attrs(&reader);
    return attr_flag(&reader, "nhwc", false);
}
