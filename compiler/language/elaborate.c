/* Tree to graph: blocks and repeats expanded, shortcuts chosen by shape, every layer named and its shape inferred.
 *
 *     stage 2 basic(64) /2     ->  layer1.0.conv1 (stride 2) ... layer1.0.downsample.0 ... layer1.0.add
 *                                  layer1.1.conv1 (stride 1) ... layer1.1.add
 *
 * Statements run in order over a current value (Elab.now), which each layer reads and replaces. After an error there is
 * none: what follows is still read, to report what else is wrong, but makes no nodes. A block that failed is not
 * expanded again, so an error in it is reported once, with the uses that led there. Expansion stops at stated limits.
 */
#include "elaborate.h"

#include <inttypes.h>
#include <string.h>

static void run_stmts(Elab *elab, const Frame *frame, const Stmt *stmts);

/* One more statement or turn; false where that is too many. */
static bool count_step(Elab *elab, Place place) {
    if (!elab->gave_up && ++elab->steps > LIMIT_STEPS) {
        diag_error(elab->diag, place, "the network expands to more than %d statements", LIMIT_STEPS);
        elab->gave_up = true;
    }
    return !elab->gave_up;
}

/* The scope of braces that `as` names; without it, the frame's own. */
static Frame named_frame(Elab *elab, const Frame *frame, const Name *name) {
    Frame inner = *frame;
    const char *given = name ? name_given(elab, frame, name) : NULL;
    if (!given) return inner;
    inner.scope = scope_new(elab, arena_printf(elab->arena, "%s.", given));
    inner.sequence = NULL;
    return inner;
}

