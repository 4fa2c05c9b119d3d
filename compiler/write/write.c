/* The source is written, read again, and compared with the graph layer by layer: what is not the same network never
 * leaves rnc. Where the language finds another shortcut or name than the one that was meant, it is spelled out, and the
 * source is written once more.
 */
#include "write.h"

#include <stdlib.h>
#include <string.h>

#include "graph/attrs.h"
#include "graph/ops.h"
#include "inner.h"

enum { MOST_TRIES = 10 };

typedef struct Attempt { /* one text, and what it says */
    Writer *w;
    const char *text;
    Graph *graph;
    Value **value; /* by value id of the graph that is written: the other's */
    bool again;    /* something is to be spelled out */
    const char *wrong;
    const Node *where;
} Attempt;

/* ---- comparing ---- */
static bool same_window(const Window *a, const Window *b) {
    return a->r == b->r && a->s == b->s && a->stride_h == b->stride_h && a->stride_w == b->stride_w &&
           a->dilate_h == b->dilate_h && a->dilate_w == b->dilate_w && a->top == b->top && a->left == b->left &&
           a->bottom == b->bottom && a->right == b->right && a->ceil == b->ceil;
}

static bool same_attrs(const Node *a, const Node *b) {
    const char *at = op_info(a->op)->attrs;
    Attr *x = (Attr *)(uintptr_t)&a->attr, *y = (Attr *)(uintptr_t)&b->attr; /* only read */
    OpAttr next;
    while (attr_next(&at, &next)) {
        const AttrInfo *info = next.info;
        if (!attr_is_kept(a->op, info)) continue;
        bool same = true;
        if (info->kind == ATTR_FLAG)
            same = *attr_flag_of(info, x) == *attr_flag_of(info, y);
        else if (info->kind == ATTR_INTS)
            same = !memcmp(attr_ints_of(info, x), attr_ints_of(info, y), sizeof(IntList));
        else if (info->kind == ATTR_INT || info->kind == ATTR_NAT)
            same = *attr_int_of(info, x) == *attr_int_of(info, y);
        else if (info->kind == ATTR_REAL || info->kind == ATTR_POSITIVE || info->kind == ATTR_FRACTION)
            same = *attr_real_of(info, x) == *attr_real_of(info, y);
        if (!same) return false;
    }
    return true;
}

static bool same_params(Node *a, Node *b) {
    ParamSpec spec[NODE_MAX_WEIGHTS];
    const int count = op_info(a->op)->params(a, true, spec);
    for (int i = 0; i < count; i++) {
        const Tensor *x = *node_weight(a, spec[i].slot), *y = *node_weight(b, spec[i].slot);
        if (!x != !y || (x && (x->ndim != y->ndim || memcmp(x->dim, y->dim, sizeof *x->dim * (size_t)x->ndim) != 0)))
            return false;
    }
    return true;
}

/* Sums, and products of values of one shape, may have their sides swapped. */
static bool same_inputs(const Attempt *t, const Node *a, const Node *b) {
    if (a->nin != b->nin) return false;
    bool same = true;
    for (int i = 0; i < a->nin; i++) same = same && t->value[a->in[i]->id] == b->in[i];
    const bool commutes = (a->op == OP_ADD || a->op == OP_MUL) && node_broadcast(a) == BROADCAST_EQUAL;
    return same || (commutes && t->value[a->in[0]->id] == b->in[1] && t->value[a->in[1]->id] == b->in[0]);
}

static const char *difference(const Attempt *t, Node *a, Node *b) {
    const bool fills = a->op == OP_ADD && a->attr.fill && !shape_equal(a->in[0]->shape, a->in[1]->shape);
    if (a->op != b->op) return "another operation";
    if (!same_inputs(t, a, b)) return "other inputs";
    if (!shape_equal(a->out->shape, b->out->shape)) return "another shape";
    if (a->term && (a->features != b->features || a->term[0].groups != b->term[0].groups ||
                    (a->op != OP_FC && !same_window(&a->term[0].window, &b->term[0].window))))
        return "another window";
    if ((op_info(a->op)->flags & OPF_WINDOW) && !a->attr.global && !same_window(&a->attr.window, &b->attr.window))
        return "another window";
    if (a->op == OP_ADD ? fills && !b->attr.fill : !same_attrs(a, b)) return "other attributes";
    return same_params(a, b) ? NULL : "other parameters";
}

