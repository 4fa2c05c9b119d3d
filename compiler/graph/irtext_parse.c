/* Text -> graph: the format of irtext.c, for tests of single passes and for reading dumps back.
 *
 * One statement a line; `#` starts a comment. A value's shape and a tensor's order may be checked by hand-written files
 * as much as they like: shapes may be left out, values and tensors may have any numbers, each before its use (a `home`
 * may come later). The first error ends the parse. Whatever the text, the result is a graph that graph_check() accepts,
 * or an error.
 */

#include "act.h"
#include "irtext_fields.h"
#include "irtext.h"
#include "verify.h"
#include "tensor.h"
#include "core/dtype.h"
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LIMIT = 1000000, INPUT_LIMIT = 1024 };

typedef struct LeftSide { /* "%9 128x28x28 name =": what is said of a node's value */
    int number;
    Shape shape; /* 0 where it is left out */
    rn_dtype type;
    bool all;
    const char *name;
} LeftSide;

typedef struct Home { /* `in %20[64]`, resolved at the end */
    Value *value;
    int number;
    Place place;
} Home;

typedef struct Parser {
    Arena *arena;
    const Source *source;
    Diag *diag;
    Graph *graph;
    const char *at, *end, *line_start;
    int line;
    const char *token; /* the start of what is being read, for places */
    Value **values;    /* by number in the text */
    int value_capacity;
    Tensor **tensors;
    int tensor_capacity;
    Home *homes;
    int home_count, home_capacity;
} Parser;

/* ---- words of a line ---- */

static Place here(const Parser *parser) {
    int length = parser->at > parser->token ? (int)(parser->at - parser->token) : 1;
    return (Place){parser->source, parser->line, (int)(parser->token - parser->line_start) + 1, length};
}

PRINTF_LIKE(2, 3) static bool fail(Parser *parser, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    diag_error(parser->diag, here(parser), "%s", text.s);
    text_free(&text);
    return false;
}

static void skip_spaces(Parser *parser) {
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\r')) parser->at++;
    if (parser->at < parser->end && *parser->at == '#')
        while (parser->at < parser->end && *parser->at != '\n') parser->at++;
    parser->token = parser->at;
}

static bool at_line_end(Parser *parser) {
    skip_spaces(parser);
    return parser->at == parser->end || *parser->at == '\n';
}

/* Reads `text` if it comes next; a word only where it ends there. */
static bool accept(Parser *parser, const char *text) {
    skip_spaces(parser);
    size_t n = strlen(text);
    if ((size_t)(parser->end - parser->at) < n || memcmp(parser->at, text, n)) return false;
    bool is_word = isalpha((unsigned char)*text);
    if (is_word && parser->at + n < parser->end && irtext_bare(parser->at[n])) return false;
    parser->at += n;
    return true;
}

static bool expect(Parser *parser, const char *text) {
    return accept(parser, text) || fail(parser, "expected '%s'", text);
}

