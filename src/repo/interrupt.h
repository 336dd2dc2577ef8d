/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and SIGHUP while children work: told to a function on a thread of its own, so that what was begun can be undone. */
#pragma once

#include <pthread.h>
#include <signal.h>

#include "basic/error.h"

typedef struct Interrupt {
        int signal_fd, stop_fd;
        sigset_t before;
        pthread_t thread;
        void (*tell)(void *userdata, int signal);
        void *userdata;
} Interrupt;

/* From now until interrupt_end() the signals do not end the process, but tell() is called, once, on another thread. Threads must be made
 * after this and joined before interrupt_end(). */
int interrupt_begin(Interrupt *i, void (*tell)(void *userdata, int signal), void *userdata, Error *e);
void interrupt_end(Interrupt *i);

/* Sends the signal to the process group of every child of this process; process_run() gives each child one. */
void interrupt_children(int signal);