/* The sum whose shortcut the layer is in, as far as the source has words for shortcuts. */
static const Node *sum_of(const Pieces *list, const Node *node, const Node *sum) {
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        if (piece->node == node && piece->kind == PIECE_LAYER) return sum;
        for (int k = 0; k < piece->part_count; k++) {
            const bool shortcut = piece->kind == PIECE_RESIDUAL && k == 1;
            const Node *found = sum_of(&piece->part[k], node, shortcut ? piece->node : sum);
            if (found) return found;
        }
    }
    return NULL;
}

/* Has the shortcut around the layer spelled out; false where that was done before. */
static bool spell_out(Attempt *t, const Node *node) {
    const Node *sum = node->op == OP_ADD ? node : sum_of(&t->w->network, node, NULL);
    if (!sum || t->w->spelled[sum->id]) return false;
    return t->w->spelled[sum->id] = t->again = true;
}

static void compare(Attempt *t) {
    const Writer *w = t->w;
    int at = 0;
    t->value = arena_alloc(w->arena, sizeof *t->value * (size_t)(w->graph->value_count + 1));
    t->value[w->graph->input->id] = t->graph->input;
    const Value *last = NULL;
    for (int i = 0; i < w->order_count; i++) {
        Node *node = (Node *)(uintptr_t)w->order[i];
        if (at == t->graph->node_count) {
            t->wrong = "no such layer", t->where = node ? node : w->graph->nodes[0];
            if (node) spell_out(t, node);
            return;
        }
        Node *other = t->graph->nodes[at++];
        if (!node) { /* an alias of the value before it */
            t->value[last->id] = other->out;
            continue;
        }
        t->wrong = difference(t, node, other);
        const char *name = w->keep ? w->wanted[node->id] : NULL;
        if (!t->wrong && name && strcmp(other->name, name) != 0) t->wrong = "another name";
        t->where = node;
        if (t->wrong) {
            spell_out(t, node);
            return;
        }
        t->value[node->out->id] = other->out;
        last = node->out;
    }
    if (at < t->graph->node_count) t->wrong = "too many layers", t->where = w->graph->nodes[0];
}

static void compare_ends(Attempt *t) {
    const Graph *a = t->w->graph, *b = t->graph;
    t->where = a->outputs[0]->producer;
    if (a->output_count != b->output_count) {
        t->wrong = "another number of outputs";
        return;
    }
    for (int i = 0; i < a->output_count; i++)
        if (t->value[a->outputs[i]->id] != b->outputs[i] ||
            a->outputs[i]->channels_last != b->outputs[i]->channels_last)
            t->wrong = "other outputs";
    if (a->input->channels_last != b->input->channels_last) t->wrong = "another input statement";
    const Preprocess *x = &a->preprocess, *y = &b->preprocess;
    if (!x->mean_image != !y->mean_image) t->wrong = "another input statement";
    if (x->given && (x->order != y->order || x->range != y->range || memcmp(x->mean, y->mean, sizeof x->mean) != 0 ||
                     memcmp(x->std, y->std, sizeof x->std) != 0 || x->resize != y->resize || x->crop_h != y->crop_h ||
                     x->crop_w != y->crop_w))
        t->wrong = "another input statement";
    if (!same_train(a->train, b->train)) t->wrong = "another train section";
}

/* ---- one attempt ---- */
static bool read_back(Attempt *t, Diag *diag) {
    Source *source = arena_alloc(t->w->arena, sizeof *source);
    *source = (Source){"<written>", t->text, strlen(t->text)};
    const Ast *ast = ast_parse_text(t->w->arena, source, diag);
    t->graph = ast ? elaborate(t->w->arena, ast, NULL, 0, diag) : NULL;
    return t->graph;
}

