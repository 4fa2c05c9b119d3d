/* rn_parallel: one task over a context's threads, on the application's pool or on OpenMP's. */
#include "rn.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#ifndef RN_STANDALONE
#ifndef _OPENMP
#error "threads.c is the built-in pool: compile it with -fopenmp"
#endif
#endif

void rn_parallel(rn_context *context, rn_task fn, void *arg) {
    const int parts = context->threads;
    if (parts <= 1) {
        fn(arg, 0, 1);
    } else if (context->parallel) {
        context->parallel(context->parallel_user, parts, fn, arg);
    } else {
#ifdef _OPENMP
        /* OpenMP may give fewer threads than asked (OMP_THREAD_LIMIT, a caller that is itself inside a parallel
         * region): the parts are dealt out over those there are, so that each part always runs, and the work of a part,
         * hence the result, does not depend on it. */
#pragma omp parallel num_threads(parts)
        {
            const int got = omp_get_num_threads();
            for (int part = omp_get_thread_num(); part < parts; part += got) fn(arg, part, parts);
        }
#else /* create refuses more than one thread, hence not silently */
        for (int part = 0; part < parts; part++) fn(arg, part, parts);
#endif
    }
}
