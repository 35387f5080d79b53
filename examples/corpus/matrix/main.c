// Multiplies two SIZE x SIZE matrices of 64-bit floats, row by row and in blocks, and solves a linear system with them.
#include <math.h>
#include <string.h>

#include "../checksum.h"

#define BLOCK 32

static void multiply(const double *a, const double *b, double *c, unsigned n) {
  memset(c, 0, sizeof(double) * n * n);
  for (unsigned i = 0; i < n; i++)
    for (unsigned k = 0; k < n; k++) {
      double factor = a[i * n + k];
      for (unsigned j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
    }
}

static void multiply_in_blocks(const double *a, const double *b, double *c, unsigned n) {
  memset(c, 0, sizeof(double) * n * n);
  for (unsigned ii = 0; ii < n; ii += BLOCK)
    for (unsigned jj = 0; jj < n; jj += BLOCK)
      for (unsigned kk = 0; kk < n; kk += BLOCK)
        for (unsigned i = ii; i < ii + BLOCK && i < n; i++)
          for (unsigned j = jj; j < jj + BLOCK && j < n; j++) {
            double sum = c[i * n + j];
            for (unsigned k = kk; k < kk + BLOCK && k < n; k++) sum += a[i * n + k] * b[k * n + j];
            c[i * n + j] = sum;
          }
}

// Gaussian elimination with pivots, in place; x holds the right-hand side and then the solution.
static void solve(double *a, double *x, unsigned n) {
  for (unsigned column = 0; column < n; column++) {
    unsigned pivot = column;
    for (unsigned row = column + 1; row < n; row++)
      if (fabs(a[row * n + column]) > fabs(a[pivot * n + column])) pivot = row;
    for (unsigned j = 0; j < n; j++) {
      double swap = a[column * n + j];
      a[column * n + j] = a[pivot * n + j];
      a[pivot * n + j] = swap;
    }
    double swap = x[column];
    x[column] = x[pivot];
    x[pivot] = swap;
    for (unsigned row = column + 1; row < n; row++) {
      double factor = a[row * n + column] / a[column * n + column];
      for (unsigned j = column; j < n; j++) a[row * n + j] -= factor * a[column * n + j];
      x[row] -= factor * x[column];
    }
  }
  for (unsigned row = n; row-- > 0;) {
    for (unsigned j = row + 1; j < n; j++) x[row] -= a[row * n + j] * x[j];
    x[row] /= a[row * n + row];
  }
}

static void mix_floats(const double *values, size_t count) {
  for (size_t i = 0; i < count; i += 7) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof(bits));
    mix(bits);
  }
}

int main(int argc, char **argv) {
  unsigned n = size_argument(argc, argv);
  size_t count = (size_t)n * n;
  double *a = malloc(count * sizeof(double)), *b = malloc(count * sizeof(double)), *c = malloc(count * sizeof(double));
  double *x = malloc(n * sizeof(double));
  if (!a || !b || !c || !x) return 1;
  for (size_t i = 0; i < count; i++) {
    a[i] = (double)(random_number() % 2000) / 1000 - 1;
    b[i] = (double)(random_number() % 2000) / 1000 - 1;
  }
  multiply(a, b, c, n);
  mix_floats(c, count);
  multiply_in_blocks(a, b, c, n);
  mix_floats(c, count);
  for (unsigned i = 0; i < n; i++) x[i] = i;
  solve(a, x, n);
  mix_floats(x, n);
  return print_checksum("matrix");
}
