/*
 * The threads of a program share the steps of an optimizer: here POSIX threads that wait for work.
 *
 *     optdsl compile LAMB --target library -o build
 *     cc -O2 -Ibuild examples/threads.c build/lamb.o -lm -lpthread -o build/threads
 *     build/threads 2
 *
 * With OpenMP, `for_each` is a loop below `#pragma omp parallel for schedule(dynamic)`.
 */
#include "lamb.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- a crew of threads */

typedef struct crew {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    void (*task)(void *data, int64_t k);
    void *data;
    int64_t next, count, left; /* tasks to be taken, and not yet done */
    int over;
} crew;

/* Takes tasks until there are none; the lock is held before and after. */
static void work(crew *c) {
    while (c->next < c->count) {
        int64_t k = c->next++;
        pthread_mutex_unlock(&c->lock);
        c->task(c->data, k);
        pthread_mutex_lock(&c->lock);
        if (--c->left == 0) pthread_cond_signal(&c->done);
    }
}

static void *helper(void *pool) {
    crew *c = pool;
    pthread_mutex_lock(&c->lock);
    while (!c->over) {
        work(c);
        if (!c->over) pthread_cond_wait(&c->wake, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* What the library asks of its caller. */
static void for_each(void *pool, int64_t count, void (*task)(void *, int64_t), void *data) {
    crew *c = pool;
    pthread_mutex_lock(&c->lock);
    c->task = task, c->data = data;
    c->next = 0, c->count = c->left = count;
    pthread_cond_broadcast(&c->wake);
    work(c);
    while (c->left > 0) pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* ------------------------------------------------------------------------ training */

enum { LARGE = 1000000, SMALL = 3 };

static lamb_tensor_f32 tensor(int64_t size) {
    float *numbers = calloc(4 * size, sizeof *numbers);
    if (numbers == NULL) exit(1);
    for (int64_t i = 0; i < size; i++) numbers[i] = 1 + (float)(i % 5);
    return (lamb_tensor_f32){.size = size, .theta = numbers, .g = numbers + size,
                             .m = numbers + 2 * size, .v = numbers + 3 * size};
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    crew c = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER,
              .done = PTHREAD_COND_INITIALIZER};
    pthread_t *helpers = calloc(threads > 0 ? threads : 1, sizeof *helpers);
    for (int i = 1; i < threads; i++) pthread_create(&helpers[i], NULL, helper, &c);

    lamb_hyper hyper = LAMB_DEFAULTS;
    lamb_run run;
    lamb_tensor_f32 tensors[2] = {tensor(LARGE), tensor(SMALL)};
    if (lamb_init_f32(&hyper, &run, tensors, 2) != 0) return 1;
    void *room = malloc(lamb_room_f32(tensors, 2));
    hyper.eta = 0.05;
    for (int step = 0; step < 20; step++) {
        for (int n = 0; n < 2; n++) /* the gradient of the half of theta squared */
            for (int64_t i = 0; i < tensors[n].size; i++)
                ((float *)tensors[n].g)[i] = tensors[n].theta[i];
        if (lamb_step_in_threads_f32(&hyper, &run, tensors, 2, room, for_each, &c) != 0) return 2;
    }
    for (int i = 0; i < 3; i++)
        printf("%.9g %.9g\n", (double)tensors[0].theta[i], (double)tensors[1].theta[i]);

    pthread_mutex_lock(&c.lock);
    c.over = 1;
    pthread_cond_broadcast(&c.wake);
    pthread_mutex_unlock(&c.lock);
    for (int i = 1; i < threads; i++) pthread_join(helpers[i], NULL);
    for (int n = 0; n < 2; n++) free(tensors[n].theta);
    free(helpers);
    free(room);
    return 0;
}
