// Alias-free SnakeBeta, fused: up x2, x + sin^2(a x) / b, down x2, over `rows` = batch x channels rows of length n.
//
// With F the 12-tap filter and e, o the even and odd samples of the doubled signal:
//   e[i] = 2 sum_j F[2j+1] x[i+2-j]     o[i] = 2 sum_j F[2j] x[i+3-j]      x replicated at both ends
//   z[i] =   sum_j F[2j+1] e[i+j-2] + F[2j] o[i+j-3]                       e, o replicated: e[0] before, o[n-1] after
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS = 12, HALF = 6, HALO = 16, EDGE = 4 };
static float F[TAPS];

void snake_filter(const float *taps) { memcpy(F, taps, sizeof F); }

static float *line(float *memory, int index, int n) { return memory + (size_t)index * (n + 2 * HALO) + HALO; }

static void replicate(float *v, int n, float before, float after) {
    for (int i = 1; i <= HALO; i++) v[-i] = before, v[n + i - 1] = after;
}

static void up(const float *x, float *e, float *o, int n) {
    for (int i = 0; i < n; i++) {
        float even = 0, odd = 0;
        for (int j = 0; j < HALF; j++) even += F[2 * j + 1] * x[i + 2 - j], odd += F[2 * j] * x[i + 3 - j];
        e[i] = 2 * even, o[i] = 2 * odd;
    }
}

void snake_forward(const float *x, float *z, const float *alpha, const float *beta, int rows, int channels, int n) {
#pragma omp parallel
    {
        float *memory = malloc(3 * (size_t)(n + 2 * HALO) * sizeof(float));
        float *in = line(memory, 0, n), *e = line(memory, 1, n), *o = line(memory, 2, n);
#pragma omp for schedule(static)
        for (int row = 0; row < rows; row++) {
            float a = expf(alpha[row % channels]), inverse = 1 / (expf(beta[row % channels]) + 1e-9f);
            memcpy(in, x + (size_t)row * n, n * sizeof(float));
            replicate(in, n, in[0], in[n - 1]);
            up(in, e, o, n);
            for (int i = 0; i < n; i++) { float s = sinf(a * e[i]); e[i] += inverse * s * s; }
            for (int i = 0; i < n; i++) { float s = sinf(a * o[i]); o[i] += inverse * s * s; }
            float before = e[0], after = o[n - 1];
            replicate(e, n, before, after);
            replicate(o, n, before, after);
            float *out = z + (size_t)row * n;
            for (int i = 0; i < n; i++) {
                float sum = 0;
                for (int j = 0; j < HALF; j++) sum += F[2 * j + 1] * e[i + j - 2] + F[2 * j] * o[i + j - 3];
                out[i] = sum;
            }
        }
        free(memory);
    }
}

// Gradients of x, and of alpha and beta per row (the caller sums them over the batch).
void snake_backward(const float *x, const float *gz, float *gx, float *galpha, float *gbeta, const float *alpha,
                    const float *beta, int rows, int channels, int n) {
#pragma omp parallel
    {
        float *memory = malloc(7 * (size_t)(n + 2 * HALO) * sizeof(float));
        float *in = line(memory, 0, n), *e = line(memory, 1, n), *o = line(memory, 2, n), *g = line(memory, 3, n);
        float *ge = line(memory, 4, n), *go = line(memory, 5, n), *gi = line(memory, 6, n);
#pragma omp for schedule(static)
        for (int row = 0; row < rows; row++) {
            float a = expf(alpha[row % channels]), b = expf(beta[row % channels]), inverse = 1 / (b + 1e-9f);
            memcpy(in, x + (size_t)row * n, n * sizeof(float));
            replicate(in, n, in[0], in[n - 1]);
            up(in, e, o, n);
            memcpy(g, gz + (size_t)row * n, n * sizeof(float));
            replicate(g, n, 0, 0);
            for (int i = -EDGE; i < n + EDGE; i++) {
                float even = 0, odd = 0;
                for (int j = 0; j < HALF; j++) even += F[2 * j + 1] * g[i + 2 - j], odd += F[2 * j] * g[i + 3 - j];
                ge[i] = even, go[i] = odd;
            }
            for (int i = 1; i <= EDGE; i++) ge[0] += ge[-i] + go[-i], go[n - 1] += ge[n + i - 1] + go[n + i - 1];
            float sum_a = 0, sum_b = 0, slope = a * inverse;
            for (int i = 0; i < n; i++) {
                float s = sinf(a * e[i]), twice = sinf(2 * a * e[i]);
                sum_a += ge[i] * e[i] * twice, sum_b += ge[i] * s * s, ge[i] *= 1 + slope * twice;
            }
            for (int i = 0; i < n; i++) {
                float s = sinf(a * o[i]), twice = sinf(2 * a * o[i]);
                sum_a += go[i] * o[i] * twice, sum_b += go[i] * s * s, go[i] *= 1 + slope * twice;
            }
            galpha[row] = slope * sum_a, gbeta[row] = -b * inverse * inverse * sum_b;
            replicate(ge, n, 0, 0);
            replicate(go, n, 0, 0);
            for (int i = -EDGE; i < n + EDGE; i++) {
                float sum = 0;
                for (int j = 0; j < HALF; j++) sum += F[2 * j + 1] * ge[i + j - 2] + F[2 * j] * go[i + j - 3];
                gi[i] = 2 * sum;
            }
            for (int i = 1; i <= EDGE; i++) gi[0] += gi[-i], gi[n - 1] += gi[n + i - 1];
            memcpy(gx + (size_t)row * n, gi, n * sizeof(float));
        }
        free(memory);
    }
}
