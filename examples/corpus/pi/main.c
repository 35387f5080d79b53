// SIZE digits of pi by the spigot of Rabinowitz and Wagon, and SIZE x 10 greatest common
// divisors and modular powers: divisions and remainders, 32 and 64 bits, signed and unsigned.
#include "../checksum.h"

static void spigot(unsigned digits) {
  unsigned length = digits * 10 / 3 + 2, predigit = 0, nines = 0, printed = 0;
  uint32_t *remainders = malloc(length * sizeof(uint32_t));
  if (!remainders) exit(1);
  for (unsigned i = 0; i < length; i++) remainders[i] = 2;
  for (unsigned digit = 0; digit <= digits; digit++) {
    uint32_t carry = 0;
    for (unsigned i = length; i-- > 0;) {
      uint32_t value = 10 * remainders[i] + carry * (i + 1);
      remainders[i] = value % (2 * i + 1);
      carry = value / (2 * i + 1);
    }
    remainders[0] = carry % 10;
    carry /= 10;
    if (carry == 9) {
      nines++;
      continue;
    }
    if (digit) putchar((int)('0' + predigit + carry / 10)), printed++;
    for (; nines; nines--) putchar(carry == 10 ? '0' : '9'), printed++;
    predigit = carry % 10;
  }
  free(remainders);
  putchar('\n');
  mix(printed);
}

static uint64_t divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus) {
  uint64_t value = 1;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) value = value * base % modulus;
    base = base * base % modulus;
  }
  return value;
}

int main(int argc, char **argv) {
  unsigned size = size_argument(argc, argv);
  spigot(size);
  for (unsigned i = 0; i < 10 * size; i++) {
    uint64_t a = random_number(), b = random_number() >> 8;
    mix(divisor(a, b));
    mix(power(a % 4294967291, b, 4294967291));
    int32_t c = (int32_t)a, d = (int32_t)(b | 1);
    mix((uint32_t)((d == -1 ? 0 : c / d) ^ (d == -1 ? 0 : c % d)));
    mix((uint64_t)((int64_t)a / ((int64_t)b + 1)));
  }
  return print_checksum("pi");
}
