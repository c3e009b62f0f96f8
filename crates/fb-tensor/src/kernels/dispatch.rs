//! Choice of instruction set at run time.

use std::sync::atomic::{AtomicU8, Ordering};

/// The vector instructions that kernels use, found at the first call.
///
/// The environment variable `FB_ISA` (`avx512`, `avx2` or `portable`) forces a lower one, so that tests and
/// measurements reach each path; asking for more than the processor has changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum InstructionSet {
    /// What every processor of the target has.
    Portable,
    /// AVX2 with fused multiply–add.
    Avx2,
    /// AVX-512 F, VL, DQ and BW.
    Avx512,
}

const UNKNOWN: u8 = u8::MAX;
static CHOSEN: AtomicU8 = AtomicU8::new(UNKNOWN);

/// The instruction set in use.
#[inline]
pub fn instruction_set() -> InstructionSet {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => InstructionSet::Portable,
        1 => InstructionSet::Avx2,
        2 => InstructionSet::Avx512,
        _ => choose(),
    }
}

#[cold]
fn choose() -> InstructionSet {
    let best = detect();
    let wanted = match std::env::var("FB_ISA").as_deref() {
        Ok("portable") => InstructionSet::Portable,
        Ok("avx2") => InstructionSet::Avx2,
        _ => InstructionSet::Avx512,
    };
    let chosen = best.min(wanted);
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

#[cfg(target_arch = "x86_64")]
fn detect() -> InstructionSet {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    match (avx2, avx512) {
        (true, true) => InstructionSet::Avx512,
        (true, false) => InstructionSet::Avx2,
        _ => InstructionSet::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> InstructionSet {
    InstructionSet::Portable
}

/// Compiles a function once per instruction set and picks one at each call (about 2 ns).
///
/// The body is ordinary safe code; the compiler vectorises it for each target. Generic parameters stand in square
/// brackets because macros cannot match angle ones; the first is the type of the elements. Those of eight bytes stop at
/// AVX2: `f64` serves for checks and sums, and a third set of loops would not earn its compile time.
macro_rules! multiversion {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident [$first:ident : $first_bound:path $(, $g:ident : $bound:path)*] ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name<$first: $first_bound $(, $g: $bound)*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$first: $first_bound $(, $g: $bound)*>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn avx512<$first: $first_bound $(, $g: $bound)*>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$first: $first_bound $(, $g: $bound)*>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                let found = $crate::kernels::instruction_set();
                if const { size_of::<$first>() < 8 } && found == $crate::kernels::InstructionSet::Avx512 {
                    // SAFETY: the processor was found to have every feature that the function enables.
                    return unsafe { avx512($($arg),*) };
                }
                if found >= $crate::kernels::InstructionSet::Avx2 {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
