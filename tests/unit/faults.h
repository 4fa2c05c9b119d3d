/* Calls of the system that fail, or end the process, at the nth: the unit tests are linked with --wrap (Makefile). */
#ifndef RN_TESTS_FAULTS_H
#define RN_TESTS_FAULTS_H

typedef enum Fault {
    FAULT_NONE,
    FAULT_IO,   /* EIO */
    FAULT_FULL, /* ENOSPC from then on; of a write, half of the bytes go through */
    FAULT_KILL  /* SIGKILL before the call; of a write, after half of the bytes */
} Fault;

/* From now on the nth call (from 1) of write, fsync, rename, mkstemp, ftruncate or unlink has this fault, in this
 * process and its children. FAULT_NONE: none has; calls are counted. Calls on terminals and pipes do not count. */
void faults_arm(Fault fault, int nth);
int faults_count(void); /* calls since */
/* What they were, in order, the same one after another once: m(kstemp), w(rite), f(sync), r(ename), t(runcate),
 * u(nlink). The first hundred. */
const char *faults_calls(void);

#endif
