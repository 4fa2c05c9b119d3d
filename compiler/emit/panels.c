#include "panels.h"

static int min_int(int a, int b) {
    return a < b ? a : b;
}

int panels_segments(const Panels *panels, const Step *step, bool reads_addend, Segment segments[MAX_SEGMENTS]) {
    int count = 0;
    for (int p = 0; p < panels->count; p++) {
        const int k0 = p * panels->advance, channels = min_int(panels->advance, step->node->features - k0);
        Segment s = {p, p + 1, channels, round_up(channels, VECTOR), 0};
        if (reads_addend) {
            const int left = step->epilogue.addend->shape.c - k0;
            s.addend_channels = left < 0 ? 0 : min_int(left, channels);
        }
        Segment *last = count ? &segments[count - 1] : NULL;
        if (last && last->channels == s.channels && last->width == s.width &&
            last->addend_channels == s.addend_channels)
            last->end = p + 1;
        else if (count < MAX_SEGMENTS)
            segments[count++] = s;
        else
            bug("%s: more than %d kinds of panels", step->name, MAX_SEGMENTS);
    }
    return count;
}

void panels_call(const Segment *segments, int count, const char *const *calls, int depth, Text *text) {
    for (int i = 0; i < count; i++) {
        text_printf(text, "%*s%s", depth * 4, "", i ? "else " : "");
        if (i + 1 < count) text_printf(text, "if (panel < %d) ", segments[i].end);
        text_printf(text, "%s\n", calls[i]);
    }
}

const char *panel_name(Emit *e, const char *prefix, const Panels *panels, const Step *step, const Segment *segment) {
    const bool all_alike = step->node->features == panels->count * panels->advance &&
                           (!segment->addend_channels || segment->addend_channels == segment->channels);
    const char *add = segment->addend_channels && segment->addend_channels < segment->channels
                          ? arena_printf(e->arena, "_add%d", segment->addend_channels)
                          : "";
    return all_alike ? arena_printf(e->arena, "%s_panel", prefix)
                     : arena_printf(e->arena, "%s_panel%d%s", prefix, segment->channels, add);
}
