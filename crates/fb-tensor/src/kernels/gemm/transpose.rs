//! Blocks of a matrix turned around in registers.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    #[allow(clippy::wildcard_imports, reason = "intrinsics")]
    use std::arch::x86_64::*;

    /// Sixteen numbers of each of up to sixteen lines, to sixteen rows of a number from each line.
    ///
    /// # Safety
    /// The processor has AVX-512 F. Line `i` is readable from `from + i·step` on, row `j` writable from `to + j·width` on
    /// for as many numbers as there are lines.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    pub(in super::super) unsafe fn transpose_f32(
        from: *const f32,
        step: isize,
        lines: usize,
        to: *mut f32,
        width: usize,
    ) {
        let mut rows = [_mm512_setzero_ps(); 16];
        for (i, row) in rows.iter_mut().enumerate().take(lines) {
            // SAFETY: the line is readable.
            *row = unsafe { _mm512_loadu_ps(from.wrapping_offset(i as isize * step)) };
        }
        // Pairs of numbers, then fours, within each quarter of a register.
        let mut pairs = rows;
        for i in 0..8 {
            pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = rows;
        for q in (0..16).step_by(4) {
            let [a, b, c, d] =
                [pairs[q], pairs[q + 1], pairs[q + 2], pairs[q + 3]].map(|x| _mm512_castps_pd(x));
            fours[q] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
            fours[q + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
            fours[q + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
            fours[q + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
        }
        // The quarters of four registers to one.
        let mut columns = rows;
        for j in 0..4 {
            let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
            let (even_ab, even_cd) = (
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0x88>(c, d),
            );
            let (odd_ab, odd_cd) = (
                _mm512_shuffle_f32x4::<0xdd>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(c, d),
            );
            columns[j] = _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd);
            columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd);
            columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd);
            columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd);
        }
        let mask = (!0_u16) >> (16 - lines);
        for (j, &column) in columns.iter().enumerate() {
            // SAFETY: the row is writable for `lines` numbers.
            unsafe { _mm512_mask_storeu_ps(to.wrapping_add(j * width), mask, column) };
        }
    }
}
