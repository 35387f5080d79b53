// Floats that are not numbers: every arithmetic operator over NaNs with payloads, infinities, zeros of both signs,
// subnormals and numbers, SIZE hundred turns. Bits of NaNs stay in memory; what is printed does not depend on them,
// because native code may give other NaNs.
#include <math.h>
#include <string.h>

#include "../checksum.h"

#pragma STDC FP_CONTRACT OFF
#define VALUES 256

static double wide[VALUES];
static float narrow[VALUES];
// The signs of NaNs, as bits, for who compares memory.
static volatile double signs[VALUES];
static uint64_t nans;

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static void mix_wide(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  nans += value != value;
  mix(value != value ? 1 : bits);
}

// As WebAssembly has them: NaN if either is, and minus zero below zero.
static double least(double a, double b) {
#ifdef __wasm__
  return __builtin_wasm_min_f64(a, b);
#else
  if (a != a || b != b) return a + b;
  if (a == 0 && b == 0) return signbit(a) ? a : b;
  return a < b ? a : b;
#endif
}

static float most(float a, float b) {
#ifdef __wasm__
  return __builtin_wasm_max_f32(a, b);
#else
  if (a != a || b != b) return a + b;
  if (a == 0 && b == 0) return signbit(a) ? b : a;
  return a > b ? a : b;
#endif
}

static void fill(void) {
  static const uint64_t special[] = {
      0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xfff7ffffffffffff, 0x7ff0000000000000,
      0xfff0000000000000, 0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x800fffffffffffff,
      0x3ff0000000000000, 0xbff0000000000000, 0x7fefffffffffffff, 0x36a0000000000000, 0x47efffffffffffff};
  const size_t count = sizeof(special) / sizeof(special[0]);
  for (size_t i = 0; i < VALUES; i++) {
    uint64_t bits = i % 3 ? special[random_number() % count] : random_number();
    wide[i] = from_bits(bits);
    narrow[i] = (float)wide[i];
  }
}

static double combine(unsigned op, double a, double b) {
  switch (op % 12) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return __builtin_sqrt(a);
    case 5: return least(a, b);
    case 6: return __builtin_floor(a);
    case 7: return __builtin_trunc(b);
    case 8: return __builtin_rint(a);
    case 9: return b != b ? a : __builtin_copysign(a, b);
    case 10: return -a;
    default: return __builtin_fabs(b);
  }
}

static float combine_narrow(unsigned op, float a, float b) {
  switch (op % 6) {
    case 0: return a + b;
    case 1: return a * b;
    case 2: return a / b;
    case 3: return most(a, b);
    case 4: return __builtin_ceilf(a);
    default: return __builtin_sqrtf(b);
  }
}

int main(int argc, char **argv) {
  unsigned turns = 100 * size_argument(argc, argv);
  for (unsigned turn = 0; turn < turns; turn++) {
    if (turn % 16 == 0) fill();
    for (unsigned i = 0; i < VALUES; i++) {
      unsigned other = (i * 7 + turn) % VALUES;
      wide[i] = combine(i + turn, wide[i], wide[other]);
      narrow[i] = combine_narrow(i + turn, narrow[i], (float)wide[other]);
      signs[i] = __builtin_copysign(1, wide[i]);
      // Comparisons with a NaN are false.
      nans += !(wide[i] < wide[other]) && !(wide[i] >= wide[other]);
    }
    mix_wide(wide[turn % VALUES]);
    mix_wide((double)narrow[turn % VALUES]);
  }
  mix(nans);
  printf("%llu\n", (unsigned long long)nans);
  return print_checksum("nan");
}
