/* The least that any tool must do: wait for a file of ONE directory to be closed after writing, end the command, start
 * it again. No checks, no settling, no tree, no guard. Usage: floor DIRECTORY COMMAND [ARG...] */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
    char events[65536];
    int inotify = inotify_init1(IN_CLOEXEC);
    if (count < 3 || inotify_add_watch(inotify, words[1], IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
        return 2;
    for (;;) {
        pid_t child = vfork();
        if (child == 0) {
            execv(words[2], words + 2);
            _exit(127);
        }
        if (read(inotify, events, sizeof events) <= 0)
            return 1;
        kill(child, SIGTERM);
        waitpid(child, 0, 0);
    }
}