static const char *format(Writer *w, const Text *text) {
    const Source source = {"<written>", text->s, text->size};
    Text formatted = {0}, errors = {0};
    Diag diag = {.capture = &errors};
    if (!ast_format(&source, &formatted, &diag))
        bug("a source was written that cannot be read:\n%s%s", errors.s, text->s);
    const char *result = arena_strndup(w->arena, formatted.s, formatted.size);
    text_free(&formatted);
    return result;
}

/* A train section is by the names that the layers have got. */
static void write_once(Attempt *t, Diag *diag) {
    Writer *w = t->w;
    Text text = {0};
    tree_build(w);
    residuals_unify(w);
    blocks_find(w);
    blocks_resolve(w);
    print_source(w, &text);
    t->text = format(w, &text);
    if (w->graph->train && read_back(t, diag)) {
        print_train(w, t->graph, &text);
        t->text = format(w, &text);
    }
    text_free(&text);
}

/* Writes until what is read back is the graph. False where names cannot be kept: `message` says why. */
static bool write_until_right(Writer *w, Attempt *t, Text *message) {
    for (int i = 0; i < MOST_TRIES; i++) {
        *t = (Attempt){.w = w};
        Diag diag = {.capture = message};
        message->size = 0;
        write_once(t, &diag);
        if (diag.errors || !read_back(t, &diag)) return false;
        compare(t);
        if (!t->wrong) compare_ends(t);
        if (!t->wrong) return true;
        text_printf(message, "%s: %s", t->where->name, t->wrong);
        if (!t->again) break;
    }
    return false;
}

/* ---- the whole ---- */
static bool is_name_taken(const char *name) {
    static const char *const words[] = {"network",  "block",    "import",  "train",  "input", "stage",
                                        "residual", "shortcut", "project", "always", "none",  "fill",
                                        "concat",   "gate",     "repeat",  "if",     "else",  "as",
                                        "from",     "output",   "no",      "true",   "false", "x"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(name, words[i])) return true;
    return op_by_word(name) != OP_COUNT;
}