static bool read_word(Parser *parser, const char **word) {
    skip_spaces(parser);
    const char *start = parser->at;
    while (parser->at < parser->end && irtext_bare(*parser->at)) parser->at++;
    if (parser->at == start) return fail(parser, "expected a word");
    *word = arena_strndup(parser->arena, start, (size_t)(parser->at - start));
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* One character of a quoted name, escapes undone; -1 after an error. */
static int read_quoted_char(Parser *parser) {
    unsigned char c = (unsigned char)*parser->at++;
    if (c != '\\') return c;
    if (parser->end - parser->at >= 1 && (*parser->at == '"' || *parser->at == '\\')) return *parser->at++;
    if (parser->end - parser->at >= 3 && *parser->at == 'x') {
        int high = hex_digit(parser->at[1]), low = hex_digit(parser->at[2]);
        parser->at += 3;
        if (high >= 0 && low >= 0 && high + low > 0) return high * 16 + low;
    }
    fail(parser, "unknown escape");
    return -1;
}

static bool read_name(Parser *parser, const char **name) {
    if (!accept(parser, "\"")) return read_word(parser, name);
    Text text = {0};
    bool good = true;
    while (good && parser->at < parser->end && *parser->at != '"' && *parser->at != '\n') {
        int c = read_quoted_char(parser);
        good = c >= 0 && (c > 0 || fail(parser, "a name with a zero byte"));
        if (good) text_write(&text, &(char){(char)c}, 1);
    }
    if (good && (parser->at == parser->end || *parser->at != '"')) good = fail(parser, "the name does not end");
    if (good) parser->at++;
    *name = arena_strndup(parser->arena, text.s ? text.s : "", text.size);
    text_free(&text);
    return good;
}

/* A decimal integer from `low` to `high`; no other character may stand before it. */
static bool read_digits(Parser *parser, int low, int high, int *number) {
    const char *start = parser->at;
    bool minus = start < parser->end && *start == '-';
    int64_t value = 0;
    parser->at += minus;
    const char *digits = parser->at;
    while (parser->at < parser->end && isdigit((unsigned char)*parser->at) && value <= INT_MAX)
        value = value * 10 + (*parser->at++ - '0');
    if (parser->at == digits) return fail(parser, "expected a number");
    if (minus) value = -value;
    if (value < low || value > high) return fail(parser, "a number from %d to %d must stand here", low, high);
    *number = (int)value;
    return true;
}

static bool read_integer(Parser *parser, int low, int *number) {
    skip_spaces(parser);
    return read_digits(parser, low, INT_MAX, number);
}

static bool read_real(Parser *parser, double *number) {
    skip_spaces(parser);
    char digits[64];
    size_t n = 0;
    while (n + 1 < sizeof digits && parser->at < parser->end && (irtext_bare(*parser->at) || *parser->at == '+'))
        digits[n++] = *parser->at++;
    digits[n] = 0;
    char *end;
    *number = strtod(digits, &end);
    if (n == 0 || *end || !isfinite(*number)) return fail(parser, "expected a finite real number");
    if (*number != 0 && (fabs(*number) < FLT_MIN || fabs(*number) > FLT_MAX))
        return fail(parser, "%s is beyond what a float holds", digits);
    return true;
}

static bool dims_go_on(const Parser *parser) {
    return parser->end - parser->at > 1 && *parser->at == 'x' &&
           (isdigit((unsigned char)parser->at[1]) || parser->at[1] == '-');
}

/* AxB... : `least` to `most` numbers from 1 joined by x */
static bool read_dims(Parser *parser, int least, int most, int *dims, int *count) {
    skip_spaces(parser);
    for (*count = 0; *count < most;) {
        if (!read_digits(parser, 1, INT_MAX, &dims[(*count)++])) return false;
        if (!dims_go_on(parser)) break;
        if (*count < most) parser->at++;
    }
    if (*count < least || dims_go_on(parser)) {
        if (least == most) return fail(parser, "expected %d numbers joined by x", least);
        return fail(parser, "expected %d to %d numbers joined by x", least, most);
    }
    return true;
}

/* What stands right behind dims where they are not of f32: x and the type, "xbf16". Without one `type` stays. */
static void read_type(Parser *parser, rn_dtype *type) {
    for (int t = 0; t < RN_DTYPE_COUNT; t++) {
        const char *word = rn_dtype_name((rn_dtype)t);
        const size_t n = strlen(word), left = (size_t)(parser->end - parser->at);
        if (left < n + 1 || *parser->at != 'x' || memcmp(parser->at + 1, word, n)) continue;
        if (left > n + 1 && irtext_bare(parser->at[n + 1])) continue;
        parser->at += n + 1;
        *type = (rn_dtype)t;
        return;
    }
}

/* 3 or 3x2: for both directions, or for rows and columns */
static bool read_pair(Parser *parser, int *a, int *b) {
    int dims[2], count;
    if (!read_dims(parser, 1, 2, dims, &count)) return false;
    *a = dims[0];
    *b = dims[count - 1];
    return true;
}

static bool read_reals(Parser *parser, double *items, int count) {
    for (int i = 0; i < count; i++)
        if ((i > 0 && !expect(parser, ",")) || !read_real(parser, &items[i])) return false;
    return true;
}

/* ---- references ---- */

static bool read_number(Parser *parser, const char *sigil, int *number) {
    return expect(parser, sigil) && read_digits(parser, 0, NUMBER_LIMIT, number);
}

static bool read_value(Parser *parser, Value **value) {
    int number;
    if (!read_number(parser, "%", &number)) return false;
    *value = number < parser->value_capacity ? parser->values[number] : NULL;
    return *value || fail(parser, "value %%%d is not made above", number);
}

static bool read_tensor(Parser *parser, Tensor **tensor) {
    int number;
    if (!read_number(parser, "@", &number)) return false;
    *tensor = number < parser->tensor_capacity ? parser->tensors[number] : NULL;
    return *tensor || fail(parser, "tensor @%d is not made above", number);
}

/* The slot of a new number in a table of pointers that grows. */
static void *grown(Parser *parser, void *table, int *capacity, int number) {
    if (number < *capacity) return table;
    int wanted = *capacity ? *capacity : 64;
    while (wanted <= number) wanted *= 2;
    void **fresh = arena_alloc(parser->arena, sizeof(void *) * (size_t)wanted);
    if (*capacity) memcpy(fresh, table, sizeof(void *) * (size_t)*capacity);
    *capacity = wanted;
    return fresh;
}

static bool define_value(Parser *parser, int number, Value *value) {
    parser->values = grown(parser, parser->values, &parser->value_capacity, number);
    if (parser->values[number]) return fail(parser, "value %%%d is made twice", number);
    parser->values[number] = value;
    return true;
}

/* ---- lines ---- */

static bool parse_input(Parser *parser) {
    int number, dims[3], count;
    rn_dtype type = RN_F32;
    const char *name;
    if (!read_number(parser, "%", &number) || !read_dims(parser, 3, 3, dims, &count)) return false;
    read_type(parser, &type);
    if (!read_name(parser, &name)) return false;
    if (parser->graph->input) return fail(parser, "a second input");
    parser->graph->input = graph_add_value(parser->graph, name, (Shape){dims[0], dims[1], dims[2]});
    parser->graph->input->type = type;
    parser->graph->input->channels_last = accept(parser, "nhwc");
    return define_value(parser, number, parser->graph->input);
}

static bool parse_preprocess(Parser *parser) {
    if (!parser->graph->input) return fail(parser, "preprocess before the input");
    Preprocess *preprocess = &parser->graph->preprocess;
    int channels = parser->graph->input->shape.c < 4 ? parser->graph->input->shape.c : 4;
    int order = 0;
    while (order < 3 && !accept(parser, irtext_orders[order])) order++;
    if (order == 3) return fail(parser, "expected rgb, bgr or gray");
    preprocess->given = true;
    preprocess->order = order;
    if (!expect(parser, "range") || !read_real(parser, &preprocess->range) || !expect(parser, "mean") ||
        !read_reals(parser, preprocess->mean, channels) || !expect(parser, "std") ||
        !read_reals(parser, preprocess->std, channels))
        return false;
    int crop[2], count;
    if (accept(parser, "resize") && !read_integer(parser, 1, &preprocess->resize)) return false;
    if (!accept(parser, "crop")) return true;
    if (!read_dims(parser, 2, 2, crop, &count)) return false;
    preprocess->crop_h = crop[0];
    preprocess->crop_w = crop[1];
    return true;
}

static bool parse_tensor_args(Parser *parser, Tensor **args, int nargs) {
    if (nargs == 0) return true;
    if (!expect(parser, "(")) return false;
    for (int i = 0; i < nargs; i++)
        if ((i > 0 && !expect(parser, ",")) || !read_tensor(parser, &args[i])) return false;
    return expect(parser, ")");
}

static bool parse_tensor(Parser *parser) {
    int number, dims[4], count, integers[2] = {0};
    rn_dtype type = RN_F32;
    const char *word, *name = NULL;
    Tensor *args[TENSOR_MAX_ARGS] = {NULL};
    double real = 0;
    if (!read_number(parser, "@", &number) || !expect(parser, "=")) return false;
    Place place = here(parser);
    if (!read_word(parser, &word)) return false;
    rn_recipe_op op = recipe_op_by_name(word);
    if (op == RN_RECIPE_OP_COUNT || recipe_op_arity(op) < 0) return fail(parser, "unknown expression '%s'", word);
    if (!parse_tensor_args(parser, args, recipe_op_arity(op)) || !read_dims(parser, 1, 4, dims, &count)) return false;
    read_type(parser, &type);
    if (accept(parser, "real") && !read_real(parser, &real)) return false;
    if (accept(parser, "integers") &&
        (!read_integer(parser, 0, &integers[0]) || !expect(parser, ",") || !read_integer(parser, 0, &integers[1])))
        return false;
    if (accept(parser, "name") && !read_name(parser, &name)) return false;
    Tensor *tensor;
    if (op == RN_PARAM)
        tensor = graph_add_param(parser->graph, name, count, dims, place);
    else
        tensor = graph_add_expr(parser->graph, op, name, count, dims, recipe_op_arity(op), args, real);
    tensor->type = type;
    tensor->real = real;
    tensor->place = place;
    tensor->integer[0] = integers[0], tensor->integer[1] = integers[1];
    parser->tensors = grown(parser, parser->tensors, &parser->tensor_capacity, number);
    if (parser->tensors[number]) return fail(parser, "tensor @%d is made twice", number);
    parser->tensors[number] = tensor;
    return true;
}

/* 7x7 /2 pad 3 dilate 2 ceil */
static bool parse_window(Parser *parser, Window *window) {
    int dims[2], count;
    if (!read_dims(parser, 2, 2, dims, &count)) return false;
    *window = (Window){.r = dims[0], .s = dims[1], .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    if (accept(parser, "/") && !read_pair(parser, &window->stride_h, &window->stride_w)) return false;
    if (accept(parser, "pad")) {
        int *const sides[4] = {&window->top, &window->left, &window->bottom, &window->right};
        if (!read_integer(parser, 0, sides[0])) return false;
        bool all = parser->end - parser->at > 1 && *parser->at == ',' && isdigit((unsigned char)parser->at[1]);
        parser->at += all; /* a comma before a space parts terms */
        for (int i = 1; i < 4; i++) {
            *sides[i] = *sides[0];
            if (all && ((i > 1 && !expect(parser, ",")) || !read_integer(parser, 0, sides[i]))) return false;
        }
    }
    if (accept(parser, "dilate") && !read_pair(parser, &window->dilate_h, &window->dilate_w)) return false;
    window->ceil = accept(parser, "ceil");
    return true;
}

static bool parse_inputs(Parser *parser, Op op, Value **in, Term *terms, int *nin) {
    if (!expect(parser, "(")) return false;
    for (*nin = 0; *nin == 0 || accept(parser, ",");) {
        if (*nin == op_info(op)->max_in) return fail(parser, "more than %d inputs", op_info(op)->max_in);
        if (!read_value(parser, &in[*nin])) return false;
        Term *term = &terms[*nin < NODE_MAX_TERMS ? *nin : 0];
        (*nin)++;
        if (!(op_info(op)->flags & OPF_TERMS)) continue;
        *term = (Term){.groups = 1};
        if (!expect(parser, "*") || !read_tensor(parser, &term->weight)) return false;
        if (op == OP_FC) continue;
        if (!parse_window(parser, &term->window)) return false;
        if (accept(parser, "groups") && !read_integer(parser, 1, &term->groups)) return false;
    }
    if (*nin < op_info(op)->min_in) return fail(parser, "fewer than %d inputs", op_info(op)->min_in);
    return expect(parser, ")");
}

static bool parse_list(Parser *parser, const char *word, IntList *list) {
    list->count = 0;
    do {
        if (list->count == INT_LIST_MOST) return fail(parser, "more than %d %s", INT_LIST_MOST, word);
        if (!read_integer(parser, 1, &list->item[list->count++])) return false;
    } while (accept(parser, ","));
    return true;
}

/* The activation of a .gate, which stands alone: "gate(%1, %2) relu". */
static bool parse_gated(Parser *parser, Attr *attr) {
    for (int i = ACT_NONE + 1; i < ACT_COUNT; i++)
        if (accept(parser, act_info((Act)i)->word)) {
            attr->act = (Act)i;
            return true;
        }
    return fail(parser, "expected an activation");
}

/* Those that are left out have their defaults; a list and an activation have none. */
static bool parse_attribute(Parser *parser, const OpAttr *use, Attr *attr) {
    const AttrInfo *info = use->info;
    const bool said = info->kind != ATTR_ACT && accept(parser, info->word);
    switch (info->kind) {
    case ATTR_FLAG:
        *attr_flag_of(info, attr) = said;
        return true;
    case ATTR_INT:
    case ATTR_NAT:
        return !said || read_integer(parser, INT_MIN, attr_int_of(info, attr));
    case ATTR_ACT:
        return parse_gated(parser, attr);
    case ATTR_INTS:
        if (!said) return fail(parser, "expected '%s'", info->word);
        return parse_list(parser, info->word, attr_ints_of(info, attr));
    default:
        return !said || read_real(parser, attr_real_of(info, attr));
    }
}

static bool parse_attributes(Parser *parser, Node *node) {
    Attr *attr = &node->attr;
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++)
        if (accept(parser, irtext_slots[i]) && !read_tensor(parser, &node->weight[i])) return false;
    if (op_info(node->op)->flags & OPF_WINDOW) {
        skip_spaces(parser);
        bool window = parser->at < parser->end && isdigit((unsigned char)*parser->at);
        if (window && !parse_window(parser, &attr->window)) return false;
    }
    const char *at = op_info(node->op)->attrs;
    OpAttr next;
    while (attr_next(&at, &next))
        if (attr_is_kept(node->op, next.info) && !parse_attribute(parser, &next, attr)) return false;
    return true;
}

/* A number that may be left out is a bound; it is infinite where nothing is said. */
static bool parse_act_numbers(Parser *parser, Act act, ActNumbers *numbers) {
    const ActInfo *info = act_info(act);
    Attr attr = {0};
    attr_set_defaults(info->op, &attr);
    for (int i = 0; i < 2 && info->attribute[i]; i++) {
        double *number = attr_real_of(attr_info(info->attribute[i]), &attr);
        if (accept(parser, info->attribute[i]) ? !read_real(parser, number) : !isinf(*number))
            return fail(parser, "expected '%s' and a number", info->attribute[i]);
    }
    *numbers = act_numbers(act, &attr);
    return true;
}

static bool parse_act(Parser *parser, Epilogue *epilogue, bool *found) {
    for (Act act = ACT_NONE + 1; act < ACT_COUNT; act++) {
        const ActInfo *info = act_info(act);
        if (!accept(parser, info->word)) continue;
        *found = true;
        epilogue->act = act;
        if (info->parameter == PARAMETER_NUMBER) return parse_act_numbers(parser, act, &epilogue->numbers);
        if (info->parameter == PARAMETER_PER_CHANNEL)
            return expect(parser, "weight") && read_tensor(parser, &epilogue->prelu);
        return true;
    }
    *found = false;
    return true;
}

static bool parse_pool(Parser *parser, Epilogue *epilogue) {
    if (accept(parser, "avgpool")) {
        if (!expect(parser, "global")) return false;
        epilogue->pool = POOL_GLOBAL_AVG;
    } else {
        if (!accept(parser, "maxpool")) return fail(parser, "expected an activation, maxpool or avgpool global");
        epilogue->pool = accept(parser, "global") ? POOL_GLOBAL_MAX : POOL_MAX;
        if (epilogue->pool == POOL_MAX && !parse_window(parser, &epilogue->pool_window)) return false;
    }
    const char *name;
    if (!accept(parser, "hides")) return true;
    if (!read_name(parser, &name)) return false;
    epilogue->unpooled_value = graph_add_value(parser->graph, name, (Shape){0, 0, 0});
    return true;
}

static bool parse_addend(Parser *parser, Epilogue *epilogue) {
    if (!read_value(parser, &epilogue->addend)) return false;
    if (accept(parser, "stride") && !read_integer(parser, 1, &epilogue->addend_stride)) return false;
    epilogue->addend_partial = accept(parser, "partial");
    epilogue->in_place = accept(parser, "in_place");
    return true;
}

/* + @bias + %addend -> activation -> pool, each at most once and in this order */
static bool parse_epilogue(Parser *parser, Epilogue *epilogue) {
    bool plus = accept(parser, "+");
    skip_spaces(parser);
    if (plus && parser->at < parser->end && *parser->at == '@') {
        if (!read_tensor(parser, &epilogue->bias)) return false;
        plus = accept(parser, "+");
    }
    if (plus && !parse_addend(parser, epilogue)) return false;
    if (!accept(parser, "->")) return true;
    bool act;
    if (!parse_act(parser, epilogue, &act)) return false;
    if (act && !accept(parser, "->")) return true;
    return parse_pool(parser, epilogue);
}

static bool read_op(Parser *parser, Op *op) {
    const char *word;
    if (!read_word(parser, &word)) return false;
    *op = op_by_word(word);
    if (*op == OP_COUNT) *op = op_by_word(arena_printf(parser->arena, ".%s", word));
    return *op != OP_COUNT || fail(parser, "unknown operation '%s'", word);
}

/* The word before the name of a value that is one for the batch; a value may also be called so. */
static bool accept_all(Parser *parser) {
    const char *start = parser->at;
    if (!accept(parser, "all")) return false;
    const char *end = parser->at;
    const bool is_name = accept(parser, "=") || (accept(parser, "in") && accept(parser, "%"));
    parser->at = is_name ? start : end;
    return !is_name;
}

/* %9 128x28x28 name in %20[64] = */
static bool parse_left_side(Parser *parser, LeftSide *left, Home *home) {
    int dims[3], count;
    if (!read_number(parser, "%", &left->number)) return false;
    skip_spaces(parser);
    const char *start = parser->at;
    while (parser->at < parser->end && (isdigit((unsigned char)*parser->at) || dims_go_on(parser))) parser->at++;
    read_type(parser, &left->type);
    bool given = parser->at > start && (parser->at == parser->end || !irtext_bare(*parser->at)) &&
                 memchr(start, 'x', (size_t)(parser->at - start)); /* a shape, not a name such as 10x or 3 */
    parser->at = start;
    if (given) {
        if (!read_dims(parser, 3, 3, dims, &count)) return false;
        left->shape = (Shape){dims[0], dims[1], dims[2]};
        read_type(parser, &left->type);
    }
    left->all = accept_all(parser);
    if (!read_name(parser, &left->name)) return false;
    home->number = -1;
    if (accept(parser, "in")) {
        home->place = here(parser);
        if (!read_number(parser, "%", &home->number) || !expect(parser, "[") ||
            !read_integer(parser, 0, &home->value->home_channel) || !expect(parser, "]"))
            return false;
    }
    return expect(parser, "=");
}

/* Of a transposed convolution, whose weights have a group's. */
static bool find_features(Parser *parser, Node *node) {
    const Tensor *weight = node->term[0].weight;
    const int64_t features = (int64_t)weight->dim[1] * node->term[0].groups;
    if (weight->ndim != 4 || features > INT_MAX) return fail(parser, "weights that are not C x K/groups x R x S");
    node->features = (int)features;
    return true;
}

/* What follows from the parts: features, the shapes; all that the ops' rules can find wrong. */
static bool finish_node(Parser *parser, Node *node, const LeftSide *left) {
    const Term *term = node->term;
    const Shape given = left->shape;
    if (term) node->features = term->weight->dim[0];
    if (node->op == OP_CONVTRANSPOSE && !find_features(parser, node)) return false;
    if (!op_info(node->op)->infer(node, parser->diag)) return false;
    const Shape shape = node->out->shape;
    const bool all = node->out->all;
    if (given.c && !shape_equal(given, shape)) {
        diag_error(parser->diag, node->place, "%s gives %dx%dx%d, not %dx%dx%d", op_info(node->op)->word, shape.c,
                   shape.h, shape.w, given.c, given.h, given.w);
        return false;
    }
    if (left->all ? !all : all && given.c) {
        diag_error(parser->diag, node->place, "the value is one for %s: %s", all ? "the batch" : "each image",
                   all ? "'all' must stand before its name" : "'all' is not of it");
        return false;
    }
    if (node->epilogue.unpooled_value) node->epilogue.unpooled_value->shape = node->epilogue.unpooled;
    return true;
}

static bool parse_node(Parser *parser) {
    Value *in[INPUT_LIMIT], scratch = {0};
    Term terms[NODE_MAX_TERMS];
    LeftSide left = {.type = RN_F32};
    Home home = {.value = &scratch};
    int nin;
    Op op;
    Place place = here(parser);
    if (!parse_left_side(parser, &left, &home) || !read_op(parser, &op) || !parse_inputs(parser, op, in, terms, &nin))
        return false;
    Node *node = graph_add_node(parser->graph, op, left.name, in, nin, place);
    for (int i = 0; node->term && i < nin; i++) node->term[i] = terms[i];
    node->out->type = left.type;
    if (home.number >= 0) {
        node->out->home_channel = scratch.home_channel;
        home.value = node->out;
        ARENA_PUSH(parser->arena, parser->homes, parser->home_count, parser->home_capacity, home);
    }
    if (!parse_attributes(parser, node)) return false;
    node->backward = accept(parser, "backward");
    if (accept(parser, "layer") && !read_name(parser, &node->name)) return false;
    return parse_epilogue(parser, &node->epilogue) && finish_node(parser, node, &left) &&
           define_value(parser, left.number, node->out);
}

/* ---- training: lines of a graph that has labels ---- */

static bool parse_labels(Parser *parser) {
    int number;
    if (parser->graph->training) return fail(parser, "labels a second time");
    if (!read_number(parser, "%", &number)) return false;
    Training *training = parser->graph->training = arena_alloc(parser->arena, sizeof *training);
    training->labels = graph_add_value(parser->graph, "labels", (Shape){4, 1, 1});
    training->loss = -1;
    return define_value(parser, number, training->labels);
}

/* A value that a line above lists as an output. */
static bool read_output(Parser *parser, int *output) {
    const Graph *graph = parser->graph;
    Value *value;
    if (!read_value(parser, &value)) return false;
    for (*output = 0; *output < graph->output_count; (*output)++)
        if (graph->outputs[*output] == value) return true;
    return fail(parser, "the value is no output listed above");
}

/* loss %9 */
static bool parse_loss(Parser *parser) {
    Training *training = parser->graph->training;
    if (training->loss >= 0) return fail(parser, "a second loss");
    return read_output(parser, &training->loss);
}

/* gradient @3 = %20[1] */
static bool parse_gradient(Parser *parser) {
    Training *training = parser->graph->training;
    Trained trained = {0};
    if (!read_tensor(parser, &trained.param) || !expect(parser, "=") || !read_output(parser, &trained.output))
        return false;
    if (accept(parser, "[") && (!read_integer(parser, 0, &trained.channel) || !expect(parser, "]"))) return false;
    ARENA_PUSH(parser->arena, training->trained, training->trained_count, training->trained_capacity, trained);
    return true;
}

/* running @5 @6 = %7 momentum 0.1 */
static bool parse_running(Parser *parser) {
    Training *training = parser->graph->training;
    Running running = {0};
    if (!read_tensor(parser, &running.mean) || !read_tensor(parser, &running.var) || !expect(parser, "=") ||
        !read_output(parser, &running.output) || !expect(parser, "momentum") || !read_real(parser, &running.momentum))
        return false;
    ARENA_PUSH(parser->arena, training->running, training->running_count, training->running_capacity, running);
    return true;
}

/* ---- the lines together ---- */

static bool parse_network(Parser *parser) {
    if (*parser->graph->name) return fail(parser, "a second network");
    return read_name(parser, &parser->graph->name);
}

static bool parse_output(Parser *parser) {
    Value *value;
    if (!read_value(parser, &value)) return false;
    graph_add_output(parser->graph, value);
    value->channels_last = accept(parser, "nhwc");
    return true;
}

static bool parse_mean(Parser *parser) {
    return read_tensor(parser, &parser->graph->preprocess.mean_image);
}

static bool parse_line(Parser *parser) {
    static const struct {
        const char *word;
        bool training;
        bool (*parse)(Parser *parser);
    } lines[] = {{"network", false, parse_network}, {"input", false, parse_input},
                 {"labels", false, parse_labels},   {"preprocess", false, parse_preprocess},
                 {"mean", false, parse_mean},       {"output", false, parse_output},
                 {"loss", true, parse_loss},        {"gradient", true, parse_gradient},
                 {"running", true, parse_running}};
    if (at_line_end(parser)) return true;
    if (*parser->at == '@') return parse_tensor(parser);
    if (*parser->at == '%') return parse_node(parser);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!accept(parser, lines[i].word)) continue;
        if (lines[i].training && !parser->graph->training)
            return fail(parser, "%s without labels above", lines[i].word);
        return lines[i].parse(parser);
    }
    return fail(parser, "expected network, input, preprocess, mean, output, a tensor (@) or a value (%%)");
}

