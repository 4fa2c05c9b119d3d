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

/* ---- nodes ---- */
Node *elab_add_node(Elab *elab, const Frame *frame, Op op, const char *name, Value *const *in, int nin, Place place) {
    if (elab->graph->node_count >= LIMIT_NODES) {
        if (!elab->gave_up) diag_error(elab->diag, place, "the network expands to more than %d layers", LIMIT_NODES);
        elab->gave_up = true;
        return NULL;
    }
    const Node *first = map_get(&elab->layers, name);
    if (first || strcmp(name, "input") == 0) {
        diag_error(elab->diag, place, "a second layer called '%s'", name);
        if (first) diag_note(elab->diag, first->place, "the first is here; `as NAME` names a layer otherwise");
        return NULL;
    }
    Node *node = graph_add_node(elab->graph, op, name, in, nin, place);
    if (frame->use) node->via = frame->use->place;
    node->group = frame->group;
    map_put(&elab->layers, elab->arena, name, node);
    return node;
}

bool elab_finish_node(Elab *elab, const Frame *frame, Node *node, bool bias) {
    (void)frame;
    const OpInfo *info = op_info(node->op);
    elab->now = NULL;
    if (!info->infer(node, elab->diag)) return false;
    ParamSpec spec[4];
    int count = info->params(node, bias, spec);
    for (int i = 0; i < count; i++) {
        const char *name = arena_printf(elab->arena, "%s.%s", node->name, spec[i].suffix);
        Tensor *tensor = graph_add_param(elab->graph, name, spec[i].ndim, spec[i].dim, node->place);
        if (!(info->flags & OPF_TERMS))
            node->weight[spec[i].slot] = tensor;
        else if (spec[i].slot == WEIGHT)
            node->term[0].weight = tensor;
        else
            node->epilogue.bias = tensor;
    }
    elab->now = node->out;
    return true;
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

static int attr_limit(const char *word) {
    int limit = 0;
    if (attr_kind(word, &limit) == ATTR_NONE) bug("attribute '%s' is not in attrs.def", word);
    return limit;
}

static int attr_int(Reader *reader, const char *word, int low, int otherwise) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return otherwise;
    int value = otherwise;
    if (attr->value->kind != ARG_EXPR)
        fail(reader, attr->value->place, "one number is needed here");
    else
        value = read_int(reader, attr->value->items, word, low, attr_limit(word));
    return value;
}

static double attr_real(Reader *reader, const char *word, double otherwise) {
    const AttrUse *attr = find_attr(reader, word);
    double value = otherwise;
    if (!attr) return value;
    if (attr->value->kind != ARG_EXPR)
        fail(reader, attr->value->place, "one number is needed here");
    else if (!eval_real(attr->value->items, reader->env, word, &value, reader->elab->diag))
        reader->ok = false;
    return value;
}

/* height and width: a number for both, or r x s */
static void attr_pair(Reader *reader, const char *word, int *h, int *w) {
    const AttrUse *attr = find_attr(reader, word);
    if (!attr) return;
    int values[2];
    int n = attr->value->kind == ARG_LIST ? 0 : read_ints(reader, attr->value, word, 1, attr_limit(word), values, 2);
    if (n == 0) return fail(reader, attr->value->place, "a number or a size like 2x1 is needed here");
    *h = values[0];
    *w = values[n - 1];
}