/* ---- blocks ---- */
static const ParamDecl *find_param(const Decl *block, const Arg *arg, int position, Diag *diag) {
    const char *names[64], *near = NULL;
    int i = 0, known = 0;
    for (const ParamDecl *param = block->params; param; param = param->next, i++) {
        if (arg->name ? strcmp(arg->name, param->name) == 0 : i == position) return param;
        if (known < 64) names[known++] = param->name;
    }
    if (arg->name) near = diag_suggest(arg->name, names, known);
    if (arg->name)
        diag_error(diag, arg->place, "block '%s' has no parameter '%s'%s%s%s", block->name, arg->name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    else
        diag_error(diag, arg->place, "block '%s' takes %d argument%s, not more", block->name, i, i == 1 ? "" : "s");
    diag_note(diag, block->place, "it is defined here");
    return NULL;
}

/* The block's parameters from the use's arguments (evaluated where the use stands) and its defaults (in the block). */
static bool bind_params(Elab *elab, const Frame *frame, const Frame *inner, const Stmt *use, Env *env) {
    const Decl *block = inner->use->block;
    bool ok = true;
    int position = 0;
    for (const Arg *arg = use->args; arg; arg = arg->next, position++) {
        const ParamDecl *param = find_param(block, arg, position, elab->diag);
        Number value = eval_expr(arg->items, frame->env, elab->diag);
        if (!param || value.kind == NUMBER_ERROR) {
            ok = false;
            continue;
        }
        if (map_get(&env->names, param->name)) {
            diag_error(elab->diag, arg->place, "'%s' is given twice", param->name);
            ok = false;
        }
        env_put(env, elab->arena, param->name, value);
    }
    elab_explain(elab, frame);
    for (const ParamDecl *param = block->params; param && ok; param = param->next) {
        if (map_get(&env->names, param->name)) continue;
        if (!param->value) {
            diag_error(elab->diag, use->place, "block '%s' needs an argument for '%s'", block->name, param->name);
            diag_note(elab->diag, param->place, "the parameter is declared here");
            elab_explain(elab, frame);
            ok = false;
            continue;
        }
        Number value = eval_expr(param->value, env, elab->diag);
        ok = value.kind != NUMBER_ERROR;
        env_put(env, elab->arena, param->name, value);
        if (elab->diag->errors > elab->explained) map_put(&elab->failed, elab->arena, block->name, (void *)block);
        elab_explain(elab, inner);
    }
    return ok;
}

/* The block that a use means; after an error, told once, NULL. */
static const Decl *find_block(Elab *elab, const Stmt *use) {
    const Decl *block = map_get(&elab->ast->block_map, use->word);
    if (block) return block;
    elab->now = NULL;
    const char *key = arena_printf(elab->arena, "block %s", use->word);
    if (map_get(&elab->failed, key)) return NULL;
    map_put(&elab->failed, elab->arena, key, elab);
    Text message = {0};
    ast_unknown_word(elab->ast, use->word, "unknown layer or block", &message);
    diag_error(elab->diag, use->word_place, "%s", message.s);
    text_free(&message);
    return NULL;
}

static bool read_use_stride(Elab *elab, const Frame *frame, const Stmt *use, int64_t *stride) {
    *stride = 1;
    if (!use->stride) return true;
    if (use->stride->count == 1)
        return eval_int(use->stride->items, frame->env, "a stride", 1, LIMIT_STRIDE, stride, elab->diag);
    diag_error(elab->diag, use->stride->place, "a block's stride is one number");
    return false;
}

static const Group *add_group(Elab *elab, const Frame *frame, const char *name, size_t length, Place place) {
    Group *group = arena_alloc(elab->arena, sizeof *group);
    *group = (Group){arena_strndup(elab->arena, name, length), place, frame->group};
    return group;
}

/* One copy of a block, under `prefix`. */
static void run_block(Elab *elab, const Frame *frame, const Decl *block, const Stmt *stmt, const char *prefix,
                      int index, int64_t stride) {
    if (!count_step(elab, stmt->place)) return;
    if (map_get(&elab->failed, block->name)) {
        elab->now = NULL;
        return poison_body(elab, prefix, block->body);
    }
    if (frame->depth >= LIMIT_DEPTH) {
        diag_error(elab->diag, stmt->place, "blocks are used within blocks more than %d levels deep", LIMIT_DEPTH);
        diag_note(elab->diag, block->place, "block '%s' is defined here; does it use itself?", block->name);
        elab->gave_up = true;
        elab->explained = elab->diag->errors; /* the uses are all alike */
        return;
    }
    Env *env = arena_alloc(elab->arena, sizeof *env);
    env->now = elab->env->now;
    env->unknown = unknown_new(elab->arena);
    int before = elab->diag->errors;
    bool ok;
    Use use = {frame->use, stmt->place, block};
    const Group *group = add_group(elab, frame, prefix, strlen(prefix) - 1, stmt->place);
    Frame inner = {env, scope_new(elab, prefix), NULL, &use, group, frame->depth + 1};
    ok = bind_params(elab, frame, &inner, stmt, env);
    if (ok) {
        env_put(env, elab->arena, "stride", number_int(stride));
        env_put(env, elab->arena, "index", number_int(index));
        env_put(env, elab->arena, "first", number_bool(index == 0));
        int inside = elab->diag->errors;
        run_stmts(elab, &inner, block->body);
        if (elab->diag->errors > inside) map_put(&elab->failed, elab->arena, block->name, (void *)block);
    }
    if (!ok) poison_body(elab, prefix, block->body);
    if (!ok || elab->diag->errors > before) elab->now = NULL;
}

/* What a use of an unknown word was meant to make. */
static void poison_unknown(Elab *elab, const Frame *frame, const Stmt *stmt) {
    const char *near = ast_nearest(elab->ast, stmt->word), *word = near ? near : stmt->word;
    elab->now = NULL;
    if (stmt->name) return poison_given(elab, frame->scope->prefix, stmt->name);
    poison_prefix(elab, name_default(elab, frame, word));
    poison_prefix(elab, arena_printf(elab->arena, "%s%s", frame->scope->prefix, stmt->word));
}

static void run_use(Elab *elab, const Frame *frame, const Stmt *stmt) {
    const Decl *block = find_block(elab, stmt);
    int64_t stride;
    if (!block) return poison_unknown(elab, frame, stmt);
    const char *name = stmt->name ? name_given(elab, frame, stmt->name) : name_default(elab, frame, block->name);
    if (!name || !read_use_stride(elab, frame, stmt, &stride)) {
        elab->now = NULL;
        poison_body(elab, frame->scope->prefix, block->body);
        return name ? poison_prefix(elab, name) : poison_given(elab, frame->scope->prefix, stmt->name);
    }
    run_block(elab, frame, block, stmt, arena_printf(elab->arena, "%s.", name), 0, stride);
}

/* A frame in which `index` and `first` are the copy's, for what is written at the stage or repeat itself. */
static Env *turn_env(Elab *elab, const Frame *frame, int index) {
    Env *env = arena_alloc(elab->arena, sizeof *env);
    env->outer = frame->env;
    env_put(env, elab->arena, "index", number_int(index));
    env_put(env, elab->arena, "first", number_bool(index == 0));
    return env;
}

/* "NAME.i.", or the computed name alone. */
static const char *turn_prefix(Elab *elab, const Frame *frame, const Name *name, int index) {
    const char *given = name_given(elab, frame, name);
    if (!given) return NULL;
    return name_is_computed(name) ? arena_printf(elab->arena, "%s.", given)
                                  : arena_printf(elab->arena, "%s.%d.", given, index);
}

/* "layer1" of "layer1.0.", the prefix of its first copy. */
static size_t stage_name_length(const char *prefix) {
    const size_t whole = strlen(prefix) - 1;
    size_t length = whole;
    while (length && prefix[length - 1] != '.') length--;
    return length ? length - 1 : whole;
}

static void run_stage(Elab *elab, const Frame *frame, const Stmt *stmt) {
    const Decl *block = find_block(elab, stmt);
    int64_t count = 0, stride;
    const char *base = stmt->name ? NULL : name_numbered(elab, frame, "layer");
    const Group *group = NULL;
    int before = elab->diag->errors;
    bool ok = eval_int(stmt->expr, frame->env, "the number of copies", 0, LIMIT_NODES, &count, elab->diag);
    ok = read_use_stride(elab, frame, stmt, &stride) && ok && block;
    for (int i = 0; ok && i < count && elab->diag->errors == before && !elab->gave_up; i++) {
        Frame turn = *frame;
        turn.env = turn_env(elab, frame, i);
        const char *prefix =
            base ? arena_printf(elab->arena, "%s.%d.", base, i) : turn_prefix(elab, &turn, stmt->name, i);
        if (!prefix) {
            ok = false;
            continue;
        }
        if (!group) group = add_group(elab, frame, prefix, stage_name_length(prefix), stmt->place);
        turn.group = group;
        run_block(elab, &turn, block, stmt, prefix, i, i == 0 ? stride : 1);
        if (map_get(&elab->failed, block->name)) ok = false; /* the other copies would be poisoned alike */
    }
    if (ok && elab->diag->errors == before) return;
    elab->now = NULL;
    if (base)
        poison_prefix(elab, arena_printf(elab->arena, "%s.", base));
    else
        poison_given(elab, frame->scope->prefix, stmt->name);
}

/* ---- control ---- */
static void run_repeat(Elab *elab, const Frame *frame, const Stmt *stmt) {
    int64_t count = 0;
    int before = elab->diag->errors;
    bool ok = eval_int(stmt->expr, frame->env, "the number of turns", 0, LIMIT_NODES, &count, elab->diag);
    for (int i = 0; ok && i < count && elab->diag->errors == before && count_step(elab, stmt->place); i++) {
        Frame turn = *frame;
        turn.env = turn_env(elab, frame, i);
        const char *prefix = stmt->name ? turn_prefix(elab, &turn, stmt->name, i) : NULL;
        if (prefix) {
            turn.scope = scope_new(elab, prefix);
            turn.sequence = NULL;
        }
        run_stmts(elab, &turn, stmt->body);
    }
    if (ok && elab->diag->errors == before) return;
    elab->now = NULL;
    if (stmt->name) poison_given(elab, frame->scope->prefix, stmt->name);
    poison_body(elab, frame->scope->prefix, stmt->body);
}

static void run_if(Elab *elab, const Frame *frame, const Stmt *stmt) {
    for (;;) { /* along a chain of else-ifs */
        bool yes;
        if (!eval_bool(stmt->expr, frame->env, "a condition", &yes, elab->diag)) {
            elab->now = NULL;
            poison_body(elab, frame->scope->prefix, stmt->body);
            return poison_body(elab, frame->scope->prefix, stmt->other);
        }
        if (yes) return run_stmts(elab, frame, stmt->body);
        if (!stmt->other || !stmt->other->is_else_if) return run_stmts(elab, frame, stmt->other);
        stmt = stmt->other;
    }
}

/* ---- branches that meet again ---- */
/* One of `in` may be NULL: an error has left none. */
static void join(Elab *elab, const Frame *frame, Op op, Value *const *in, int nin, bool fill, Place place) {
    const char *name = name_default(elab, frame, op == OP_MUL ? "mul" : layer_word(op));
    bool ok = true;
    for (int i = 0; i < nin; i++) ok = ok && in[i];
    LayerEntry *entry = ok ? elab_claim(elab, op, name, place) : NULL;
    Layer layer = layer_default(op);
    layer.attr.fill = fill;
    if (!entry || !elab_build(elab, frame, entry, in, nin, &layer)) elab->now = NULL;
    if (!elab->now) poison_name(elab, name);
}

static void run_concat(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Value *from = elab->now, *in[LIMIT_BRANCHES];
    int count = 0;
    for (const struct Branch *branch = stmt->branches; branch; branch = branch->next) {
        if (count == LIMIT_BRANCHES) {
            diag_error(elab->diag, branch->place, "more than %d branches", LIMIT_BRANCHES);
            in[0] = NULL;
            break;
        }
        Frame inner = named_frame(elab, frame, branch->name);
        elab->now = from;
        run_stmts(elab, &inner, branch->body);
        in[count++] = elab->now;
    }
    if (count == 0) diag_error(elab->diag, stmt->place, "concat has no branches");
    if (count == 0) in[count++] = NULL;
    join(elab, frame, OP_CONCAT, in, count, false, stmt->place);
}

static void run_gate(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Frame inner = named_frame(elab, frame, stmt->name);
    Value *in[2] = {elab->now, NULL};
    run_stmts(elab, &inner, stmt->body);
    in[1] = elab->now;
    join(elab, &inner, OP_MUL, in, 2, false, stmt->place);
}

/* ---- residual ---- */
/* The stride that leads from `from` to `to` by taking every stride-th row and column; 0 where none does. The block's
 * own is tried first: small images have several. */
static int subsampling(const Frame *frame, Shape from, Shape to) {
    const Number *given = frame->env ? map_get(&frame->env->names, "stride") : NULL;
    int first = given && given->kind == NUMBER_INT ? (int)given->integer : 1;
    for (int s = first, tries = 0; tries <= LIMIT_STRIDE; s = ++tries)
        if (s > 0 && (from.h - 1) / s + 1 == to.h && (from.w - 1) / s + 1 == to.w) return s;
    return 0;
}

static void mismatch(Elab *elab, const Stmt *stmt, Shape body, Shape shortcut, const char *remedy) {
    diag_error(elab->diag, stmt->place, "residual: its body gives %dx%dx%d, its shortcut %dx%dx%d%s", body.c, body.h,
               body.w, shortcut.c, shortcut.h, shortcut.w, remedy);
    if (stmt->shortcut_place.line != stmt->place.line || stmt->shortcut_place.column != stmt->place.column)
        diag_note(elab->diag, stmt->shortcut_place, "the shortcut is here");
    elab->now = NULL;
}

/* Its own numbering: downsample.0, downsample.1 ... */
static Frame downsample_frame(Elab *elab, const Frame *frame, Sequence *sequence) {
    Frame inner = *frame;
    *sequence = (Sequence){arena_printf(elab->arena, "%s.", name_default(elab, frame, "downsample")), 0};
    inner.sequence = sequence;
    return inner;
}

/* A layer of a shortcut, under its default name. */
static Value *add_layer(Elab *elab, const Frame *frame, Op op, Value *in, const Layer *layer, Place place) {
    LayerEntry *entry = elab_claim(elab, op, name_default(elab, frame, layer_word(op)), place);
    return entry ? elab_build(elab, frame, entry, &in, 1, layer) : NULL;
}

/* Option B and C: a 1x1 convolution with the body's channels and stride, and a batch norm. */
static Value *project(Elab *elab, const Frame *frame, const Stmt *stmt, Value *from, Shape to) {
    int stride = subsampling(frame, from->shape, to);
    if (!stride) {
        mismatch(elab, stmt, to, from->shape, ", and no stride leads from one size to the other");
        return NULL;
    }
    Sequence sequence;
    Frame inner = downsample_frame(elab, frame, &sequence);
    Layer conv = layer_default(OP_CONV), bn = layer_default(OP_BN);
    conv.features = to.c;
    conv.window.stride_h = conv.window.stride_w = stride;
    Value *projected = add_layer(elab, &inner, OP_CONV, from, &conv, stmt->shortcut_place);
    return projected ? add_layer(elab, &inner, OP_BN, projected, &bn, stmt->shortcut_place) : NULL;
}

/* Option A: every stride-th row and column; the sum fills the missing channels with zeros. */
static Value *subsample(Elab *elab, const Frame *frame, const Stmt *stmt, Value *from, Shape to) {
    int stride = subsampling(frame, from->shape, to);
    if (!stride || to.c < from->shape.c) {
        mismatch(elab, stmt, to, from->shape,
                 stride ? ", which has more channels" : ", and no stride leads from one size to the other");
        return NULL;
    }
    if (stride == 1 || (from->shape.h == to.h && from->shape.w == to.w)) return from;
    Sequence sequence;
    Frame inner = downsample_frame(elab, frame, &sequence);
    Layer pool = layer_default(OP_MAXPOOL);
    pool.attr.window.stride_h = pool.attr.window.stride_w = stride;
    return add_layer(elab, &inner, OP_MAXPOOL, from, &pool, stmt->shortcut_place);
}

/* The sum, and perhaps the shortcut, cannot be made. */
static void poison_residual(Elab *elab, const Frame *frame) {
    elab->now = NULL;
    poison_prefix(elab, arena_printf(elab->arena, "%sadd", frame->scope->prefix));
    poison_prefix(elab, arena_printf(elab->arena, "%sdownsample", frame->scope->prefix));
}

static void run_residual(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Value *from = elab->now;
    run_stmts(elab, frame, stmt->body);
    Value *body = elab->now, *shortcut = from;
    bool has_body = stmt->shortcut == SHORTCUT_BODY || stmt->shortcut == SHORTCUT_BODY_ALWAYS;
    bool known = from && body, same = known && shape_equal(from->shape, body->shape);
    bool none = stmt->shortcut == SHORTCUT_IDENTITY_OR_NONE && known && !same;
    if (stmt->shortcut == SHORTCUT_NONE || none) return;
    bool always = stmt->shortcut == SHORTCUT_BODY_ALWAYS || stmt->shortcut == SHORTCUT_PROJECT_ALWAYS;
    bool fill = stmt->fill;
    if (has_body && (always || (known && !same))) {
        Sequence sequence;
        Frame inner = downsample_frame(elab, frame, &sequence);
        elab->now = from;
        run_stmts(elab, &inner, stmt->other);
        shortcut = elab->now;
    } else if (!known) {
        return poison_residual(elab, frame);
    } else if (stmt->shortcut == SHORTCUT_PAD && !same) {
        shortcut = subsample(elab, frame, stmt, from, body->shape);
        fill = true;
    } else if ((stmt->shortcut == SHORTCUT_PROJECT && !same && !fill) || (always && !has_body)) {
        shortcut = project(elab, frame, stmt, from, body->shape);
    }
    if (!shortcut || !body) return poison_residual(elab, frame);
    if (!fill && !shape_equal(body->shape, shortcut->shape)) {
        mismatch(elab, stmt, body->shape, shortcut->shape, "");
        return poison_residual(elab, frame);
    }
    Value *in[2] = {body, shortcut};
    join(elab, frame, OP_ADD, in, 2, fill && !shape_equal(body->shape, shortcut->shape), stmt->place);
}

/* ---- other layers' values ---- */
static void run_from(Elab *elab, const Frame *frame, const Stmt *stmt) {
    elab->now = name_find(elab, frame, stmt->target);
}

static void run_output(Elab *elab, const Frame *frame, const Stmt *stmt) {
    Value *value = stmt->target ? name_find(elab, frame, stmt->target) : elab->now;
    if (!value && !elab->has_input)
        diag_error(elab->diag, stmt->place, "there is no value yet; a network starts with `input C x H x W`");
    const bool channels_last = elab_output_layout(elab, frame, stmt);
    if (!value) return;
    value->channels_last |= channels_last;
    ARENA_PUSH(elab->arena, elab->extra, elab->extra_count, elab->extra_capacity, value);
}

/* ---- statements ---- */
static void run_stmts(Elab *elab, const Frame *frame, const Stmt *stmts) {
    static void (*const run[])(Elab *, const Frame *, const Stmt *) = {
        [STMT_LAYER] = elab_layer, [STMT_INPUT] = elab_input,      [STMT_USE] = run_use,
        [STMT_STAGE] = run_stage,  [STMT_RESIDUAL] = run_residual, [STMT_CONCAT] = run_concat,
        [STMT_GATE] = run_gate,    [STMT_REPEAT] = run_repeat,     [STMT_IF] = run_if,
        [STMT_FROM] = run_from,    [STMT_OUTPUT] = run_output,
    };
    for (const Stmt *stmt = stmts; stmt && count_step(elab, stmt->place); stmt = stmt->next) {
        run[stmt->kind](elab, frame, stmt);
        elab_explain(elab, frame);
    }
}

/* ---- the network ---- */
static void put_defines(Elab *elab, const Decl *network, const char *const *defines, int count, Env *env) {
    const char *names[64];
    int known = 0;
    for (const ParamDecl *param = network->params; param && known < 64; param = param->next)
        names[known++] = param->name;
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(defines[i], '=');
        const char *name =
            arena_strndup(elab->arena, defines[i], equals ? (size_t)(equals - defines[i]) : strlen(defines[i]));
        const ParamDecl *param = network->params;
        while (param && strcmp(param->name, name) != 0) param = param->next;
        Number value = equals ? number_parse(equals + 1) : (Number){.kind = NUMBER_ERROR};
        const char *near = param ? param->name : diag_suggest(name, names, known);
        if (near) env_put(env, elab->arena, near, value); /* a wrong one too: then it is not missing as well */
        if (!param) {
            diag_error(elab->diag, (Place){0}, "-D %s: network '%s' has no parameter '%s'%s%s%s", defines[i],
                       network->name, name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
            diag_note(elab->diag, network->place, "the network is here");
        } else if (value.kind == NUMBER_ERROR) {
            diag_error(elab->diag, (Place){0}, "-D %s: a number, true or false must follow the '='", defines[i]);
        }
    }
}

static void put_defaults(Elab *elab, const Decl *network, Env *env) {
    for (const ParamDecl *param = network->params; param; param = param->next) {
        if (map_get(&env->names, param->name)) continue;
        if (param->value) {
            env_put(env, elab->arena, param->name, eval_expr(param->value, env, elab->diag));
        } else {
            diag_error(elab->diag, param->place, "parameter '%s' has no value; give it one with -D %s=VALUE",
                       param->name, param->name);
            env_put(env, elab->arena, param->name, (Number){.kind = NUMBER_ERROR});
        }
    }
}

/* In the order of the statements that say so; the network's last value, where none does, comes last. */
static void add_outputs(Elab *elab) {
    for (int i = 0; i < elab->extra_count; i++)
        if (!elab->extra[i]->is_output) graph_add_output(elab->graph, elab->extra[i]);
    if (!elab->now->is_output) graph_add_output(elab->graph, elab->now);
}

Graph *elaborate(Arena *arena, const Ast *ast, const char *const *defines, int ndefines, Diag *diag) {
    int before = diag->errors;
    const Decl *network = ast->network;
    if (!network) {
        diag_error(diag, (Place){.source = ast->source},
                   ast->blocks ? "it holds blocks only, no network" : "it holds no network");
        return NULL;
    }
    Elab elab = {.arena = arena, .ast = ast, .diag = diag, .graph = graph_new(arena, network->name)};
    elab.graph->source = ast->source;
    Env env = {.unknown = unknown_new(arena)};
    elab.env = &env;
    elab.explained = before;
    put_defines(&elab, network, defines, ndefines, &env);
    put_defaults(&elab, network, &env);
    Frame frame = {.env = &env, .scope = scope_new(&elab, "")};
    if (diag->errors == before) run_stmts(&elab, &frame, network->body);
    if (diag->errors == before && !elab.graph->input)
        diag_error(diag, network->place, "the network has no input statement");
    if (diag->errors == before && elab.graph->node_count == 0)
        diag_error(diag, network->place, "the network has no layers");
    env.now = NULL; /* the train section has none at hand */
    if (ast->has_train) elab.graph->train = elab_train(&elab, &env, diag->errors == before);
    if (diag->errors > before) return NULL;
    add_outputs(&elab);
    return elab.graph;
}

Value *graph_find_layer(const Graph *graph, const char *name) {
    for (int i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i]->name, name) == 0) return graph->nodes[i]->out;
    return NULL;
}
