/* Networks built from bytes, with any number as any attribute: what the shape rules accept compiles. Mutated text is
 * mostly refused by its parser; here every byte says something. */
#include "graph/build.h"
#include "graph/verify.h"
#include "compile.h"

typedef struct Bytes {
    const uint8_t *at, *end;
} Bytes;

static int next_byte(Bytes *b) {
    return b->at < b->end ? *b->at++ : 0;
}

/* Mostly small; those at which plans change; those at which an int does. */
static int next_number(Bytes *b, int low) {
    static const int large[] = {31,    32,    33,    47,     48,      63,      64,       65,        96,    127,
                                128,   129,   192,   255,    256,     257,     300,      511,       512,   513,
                                768,   1000,  1024,  2048,   4095,    4096,    9999,     16384,     32767, 32768,
                                65535, 65536, 46341, 262144, 1048575, 1048576, 33554432, 2147483647};
    const int byte = next_byte(b);
    return byte < 200 ? low + byte % 20 : large[(byte - 200) % (int)(sizeof large / sizeof *large)];
}

static int next_small(Bytes *b, int low) { /* mostly `low` */
    const int byte = next_byte(b);
    return byte < 128 ? low : byte < 240 ? low + byte % 8 : next_number(b, low);
}

static void read_window(Bytes *b, Window *w, Shape in) {
    const int bits = next_byte(b);
    w->r = w->s = next_number(b, 1);
    if (bits & 1) w->s = next_number(b, 1);
    if (bits & 2 && bits & 1) w->r = in.h, w->s = in.w;
    w->stride_h = w->stride_w = next_small(b, 1);
    if (bits & 4) w->stride_w = next_small(b, 1);
    if (bits & 8) w->dilate_h = next_small(b, 1), w->dilate_w = next_small(b, 1);
    if (bits & 16) w->top = next_number(b, 0), w->left = next_number(b, 0), w->bottom = next_number(b, 0);
    w->right = w->top;
    if (bits & 32) w->top = w->left = w->bottom = w->right = (w->r - 1) / 2;
    w->ceil = bits & 64;
}

static void read_attributes(Bytes *b, Node *node) {
    Attr *a = &node->attr;
    const Shape in = node->in[0]->shape;
    const int bits = next_byte(b);
    for (int i = 0; node->term && i < node->nin; i++) {
        node->features = next_number(b, 1);
        if (node->op == OP_FC) continue;
        read_window(b, &node->term[i].window, in);
        node->term[i].window.ceil = false;
        node->term[i].groups = bits & 1 ? next_number(b, 1) : 1;
        if (bits & 2) node->term[i].groups = in.c;
        if (bits & 4) node->features = in.c;
        if (bits & 8) node->features = (int)(((int64_t)node->term[i].groups * next_number(b, 1)) & INT32_MAX);
    }
    if (op_info(node->op)->flags & OPF_WINDOW || node->op == OP_PAD) read_window(b, &a->window, in);
    a->global = op_info(node->op)->flags & OPF_WINDOW && bits & 1;
    if (node->op == OP_AVGPOOL) a->count_include_pad = bits & 2;
    if (node->op == OP_BN) a->eps = 1e-5, a->momentum = 0.1;
    if (op_info(node->op)->flags & OPF_ACTIVATION) a->slope = a->alpha = bits - 100, a->approximate = bits & 1;
    if (node->op == OP_CLIP && bits & 2) a->low = bits - 100.0;
    if (node->op == OP_CLIP && bits & 4) a->high = bits - 90.0;
    if (node->op == OP_LRN) a->size = next_number(b, 1), a->alpha = 0.1, a->beta = bits & 1 ? 0.75 : 0.6, a->k = 1;
    if (node->op == OP_SPP)
        for (a->levels.count = 0; a->levels.count < 1 + bits % INT_LIST_MOST;)
            a->levels.item[a->levels.count++] = next_small(b, 1 + bits % 5);
    if (node->op == OP_GROUPNORM) a->groups = next_small(b, 1);
    if (node->op == OP_RESIZE) {
        a->height = next_number(b, 1), a->width = next_number(b, 1);
        a->bilinear = bits & 1, a->align_corners = bits & 2, a->asymmetric = bits & 4;
    }
    if (node->op == OP_UPSAMPLE) a->factor = next_small(b, 2);
    if (node->op == OP_CONVTRANSPOSE) {
        node->term[0].window.dilate_h = node->term[0].window.dilate_w = 1;
        a->extra_rows = bits >> 4 & 3, a->extra_columns = bits >> 6;
    }
    if (node->op == OP_INTERLEAVE) {
        read_window(b, &a->window, in);
        a->channels = next_small(b, 1), a->height = next_number(b, 1), a->width = next_number(b, 1);
    }
    if (node->op == OP_SHUFFLE) a->groups = next_small(b, 1);
    if (node->op == OP_SLICE || node->op == OP_RESHAPE) {
        a->channels = bits & 1 ? in.c : next_number(b, 1);
        a->height = bits & 2 ? in.h : next_number(b, 1), a->width = bits & 4 ? in.w : next_number(b, 1);
        if (bits & 8) a->first = next_number(b, 0), a->window.top = next_small(b, 0), a->window.left = next_small(b, 0);
        if (node->op == OP_RESHAPE && bits & 16) a->channels = in.h, a->height = in.c;
    }
    if (node->op == OP_PHASES) {
        a->window.stride_h = next_small(b, 1), a->window.stride_w = next_small(b, 1);
        a->channels = bits & 1 ? in.c : next_small(b, 1);
    }
    if (node->op == OP_PAD) a->channels = bits & 3 ? next_small(b, 0) : 0;
    if (node->op == OP_PAD)
        a->reflect = (bits & 3) == 1, a->edge = (bits & 3) == 2, a->value = bits & 4 ? bits - 100 : 0;
    if (node->op == OP_SOFTMAX) a->pixels = bits & 1, a->log = bits & 2, a->branches = bits & 4 ? next_small(b, 1) : 1;
    if (node->op == OP_QUANTIZE) a->low = bits & 1 ? 0 : -128, a->high = bits & 1 ? 255 : 127;
    a->fill = node->op == OP_ADD && bits & 1;
}

