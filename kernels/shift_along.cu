/*
shift_along: what one part gives to a result, whose other elements come from other parts.

  part  (before, lines, middle, run) T
  out   (before, blocks, middle, run) T

Element `at` of run (b, line, m) of the part goes to place line · run + at + offset of the runs
(b, ·, m) of the result, one after the other; to places from `start` up to `stop` only, and where the
part has nothing for these they are zero. They lie in `touched` lines from first_line on.

One launch for each part. A thread for 16 bytes of the result, or for one element. Where lines are
fewer than runs of each, run m of all lines comes before the next: a run of the part goes to two
lines. So what moves is read once and out written once, the least possible. Deterministic.
*/
#include "boxes.cuh"

extern "C" __global__ void shift_along(const T* __restrict__ part, T* __restrict__ out,
    index_t before, index_t lines, index_t blocks, index_t middle, index_t run, index_t offset,
    index_t start, index_t stop, index_t first_line, index_t touched, bool packed) {
  packed = packed && is_aligned16(part) && is_aligned16(out);
  const bool lines_inside = touched < middle;
  const index_t inner = lines_inside ? touched : middle, outer = lines_inside ? middle : touched;
  over_blocks<T>(before * touched * middle, run, packed, [&](index_t i, index_t at, auto few) {
    const index_t above = i / inner, within = i - above * inner;
    const index_t b = above / outer, beyond = above - b * outer;
    const index_t m = lines_inside ? beyond : within;
    const index_t line = first_line + (lines_inside ? within : beyond), place = line * run + at;
    if (place < start || place >= stop) return;
    T* to = out + ((b * blocks + line) * middle + m) * run + at;
    const index_t come_from = place - offset;
    if (come_from < 0 || come_from >= lines * run) return clear_few(to, few);
    const index_t old = come_from / run;
    copy_few(to, part + ((b * lines + old) * middle + m) * run + come_from - old * run, few);
  });
}
