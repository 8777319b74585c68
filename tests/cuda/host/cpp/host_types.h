// Vector types, and the two types of 16 bits: what is stored, and conversions that round to the
// nearest, ties to even.
#pragma once

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) longlong2 {
  long long x, y;
};

HOST_INLINE float2 make_float2(float x, float y) { return {x, y}; }
HOST_INLINE float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
HOST_INLINE double2 make_double2(double x, double y) { return {x, y}; }
HOST_INLINE int2 make_int2(int x, int y) { return {x, y}; }
HOST_INLINE int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
HOST_INLINE uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

HOST_INLINE float __int_as_float(int x) { return host::from_bits<float>(host::bits_of(x)); }
HOST_INLINE int __float_as_int(float x) { return host::from_bits<int>(host::bits_of(x)); }
HOST_INLINE float __uint_as_float(unsigned x) { return host::from_bits<float>(x); }
HOST_INLINE unsigned __float_as_uint(float x) { return unsigned(host::bits_of(x)); }
HOST_INLINE double __longlong_as_double(long long x) {
  return host::from_bits<double>(uint64_t(x));
}
HOST_INLINE long long __double_as_longlong(double x) { return (long long)host::bits_of(x); }

struct __half {
  uint16_t bits;
};
struct __nv_bfloat16 {
  uint16_t bits;
};

HOST_INLINE float __half2float(__half x) {
  const unsigned sign = (x.bits & 0x8000u) << 16, exponent = x.bits >> 10 & 31,
                 mantissa = x.bits & 1023;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | mantissa << 13);
  if (exponent) return __uint_as_float(sign | (exponent + 112) << 23 | mantissa << 13);
  const float size = float(mantissa) * 0x1p-24f;  // denormal, or zero
  return sign ? -size : size;
}

HOST_INLINE __half __float2half_rn(float x) {
  const unsigned all = __float_as_uint(x), sign = all >> 16 & 0x8000u, size = all & 0x7fffffffu;
  if (size > 0x7f800000u) return {0x7fff};  // NaN
  if (size >= 0x477ff000u) return {uint16_t(sign | 0x7c00u)};  // 65520 and more: infinity
  if (size < 0x38800000u) {  // below 2^-14: a denormal, counted in units of 2^-24
    return {uint16_t(sign | unsigned(nearbyintf(__uint_as_float(size) * 0x1p24f)))};
  }
  const unsigned moved = size - 0x38000000u, odd = moved >> 13 & 1;
  return {uint16_t(sign | (moved + 0xfffu + odd) >> 13)};
}
HOST_INLINE __half __float2half(float x) { return __float2half_rn(x); }

HOST_INLINE float __bfloat162float(__nv_bfloat16 x) { return __uint_as_float(unsigned(x.bits) << 16); }

HOST_INLINE __nv_bfloat16 __float2bfloat16_rn(float x) {
  const unsigned all = __float_as_uint(x);
  if ((all & 0x7fffffffu) > 0x7f800000u) return {0x7fff};  // NaN
  return {uint16_t((all + 0x7fffu + (all >> 16 & 1)) >> 16)};
}
HOST_INLINE __nv_bfloat16 __float2bfloat16(float x) { return __float2bfloat16_rn(x); }
