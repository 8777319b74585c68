/*
rotary: pairs of columns of each head turned by an angle that grows with the row's position.

  x          (rows, heads · width) T, rows `stride` elements apart
  positions  (rows,) I, int or long long
  out        (rows, heads · width) T

Of each head the first `part` columns are turned, in pairs of neighbours if INTERLEAVED, else of
columns part / 2 apart; the others are copied. A thread takes one pair of a row, or one column to
copy, in all heads: their angle is the same. x is read once and out written once, the least
possible. Deterministic.
*/
#include "items.cuh"

typedef Accumulator<T>::type A;

// Sine and cosine of position · base^(-2 pair / part). The frequency and the angle are rounded to
// float as kernels/rotary.py has them; the angle is brought into one turn in double.
struct Turn {
  float sin, cos;

  __device__ __forceinline__ Turn(I position, index_t pair, index_t part, double log_base) {
    const float exponent = float(2 * pair) / float(part);
    const float frequency = 1.0f / float(exp(double(exponent) * log_base));
    const double halves = double(float(position) * frequency) * 0.31830988618379067;  // 1 / pi
    sincospif(float(halves - 2 * rint(halves / 2)), &sin, &cos);
  }
};

extern "C" __global__ void rotary(const T* __restrict__ x, index_t stride,
                                  const I* __restrict__ positions, T* __restrict__ out,
                                  index_t rows, index_t heads, index_t width, index_t part,
                                  double log_base) {
  const index_t pairs = part / 2, lanes = width - pairs;
  each_item(rows * lanes, [&](index_t item) {
    const index_t row = item / lanes, lane = item - row * lanes;
    const T* from = x + row * stride;
    T* to = out + row * heads * width;
    if (lane >= pairs) {
      for (index_t at = pairs + lane; at < heads * width; at += width) to[at] = from[at];
      return;
    }
    const Turn turn(positions[row], lane, part, log_base);
    const index_t first = INTERLEAVED ? 2 * lane : lane, apart = INTERLEAVED ? 1 : pairs;
    for (index_t at = first; at < heads * width; at += width) {
      const A a = widen(from[at]), b = widen(from[at + apart]);
      to[at] = Narrow<T>::from(a * turn.cos - b * turn.sin);
      to[at + apart] = Narrow<T>::from(b * turn.cos + a * turn.sin);
    }
  });
}
