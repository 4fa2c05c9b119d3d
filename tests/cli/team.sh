#!/bin/bash
# runtime/mpi without MPI: its communication thread and its exchange, beside the thread that trains, with threads as ranks
# over a stand-in for the calls of MPI (mpi_threads.h). Under ThreadSanitizer, and in the sanitized half under the others.
. "$(dirname "$0")/../lib.sh"
cp "$ROOT/tests/cli/mpi_threads.h" "$WORK/mpi.h"
[ -n "$SANITIZED" ] && checks= || checks="-fsanitize=thread"
expect "built" 0 $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fopenmp-simd -O1 -g $checks -I. -I"$ROOT" -I"$ROOT/runtime" \
    -Wl,--wrap=clock_gettime -o team "$ROOT"/tests/cli/{team,mpi_threads}.c "$ROOT"/runtime/mpi/{team,exchange}.c \
    "$ROOT/runtime/core/status.c" -lpthread -lm || finish || exit 1
export TSAN_OPTIONS=report_thread_leaks=0 # joined threads are among those it reports now and then
team() { # team MODE
    timeout 300 setarch -R ./team "$1"
}
whole() { # whole NAME
    grep -q "Sanitizer\|runtime error" "$WORK/.err" && bad "$1" "$(head -c 900 "$WORK/.err")" || ok
}
for n in 1 2 3 4 7 8; do
    expect "$n ranks" 0 team $n
    prints "$n ranks" "$n ranks: 0 wrong, 0 left"
    whole "$n ranks"
done
expect "a silent rank" 1 team silent
says "a silent rank" "rank 0: error: step 5: nothing of rank 1 for 61 s; waited for: a sum; all ranks end" # a look a second
says "a silent rank" "MPI_Abort of rank 0: 1"
whole "a silent rank"
expect "an end" 7 team abort
says "an end" "MPI_Abort of rank 0: 7"
whole "an end"
expect "MPI of one thread" 1 team early
says "MPI of one thread" "this MPI was started for calls of one thread; MPI_THREAD_SERIALIZED is needed"
whole "MPI of one thread"
RN_MPI_TIMEOUT=soon expect "RN_MPI_TIMEOUT" 1 team 2
says "RN_MPI_TIMEOUT" "RN_MPI_TIMEOUT: 'soon' is not a number of seconds"
finish