static bool resolve_homes(Parser *parser) {
    for (int i = 0; i < parser->home_count; i++) {
        const Home *home = &parser->homes[i];
        Value *value = home->number < parser->value_capacity ? parser->values[home->number] : NULL;
        if (!value) {
            diag_error(parser->diag, home->place, "value %%%d is never made", home->number);
            return false;
        }
        home->value->home = value;
    }
    return true;
}

static bool parse_lines(Parser *parser) {
    while (parser->at < parser->end) {
        parser->line++;
        parser->line_start = parser->at;
        if (!parse_line(parser)) return false;
        if (!at_line_end(parser)) return fail(parser, "unexpected text");
        if (parser->at < parser->end) parser->at++;
    }
    return true;
}

Graph *irtext_parse(Arena *arena, const Source *source, Diag *diag) {
    Parser parser = {.arena = arena,
                     .source = source,
                     .diag = diag,
                     .graph = graph_new(arena, ""),
                     .at = source->text,
                     .end = source->text + source->size};
    parser.graph->source = source;
    if (!parse_lines(&parser) || !resolve_homes(&parser)) return NULL;
    if (!parser.graph->input) {
        diag_error(diag, (Place){.source = source}, "no input");
        return NULL;
    }
    Text problem = {0};
    Place place;
    bool right = graph_check(parser.graph, &problem, &place);
    if (!right) {
        if (!place.source) place = (Place){.source = source};
        diag_error(diag, place, "%s", problem.s);
    }
    text_free(&problem);
    return right ? parser.graph : NULL;
}
