/* A loop over the operands: nothing is read before it is written, buffers that live at the same time do not overlap,
 * and everything lies inside its room.
 */
#include "check.h"

#include "algorithms.h"

static const char *words(const Operand *o) {
    return o->role == OPERAND_NONE ? "an operand" : role_name(o->role);
}

/* The arena's buffer of an operand, or -1. */
static int buffer_of(const Plan *plan, const Operand *o) {
    if (o->room == ROOM_VALUE) return plan->values[plan_value(plan, o->value)->root->id].buffer;
    return o->room == ROOM_TEMPORARY ? plan->value_buffers + o->temporary : -1;
}

static void check_place(const Plan *plan, const Step *s, const Operand *o) {
    const int64_t offset = plan_operand_offset(plan, o), size = (int64_t)rn_dtype_size(o->type);
    const int64_t packed = (int64_t)plan->recipe.packed_size;
    if (offset < 0 || offset % size) bug("%s: %s lies at %lld", s->name, words(o), (long long)offset);
    if (o->room == ROOM_WEIGHTS && (offset % CACHE_LINE || offset + o->bytes > packed))
        bug("%s: %s lies at %lld of %lld bytes of weights", s->name, words(o), (long long)offset, (long long)packed);
    if (o->room == ROOM_WEIGHTS && o->written) bug("%s writes weights", s->name);
    if ((o->room == ROOM_IMAGE && o->written) || (o->room == ROOM_RESULT && !o->written))
        bug("%s: %s is the caller's", s->name, words(o));
}

/* Of buffers that live at the same time, in the same region: a byte in common. */
static bool collide(const Buffer *a, const Buffer *b) {
    return b->last >= 0 && a->kept == b->kept && a->first <= b->last && b->first <= a->last &&
           a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static void check_buffers(const Plan *plan) {
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        const int64_t room = b->kept ? plan->kept_bytes : plan->arena_bytes;
        if (b->last < 0) continue;
        if (b->offset % CACHE_LINE || b->offset < 0 || b->offset + b->bytes > room)
            bug("buffer %d lies at %lld of %lld bytes", i, (long long)b->offset, (long long)room);
        for (int k = 0; k < i; k++)
            if (collide(b, &plan->buffers[k])) bug("buffers %d and %d lie at %lld", k, i, (long long)b->offset);
    }
}

void plan_check(const Plan *plan) {
    bool *written = arena_alloc(plan->arena, (size_t)plan->buffer_count + 1);
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        int results = 0;
        for (int k = 0; k < s->operand_count; k++) {
            const Operand *o = &s->operands[k];
            const int buffer = buffer_of(plan, o);
            results += o->role == OPERAND_Y;
            check_place(plan, s, o);
            if (buffer < 0) continue;
            const Buffer *b = &plan->buffers[buffer];
            if (i < b->first || i > b->last) bug("%s: %s is not alive", s->name, words(o));
            if (!o->written && !written[buffer]) bug("%s reads %s before it is written", s->name, words(o));
        }
        for (int k = 0; k < s->operand_count; k++) {
            const int buffer = buffer_of(plan, &s->operands[k]);
            if (buffer >= 0 && s->operands[k].written) written[buffer] = true;
        }
        if (step_is_call(s) && results != 1) bug("%s has %d results", s->name, results);
    }
    check_buffers(plan);
}
