#include "outline.h"

#include <string.h>

typedef struct Outline {
    Arena *arena;
    Map edges;  /* "holder from to" that are there */
    Map groups; /* address -> Item */
    struct LineIndex {
        const Source *source;
        const char **lines; /* where each begins */
        int count, capacity;
    } * indices; /* of the sources so far */
    int index_count, index_capacity;
} Outline;

static Item *add_item(Arena *arena, Item *holder, ItemKind kind, const char *label) {
    Item *item = arena_alloc(arena, sizeof *item);
    *item = (Item){.kind = kind, .label = label, .text = "", .holder = holder};
    if (!holder) return item;
    item->index = holder->count;
    item->depth = holder->depth + 1;
    ARENA_PUSH(arena, holder->items, holder->count, holder->capacity, item);
    return item;
}

static const struct LineIndex *index_lines(Outline *o, const Source *source) {
    for (int i = o->index_count; i-- > 0;)
        if (o->indices[i].source == source) return &o->indices[i];
    struct LineIndex index = {.source = source};
    const char *end = source->text + source->size;
    for (const char *at = source->text; at;) {
        ARENA_PUSH(o->arena, index.lines, index.count, index.capacity, at);
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    ARENA_PUSH(o->arena, o->indices, o->index_count, o->index_capacity, index);
    return &o->indices[o->index_count - 1];
}

/* The statement's text in its source, up to its end or its `as`. */
static const char *statement_text(Outline *o, Place place) {
    if (!place.source || place.line < 1) return "";
    const struct LineIndex *index = index_lines(o, place.source);
    if (place.line > index->count) return "";
    const char *at = index->lines[place.line - 1];
    if (place.source->text + place.source->size - at < place.column) return "";
    at += place.column - 1;
    size_t length = strcspn(at, "\r\n;#{}");
    for (size_t i = 0; i + 4 <= length; i++)
        if (!memcmp(at + i, " as ", 4)) length = i;
    while (length && at[length - 1] == ' ') length--;
    return arena_strndup(o->arena, at, length);
}

/* "conv1" of "layer1.0.conv1" in "layer1.0". */
static const char *name_below(const char *name, const Item *holder) {
    for (; holder && holder->group; holder = holder->holder) {
        const size_t n = strlen(holder->group->name);
        if (!strncmp(name, holder->group->name, n) && name[n] == '.') return name + n + 1;
    }
    return name;
}

/* The item of a group, made with those around it where it is the first time. */
static Item *find_group(Outline *o, Item *root, const Group *group) {
    if (!group) return root;
    Arena *arena = o->arena;
    const char *key = arena_printf(arena, "%p", (const void *)group);
    Item *known = map_get(&o->groups, key);
    if (known) return known;
    Item *holder = find_group(o, root, group->outer);
    Item *item = add_item(arena, holder, ITEM_GROUP, group->name);
    const Place *place = &group->place, *outer = group->outer ? &group->outer->place : place;
    const bool copy = group->outer && place->source == outer->source && place->line == outer->line &&
                      place->column == outer->column; /* of a stage, which says it */
    item->group = group;
    item->text = copy ? "" : statement_text(o, group->place);
    map_put(&o->groups, arena, key, item);
    add_item(arena, item, ITEM_FROM, "");
    return item;
}

static void add_edge(Outline *o, const Item *from, const Item *to) {
    Item *holder = from->holder;
    const char *key = arena_printf(o->arena, "%p %d %d", (void *)holder, from->index, to->index);
    if (map_get(&o->edges, key)) return;
    const ItemEdge edge = {from->index, to->index};
    map_put(&o->edges, o->arena, key, holder);
    ARENA_PUSH(o->arena, holder->edges, holder->edge_count, holder->edge_capacity, edge);
}

static const Item *to_item(const Item *group) {
    return group->items[group->count - 1];
}

static const Item *leave(Outline *o, const Item *item) {
    add_edge(o, item, to_item(item->holder));
    return item->holder;
}

static const Item *enter(Outline *o, const Item *item) {
    add_edge(o, item->holder->items[0], item);
    return item->holder;
}

/* An edge between two layers, in every holder that it crosses. */
static void connect(Outline *o, const Item *from, const Item *to) {
    while (from->depth > to->depth) from = leave(o, from);
    while (to->depth > from->depth) to = enter(o, to);
    while (from->holder != to->holder) from = leave(o, from), to = enter(o, to);
    add_edge(o, from, to);
}

static void close_groups(Arena *arena, Item *item) {
    for (int i = 0; i < item->count; i++)
        if (item->items[i]->kind == ITEM_GROUP) {
            close_groups(arena, item->items[i]);
            item->layers += item->items[i]->layers;
        } else if (item->items[i]->kind == ITEM_LAYER)
            item->layers++;
    if (item->group) add_item(arena, item, ITEM_TO, "");
}

Item *outline_make(const Graph *graph, Arena *arena) {
    Outline o = {.arena = arena};
    Item *root = add_item(arena, NULL, ITEM_GROUP, graph->name);
    Item **of_value = arena_alloc(arena, sizeof *of_value * (size_t)(graph->value_count + 1)), **of_output;
    Item *input = add_item(arena, root, ITEM_INPUT, graph->input->name ? graph->input->name : "input");
    input->value = graph->input;
    of_value[graph->input->id] = input;
    if (graph->training) {
        Item *labels = add_item(arena, root, ITEM_INPUT, graph->training->labels->name);
        labels->value = graph->training->labels;
        of_value[labels->value->id] = labels;
    }
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        Item *holder = find_group(&o, root, node->group);
        Item *item = add_item(arena, holder, ITEM_LAYER, name_below(node->name, holder));
        item->node = node;
        of_value[node->out->id] = item;
    }
    of_output = arena_alloc(arena, sizeof *of_output * (size_t)graph->output_count);
    for (int i = 0; i < graph->output_count; i++) {
        of_output[i] = add_item(arena, root, ITEM_OUTPUT, graph->outputs[i]->name);
        of_output[i]->value = graph->outputs[i];
    }
    close_groups(arena, root);
    for (int i = 0; i < graph->node_count; i++) {
        Value *reads[NODE_MAX_TERMS + 64], **all = reads;
        const Node *node = graph->nodes[i];
        if (node->nin + 1 > (int)(sizeof reads / sizeof *reads))
            all = arena_alloc(arena, sizeof *all * (size_t)(node->nin + 1));
        const int count = node_reads(node, all);
        for (int k = 0; k < count; k++) connect(&o, of_value[all[k]->id], of_value[node->out->id]);
    }
    for (int i = 0; i < graph->output_count; i++) connect(&o, of_value[graph->outputs[i]->id], of_output[i]);
    return root;
}
