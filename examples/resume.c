/*
 * Two groups with step sizes of their own; what they keep is saved, and a run goes on from it.
 *
 *     optdsl compile LAMB --target library -o build
 *     cc -O2 -Ibuild examples/resume.c build/lamb.o -lm -o build/resume
 *     build/resume build/state
 *
 * A state is the run and the arrays that `init` writes; theta goes with it. Rules with numbers of
 * a tensor, such as NovoGrad, have them as fields of its record, which are saved like the arrays.
 */
#include "lamb.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 2, TENSORS = 2, SIZE = 1000 };

typedef struct group {
    lamb_hyper hyper;
    lamb_run run;
    lamb_tensor_f32 tensors[TENSORS];
} group;

/* ------------------------------------------------------------- saving and loading */

/* Writes or reads some bytes; returns whether it could. */
static int pass(FILE *file, void *bytes, size_t size, int writing) {
    return (writing ? fwrite(bytes, 1, size, file) : fread(bytes, 1, size, file)) == size;
}

/* Saves groups, or loads them into groups with arrays of the same sizes. They need no init. */
static int keep(FILE *file, group *groups, int writing) {
    char known[sizeof lamb_fingerprint];
    memcpy(known, lamb_fingerprint, sizeof known);
    if (!pass(file, known, sizeof known, writing)) return 0;
    if (memcmp(known, lamb_fingerprint, sizeof known) != 0) return 0; /* another library's */
    for (int n = 0; n < GROUPS; n++) {
        if (!pass(file, &groups[n].run, sizeof groups[n].run, writing)) return 0;
        for (int k = 0; k < TENSORS; k++) {
            const lamb_tensor_f32 *t = &groups[n].tensors[k];
            size_t size = (size_t)t->size * sizeof(float);
            if (!pass(file, t->theta, size, writing) || !pass(file, t->m, size, writing) ||
                !pass(file, t->v, size, writing))
                return 0;
        }
    }
    return 1;
}

/* ------------------------------------------------------------------------ training */

static void make(group *groups) {
    for (int n = 0; n < GROUPS; n++) {
        groups[n].hyper = (lamb_hyper)LAMB_DEFAULTS;
        groups[n].hyper.eta = n == 0 ? 0.05 : 0.01;
        for (int k = 0; k < TENSORS; k++) {
            float *numbers = calloc(4 * SIZE, sizeof *numbers);
            if (numbers == NULL) exit(1);
            for (int i = 0; i < SIZE; i++) numbers[i] = 1 + (float)((i + k) % 5);
            groups[n].tensors[k] =
                (lamb_tensor_f32){.size = SIZE, .theta = numbers, .g = numbers + SIZE,
                                  .m = numbers + 2 * SIZE, .v = numbers + 3 * SIZE};
        }
    }
}

static void train(group *groups, int steps) {
    for (int step = 0; step < steps; step++)
        for (int n = 0; n < GROUPS; n++) {
            group *own = &groups[n];
            for (int k = 0; k < TENSORS; k++) /* the gradient of the half of theta squared */
                memcpy((float *)own->tensors[k].g, own->tensors[k].theta, SIZE * sizeof(float));
            if (lamb_step_f32(&own->hyper, &own->run, own->tensors, TENSORS) != 0) exit(2);
        }
}

int main(int argc, char **argv) {
    static group whole[GROUPS], resumed[GROUPS];
    const char *name = argc > 1 ? argv[1] : "state";
    make(whole);
    for (int n = 0; n < GROUPS; n++)
        if (lamb_init_f32(&whole[n].hyper, &whole[n].run, whole[n].tensors, TENSORS) != 0) return 1;
    train(whole, 5);
    FILE *file = fopen(name, "wb");
    if (file == NULL || !keep(file, whole, 1) || fclose(file) != 0) return 3;
    train(whole, 5);

    make(resumed);
    file = fopen(name, "rb");
    if (file == NULL || !keep(file, resumed, 0)) return 4;
    fclose(file);
    train(resumed, 5);

    int same = 1;
    for (int n = 0; n < GROUPS; n++)
        for (int k = 0; k < TENSORS; k++) {
            float *one = whole[n].tensors[k].theta, *other = resumed[n].tensors[k].theta;
            same &= memcmp(one, other, SIZE * sizeof(float)) == 0;
            if (k == 0) printf("group %d: %.9g after 10 steps\n", n, (double)one[0]);
            free(one);
            free(other);
        }
    printf("%s\n", same ? "the run that went on is the same to the bit" : "they differ");
    return !same;
}