/* A value that is there: the last, or any of the last eight. */
static Value *pick_value(Bytes *b, const Graph *graph) {
    const int byte = next_byte(b), count = graph->node_count + 1;
    const int back = byte < 160 ? 0 : byte % (count < 8 ? count : 8);
    return back == graph->node_count ? graph->input : graph->nodes[graph->node_count - 1 - back]->out;
}

static void add_layer(Bytes *b, Graph *graph, Diag *diag) {
    enum { MOST = 6 };
    Value *in[MOST];
    const int byte = next_byte(b);
    const Op op = byte >= 128 ? OP_CONV : (Op)(byte % OP_COUNT);
    int nin = op_info(op)->min_in;
    if (op == OP_CONCAT) nin = 1 + next_byte(b) % MOST;
    for (int i = 0; i < nin; i++) in[i] = pick_value(b, graph);
    Node *node =
        graph_add_node(graph, op, arena_printf(graph->arena, "layer%d", graph->value_count), in, nin, (Place){0});
    read_attributes(b, node);
    if (!op_info(op)->infer(node, diag)) return graph_remove_node(graph, node);
    build_params(graph, node, byte & 1);
    if (!(next_byte(b) % 16)) graph_add_output(graph, node->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Text messages = {0};
    Diag diag = {.capture = &messages};
    Bytes b = {bytes, bytes + size};
    Graph *graph = graph_new(&arena, "network");
    Shape shape = {next_number(&b, 1), next_number(&b, 1), next_number(&b, 1)};
    if ((double)shape.c * shape.h * shape.w > INT32_MAX) shape.c = 3, shape.h = 1 + shape.h % 100;
    if ((double)shape.c * shape.h * shape.w > INT32_MAX) shape.w = 1;
    graph->input = graph_add_value(graph, "input", shape);
    while (b.at < b.end && graph->node_count < FUZZ_MOST_NODES) add_layer(&b, graph, &diag);
    if (graph->node_count) {
        Value *last = graph->nodes[graph->node_count - 1]->out;
        if (!last->is_output) graph_add_output(graph, last);
        graph->input->channels_last = graph->node_count % 4 == 1;
        last->channels_last = graph->node_count % 4 == 2;
        CHECK(graph_check(graph, &messages, NULL));
        FuzzChoice choice = fuzz_choice(bytes, size);
        fuzz_compile(&arena, graph, &choice, &diag);
    }
    text_free(&messages);
    arena_free(&arena);
    return 0;
}