/* The name as letters, digits and `_`. */
static const char *network_name(Arena *arena, const char *name) {
    Text text = {0};
    if (!name || !*name) name = "network";
    if (*name >= '0' && *name <= '9') text_puts(&text, "_");
    for (; *name; name++) {
        const bool good =
            (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9');
        const char c = good ? *name : '_';
        text_write(&text, &c, 1);
    }
    if (is_name_taken(text.s)) text_puts(&text, "_");
    const char *result = arena_strndup(arena, text.s, text.size);
    text_free(&text);
    return result;
}

static bool check_sayable(const Writer *w, Diag *diag) {
    for (int i = 0; i < w->graph->node_count; i++) {
        const Node *node = w->graph->nodes[i];
        const char *why = w->live[node->out->id] ? layer_unsayable(node) : NULL;
        if (!why) continue;
        diag_error(diag, node->place, "'%s' (%s) cannot be said in a source: %s", node->name,
                   op_info(node->op)->word + (op_info(node->op)->word[0] == '.'), why);
        return false;
    }
    return true;
}

static int count_text_lines(const char *text) {
    int lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

static void finish(const Writer *w, const Attempt *t, WrittenSource *written) {
    *written = (WrittenSource){.text = t->text, .graph = t->graph};
    const Graph *graph = w->graph;
    written->origin = arena_alloc(w->arena, sizeof *written->origin * (size_t)(t->graph->tensor_count + 1));
    for (int i = 0, at = 0; i < w->order_count; i++, at++) {
        Node *node = (Node *)(uintptr_t)w->order[i], *other = t->graph->nodes[at];
        ParamSpec spec[NODE_MAX_WEIGHTS];
        const int count = node ? op_info(node->op)->params(node, true, spec) : 0;
        bool renamed = false;
        for (int k = 0; k < count; k++) {
            const Tensor *from = *node_weight(node, spec[k].slot), *to = *node_weight(other, spec[k].slot);
            if (!to) continue;
            written->origin[to->id] = from;
            renamed = renamed || from->op != RN_PARAM || strcmp(from->name, to->name) != 0;
        }
        written->renamed += renamed;
    }
    const Tensor *mean = t->graph->preprocess.mean_image;
    if (mean) written->origin[mean->id] = graph->preprocess.mean_image;
}

static Writer new_writer(const Graph *graph, const char *name, bool keep, Arena *arena) {
    Writer w = {.arena = arena, .graph = graph, .name = name, .keep = keep};
    tree_build(&w); /* what does not change from one attempt to the next */
    return w;
}

/* "conv: ..." of a message "<written>:3:5: error: conv: ..." and what follows it. */
static const char *first_error(Arena *arena, const char *message) {
    static const char mark[] = "error: ";
    const char *at = message ? strstr(message, mark) : NULL;
    at = at ? at + strlen(mark) : message ? message : "";
    return arena_strndup(arena, at, strcspn(at, "\n"));
}

/* Under its own names where `keep`, else by those that the language gives. False where names cannot be kept: at a layer
 * that `where` points to, for the reason `trouble`. */
static bool write_graph(const Graph *graph, const char *name, bool keep, Arena *arena, WrittenSource *written,
                        const Node **where, const char **trouble) {
    Writer w = new_writer(graph, name, keep, arena);
    Attempt t;
    Text message = {0};
    *where = NULL;
    *trouble = keep ? names_find(&w, where) : NULL;
    const bool good = !*trouble && write_until_right(&w, &t, &message);
    if (!good && !*trouble && !keep && t.wrong)
        bug("a source was written that is another network: %s\n%s", message.s, t.text);
    if (!good && !*trouble) *trouble = first_error(arena, message.s);
    text_free(&message);
    if (good) finish(&w, &t, written);
    return good;
}

/* What is written again is the same: names by default may show another structure than the graph did, once. */
static void settle(const char *name, Arena *arena, WrittenSource *written) {
    for (int i = 0; i < MOST_TRIES; i++) {
        WrittenSource next;
        const Node *where;
        const char *trouble;
        const Graph *said = graph_as_said(written->graph, arena);
        if (!write_graph(said, name, true, arena, &next, &where, &trouble)) return;
        const bool same = !strcmp(next.text, written->text);
        for (int k = 0; k < next.graph->tensor_count; k++)
            if (next.origin[k]) next.origin[k] = written->origin[next.origin[k]->id];
        next.renamed = written->renamed;
        *written = next;
        if (same) return;
    }
}

bool source_write(const Graph *graph, const char *name, bool rename, Arena *arena, WrittenSource *written, Diag *diag) {
    Writer w = new_writer(graph, name, true, arena);
    WrittenSource other;
    const Node *where, *nowhere;
    const char *trouble, *none;
    if (!check_sayable(&w, diag)) return false;
    int left_out = 0;
    for (int i = 0; i < graph->node_count; i++) left_out += !w.live[graph->nodes[i]->out->id];
    graph = graph_as_said(graph, arena);
    name = network_name(arena, name);
    const bool kept = write_graph(graph, name, true, arena, written, &where, &trouble);
    if (!kept && !rename) {
        diag_error(
            diag, where ? where->place : (Place){0},
            "'%s' cannot keep its name in a source: %s; with weights, by --weights FILE, they are written beside "
            "it under new names",
            where ? where->name : graph->name, trouble);
        return false;
    }
    if (kept) settle(name, arena, written);
    if (rename && write_graph(graph, name, false, arena, &other, &nowhere, &none)) {
        settle(name, arena, &other);
        if (!kept || count_text_lines(written->text) > 2 * count_text_lines(other.text)) *written = other;
    } else if (!kept) {
        diag_error(diag, (Place){0}, "'%s' cannot be said in a source: %s", graph->name, none);
        return false;
    }
    written->left_out = left_out;
    return true;
}

TensorData source_weights(const WrittenSource *written, const TensorData *from) {
    TensorData data = {calloc((size_t)written->graph->tensor_count + 1, sizeof *data.data),
                       written->graph->tensor_count};
    if (!data.data) out_of_memory();
    for (int i = 0; i < data.count; i++)
        if (written->origin[i]) data.data[i] = from->data[written->origin[i]->id];
    return data;
}
