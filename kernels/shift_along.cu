/*
shift_along: what one part gives to a result, whose other elements come from other parts.

  part  (before, lines, middle, run) T
  out   (before, blocks, middle, run) T

Element `at` of run (b, line, m) of the part goes to place line · run + at + offset of the runs
(b, ·, m) of the result, one after the other; to places from `start` up to `stop` only, and where the
part has nothing for these they are zero. They lie in `touched` lines from first_line on.

One launch for each part. A thread for 16 bytes of the result, or for one element. What moves is read
once and out written once, the least possible. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void shift_along(const T* __restrict__ part, T* __restrict__ out,
    index_t before, index_t lines, index_t blocks, index_t middle, index_t run, index_t offset,
    index_t start, index_t stop, index_t first_line, index_t touched, bool packed) {
  packed = packed && is_aligned16(part) && is_aligned16(out);
  over_blocks<T>(before * touched * middle, run, packed, [&](index_t i, index_t at, auto few) {
    const index_t above = i / middle, b = above / touched, m = i - above * middle;
    const index_t line = first_line + above - b * touched, place = line * run + at;
    if (place < start || place >= stop) return;
    T* to = out + ((b * blocks + line) * middle + m) * run + at;
    const index_t come_from = place - offset;
    if (come_from < 0 || come_from >= lines * run) return clear_few(to, few);
    const index_t old = come_from / run;
    copy_few(to, part + ((b * lines + old) * middle + m) * run + come_from - old * run, few);
  });
}
