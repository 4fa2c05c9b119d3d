/* Runs $CC on emitted code and links it with librn, which lies where this rnc lies:
 *
 *     build/rnc   build/librn.a   build/include/rn/rn.h            in the source tree
 *     bin/rnc     lib/librn.a     include/rn/rn.h                  installed
 *
 * Programs and shared objects get librn.a, so that they run wherever they are taken; a shared object shows nothing of
 * its copy: net.map, beside net.c, says what it exports.
 */
#include "toolchain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RN_LINK_LIBS
#error "RN_LINK_LIBS is given by the Makefile: the libraries that librn.a needs"
#endif

extern char **environ;

typedef struct Command {
    Arena arena;
    char **words; /* NULL after the last */
    int count, capacity;
} Command;

static void command_add(Command *command, const char *word) {
    ARENA_PUSH(&command->arena, command->words, command->count, command->capacity,
               word ? arena_strdup(&command->arena, word) : NULL);
}

static void command_add_words(Command *command, const char *words) {
    for (const char *at = words + strspn(words, " \t"); *at; at += strspn(at, " \t")) {
        size_t n = strcspn(at, " \t");
        command_add(command, arena_strndup(&command->arena, at, n));
        at += n;
    }
}

int toolchain_run(char *const *argv, bool verbose) {
    pid_t child;
    int status;
    if (verbose) {
        for (int i = 0; argv[i]; i++) fprintf(stderr, "%s%s", i ? " " : "", argv[i]);
        fputc('\n', stderr);
    }
    fflush(NULL);
    errno = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
    if (errno) return 127;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *const librn_files[] = {
    [LIBRN_HEADER] = "rn.h", [LIBRN_ARCHIVE] = "librn.a", [LIBRN_MPI] = "librn_mpi.a"};

/* The first folder that has it, of some relative to rnc's own. */
static const char *find_folder(Arena *arena, enum LibrnFile which) {
    static const char *const lib_places[] = {".", "../lib", "../lib/x86_64-linux-gnu", "../lib64", NULL};
    static const char *const include_places[] = {"include/rn", "../include/rn", NULL};
    const char *const *places = which == LIBRN_HEADER ? include_places : lib_places;
    const char *file = librn_files[which];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return NULL;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (!slash) return NULL;
    *slash = 0;
    for (int i = 0; places[i]; i++) {
        const char *folder = arena_printf(arena, "%s/%s", self, places[i]);
        if (!access(arena_printf(arena, "%s/%s", folder, file), R_OK)) return folder;
    }
    return NULL;
}

const char *toolchain_librn(Arena *arena, enum LibrnFile file) {
    const char *folder = find_folder(arena, file);
    return folder ? arena_printf(arena, "%s/%s", folder, librn_files[file]) : NULL;
}

const char *toolchain_cc(void) {
    const char *cc = getenv("CC");
    return cc && cc[strspn(cc, " \t")] ? cc : "cc";
}

/* Whether $CC has a level of its own. */
static bool optimises(const Command *command) {
    for (int i = 1; i < command->count; i++)
        if (!strncmp(command->words[i], "-O", 2)) return true;
    return false;
}

bool toolchain_build(Build build, Links links, const char *c_file, const char *folder, const char *out, bool verbose,
                     Diag *diag) {
    Command command = {0};
    bool good = false;
    const bool librn = links != LINKS_NOTHING;
    const char *include = find_folder(&command.arena, LIBRN_HEADER);
    const char *lib = find_folder(&command.arena, LIBRN_ARCHIVE);
    if (librn && (!include || (!lib && build != BUILD_OBJECT))) {
        diag_error(diag, (Place){0}, "%s is not where rnc expects it: beside rnc, or in ../%s",
                   include ? "librn.a" : "rn.h", include ? "lib" : "include/rn");
        goto end;
    }
    command_add_words(&command, toolchain_cc());
    command_add_words(&command, optimises(&command) ? "-std=c11" : "-std=c11 -O2");
    if (build != BUILD_PROGRAM) command_add(&command, "-fPIC");
    command_add(&command, arena_printf(&command.arena, "-I%s", folder));
    if (librn) command_add(&command, arena_printf(&command.arena, "-I%s", include));
    command_add_words(&command, build == BUILD_OBJECT ? "-c -o" : build == BUILD_SHARED ? "-shared -o" : "-o");
    command_add(&command, out);
    command_add(&command, c_file);
    if (build == BUILD_SHARED) {
        command_add(&command, "-Xlinker"); /* which takes commas in a path as they are */
        command_add(&command,
                    arena_printf(&command.arena, "--version-script=%.*s.map", (int)strlen(c_file) - 2, c_file));
    }
    if (build != BUILD_OBJECT && !librn) {
        command_add(&command, "-lm");
    } else if (build != BUILD_OBJECT) {
        if (links == LINKS_LIBRN_AND_MPI) command_add(&command, arena_printf(&command.arena, "%s/librn_mpi.a", lib));
        command_add(&command, arena_printf(&command.arena, "%s/librn.a", lib));
        if (links == LINKS_LIBRN_AND_MPI) command_add(&command, "-lmpi");
        command_add_words(&command, "-Wl,--as-needed " RN_LINK_LIBS);
    }
    command_add(&command, NULL);
    int status = toolchain_run(command.words, verbose);
    good = !status;
    if (status == 127)
        diag_error(diag, (Place){0}, "no C compiler: '%s' cannot be run; set CC", command.words[0]);
    else if (status)
        diag_error(diag, (Place){0}, "the C compiler failed with status %d; -v shows its command", status);
end:
    arena_free(&command.arena);
    return good;
}

static void remove_folder(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

/* A process of its own removes a folder when this one ends without having done so: interrupted, killed. It knows by a
 * pipe that nobody writes to, whose end closes with this process. */
enum { MOST_FOLDERS = 8 }; /* at a time; beyond, an interrupt leaves one */
static struct Watch {
    const char *folder; /* NULL: free */
    int end;
    pid_t process, owner; /* process -1: it could not be started */
} watches[MOST_FOLDERS];

/* This process ends by itself, for want of memory perhaps: who waits for it finds no folder. */
static void remove_watched(void) {
    for (int i = 0; i < MOST_FOLDERS; i++)
        if (watches[i].folder && watches[i].owner == getpid()) temp_folder_remove(watches[i].folder);
}

static struct Watch *find_watch(const char *folder) {
    for (int i = 0; i < MOST_FOLDERS; i++)
        if (watches[i].folder == folder) return &watches[i];
    return NULL;
}

static void watch(const char *folder) {
    int ends[2];
    struct Watch *w = find_watch(NULL);
    static bool registered;
    if (!registered) registered = !atexit(remove_watched);
    if (!w) return;
    *w = (struct Watch){folder, -1, -1, getpid()};
    if (pipe(ends)) return;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC), fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    w->end = ends[1];
    w->process = fork();
    if (w->process == 0) {
        char byte;
        signal(SIGINT, SIG_IGN), signal(SIGTERM, SIG_IGN), signal(SIGHUP, SIG_IGN);
        if (ends[0] > 0) close_range(0, (unsigned)ends[0] - 1, 0); /* a reader of our output must not wait for this */
        close_range((unsigned)ends[0] + 1, ~0u, 0);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
        }
        remove_folder(folder);
        _exit(0);
    }
    close(ends[0]); /* the other end stays open as long as we live */
    if (w->process < 0) close(ends[1]);
}

static void end_watch(const char *folder) {
    struct Watch *w = find_watch(folder);
    if (!w) return;
    if (w->process > 0) close(w->end);
    while (w->process > 0 && waitpid(w->process, NULL, 0) < 0 && errno == EINTR) {
    }
    w->folder = NULL;
}

char *temp_folder_make(Arena *arena, const char *parent, Diag *diag) {
    const char *tmp = getenv("TMPDIR");
    if (!parent) parent = tmp && *tmp ? tmp : "/tmp";
    char *folder = arena_printf(arena, "%s/.rnc-XXXXXX", parent);
    if (mkdtemp(folder)) {
        watch(folder);
        return folder;
    }
    diag_error(diag, (Place){0}, "cannot write to the folder '%s': %s", parent, strerror(errno));
    return NULL;
}

void temp_folder_remove(const char *folder) {
    remove_folder(folder);
    end_watch(folder);
}