static bool said_positive(Reader *reader, const char *word, double value) {
    if (value > 0) return true;
    const AttrUse *attr = find_attr(reader, word);
    if (attr) diag_error(reader->elab->diag, attr->place, "%s: %s must be more than 0", reader->word, word);
    if (attr) reader->ok = false;
    return false;
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
    int n = read_ints(reader, attr->value, "pad", 0, attr_limit("pad"), v, attr->value->kind == ARG_LIST ? 4 : 2);
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
static const Arg *read_depthwise(Reader *reader, const Arg *args[2], Node *node) {
    const Value *now = reader->elab->now;
    bool said = args[0] && args[0]->kind == ARG_EXPR;
    if (!said && args[1]) fail_argument(reader, args[1], "one argument too many");
    node->term[0].groups = node->features = now ? now->shape.c : 1;
    if (said) node->features = read_features(reader, args[0], "output channels");
    return said ? args[1] : args[0];
}

static void read_conv(Reader *reader, Node *node, bool *bias) {
    const Arg *args[2];
    Term *term = &node->term[0];
    Window *window = &term->window;
    read_args(reader, 2, args);
    bool depthwise = reader->stmt->word;
    const Arg *kernel = depthwise ? read_depthwise(reader, args, node) : args[1];
    if (!depthwise) node->features = read_features(reader, args[0], "output channels");
    if (kernel)
        read_kernel(reader, kernel, window);
    else if (reader->ok)
        fail(reader, reader->stmt->place,
             depthwise ? "its kernel size is missing, as in `depthwise 3x3`"
                       : "its kernel size is missing, as in `conv 64, 3x3`");
    read_stride(reader, window);
    attr_pair(reader, "dilate", &window->dilate_h, &window->dilate_w);
    window->top = window->bottom = window->dilate_h * (window->r - 1) / 2;
    window->left = window->right = window->dilate_w * (window->s - 1) / 2;
    read_padding(reader, window);
    term->groups = attr_int(reader, "groups", 1, depthwise ? term->groups : 1);
    *bias = attr_flag(reader, "bias", false);
}

static void read_fc(Reader *reader, Node *node, bool *bias) {
    const Arg *args[2];
    read_args(reader, 1, args);
    node->features = read_features(reader, args[0], "outputs");
    *bias = attr_flag(reader, "bias", true);
}

static void read_pool(Reader *reader, Node *node) {
    const Arg *args[2];
    Window *window = &node->attr.window;
    read_args(reader, 1, args);
    node->attr.global = attr_flag(reader, "global", false);
    if (args[0] && node->attr.global) return fail(reader, args[0]->place, "either a kernel size or `global`, not both");
    if (!args[0] && !node->attr.global)
        return fail(reader, reader->stmt->place, "a kernel size like 3x3, or `global`, is missing");
    if (args[0]) read_kernel(reader, args[0], window);
    read_stride(reader, window);
    read_padding(reader, window);
    window->ceil = attr_flag(reader, "ceil", false);
    bool slides = reader->stmt->stride || find_attr(reader, "pad") || find_attr(reader, "ceil");
    if (node->attr.global && slides) fail(reader, reader->stmt->place, "`global` has no stride, pad or ceil");
    if (node->op == OP_AVGPOOL) node->attr.count_include_pad = attr_flag(reader, "count_include_pad", false);
}

/* A value that may stand first, without its word: `leakyrelu 0.1`, `upsample 2`. */
static const Arg *first_or_attr(Reader *reader, const char *word) {
    const Arg *args[2];
    read_args(reader, 1, args);
    const AttrUse *attr = find_attr(reader, word);
    if (attr && args[0]) fail(reader, attr->place, "this value is said twice");
    return args[0] ? args[0] : attr ? attr->value : NULL;
}

static double first_real(Reader *reader, const char *word, double otherwise) {
    const Arg *arg = first_or_attr(reader, word);
    double value = otherwise;
    if (arg && arg->kind != ARG_EXPR)
        fail(reader, arg->place, "one number is needed here");
    else if (arg && !eval_real(arg->items, reader->env, word, &value, reader->elab->diag))
        reader->ok = false;
    return value;
}

static void read_lrn(Reader *reader, Attr *attr) {
    attr->size = attr_int(reader, "size", 1, 5);
    attr->alpha = attr_real(reader, "alpha", 1e-4);
    attr->beta = attr_real(reader, "beta", 0.75);
    attr->k = attr_real(reader, "k", 1);
    said_positive(reader, "k", attr->k);
    if (attr->alpha < 0) fail(reader, find_attr(reader, "alpha")->place, "alpha must not be negative");
}

static void read_spp(Reader *reader, Attr *attr) {
    const Arg *levels = first_or_attr(reader, "levels");
    if (!levels || levels->kind != ARG_LIST)
        return fail(reader, levels ? levels->place : reader->stmt->place,
                    "its levels are missing, as in `spp [4, 2, 1]`");
    attr->nlevels = read_ints(reader, levels, "a level", 1, attr_limit("levels"), attr->levels, SPP_MAX_LEVELS);
}

static void read_pad(Reader *reader, Attr *attr) {
    const Arg *args[2];
    Window *window = &attr->window;
    read_args(reader, 1, args);
    if (args[0] && args[0]->kind == ARG_EXPR) {
        int all = read_int(reader, args[0]->items, "pad", 0, attr_limit("pad"));
        window->top = window->left = window->bottom = window->right = all;
    } else if (args[0]) {
        fail(reader, args[0]->place, "one number for all sides, or top, left, bottom, right each with its own");
    }
    window->top = attr_int(reader, "top", 0, window->top);
    window->left = attr_int(reader, "left", 0, window->left);
    window->bottom = attr_int(reader, "bottom", 0, window->bottom);
    window->right = attr_int(reader, "right", 0, window->right);
    attr->channels = attr_int(reader, "channels", 0, 0);
}

static void read_upsample(Reader *reader, Attr *attr) {
    const Arg *factor = first_or_attr(reader, "factor");
    if (!factor || factor->kind != ARG_EXPR)
        return fail(reader, factor ? factor->place : reader->stmt->place, "its factor is missing, as in `upsample 2`");
    attr->factor = read_int(reader, factor->items, "the factor", 1, attr_limit("factor"));
}

static void read_layer(Reader *reader, Node *node, bool *bias) {
    const Arg *args[2];
    Attr *attr = &node->attr;
    switch (node->op) {
    case OP_CONV:
        read_conv(reader, node, bias);
        break;
    case OP_FC:
        read_fc(reader, node, bias);
        break;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
        read_pool(reader, node);
        break;
    case OP_LRN:
        read_args(reader, 0, args), read_lrn(reader, attr);
        break;
    case OP_SPP:
        read_spp(reader, attr);
        break;
    case OP_PAD:
        read_pad(reader, attr);
        break;
    case OP_UPSAMPLE:
        read_upsample(reader, attr);
        break;
    case OP_LEAKYRELU:
        attr->slope = first_real(reader, "slope", 0.01);
        break;
    case OP_DROPOUT:
        attr->rate = first_real(reader, "rate", 0.5);
        if (reader->ok && !(attr->rate >= 0 && attr->rate < 1))
            fail(reader, reader->stmt->place, "a rate must be from 0 to below 1");
        break;
    case OP_BN:
        read_args(reader, 0, args);
        attr->eps = attr_real(reader, "eps", 1e-5);
        attr->momentum = attr_real(reader, "momentum", 0.1);
        said_positive(reader, "eps", attr->eps);
        break;
    case OP_ADD:
        attr->fill = reader->stmt->fill;
        break;
    default:
        read_args(reader, 0, args);
    }
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
    if (!stmt->name) name = name_default(elab, frame, layer_word(stmt->op));
    if (stmt->target) {
        in[nin++] = name_find(elab, frame, stmt->target);
        if (!in[1]) reader.ok = false;
    }
    Node scratch = {.op = stmt->op}; /* after an error: still read, to report what else is wrong */
    Term terms[1] = {{.window = {.r = 1, .s = 1, .dilate_h = 1, .dilate_w = 1}, .groups = 1}};
    scratch.term = terms;
    Node *node = &scratch;
    if (elab->now && name && reader.ok) {
        node = elab_add_node(elab, frame, stmt->op, name, in, nin, stmt->place);
        if (!node) reader.ok = false, node = &scratch;
    }
    bool bias = false;
    read_layer(&reader, node, &bias);
    elab->now = node != &scratch && reader.ok && elab_finish_node(elab, frame, node, bias) ? node->out : NULL;
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

static void read_preprocess(Reader *reader, Shape shape, Preprocess *p) {
    const char *const orders[] = {"rgb", "bgr", "gray"};
    int said = 0;
    p->given = reader->stmt->attrs != NULL;
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
    read_per_channel(reader, "mean", shape.c, p->mean);
    read_per_channel(reader, "std", shape.c, p->std);
    for (int c = 0; c < 4; c++)
        if (!said_positive(reader, "std", p->std[c])) break;
    p->range = attr_real(reader, "range", 1);
    said_positive(reader, "range", p->range);
    p->resize = attr_int(reader, "resize", 1, 0);
    attr_pair(reader, "crop", &p->crop_h, &p->crop_w);
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
    elab->env->now = &elab->now;
    elab->input_failed = !reader.ok;
    if (reader.ok) elab->now = elab->graph->input;
}
